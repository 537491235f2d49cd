/* Failure signatures where they must be quiet: figures that tremble around a threshold, what looks like a failure and
 * is none, players whose rows alternate, and games that go well. And the table of what is said about each. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/option/option.h"
#include "tests/support/signature_feed.h"

/* One good value does not clear, and a value between the two levels keeps the count from advancing. */
static void test_clearing_takes_time(void **state) {
    (void)state;
    struct fed_game g;
    fed_new(&g);
    fed_evaluations(&g, EVAL_TRUNCATED, LIST(0.25));
    assert_int_equal(g.raised, 1);
    fed_evaluations(&g, EVAL_TRUNCATED, LIST(0.05, 0.15, 0.05, 0.15, 0.05));
    assert_int_equal(g.n, 1);
    assert_int_equal(g.finding[0].change, SIGNATURE_STANDS);
    assert_string_equal(g.finding[0].text, "25 % of the samples were cut"); /* the figures that it was raised by */
    fed_evaluations(&g, EVAL_TRUNCATED, LIST(0.3));
    assert_string_equal(g.finding[0].text, "30 % of the samples were cut");
    assert_int_equal(g.finding[0].since_iteration, 1);
    fed_evaluations(&g, EVAL_TRUNCATED, LIST(0.05, 0.05));
    assert_int_equal(g.finding[0].change, SIGNATURE_CLEARED);
    assert_int_equal(g.raised, 1);
}

/* A figure that trembles around its threshold raises once. */
static void test_does_not_flap(void **state) {
    (void)state;
    static const struct {
        int figure;
        double level, noise;
    } SHARES[] = {{EVAL_TRUNCATED, 0.2, 0.03},          {EVAL_IDENTICAL, 0.5, 0.04}, {EVAL_ZERO_GROUPS, 0.75, 0.04},
                  {EVAL_LENGTH_CORRELATION, 0.5, 0.04}, {EVAL_KL, 1.0, 0.08},        {EVAL_Q_NORM, 0.5, 0.03},
                  {EVAL_TRUTH_EXCESS, 0.0005, 0.0004}};
    for (uint64_t i = 0; i < sizeof SHARES / sizeof *SHARES; i++) {
        struct fed_game g;
        fed_new(&g);
        for (uint64_t t = 0; t < 300; t++) {
            g.row[EVAL_ZETA] = 0.01;
            g.row[SHARES[i].figure] = SHARES[i].level + SHARES[i].noise * rng_normal(3, RNG_TEST, i, t);
            fed_evaluation(&g);
        }
        assert_int_equal(g.raised, 1);
        assert_int_equal(g.cleared, 0);
    }
    struct fed_game g;
    fed_new(&g);
    for (uint64_t t = 0; t < 2000; t++) fed_flat_steps(&g, STEP_KL, 1.0 + 0.2 * rng_normal(3, RNG_TEST, 99, t), 1);
    assert_int_equal(g.raised, 1);
    assert_int_equal(g.cleared, 0);
}

