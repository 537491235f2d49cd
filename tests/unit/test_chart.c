/* Charts: tick steps, what reaches the cells in each kind of glyph, spikes, gaps, windows, hostile values. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "views/chart.h"

static struct series *make_series(int n) {
    struct series *s = mem_small(sizeof *s);
    s->n = n;
    for (int i = 0; i < n; i++) s->tick[i] = i;
    return s;
}

static void draw(struct canvas *c, const struct chart *chart) {
    canvas_clear(c);
    chart_draw(canvas_area(c), chart);
}

/* Cells of the role in a column (-1: in all). */
static int count_role(const struct canvas *c, enum role role, int col) {
    int n = 0;
    for (int i = 0; i < c->rows * c->cols; i++)
        n += c->cell[i].role == role && i >= c->cols && (col < 0 || i % c->cols == col);
    return n;
}

static void test_steps(void **state) {
    (void)state;
    assert_float_equal(chart_step(0, 10, 5), 2, 1e-12);
    assert_float_equal(chart_step(0, 1, 4), 0.5, 1e-12);
    assert_float_equal(chart_step(0, 0.93, 5), 0.2, 1e-12);
    assert_float_equal(chart_step(-3, 4, 7), 1, 1e-12);
    assert_float_equal(chart_step(0, 1000, 4), 500, 1e-9);
    for (uint64_t k = 0; k < 1000; k++) {
        const double lo = rng_normal(1, RNG_TEST, k, 0), span = exp(10 * rng_normal(1, RNG_TEST, k, 1));
        const int most = 1 + (int)rng_below(20, 1, RNG_TEST, k, 2);
        const double step = chart_step(lo, lo + span, most), mantissa = step / pow(10, floor(log10(step) + 1e-9));
        assert_true(((lo + span) - lo) / step <= most * (1 + 1e-6));
        assert_true(fabs(mantissa - 1) < 1e-6 || fabs(mantissa - 2) < 1e-6 || fabs(mantissa - 5) < 1e-6);
    }
    assert_true(chart_step(1, 1, 5) > 0);
    assert_true(chart_step(NAN, 1, 5) > 0);
    assert_true(chart_step(0, INFINITY, 0) > 0);
}

/* A straight rise in ASCII: every column once, rising to the right. */
static void test_line_in_ascii(void **state) {
    (void)state;
    struct canvas c;
    struct series *s = make_series(101);
    for (int i = 0; i <= 100; i++) s->value[i] = (float)i;
    canvas_init(&c, 13, 40, GLYPHS_ASCII);
    struct chart chart = chart_make();
    chart_add(&chart, s, "rise", ROLE_SERIES1);
    draw(&c, &chart);
    int before = c.rows, columns = 0;
    for (int col = 0; col < c.cols - 2; col++) {
        int top = -1;
        for (int row = 1; row < c.rows - 2; row++)
            if (c.cell[row * c.cols + col].role == ROLE_SERIES1 && top < 0) top = row;
        if (top < 0) continue;
        assert_string_equal(c.cell[top * c.cols + col].text, "r");
        assert_true(top <= before);
        before = top;
        columns++;
    }
    assert_int_equal(columns, 40 - 4 - 2); /* "100|" on the left, the letter on the right */
    char *dump = canvas_dump(&c, false);
    assert_non_null(strstr(dump, "rise 100"));
    assert_non_null(strstr(dump, "100"));
    assert_non_null(strstr(dump, " 50"));
    free(dump);
    free(s);
    canvas_free(&c);
}

static void test_flat_line_in_braille(void **state) {
    (void)state;
    struct canvas c;
    struct series *s = make_series(50);
    for (int i = 0; i < 50; i++) s->value[i] = 3;
    canvas_init(&c, 10, 40, GLYPHS_BRAILLE);
    struct chart chart = chart_make();
    chart_add(&chart, s, "flat", ROLE_SERIES1);
    draw(&c, &chart);
    int rows = 0;
    for (int row = 1; row < c.rows; row++)
        for (int col = 0; col < c.cols - 2; col++)
            if (c.cell[row * c.cols + col].role == ROLE_SERIES1) {
                assert_int_equal((unsigned char)c.cell[row * c.cols + col].text[0], 0xe2);
                rows |= 1 << row;
            }
    assert_true(rows && (rows & (rows - 1)) == 0); /* one row only */
    free(s);
    canvas_free(&c);
}

