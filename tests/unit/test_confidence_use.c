/* The confidence set of rewards as it is asked again and again: warm starts, independence of threads and of earlier
 * questions, and bad input. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/math/parallel.h"
#include "tests/support/confidence_problem.h"
#include "tests/support/vector.h"

/* ---- Starts, threads, history ------------------------------------------------------------------------------------ */

static void warm_starts_give_the_cold_answer(void **state) {
    (void)state;
    for (uint64_t seed = 5000; seed < 5020; seed++) {
        struct problem *p = problem_new(seed, 400, 20);
        p->bound = fmax(p->bound, 3);
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0}, cold_min = {0}, cold_max = {0}, fixed, cold_fixed;
        double w_min[MAX_D], w_max[MAX_D], cold_w_min[MAX_D], cold_w_max[MAX_D], w[MAX_D], cold_w[MAX_D];
        problem_interval(p, w_min, &min, w_max, &max);
        memcpy(w, w_max, sizeof w);
        struct confidence_optimum again = max; /* a start that is the answer comes back unchanged */
        struct err e;
        assert_true(confidence_maximise(p->c, p->g, p->zeta, w, &again, &e));
        assert_memory_equal(w, w_max, (size_t)p->d * sizeof *w);
        assert_true(again.steps == 0 && again.beta == max.beta);

        for (int j = 0; j < p->d; j++) p->g[j] += 0.2 * problem_normal(p);
        problem_interval(p, w_min, &min, w_max, &max);
        problem_interval(p, cold_w_min, &cold_min, cold_w_max, &cold_max);
        assert_true(distance(w_max, cold_w_max, p->d) <= 1e-9 * p->bound &&
                    distance(w_min, cold_w_min, p->d) <= 1e-9 * p->bound);
        assert_true(fabs(max.gap - cold_max.gap) <= 1e-9 * (max.gap - min.gap) &&
                    fabs(min.gap - cold_min.gap) <= 1e-9 * (max.gap - min.gap));
        memcpy(cold_w, p->w_hat, sizeof cold_w);
        problem_ascend(p, 2 * max.beta, w, &fixed);
        problem_ascend(p, 2 * max.beta, cold_w, &cold_fixed);
        assert_true(distance(w, cold_w, p->d) <= 1e-9 * p->bound);

        /* The fit, from a far start and from its own answer. */
        struct confidence_fit fit;
        for (int j = 0; j < p->d; j++) w[j] = 100 * problem_normal(p);
        assert_true(confidence_fit(p->c, w, &fit, &e));
        assert_true(distance(w, p->w_hat, p->d) <= 1e-9 * p->bound);
        memcpy(w, p->w_hat, sizeof w);
        assert_true(confidence_fit(p->c, w, &fit, &e));
        assert_memory_equal(w, p->w_hat, (size_t)p->d * sizeof *w);
        assert_true(fit.steps == 0 && fit.loss == p->fit.loss);
        problem_free(p);
    }
}

struct answers {
    struct confidence_fit fit;
    struct confidence_optimum min, max;
    double w_hat[MAX_D], w_min[MAX_D], w_max[MAX_D], gap[5], excess[5];
};

static void answer_all(struct problem *p, struct answers *a) {
    memset(a, 0, sizeof *a);
    problem_fit(p);
    a->fit = p->fit;
    memcpy(a->w_hat, p->w_hat, sizeof a->w_hat);
    problem_interval(p, a->w_min, &a->min, a->w_max, &a->max);
    const double beta[5] = {1, 2, 5, 10, 100};
    struct err e;
    assert_true(confidence_curve(p->c, p->g, beta, 5, a->gap, a->excess, NULL, &e));
}