/* What looks like a failure and is none: the true gap, or the student's own reward, says so. */
static void test_truth_decides(void **state) {
    (void)state;
    struct fed_game g;
    fed_new(&g); /* a student that becomes sure of itself while its gap closes */
    for (int i = 0; i < 5; i++) {
        g.row[EVAL_ENTROPY] = (const double[]){1.0, 0.5, 0.2, 0.1, 0.03}[i];
        fed_gap(&g, EVAL_GAP_TRUE, 0.5 - 0.1 * i, 0.03);
        fed_evaluation(&g);
    }
    assert_int_equal(g.raised, 0);
    fed_new(&g); /* a reward that becomes better sees a larger gap */
    for (int i = 0; i < 4; i++) {
        fed_gap(&g, EVAL_GAP_WORST, 0.1 + 0.1 * i, 0.02);
        fed_gap(&g, EVAL_GAP_TRUE, 0.5 - 0.1 * i, 0.03);
        fed_evaluation(&g);
    }
    assert_int_equal(g.raised, 0);
    for (int with_truth = 0; with_truth < 2; with_truth++) { /* a held reward that was stretched by its refit */
        fed_new(&g);
        for (int i = 0; i < 5; i++) {
            fed_gap(&g, EVAL_GAP_HELD, 0.2 + 0.1 * i, 0.02);
            fed_gap(&g, EVAL_GAP_FITTED, 0.4 - 0.05 * i, 0.02);
            if (with_truth) fed_gap(&g, EVAL_GAP_TRUE, 0.5 - 0.1 * i, 0.03);
            if (!with_truth) g.row[EVAL_STUDENT_REWARD_HELD] = -1 + 0.1 * i;
            fed_evaluation(&g);
        }
        assert_int_equal(g.raised, 0);
    }
    fed_new(&g); /* answers that were nearly certain from the start */
    for (int i = 0; i < 400; i++) fed_flat_steps(&g, STEP_ENTROPY, 0.24 * exp(-0.02 * i), 1);
    for (int i = 0; i < 16; i++) fed_evaluations(&g, EVAL_ENTROPY, LIST(0.24 * exp(-0.3 * i)));
    assert_int_equal(g.raised, 0);
    fed_new(&g); /* a flat gap that cannot be told from none */
    fed_gaps(&g, EVAL_GAP_WORST, 0.02, LIST(0.01, 0.012, 0.01, 0.011, 0.01, 0.01, 0.01));
    assert_int_equal(g.raised, 0);
    fed_new(&g); /* automatic control that touches 0 and comes back */
    for (int i = 0; i < 6; i++) {
        g.row[EVAL_BETA] = i % 2 ? 0 : 2, g.row[EVAL_BETA_FLOOR] = 0, g.row[EVAL_SLACK] = 0.005,
        g.row[EVAL_ZETA] = 0.01;
        fed_evaluation(&g);
    }
    assert_int_equal(g.raised, 0);
}

/* Rows of the two players alternate; what belongs to one is not disturbed by the other's. */
static void test_players_alternate(void **state) {
    (void)state;
    struct fed_game g;
    fed_new(&g);
    for (int i = 0; i < 300; i++) {
        if (i % 6 == 0)
            g.step[STEP_GRADIENT_REWARD] = 0.5, g.step[STEP_GAP_ASCENT] = 0.2, g.step[STEP_GAP_DESCENT] = 0.1;
        if (i % 6 != 0)
            g.step[STEP_GRADIENT_STUDENT] = 40, g.step[STEP_ENTROPY] = 0.7, g.step[STEP_STUDENT_REWARD] = -1;
        fed_step(&g);
    }
    assert_int_equal(g.raised, 0);
    for (int i = 0; i < 40; i++) {
        if (i % 6 == 0) g.step[STEP_GRADIENT_REWARD] = 6;
        if (i % 6 != 0) g.step[STEP_GRADIENT_STUDENT] = 40;
        fed_step(&g);
    }
    assert_int_equal(g.n, 1);
    assert_non_null(strstr(g.finding[0].text, "gradient norm of the reward rose from 0.5 to 6"));
}

/* ---- games that go well ---- */

struct healthy {
    uint64_t seed;
    /* true gap at the start, iterations to 1/e, reward units per accuracy, noise of the gaps */
    double gap0, decay, scale, noise;
    double entropy0, entropy1, kl, gradient, zeta;
    bool oracle, held, white_box, automatic;
};

static double between(uint64_t seed, uint64_t which, double lo, double hi) {
    return lo + (hi - lo) * rng_uniform(seed, RNG_TEST, 1000, which);
}

