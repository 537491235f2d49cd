/* Reward diagnostics: every figure on pairs worked out by hand, on nothing, on one class, on rewards that are no
 * numbers; and through a checkpoint. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/reward/diagnostics.h"

static void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

static void assert_tally(struct diag_tally t, int n, double right) {
    assert_int_equal(t.n, n);
    assert_near(t.right, right, 0);
}

/* A plain teacher's label on a pair of the first iteration, y0 ahead by delta. */
static struct scored_pair pair_of(int64_t id, double delta) {
    return (struct scored_pair){.id = id,
                                .reward0 = delta,
                                .length0 = 5,
                                .length1 = 5,
                                .o = 1,
                                .weight = 1,
                                .source = SOURCE_TEACHER,
                                .iteration = 1};
}

static void test_accuracy(void **state) {
    (void)state;
    struct scored_pair p[8];
    for (int i = 0; i < 8; i++) p[i] = pair_of(i + 1, 1);
    p[0].iteration = 6, p[0].heldout = true; /* right; newest */
    p[1].reward0 = -1, p[1].iteration = 5;   /* wrong; one iteration old */
    /* half; two old; the longer is preferred */
    p[2].reward0 = 0, p[2].iteration = 4, p[2].length0 = 9;
    /* wrong; three old; the shorter is preferred */
    p[3].o = 0, p[3].source = SOURCE_HUMAN, p[3].iteration = 3, p[3].length0 = 9;
    /* right; four old; the shorter is preferred */
    p[4].o = 0.9, p[4].iteration = 2, p[4].length1 = 9;
    p[5].o = 0.5;              /* a tie decides nothing */
    p[6].source = SOURCE_NONE; /* nor does a pair without a label */
    /* wrong; from later than now: newest; the longer */
    p[7].iteration = 9, p[7].o = 0, p[7].length1 = 9, p[7].heldout = true;
    struct diagnostics d;
    diagnostics_measure(&d, p, 8, 6, 77);
    assert_int_equal(d.iteration, 6);
    assert_int_equal(d.tick, 77);
    assert_int_equal(d.n[DIAG_TRAIN], 5);
    assert_int_equal(d.n[DIAG_HELDOUT], 2);
    assert_tally(d.accuracy[DIAG_TRAIN], 4, 1.5);
    assert_tally(d.accuracy[DIAG_HELDOUT], 2, 1);
    assert_tally(d.by_source[SOURCE_HUMAN][DIAG_TRAIN], 1, 0);
    assert_tally(d.by_source[SOURCE_TEACHER][DIAG_TRAIN], 3, 1.5);
    assert_tally(d.by_source[SOURCE_NONE][DIAG_TRAIN], 0, 0);
    assert_tally(d.by_age[DIAG_AGE_0][DIAG_HELDOUT], 2, 1);
    assert_tally(d.by_age[DIAG_AGE_1][DIAG_TRAIN], 1, 0);
    assert_tally(d.by_age[DIAG_AGE_2_3][DIAG_TRAIN], 2, 0.5);
    assert_tally(d.by_age[DIAG_AGE_4][DIAG_TRAIN], 1, 1);
    assert_tally(d.by_length[DIAG_LONGER][DIAG_TRAIN], 1, 0.5);
    assert_tally(d.by_length[DIAG_AS_LONG][DIAG_TRAIN], 1, 0);
    assert_tally(d.by_length[DIAG_SHORTER][DIAG_TRAIN], 2, 1);
    assert_near(d.length_only, (2 + 0.5 * 2) / 6, 1e-15); /* longer: 3 and 8; as long: 1 and 2 */
    assert_near(d.majority, 4.0 / 6, 1e-15);              /* y0: 1, 2, 3, 5 */
    assert_near(diag_share(d.accuracy[DIAG_TRAIN]), 0.375, 0);
}

/* l = -[o~ log s(D) + (1-o~) log s(-D)], weighted; a margin moves D towards the label's side. */
static void test_likelihood(void **state) {
    (void)state;
    struct scored_pair p[4] = {pair_of(1, log(3)), pair_of(2, log(3)), pair_of(3, log(3)), pair_of(4, 2)};
    p[1].o = 0, p[1].weight = 3;          /* s(-log 3) = 1/4 */
    p[2].flip = 0.1, p[2].heldout = true; /* 0.9 log(4/3) + 0.1 log 4 */
    p[3].margin = 2, p[3].heldout = true; /* log 2 */
    struct diagnostics d;
    diagnostics_measure(&d, p, 4, 1, 1);
    assert_near(d.nll[DIAG_TRAIN], (log(4.0 / 3) + 3 * log(4)) / 4, 1e-15);
    assert_near(d.nll[DIAG_HELDOUT], (0.9 * log(4.0 / 3) + 0.1 * log(4) + log(2)) / 2, 1e-15);
}