/* One point of 2,048 sticks out: its column reaches from the line to the top in every kind of glyph. */
static void test_a_spike_survives(void **state) {
    (void)state;
    for (int glyphs = GLYPHS_BRAILLE; glyphs <= GLYPHS_ASCII; glyphs++) {
        struct canvas c;
        struct series *s = make_series(SERIES_POINTS);
        s->value[777] = 10;
        canvas_init(&c, 14, 30, (enum glyphs)glyphs);
        struct chart chart = chart_make();
        chart_add(&chart, s, "spike", ROLE_SERIES1);
        draw(&c, &chart);
        int tallest = 0;
        for (int col = 0; col < c.cols - 2; col++)
            if (count_role(&c, ROLE_SERIES1, col) > tallest) tallest = count_role(&c, ROLE_SERIES1, col);
        assert_true(tallest >= 10);
        free(s);
        canvas_free(&c);
    }
}

static void test_gaps(void **state) {
    (void)state;
    struct canvas c;
    struct series *s = make_series(100);
    for (int i = 0; i < 100; i++) s->value[i] = i < 40 || i >= 60 ? 1 : i % 2 ? (float)NAN : (float)-INFINITY;
    canvas_init(&c, 10, 60, GLYPHS_BRAILLE);
    struct chart chart = chart_make();
    chart_add(&chart, s, "holes", ROLE_SERIES1);
    draw(&c, &chart);
    int empty = 0;
    for (int col = 10; col < 50; col++) empty += count_role(&c, ROLE_SERIES1, col) == 0;
    assert_in_range(empty, 8, 12); /* a fifth of the width */
    char *dump = canvas_dump(&c, false);
    assert_non_null(strstr(dump, "(20 not finite)"));
    free(dump);
    free(s);
    canvas_free(&c);
}

/* Two points far outside the window: the line between them still crosses it, and the axis is made for what is in sight.
 */
static void test_window_between_points(void **state) {
    (void)state;
    struct canvas c;
    struct series *s = make_series(2);
    s->tick[1] = 1000;
    s->value[1] = 1000;
    canvas_init(&c, 12, 60, GLYPHS_BRAILLE);
    struct chart chart = chart_make();
    chart_add(&chart, s, "long", ROLE_SERIES1);
    chart.x0 = 400;
    chart.x1 = 500;
    draw(&c, &chart);
    int columns = 0;
    for (int col = 0; col < c.cols - 2; col++) columns += count_role(&c, ROLE_SERIES1, col) > 0;
    assert_true(columns > 50);
    char *dump = canvas_dump(&c, false);
    assert_non_null(strstr(dump, "450"));
    assert_null(strstr(dump, "\n1000"));
    free(dump);
    free(s);
    canvas_free(&c);
}

static void test_band_level_and_marks(void **state) {
    (void)state;
    struct canvas c;
    struct series *mid = make_series(3), *lo = make_series(3), *hi = make_series(3);
    for (int i = 0; i < 3; i++) mid->value[i] = 5, lo->value[i] = 2, hi->value[i] = 8;
    const struct tick_mark mark[] = {{1, "beta 1 -> 2"}, {99, "outside"}};
    canvas_init(&c, 14, 40, GLYPHS_BRAILLE);
    struct chart chart = chart_make();
    chart_add(&chart, mid, "mean", ROLE_SERIES1);
    chart_set_band(&chart, lo, hi);
    chart.level = 9;
    chart.level_name = "gate 9";
    chart.mark = mark;
    chart.n_marks = 2;
    draw(&c, &chart);
    assert_true(count_role(&c, ROLE_BAND, -1) > 60);
    assert_int_equal(count_role(&c, ROLE_MARK, -1), 1);
    char *dump = canvas_dump(&c, false);
    assert_non_null(strstr(dump, "gate 9"));
    assert_non_null(strstr(dump, "╌╌╌╌"));
    free(dump);
    free(mid), free(lo), free(hi);
    canvas_free(&c);
}