static struct healthy healthy_new(uint64_t seed) {
    return (struct healthy){.seed = seed,
                            .gap0 = between(seed, 0, 0.15, 0.6),
                            .decay = between(seed, 1, 1.5, 4),
                            .scale = between(seed, 2, 0.3, 3),
                            .noise = between(seed, 3, 0.02, 0.15),
                            .entropy0 = seed % 2 ? between(seed, 4, 0.01, 0.05) : between(seed, 4, 0.3, 1.5),
                            .entropy1 = between(seed, 5, 0.3, 0.9),
                            .kl = between(seed, 6, 0.02, 0.4),
                            .gradient = between(seed, 7, 0.01, 30),
                            .zeta = between(seed, 8, 0.002, 0.05),
                            .oracle = seed % 3 != 0,
                            .held = seed % 5 < 3,
                            .white_box = seed % 4 == 0,
                            .automatic = seed % 7 < 3};
}

/* The gap of iteration t: it dips a little at first, then falls to nothing that can be measured. */
static double healthy_gap(const struct healthy *k, double t) {
    return k->gap0 * (exp(-t / k->decay) + (t < 1 ? 0.05 * t : 0));
}

static double healthy_entropy(const struct healthy *k, double t) {
    return k->entropy0 * (k->entropy1 + (1 - k->entropy1) * exp(-t / 4));
}

static void healthy_steps(struct fed_game *g, const struct healthy *k, int t, int n) {
    for (int i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)(t * 1000 + i);
        const double when = t + (double)i / n, level = k->scale * healthy_gap(k, when);
        const double spread = 0.3 * k->scale * k->gap0; /* of a training batch */
        if (i % 6 == 0) {
            g->step[STEP_GAP_DESCENT] = 0.9 * level + spread * rng_normal(k->seed, RNG_TEST, at, 0);
            g->step[STEP_GAP_ASCENT] = g->step[STEP_GAP_DESCENT] + 0.1 * level;
            g->step[STEP_GRADIENT_REWARD] = k->gradient * exp(0.5 * rng_normal(k->seed, RNG_TEST, at, 1));
        } else {
            g->step[STEP_STUDENT_REWARD] = -level + spread * rng_normal(k->seed, RNG_TEST, at, 2);
            g->step[STEP_ENTROPY] = healthy_entropy(k, when) * exp(0.1 * rng_normal(k->seed, RNG_TEST, at, 3));
            if (k->seed % 2)
                g->step[STEP_KL] = k->kl * (1 - exp(-when / 2)) * exp(0.2 * rng_normal(k->seed, RNG_TEST, at, 4));
            g->step[STEP_GRADIENT_STUDENT] =
                3 * k->gradient * exp(0.5 * rng_normal(k->seed, RNG_TEST, at, 5)) * (1 - 0.4 * (double)i / n);
            if (i % 50 == 49) g->step[STEP_GRADIENT_STUDENT] *= 30; /* a wild batch now and then */
        }
        fed_step(g);
    }
}

/* The noise of a gap: most of the width of an interval is the difference between prompts, which stay the same. */
static void healthy_interval(struct fed_game *g, const struct healthy *k, int figure, double mean, double sd, int t) {
    fed_gap(g, figure, mean + 0.7 * sd * rng_normal(k->seed, RNG_TEST, (uint64_t)(t * 1000 + 900), (uint64_t)figure),
            1.96 * sd);
}