/* Ten held-out pairs, one a bin: five sure of 3/4 of which four are right, five of 9/10, all right. */
static void test_calibration(void **state) {
    (void)state;
    struct scored_pair p[11];
    for (int i = 0; i < 11; i++) {
        p[i] = pair_of(i + 1, i < 5 ? log(3) : log(9));
        p[i].heldout = true;
        if (i % 2) p[i].reward0 = -p[i].reward0, p[i].o = 0; /* the order of the answers must not matter */
    }
    p[0].o = 0;            /* wrong */
    p[10].heldout = false; /* training pairs do not count */
    struct diagnostics d;
    diagnostics_measure(&d, p, 11, 1, 1);
    assert_int_equal(d.n_bins, DIAG_BINS);
    assert_near(d.ece, (0.75 + 4 * 0.25 + 5 * 0.1) / 10, 1e-15);
    assert_near(d.brier, (0.75 * 0.75 + 4 * 0.0625 + 5 * 0.01) / 10, 1e-15);
    for (int i = 0; i < DIAG_BINS; i++) {
        assert_int_equal(d.bin[i].n, 1);
        assert_near(d.bin[i].p, i < 5 ? 0.75 : 0.9, 1e-15);
        assert_near(d.bin[i].o, i > 0, 0); /* equal forecasts: by outcome */
    }
    p[9].o = 0.5; /* a tie is half right, and counts */
    diagnostics_measure(&d, p, 10, 1, 1);
    assert_near(d.brier, (0.75 * 0.75 + 4 * 0.0625 + 4 * 0.01 + 0.16) / 10, 1e-15);
    diagnostics_measure(&d, p, 9, 1, 1);
    assert_int_equal(d.n_bins, 0);
    assert_true(isnan(d.ece) && isnan(d.brier));
}

static void test_margins(void **state) {
    (void)state;
    struct scored_pair p[6] = {pair_of(1, 2.1), pair_of(2, -2.1), pair_of(3, 0),
                               pair_of(4, 0.2), pair_of(5, 3),    pair_of(6, 9)};
    p[3].o = 0, p[3].heldout = true; /* -0.2 */
    p[5].o = 0.5;                    /* no margin, and no part in the range */
    struct diagnostics d;
    diagnostics_measure(&d, p, 6, 1, 1);
    assert_near(d.margin_max, 3, 0);
    for (int i = 0; i < DIAG_MARGINS; i++) { /* bins of 3/8 from -3 */
        const int train = i == 13 || i == 2 || i == 8 || i == 15;
        assert_int_equal(d.margin[DIAG_TRAIN][i], train);
        assert_int_equal(d.margin[DIAG_HELDOUT][i], i == 7);
    }
    static const double most[][2] = {{0.07, 0.08}, {1, 1}, {1.0001, 2}, {4.5, 6}, {7, 8}, {95, 100}};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        const struct scored_pair one = pair_of(1, most[i][0]);
        diagnostics_measure(&d, &one, 1, 1, 1);
        assert_near(d.margin_max, most[i][1], 1e-12);
        assert_int_equal(d.n_beyond[DIAG_TRAIN], 0);
    }
    struct scored_pair many[100]; /* two of a hundred may lie beyond */
    for (int i = 0; i < 100; i++) many[i] = pair_of(i + 1, i < 97 ? 0.9 : -9);
    diagnostics_measure(&d, many, 100, 1, 1);
    assert_near(d.margin_max, 10, 0);
    many[98].o = 0;
    many[99].reward0 = 1;
    diagnostics_measure(&d, many, 100, 1, 1);
    assert_near(d.margin_max, 1, 0);
    assert_int_equal(d.n_beyond[DIAG_TRAIN], 2); /* -9 and 9 */
    assert_int_equal(d.margin[DIAG_TRAIN][0], 1);
    assert_int_equal(d.margin[DIAG_TRAIN][DIAG_MARGINS - 1], 99);
}