static void results_do_not_depend_on_threads_or_history(void **state) {
    (void)state;
    struct problem *p = problem_new(8, MAX_N, 61);
    struct answers one, other;
    answer_all(p, &one);
    answer_all(p, &other); /* after everything above */
    assert_memory_equal(&one, &other, sizeof one);
    /* Another question in between, far out, changes nothing of the next answers. */
    struct confidence_optimum far;
    double w[MAX_D];
    memcpy(w, p->w_hat, sizeof w);
    problem_ascend(p, 0.1 * one.max.beta, w, &far);
    assert_true(far.hessians > 0);
    other.min.beta = other.max.beta = 0;
    problem_interval(p, other.w_min, &other.min, other.w_max, &other.max);
    assert_memory_equal(&one, &other, sizeof one);
    for (int threads = 2; threads <= 5; threads++) {
        parallel_init(threads);
        answer_all(p, &other);
        parallel_shutdown();
        assert_memory_equal(&one, &other, sizeof one);
    }
    problem_free(p);
}

/* ---- Bad input --------------------------------------------------------------------------------------------------- */

/* The pairs are refused with a message that says this. */
static void refuse(struct problem *p, const struct confidence_pairs *pairs, const char *message) {
    struct err e = {""};
    assert_false(confidence_set_pairs(p->c, pairs, &e));
    if (!strstr(e.msg, message)) fail_msg("\"%s\" does not say \"%s\"", e.msg, message);
    struct confidence_fit fit;
    double w[MAX_D] = {0};
    assert_false(confidence_fit(p->c, w, &fit, &e)); /* and none are kept */
}

static void bad_pairs_are_refused(void **state) {
    (void)state;
    struct problem *p = problem_new(9, 10, 3);
    problem_fit(p);
    const struct confidence_pairs good = problem_pairs(p);
    struct confidence_pairs bad = good;
    bad.n_pairs = 0;
    refuse(p, &bad, "0 pairs, expected 1 to 10");
    bad.n_pairs = 11;
    refuse(p, &bad, "11 pairs, expected 1 to 10");
    bad = good;
    bad.bound = 0;
    refuse(p, &bad, "bound is 0");
    bad.bound = INFINITY;
    refuse(p, &bad, "bound is inf");
    bad = good;
    bad.ridge = -1;
    refuse(p, &bad, "ridge is -1");
    const struct {
        double *at, value;
        const char *message;
    } numbers[] = {{&p->label[4], 1.5, "label of pair 4 is 1.5"}, {&p->label[4], NAN, "label of pair 4 is nan"},
                   {&p->flip[2], -0.1, "flip rate of pair 2"},    {&p->weight[7], -1, "weight of pair 7 is -1"},
                   {&p->weight[7], INFINITY, "weight of pair 7"}, {&p->centre[1], NAN, "centre[1] is nan"}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const double kept = *numbers[i].at;
        *numbers[i].at = numbers[i].value;
        refuse(p, &good, numbers[i].message);
        *numbers[i].at = kept;
    }
    const float kept = p->feature[3 * 3 + 2];
    p->feature[3 * 3 + 2] = NAN;
    refuse(p, &good, "feature 2 of pair 3 is nan, expected a finite number");
    p->feature[3 * 3 + 2] = -INFINITY;
    refuse(p, &good, "feature 2 of pair 3 is -inf");
    p->feature[3 * 3 + 2] = kept;
    memset(p->weight, 0, sizeof p->weight);
    refuse(p, &good, "all 10 pairs have weight 0");
    problem_free(p);
}

enum { TRIALS = 500, N = 500, D = 9 };

/* Pairs of a true reward whose labels are drawn by its own law, fitted with a ridge around it: does the set at Wilks'
 * radius hold it, and the interval its gap? */
static void one_trial(uint64_t seed, double ridge, int *held, int *gap_held) {
    struct problem *p = problem_new(seed, N, D);
    double truth[D], w_min[D], w_max[D];
    struct confidence_optimum min = {0}, max = {0};
    struct err e = {""};
    for (int j = 0; j < D; j++) p->centre[j] = truth[j] = 0.4 * problem_normal(p);
    for (int i = 0; i < N; i++) {
        double z = 0;
        for (int j = 0; j < D; j++) {
            p->feature[i * D + j] = (float)problem_normal(p);
            z += (double)p->feature[i * D + j] * truth[j];
        }
        p->label[i] = problem_uniform(p) < 1 / (1 + exp(-z));
        p->flip[i] = 0;
        p->weight[i] = 1;
    }
    p->ridge = ridge;
    p->bound = 1e4;
    problem_fit(p);
    assert_true(confidence_wilks(p->c, 0.05, &p->zeta, &e));
    problem_interval(p, w_min, &min, w_max, &max);
    const double gap = dot(p->g, truth, D);
    *held += problem_loss(p, truth, NULL) <= p->fit.loss + p->zeta;
    *gap_held += min.gap <= gap && gap <= max.gap;
    problem_free(p);
}

