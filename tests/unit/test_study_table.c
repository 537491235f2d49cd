/* Tables and figures of studies: they say what the results say, and others can read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/eval/study_table.h"
#include "tests/support/study_fixture.h"

/* ---- figures ---- */

static void near(double got, double want) {
    if (!(fabs(got - want) < 1e-9)) fail_msg("expected %.12g, found %.12g", want, got);
}

static struct study_table *table_of_data(void) {
    struct study *s = fake_plan("data", "table", 3, NULL);
    fake_run(s);
    assert_int_equal(study_count(s, JOB_DONE), 12);
    struct study_table *t = study_table_make(s);
    study_free(s);
    t->config = NULL; /* it was the study's */
    for (int r = 0; r < t->n_rows; r++) t->row[r].set = NULL;
    return t;
}

static void tables_hold_what_the_results_hold(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    static const double PROMPTS[] = {32, 64, 128, 256};
    for (int r = 0; r < 4; r++) {
        const struct study_cell *c = t->row[r].cell, *d = t->row[r].difference;
        const double after = 0.54 + PROMPTS[r] / 3200; /* seeds 1 to 3: 0.52, 0.54, 0.56 and as much */
        near(c[STUDY_METRIC_AFTER].v.mean, after);
        const double half = 4.302652729749464 * 0.02 / sqrt(3); /* Student's t with two degrees of freedom */
        near(c[STUDY_METRIC_AFTER].v.lo, after - half);
        near(c[STUDY_METRIC_AFTER].v.hi, after + half);
        assert_int_equal(c[STUDY_METRIC_AFTER].over, OVER_SEEDS);
        near(c[STUDY_METRIC_BEFORE].v.mean, 0.4);
        near(c[STUDY_METRIC_RISE].v.mean, 100 * (after - 0.4));
        near(c[STUDY_METRIC_GAP_WORST].v.mean, 0.22);
        near(c[STUDY_METRIC_PAIRS].v.mean, 3 * PROMPTS[r]);
        near(c[STUDY_METRIC_SECONDS].v.mean, 20);
        assert_int_equal(c[STUDY_METRIC_GAP_FITTED].n, 0); /* null in every result */
        assert_int_equal(c[STUDY_METRIC_COVERAGE].n, 0);
        if (r == 0) continue;
        /* paired: what the seeds have in common falls out */
        near(d[STUDY_METRIC_AFTER].v.mean, (PROMPTS[r] - 32) / 3200);
        near(d[STUDY_METRIC_AFTER].v.lo, (PROMPTS[r] - 32) / 3200);
        near(d[STUDY_METRIC_AFTER].v.hi, (PROMPTS[r] - 32) / 3200);
    }
    assert_int_equal(t->row[0].difference[STUDY_METRIC_AFTER].n, 0);
    study_table_free(t);
}

static void single_seeds_keep_their_own_interval(void **state) {
    (void)state;
    struct study *s = fake_plan("data", "single", 1, NULL);
    fake_run(s);
    struct study_table *t = study_table_make(s);
    const struct study_cell *gap = &t->row[0].cell[STUDY_METRIC_GAP_WORST],
                            *after = &t->row[0].cell[STUDY_METRIC_AFTER];
    char text[64];
    near(gap->v.mean, 0.21);
    near(gap->v.lo, 0.1);
    near(gap->v.hi, 0.5);
    assert_int_equal(gap->over, OVER_PROMPTS);
    assert_int_equal(after->over, OVER_NONE);
    study_cell_text(gap, STUDY_METRIC_GAP_WORST, false, text, sizeof text);
    assert_string_equal(text, "0.210 [0.100, 0.500]");
    study_cell_text(after, STUDY_METRIC_AFTER, false, text, sizeof text);
    assert_string_equal(text, "53.0");
    study_cell_text(&t->row[1].difference[STUDY_METRIC_AFTER], STUDY_METRIC_AFTER, true, text, sizeof text);
    assert_string_equal(text, "+1.0");
    study_cell_text(&t->row[0].difference[STUDY_METRIC_AFTER], STUDY_METRIC_AFTER, true, text, sizeof text);
    assert_string_equal(text, "-");
    study_table_free(t);
    study_free(s);
}

/* Yes or no in every run: Wilson's interval. A share in every run: Student's t, which ends where shares do. */
static void shares_end_at_none_and_all(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    static const double REDRAWN[] = {1.0, 0.9, 1.0};
    for (int i = 0; i < 3; i++) {
        t->row[0].value[STUDY_METRIC_COVERAGE * 3 + i] = 1;
        t->row[0].value[STUDY_METRIC_REDRAWN * 3 + i] = REDRAWN[i];
        t->row[1].value[STUDY_METRIC_REDRAWN * 3 + i] = 1 - REDRAWN[i];
    }
    study_table_compute(t);
    const struct interval covered = t->row[0].cell[STUDY_METRIC_COVERAGE].v,
                          all = t->row[0].cell[STUDY_METRIC_REDRAWN].v, none = t->row[1].cell[STUDY_METRIC_REDRAWN].v;
    const double half = 4.302652729749464 * 0.1 / 3; /* the deviation of the three is 0.1 / sqrt(3) */
    near(covered.lo, 3 / (3 + 1.959963984540054 * 1.959963984540054));
    near(covered.hi, 1);
    near(all.lo, 1 - 0.1 / 3 - half);
    near(all.hi, 1);
    near(none.lo, 0);
    near(none.hi, 0.1 / 3 + half);
    study_table_free(t);
}