static void test_length_correlation(void **state) {
    (void)state;
    struct scored_pair p[2] = {pair_of(1, 0), pair_of(2, 0)};
    const double reward[] = {2, 1, 4, 3};
    p[0].reward0 = reward[0], p[0].reward1 = reward[1], p[1].reward0 = reward[2], p[1].reward1 = reward[3];
    p[0].length0 = 1, p[0].length1 = 2, p[1].length0 = 3, p[1].length1 = 4;
    p[1].source = SOURCE_NONE; /* needs no label */
    struct diagnostics d;
    diagnostics_measure(&d, p, 2, 1, 1);
    assert_near(d.length_correlation, 0.6, 1e-15); /* 3 / 5 */
    diagnostics_measure(&d, p, 1, 1, 1);
    assert_true(isnan(d.length_correlation));
    p[0].length1 = p[1].length0 = p[1].length1 = 1;
    diagnostics_measure(&d, p, 2, 1, 1);
    assert_near(d.length_correlation, 0, 0);
}

static void test_lists(void **state) {
    (void)state;
    enum { N = 40 };
    struct scored_pair p[N];
    /* |Delta| = 0.05, 0.15 ... each twice */
    for (int i = 0; i < N; i++) p[i] = pair_of(i + 1, (i * 7 % N - 19.5) / 10);
    p[11].source = SOURCE_NONE;
    struct diagnostics d;
    diagnostics_measure(&d, p, N, 1, 1);
    assert_int_equal(d.n_uncertain, DIAG_LISTED);
    assert_int_equal(d.n_disputed, DIAG_LISTED);
    for (int i = 0; i < DIAG_LISTED; i++) {
        const struct diag_pair *u = &d.uncertain[i], *l = &d.disputed[i];
        assert_near(fabs(u->reward0 - u->reward1), 0.05 + 0.1 * (i / 2), 1e-12);
        if (i % 2 && u[-1].reward0 == -u->reward0) assert_true(u[-1].id > u->id);
        if (i) assert_true(l[-1].loss >= l->loss);
        assert_int_not_equal(l->id, 12);
        assert_near(l->loss, log1p(exp(-l->reward0)), 1e-12);
    }
    assert_near(d.disputed[0].reward0, -1.95, 1e-12);
    for (int i = 0; i < N; i++) p[i].reward0 = 1; /* all equal: the newest first */
    diagnostics_measure(&d, p, N, 1, 1);
    for (int i = 0; i < DIAG_LISTED; i++) assert_int_equal(d.uncertain[i].id, N - i);
    diagnostics_measure(&d, p + 11, 1, 1, 1);
    assert_int_equal(d.n_uncertain, 1);
    assert_int_equal(d.n_disputed, 0);
    assert_true(isnan(d.uncertain[0].loss));
}

static void test_nothing(void **state) {
    (void)state;
    struct diagnostics d;
    diagnostics_measure(&d, NULL, 0, 0, 0);
    assert_int_equal(d.iteration, 0);
    for (int k = 0; k < DIAG_SPLITS; k++) {
        assert_int_equal(d.n[k], 0);
        assert_true(isnan(d.nll[k]) && isnan(diag_share(d.accuracy[k])));
    }
    assert_true(isnan(d.ece) && isnan(d.brier) && isnan(d.length_only) && isnan(d.majority) &&
                isnan(d.length_correlation));
    assert_true(d.margin_max == 1 && d.n_bins == 0 && d.n_uncertain == 0 && d.n_disputed == 0);
}

/* One class: every label says y0. Saying so always is then never wrong. */
static void test_one_class(void **state) {
    (void)state;
    struct scored_pair p[20];
    for (int i = 0; i < 20; i++) {
        p[i] = pair_of(i + 1, 100); /* so sure that s(Delta) is 1 */
        p[i].heldout = true;
    }
    struct diagnostics d;
    diagnostics_measure(&d, p, 20, 1, 1);
    assert_near(d.majority, 1, 0);
    assert_near(d.length_only, 0.5, 0);
    assert_near(d.ece, 0, 1e-15);
    assert_near(d.brier, 0, 1e-15);
    assert_near(d.nll[DIAG_HELDOUT], exp(-100), 1e-57);
    assert_int_equal(d.margin[DIAG_HELDOUT][DIAG_MARGINS - 1], 20);
    for (int i = 0; i < 20; i++) p[i].o = 0; /* and always wrong */
    diagnostics_measure(&d, p, 20, 1, 1);
    assert_near(d.majority, 1, 0);
    assert_near(d.ece, 1, 1e-15);
    assert_near(d.nll[DIAG_HELDOUT], 100, 1e-12);
    assert_int_equal(d.margin[DIAG_HELDOUT][0], 20);
}