static void healthy_evaluation(struct fed_game *g, const struct healthy *k, int t) {
    double *row = g->row, z[16];
    for (int i = 0; i < 16; i++) z[i] = rng_normal(k->seed, RNG_TEST, (uint64_t)(t * 1000 + 950), (uint64_t)i);
    const double level = healthy_gap(k, t + 1), sd = k->noise * k->scale * k->gap0, progress = 1 - exp(-t / 3.0);
    healthy_interval(g, k, EVAL_GAP_WORST, 1.1 * k->scale * level, sd, t);
    healthy_interval(g, k, EVAL_GAP_FITTED, k->scale * level, sd, t);
    if (k->held) healthy_interval(g, k, EVAL_GAP_HELD, 0.9 * k->scale * level, sd, t);
    if (k->held) row[EVAL_STUDENT_REWARD_HELD] = -0.9 * k->scale * level + sd * z[0];
    if (k->oracle) healthy_interval(g, k, EVAL_GAP_TRUE, level, 0.02, t);
    row[EVAL_RM_NEWEST] = t == 0 ? 0.6 : 0.96 - 0.05 * progress + 0.015 * z[1];
    row[EVAL_RM_HELDOUT] = 0.94 + 0.015 * z[2];
    row[EVAL_RM_LENGTH] = 0.5 + 0.04 * z[3];
    row[EVAL_LENGTH_CORRELATION] = 0.1 + 0.08 * z[4];
    row[EVAL_ENTROPY] = healthy_entropy(k, t) * exp(0.05 * z[5]);
    if (k->seed % 2) row[EVAL_KL] = k->kl * progress * exp(0.1 * z[6]);
    row[EVAL_TRUNCATED] = fabs(0.04 + 0.02 * z[7]);
    row[EVAL_IDENTICAL] = fabs(0.05 + 0.15 * progress + 0.03 * z[8]);
    row[EVAL_ZERO_GROUPS] = fabs(0.1 + 0.4 * progress + 0.03 * z[9]);
    row[EVAL_ZETA] = k->zeta;
    row[EVAL_SLACK] = k->zeta * (1 + 0.2 * z[10]);
    row[EVAL_BETA] = k->automatic ? 0.2 + 3 * exp(-t / 4.0) * exp(0.3 * z[11]) : 10;
    if (k->automatic) row[EVAL_BETA_FLOOR] = 0.1;
    if (k->oracle) row[EVAL_TRUTH_EXCESS] = -0.5 * k->zeta + 0.1 * k->zeta * z[12];
    if (k->white_box) row[EVAL_Q_NORM] = 0.08 + 0.12 * progress + 0.01 * z[13];
    fed_evaluation(g);
}

static void test_healthy(void **state) {
    (void)state;
    enum { VARIANTS = 200, ITERATIONS = 20, STEPS = 72 };
    for (uint64_t seed = 0; seed < VARIANTS; seed++) {
        const struct healthy k = healthy_new(seed);
        struct fed_game g;
        fed_new(&g);
        for (int t = 0; t < ITERATIONS; t++) {
            healthy_steps(&g, &k, t, STEPS);
            healthy_evaluation(&g, &k, t);
            if (g.n)
                fail_msg("variant %d, iteration %d: %s: %s", (int)seed, t, signature_name(g.finding[0].id),
                         g.finding[0].text);
        }
    }
}

/* ---- the table ---- */

static bool is_option_char(char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '.'; }

/* Every word with a dot or an underscore in it is the name of an option; returns how many there are. */
static int check_option_names(const char *text) {
    int n = 0;
    for (const char *p = text; *p;) {
        char word[64] = {0};
        size_t len = 0;
        while (is_option_char(p[len]) && len < sizeof word - 1) word[len] = p[len], len++;
        while (len > 0 && word[len - 1] == '.') word[--len] = 0;
        if (strpbrk(word, "._")) {
            if (!option_find(word)) fail_msg("\"%s\" names \"%s\", which is no option", text, word);
            n++;
        }
        p += len ? len : 1;
    }
    return n;
}

static void test_table(void **state) {
    (void)state;
    for (int i = 0; i < N_SIGNATURES; i++) {
        const enum signature_id id = (enum signature_id)i;
        const char *seen = signature_seen(id), *advice = signature_advice(id);
        assert_true(strlen(signature_name(id)) > 0);
        assert_true(seen[strlen(seen) - 1] == '.' && advice[strlen(advice) - 1] == '.');
        assert_true(check_option_names(advice) > 0);
        check_option_names(seen);
        assert_true(signature_level(id) <= ALERT_ERROR);
        for (int k = 0; k < i; k++) assert_string_not_equal(signature_name(id), signature_name((enum signature_id)k));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clearing_takes_time),
        cmocka_unit_test(test_does_not_flap),
        cmocka_unit_test(test_truth_decides),
        cmocka_unit_test(test_players_alternate),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_healthy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