static void sanity_says_yes_or_no(void **state) {
    (void)state;
    struct study *s = fake_plan("sanity", "sanity", 3, NULL);
    fake_run(s);
    struct study_table *t = study_table_make(s);
    struct strbuf b = {0};
    int yes, known;
    study_sanity(t, &yes, &known);
    assert_int_equal(yes, 3);
    study_table_text(t, 100, &b);
    assert_non_null(strstr(b.s, "reward accuracy before the game > 90 %: yes (3 of 3 seeds)"));
    t->row[0].value[STUDY_METRIC_REWARD * 3 + 1] = 0.90; /* not more than 90 % */
    t->row[0].value[STUDY_METRIC_REWARD * 3 + 2] = (double)NAN;
    study_sanity(t, &yes, &known);
    assert_int_equal(yes, 1);
    assert_int_equal(known, 2);
    strbuf_clear(&b);
    study_table_text(t, 100, &b);
    assert_non_null(strstr(b.s, "> 90 %: no (1 of 3 seeds)"));
    strbuf_free(&b);
    study_table_free(t);
    study_free(s);
}

/* ---- files that others read ---- */

/* Fields of one CSV record; *at moves past it. The text of field `want` is copied to out. */
static int read_record(const char **at, int want, char *out, size_t size) {
    int n = 0;
    size_t len = 0;
    out[0] = '\0';
    for (bool quoted = false;; ++*at) {
        const char c = **at;
        if (quoted && c == '"' && (*at)[1] == '"')
            ++*at;
        else if (c == '"') {
            quoted = !quoted;
            continue;
        } else if (!quoted && (c == ',' || c == '\r')) {
            n++;
            if (c == ',') continue;
            assert_int_equal((*at)[1], '\n');
            *at += 2;
            return n;
        }
        assert_true(c != '\0');
        if (n == want && len + 1 < size) out[len++] = c, out[len] = '\0';
    }
}

#define HOSTILE "<a & \"b\", c>"

static void csv_is_well_formed(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    struct strbuf b = {0};
    char field[200];
    t->row[1].label = HOSTILE;
    study_table_csv(t, &b);
    const char *at = b.s;
    const int n = read_record(&at, 3 + 6 * STUDY_METRIC_AFTER, field, sizeof field);
    assert_int_equal(n, 3 + 6 * N_STUDY_METRICS);
    assert_string_equal(field, "accuracy_after");
    for (int r = 0; r < 4; r++) {
        const char *again = at;
        assert_int_equal(read_record(&again, 0, field, sizeof field), n);
        assert_string_equal(field, t->row[r].label);
        assert_int_equal(read_record(&at, 3 + 6 * STUDY_METRIC_AFTER, field, sizeof field), n);
        near(strtod(field, NULL), t->row[r].cell[STUDY_METRIC_AFTER].v.mean);
    }
    assert_string_equal(at, "");
    assert_null(strstr(b.s, "nan"));
    assert_null(strstr(b.s, "null"));
    strbuf_free(&b);
    study_table_free(t);
}

static void json_is_well_formed(void **state) {
    (void)state;
    struct study *s = fake_plan("data", "table", 3, "beta=8"); /* the configuration's own value */
    struct study_table *t = study_table_make(s);
    struct strbuf b = {0};
    struct err e;
    t->row[1].label = HOSTILE;
    study_table_json(s, t, &b);
    cJSON *root = json_parse(b.s, b.len, "table", &e);
    if (!root) fail_msg("%s", e.msg);
    const cJSON *rows = cJSON_GetObjectItem(root, "variants"), *row = cJSON_GetArrayItem(rows, 1);
    assert_int_equal(cJSON_GetArraySize(rows), 4);
    assert_string_equal(cJSON_GetObjectItem(row, "variant")->valuestring, HOSTILE);
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(row, "set"), 0)->valuestring,
                        "prompts.per_iteration=64");
    const cJSON *after = cJSON_GetObjectItem(cJSON_GetObjectItem(row, "metrics"), "accuracy_after");
    near(cJSON_GetObjectItem(after, "mean")->valuedouble, 0.56);
    near(cJSON_GetArrayItem(cJSON_GetObjectItem(after, "values"), 2)->valuedouble, 0.58);
    near(cJSON_GetObjectItem(cJSON_GetObjectItem(after, "difference"), "mean")->valuedouble, 0.01);
    assert_string_equal(cJSON_GetObjectItem(after, "over")->valuestring, "seeds");
    cJSON_Delete(root);
    strbuf_free(&b);
    study_table_free(t);
    study_free(s);
}