/* The promise of a radius by Wilks' theorem: of labels that a true reward gave, 95 % of the sets hold it, and its gap
 * lies between their extremes. With a ridge of a quarter of the Hessian too: by d_eff, 7.2 of 9, it would be 90 %. */
static void sets_by_wilks_hold_the_truth(void **state) {
    (void)state;
    static const double RIDGE[] = {1e-9, 0.05};
    for (int r = 0; r < 2; r++) {
        int held = 0, gap_held = 0;
        for (int t = 0; t < TRIALS; t++) one_trial((uint64_t)(1000 + t), RIDGE[r], &held, &gap_held);
        print_message("ridge %g: of %d sets at 95 %%, %d hold the true reward, %d its gap\n", RIDGE[r], TRIALS, held,
                      gap_held);
        assert_in_range(held, (int)(0.92 * TRIALS), (int)(0.98 * TRIALS));
        assert_true(gap_held >= held); /* of 9 directions the gap is one: the interval is wide for it */
    }
}

static void bad_questions_are_refused(void **state) {
    (void)state;
    struct err e = {""};
    assert_null(confidence_new(0, 3, &e));
    assert_null(confidence_new(3, 0, &e));
    mem_fail_after(1);
    assert_null(confidence_new(10, 3, &e));
    assert_non_null(strstr(e.msg, "cannot allocate"));
    struct problem *p = problem_new(10, 30, 3);
    problem_fit(p);
    struct confidence_optimum o = {0};
    double w[3] = {0}, zeta, gap[2], excess[2];
    assert_false(confidence_maximise(p->c, p->g, 0, w, &o, &e));
    assert_non_null(strstr(e.msg, "zeta is 0"));
    assert_false(confidence_maximise(p->c, p->g, NAN, w, &o, &e));
    assert_false(confidence_ascend(p->c, p->g, 0.01, -1, w, &o, &e));
    assert_non_null(strstr(e.msg, "beta is -1"));
    assert_false(confidence_ascend(p->c, p->g, 0.01, INFINITY, w, &o, &e));
    w[1] = NAN;
    assert_false(confidence_ascend(p->c, p->g, 0.01, 1, w, &o, &e));
    assert_non_null(strstr(e.msg, "start[1] is nan"));
    assert_false(confidence_curve(p->c, p->g, (const double[]){2, 1}, 2, gap, excess, NULL, &e));
    assert_non_null(strstr(e.msg, "beta[1] of the curve is 1"));
    assert_false(confidence_curve(p->c, p->g, (const double[]){0}, 1, gap, excess, NULL, &e));
    assert_false(confidence_wilks(p->c, 0, &zeta, &e));
    assert_false(confidence_wilks(p->c, 1, &zeta, &e));
    p->g[2] = INFINITY;
    assert_false(confidence_maximise(p->c, p->g, 0.01, w, &o, &e));
    assert_non_null(strstr(e.msg, "gap direction[2] is inf"));
    struct confidence_fit fit;
    assert_false(confidence_fit(p->c, w, &fit, &e)); /* w[1] is still NaN; and this loses the fit */
    p->g[2] = 1;
    assert_false(confidence_maximise(p->c, p->g, 0.01, w, &o, &e));
    assert_non_null(strstr(e.msg, "no fit"));
    problem_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_starts_give_the_cold_answer),
        cmocka_unit_test(results_do_not_depend_on_threads_or_history),
        cmocka_unit_test(bad_pairs_are_refused),
        cmocka_unit_test(sets_by_wilks_hold_the_truth),
        cmocka_unit_test(bad_questions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