static void test_not_finite(void **state) {
    (void)state;
    struct scored_pair p[13];
    for (int i = 0; i < 13; i++) {
        p[i] = pair_of(i + 1, i < 6 ? 1 : -1);
        p[i].heldout = true;
    }
    struct diagnostics with, without;
    diagnostics_measure(&without, p, 10, 1, 1);
    p[10].reward0 = (double)NAN;
    p[11].reward1 = (double)NAN;
    p[12].reward0 = (double)INFINITY;
    diagnostics_measure(&with, p, 13, 1, 1);
    assert_int_equal(with.n_not_finite, 3);
    assert_tally(with.accuracy[DIAG_HELDOUT], 10, 6);
    with.n_not_finite = 0;
    cJSON *a = diagnostics_to_json(&with), *b = diagnostics_to_json(&without);
    assert_true(cJSON_Compare(a, b, true)); /* nothing else changes */
    cJSON_Delete(a);
    cJSON_Delete(b);
}

/* What a random set of pairs, with everything in it, gives. */
static struct diagnostics measured(void) {
    enum { N = 300 };
    static struct scored_pair p[N];
    for (int i = 0; i < N; i++) {
        const uint64_t at = (uint64_t)i;
        p[i] = pair_of(i + 1, rng_normal(1, RNG_TEST, 0, at));
        p[i].reward1 = rng_normal(1, RNG_TEST, 1, at);
        p[i].length1 = (int)rng_below(20, 1, RNG_TEST, 2, at);
        p[i].o = (double)rng_below(3, 1, RNG_TEST, 3, at) / 2;
        p[i].source = (enum label_source)rng_below(N_LABEL_SOURCES, 1, RNG_TEST, 4, at);
        p[i].iteration = 1 + (int)rng_below(7, 1, RNG_TEST, 5, at);
        p[i].heldout = i % 4 == 0;
        p[i].flip = 0.05;
    }
    p[40].reward0 = (double)NAN;
    struct diagnostics d;
    diagnostics_measure(&d, p, N, 7, 900);
    return d;
}

static void test_checkpoint(void **state) {
    (void)state;
    struct err e = {0};
    struct diagnostics d = measured(), back;
    assert_int_equal(d.n_uncertain, DIAG_LISTED);
    cJSON *json = diagnostics_to_json(&d);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    json = cJSON_Parse(text);
    free(text);
    assert_true(diagnostics_from_json(&back, json, "here", &e));
    cJSON *again = diagnostics_to_json(&back);
    assert_true(cJSON_Compare(json, again, true)); /* not the bytes: of a NAN only that it is one comes back */
    assert_near(back.ece, d.ece, 0);
    assert_near(back.disputed[3].loss, d.disputed[3].loss, 0);
    cJSON_Delete(again);
    /* any entry missing, one too many, no number, or out of range */
    const int n = cJSON_GetArraySize(json);
    cJSON *bad = cJSON_Duplicate(json, true);
    cJSON_DeleteItemFromArray(bad, n / 2);
    assert_false(diagnostics_from_json(&back, bad, "here", &e));
    assert_int_equal(back.iteration, 0);
    assert_non_null(strstr(e.msg, "here: \"diagnostics\""));
    cJSON_Delete(bad);
    static const char *const words[] = {"", "x", "0x1p+0x", "-0x1p+0", "0x1.8p+0", "nan", "0x1p+60"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bad = cJSON_Duplicate(json, true);
        cJSON_ReplaceItemInArray(bad, 0, cJSON_CreateString(words[i])); /* the iteration */
        assert_false(diagnostics_from_json(&back, bad, "here", &e));
        cJSON_Delete(bad);
    }
    cJSON_AddItemToArray(json, cJSON_CreateString("0x0p+0"));
    assert_false(diagnostics_from_json(&back, json, "here", &e));
    cJSON_Delete(json);
    json = cJSON_CreateObject();
    assert_false(diagnostics_from_json(&back, json, "here", &e));
    cJSON_Delete(json);
}

/* Before the first fit there is nothing to write, and an older checkpoint has no such entry. */
static void test_checkpoint_of_nothing(void **state) {
    (void)state;
    struct err e = {0};
    struct diagnostics d, back = measured();
    diagnostics_measure(&d, NULL, 0, 0, 0);
    cJSON *json = diagnostics_to_json(&d);
    assert_true(cJSON_IsNull(json));
    assert_true(diagnostics_from_json(&back, json, "here", &e));
    assert_int_equal(back.iteration, 0);
    cJSON_Delete(json);
    back = measured();
    assert_true(diagnostics_from_json(&back, NULL, "here", &e));
    assert_true(back.iteration == 0 && isnan(back.ece));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_likelihood),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_margins),
        cmocka_unit_test(test_length_correlation),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_one_class),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_checkpoint_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