/* Tags closed in order, attributes quoted, no bare < & in text: what every XML reader asks for. */
static void check_xml(const char *x) {
    char open[32][16];
    int depth = 0, elements = 0;
    while (*x) {
        if (*x == '&') {
            const size_t n = strcspn(x, ";");
            assert_true(n < 7 && x[n] == ';' && strspn(x + 1, "abcdefghijklmnopqrstuvwxyz") == n - 1);
            x += n;
        } else if (*x == '<') {
            const bool closing = x[1] == '/';
            const char *name = x + 1 + closing;
            const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
            assert_true(n > 0 && n < 16);
            for (x = name + n; *x && *x != '>' && strncmp(x, "/>", 2) != 0; x++) {
                assert_true(*x != '<');
                if (*x == '"') x += 1 + strcspn(x + 1, "\"");
            }
            elements++;
            if (closing) {
                assert_true(depth > 0);
                depth--;
                assert_memory_equal(open[depth], name, n);
            } else if (*x == '>') {
                snprintf(open[depth++], 16, "%.*s", (int)n, name);
            } else {
                x++;
            }
            assert_int_equal(*x, '>');
        } else {
            assert_true(*x != '>');
        }
        x++;
    }
    assert_int_equal(depth, 0);
    assert_true(elements > 40);
}

static void svg_is_well_formed(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    struct strbuf b = {0};
    t->row[1].label = HOSTILE;
    study_figure_svg(t, &b);
    check_xml(b.s);
    assert_non_null(strstr(b.s, ">&lt;a &amp; &quot;b&quot;, c&gt;</text>"));
    assert_non_null(strstr(b.s, "student accuracy after, %"));
    assert_non_null(strstr(b.s, "worst-case gap"));
    assert_null(strstr(b.s, "nan"));
    assert_int_equal(count_text(b.s, "r=\"5\""), 3 * 4);       /* a mean per variant and panel */
    assert_int_equal(count_text(b.s, "r=\"2.5\""), 3 * 4 * 3); /* and a dot per seed */
    strbuf_free(&b);
    for (int r = 0; r < 4; r++)
        for (int i = 0; i < N_STUDY_METRICS * 3; i++) t->row[r].value[i] = (double)NAN;
    study_table_compute(t); /* nothing was measured: still a picture */
    study_figure_svg(t, &b);
    assert_non_null(strstr(b.s, "</svg>"));
    strbuf_free(&b);
    study_table_free(t);
}

static void text_fits_the_page(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    for (int columns = 90; columns <= 240; columns += 50) {
        struct strbuf b = {0};
        study_table_text(t, columns, &b);
        study_figure_text(t, columns, false, &b);
        for (const char *line = b.s; *line; line += strcspn(line, "\n") + 1) {
            const int n = (int)strcspn(line, "\n");
            if (n > columns) fail_msg("%d columns: %.*s", columns, n, line);
            for (int i = 0; i < n; i++) assert_true((unsigned char)line[i] < 0x80);
        }
        assert_int_equal(count_text(b.s, "coverage"), 0); /* of another study */
        assert_non_null(strstr(b.s, "difference to \"32 prompts\", paired by seed"));
        strbuf_free(&b);
    }
    study_table_free(t);
}

/* The line of the figure that begins with `label`. */
static const char *line_of(const char *text, const char *label) {
    while (strncmp(text, label, strlen(label)) != 0) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    return text;
}

/* 55 [50.03, 59.97] on an axis from 50 to 70, 63 cells wide and behind a label of 13. */
static void text_figure_is_to_scale(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    struct strbuf b = {0};
    double lo, hi, step;
    assert_true(study_axis(t, STUDY_METRIC_AFTER, &lo, &hi, &step));
    assert_true(lo == 50 && hi == 70 && step == 5);
    study_figure_text(t, 80, false, &b);
    const char *line = line_of(b.s, "32 prompts");
    assert_int_equal(strcspn(line, "|"), 13 + lround(0.03 / 20 * 62));
    assert_int_equal(strcspn(line + 13, "o"), lround(5.0 / 20 * 62 - 1e-9)); /* a half, less a rounding error */
    assert_int_equal(strcspn(line, "\n"), 13 + lround(9.97 / 20 * 62) + 1);
    assert_int_equal(line[strcspn(line, "\n") - 1], '|');
    strbuf_clear(&b);
    study_figure_text(t, 80, true, &b);
    assert_non_null(strstr(b.s, "├───"));
    strbuf_free(&b);
    study_table_free(t);
}

#define TEST(f) cmocka_unit_test_setup(f, fake_forget)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(tables_hold_what_the_results_hold),
        TEST(single_seeds_keep_their_own_interval),
        TEST(shares_end_at_none_and_all),
        TEST(sanity_says_yes_or_no),
        TEST(csv_is_well_formed),
        TEST(json_is_well_formed),
        TEST(svg_is_well_formed),
        TEST(text_fits_the_page),
        TEST(text_figure_is_to_scale),
    };
    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}