static void test_legend_gets_shorter(void **state) {
    (void)state;
    static const char *const want[] = {"held-out accuracy 1.00  train accuracy 2.00", "held-out 1.00  train 2.00",
                                       "held-out  train"};
    static const int cols[] = {60, 30, 20};
    struct series *a = make_series(3), *b = make_series(3);
    a->value[2] = 1, b->value[2] = 2;
    for (int i = 0; i < 3; i++) {
        struct canvas c;
        canvas_init(&c, 10, cols[i], GLYPHS_BRAILLE);
        struct chart chart = chart_make();
        chart_add(&chart, a, "held-out accuracy", ROLE_SERIES1);
        chart_add(&chart, b, "train accuracy", ROLE_SERIES2);
        draw(&c, &chart);
        char *dump = canvas_dump(&c, false);
        assert_memory_equal(dump, want[i], strlen(want[i]));
        free(dump);
        canvas_free(&c);
    }
    free(a), free(b);
}

static void test_nothing_to_draw(void **state) {
    (void)state;
    struct canvas c;
    struct series *s = make_series(3);
    s->value[0] = s->value[1] = s->value[2] = (float)NAN;
    canvas_init(&c, 10, 40, GLYPHS_BRAILLE);
    for (int i = 0; i < 3; i++) {
        struct chart chart = chart_make();
        if (i) chart_add(&chart, i == 1 ? NULL : s, "none", ROLE_SERIES1);
        draw(&c, &chart);
        char *dump = canvas_dump(&c, false);
        assert_non_null(strstr(dump, "nothing measured yet"));
        free(dump);
    }
    free(s);
    canvas_free(&c);
}

/* Any sizes, any values, any window: drawing ends and stays inside (the address sanitizer watches). */
static void test_hostile_values(void **state) {
    (void)state;
    static const float odd[] = {0, -0.0F, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-38F, 1e30F, -1e30F, 1, 1.0000001F, 16777216};
    struct series *s = make_series(64), *t = make_series(64);
    for (uint64_t k = 0; k < 4000; k++) {
        struct canvas c;
        canvas_init(&c, 1 + (int)rng_below(20, 2, RNG_TEST, k, 0), 1 + (int)rng_below(70, 2, RNG_TEST, k, 1),
                    (enum glyphs)(k % 3));
        s->n = t->n = (int)rng_below(65, 2, RNG_TEST, k, 2);
        int64_t tick = k % 5 ? 0 : -INT64_C(4000000000000000000);
        for (int i = 0; i < s->n; i++) {
            const uint64_t r = rng_u64(9, RNG_TEST, k, (uint64_t)i);
            s->value[i] = r % 13 == 11   ? (float)NAN
                          : r % 13 == 12 ? (float)INFINITY
                          : k % 2        ? odd[r % 11]
                                         : odd[r % 2 + 8];
            t->value[i] = odd[(r >> 8) % 11];
            tick += (int64_t)(k % 7 ? (r >> 16) % 3 : (r >> 8));
            if (tick < 0 && k % 5) tick = INT64_MAX - 1;
            s->tick[i] = t->tick[i] = i && tick < s->tick[i - 1] ? s->tick[i - 1] : tick;
        }
        struct chart chart = chart_make();
        chart_add(&chart, s, "s", ROLE_SERIES1);
        chart_add(&chart, t, "t", ROLE_SERIES2);
        chart_set_band(&chart, s, t);
        chart.from_zero = k % 2;
        if (k % 3 == 0) chart.top = 1;
        if (k % 4 == 0) chart.level = (double)odd[k % 11];
        if (k % 5 == 0) chart.x0 = (int64_t)(k % 50), chart.x1 = chart.x0 + (int64_t)(k % 17);
        draw(&c, &chart);
        for (int i = 0; i < c.rows * c.cols; i++) assert_true(c.cell[i].width == 1);
        canvas_free(&c);
    }
    free(s), free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_line_in_ascii),
        cmocka_unit_test(test_flat_line_in_braille),
        cmocka_unit_test(test_a_spike_survives),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_window_between_points),
        cmocka_unit_test(test_band_level_and_marks),
        cmocka_unit_test(test_legend_gets_shorter),
        cmocka_unit_test(test_nothing_to_draw),
        cmocka_unit_test(test_hostile_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
