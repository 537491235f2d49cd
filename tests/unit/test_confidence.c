/* The confidence set of rewards: fit, inner maximum and minimum against a brute-force search on random problems,
 * duality, certificates that no wrong point passes, the curve, both constraints active and inactive, degenerate data.
 * How it is used again and again: test_confidence_use.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/math/chi2.h"
#include "tests/support/confidence_problem.h"
#include "tests/support/vector.h"

/* ---- Fit --------------------------------------------------------------------------------------------------------- */

static void loss_and_gradient_are_the_definition(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct problem *p = problem_new(seed, 1 + (int)seed * 53, 1 + (int)seed * 3);
        problem_fit(p);
        double w[MAX_D], expected[MAX_D], found[MAX_D];
        for (int j = 0; j < p->d; j++) w[j] = (seed % 4 == 3 ? 100 : 1) * problem_normal(p);
        const double l = problem_loss(p, w, expected), size = 1e-13 * (1 + l);
        assert_true(fabs(confidence_loss(p->c, w, found) - l) <= size);
        assert_true(distance(found, expected, p->d) <= 1e-13 * (1 + norm_of(expected, p->d)));
        problem_free(p);
    }
}

/* First-order conditions by an independent gradient, and no better point nearby or anywhere drawn. */
static void fit_is_the_minimum(void **state) {
    (void)state;
    int on_ball = 0;
    for (uint64_t seed = 100; seed < 200; seed++) {
        struct problem *p = problem_new(seed, 5 + (int)(seed % 56), 1 + (int)(seed % 3));
        problem_fit(p);
        double gradient[3], u[3], w[3];
        assert_true(fabs(problem_loss(p, p->w_hat, gradient) - p->fit.loss) <= 1e-13);
        for (int j = 0; j < p->d; j++) u[j] = p->w_hat[j] - p->centre[j];
        for (int j = 0; j < p->d; j++) gradient[j] += p->ridge * u[j];
        const double held = p->fit.norm_active ? fmax(0, -dot(gradient, u, p->d) / dot(u, u, p->d)) : 0;
        on_ball += p->fit.norm_active;
        for (int j = 0; j < p->d; j++) gradient[j] += held * u[j];
        assert_true(norm_of(gradient, p->d) <= 1e-12);
        assert_true(norm_of(u, p->d) <= p->bound * (1 + 1e-14));
        const double best = p->fit.loss + 0.5 * p->ridge * dot(u, u, p->d);
        for (int k = 0; k < 300; k++) {
            const double reach = pow(10, -4.0 * problem_uniform(p));
            for (int j = 0; j < p->d; j++) w[j] = p->w_hat[j] + reach * p->bound * problem_normal(p);
            const double far = distance(w, p->centre, p->d);
            if (far > p->bound) continue;
            assert_true(problem_loss(p, w, NULL) + 0.5 * p->ridge * far * far >= best - 1e-14);
        }
        problem_free(p);
    }
    assert_in_range(on_ball, 10, 90);
}

/* One feature: d_eff = h / (h + ridge) by hand, zeta by Wilks' theorem, N by the weights. */
static void radius_is_that_of_wilks(void **state) {
    (void)state;
    struct problem *p = problem_new(3, 40, 1);
    p->bound = 1e3;
    p->ridge = 0.05;
    problem_fit(p);
    double h = 0, sum = 0, squares = 0;
    for (int i = 0; i < p->n; i++) {
        const double f = (double)p->feature[i], s = 1 / (1 + exp(-f * p->w_hat[0]));
        h += p->weight[i] * s * (1 - s) * f * f;
        sum += p->weight[i];
        squares += p->weight[i] * p->weight[i];
    }
    h /= sum;
    assert_true(fabs(p->fit.dimension - h / (h + p->ridge)) <= 1e-12);
    const double a = h / (h + p->ridge), d = 2 * a - a * a;
    assert_true(fabs(p->fit.wilks_dimension - d) <= 1e-12);
    assert_true(fabs(p->fit.n_pairs - sum * sum / squares) <= 1e-10);
    struct err e;
    double zeta;
    assert_true(confidence_wilks(p->c, 0.05, &zeta, &e));
    assert_true(fabs(zeta - chi2_quantile(0.95, p->fit.wilks_dimension) / (2 * p->fit.n_pairs)) <= 1e-15);
    problem_free(p);
}

/* Without a ridge the effective dimension is the rank of the features. */
static void dimension_is_the_rank(void **state) {
    (void)state;
    struct problem *p = problem_new(4, 300, 7);
    for (int i = 0; i < p->n; i++) {
        p->feature[i * 7 + 5] = p->feature[i * 7];
        p->feature[i * 7 + 6] = 0;
        p->weight[i] = 2;
    }
    p->ridge = 0;
    p->bound = 100;
    problem_fit(p);
    assert_true(fabs(p->fit.dimension - 5) <= 1e-6 && fabs(p->fit.wilks_dimension - 5) <= 1e-6);
    assert_true(fabs(p->fit.n_pairs - 300) <= 1e-9);
    problem_free(p);
}

/* ---- Extremes ---------------------------------------------------------------------------------------------------- */

static void check_extreme(struct problem *p, const double *w, const struct confidence_optimum *o, double brute,
                          bool minimum, double width) {
    const double short_by = minimum ? o->gap - brute : brute - o->gap;
    if (!(fabs(short_by) <= 1e-6 * width))
        fail_msg("seed %d: found %.12g, brute force %.12g, interval %g", (int)p->seed, o->gap, brute, width);
    assert_true(fabs(dot(p->g, w, p->d) - o->gap) <= 1e-12 * (1 + fabs(o->gap)));
    assert_true(problem_loss(p, w, NULL) <= p->fit.loss + p->zeta + 1e-13);
    assert_true(distance(w, p->centre, p->d) <= p->bound * (1 + 1e-14));
    assert_true(o->kkt <= 1e-9);
    assert_true(o->duality_gap >= 0 && o->duality_gap <= 1e-8 * width);
    assert_true(o->beta >= 0 && o->mu >= 0);
}

static void extremes_match_brute_force(void **state) {
    (void)state;
    int loss_only = 0, norm_only = 0, both = 0;
    for (uint64_t seed = 1000; seed < 1210; seed++) {
        struct problem *p = problem_new(seed, 5 + (int)(seed * 7 % 56), 1 + (int)(seed % 3));
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0};
        double w_min[3], w_max[3];
        problem_interval(p, w_min, &min, w_max, &max);
        const double low = problem_extreme(p, true), high = problem_extreme(p, false);
        check_extreme(p, w_min, &min, low, true, high - low);
        check_extreme(p, w_max, &max, high, false, high - low);
        loss_only += max.loss_active && !max.norm_active;
        norm_only += !max.loss_active && max.norm_active;
        both += max.loss_active && max.norm_active;
        problem_free(p);
    }
    assert_true(loss_only > 20 && norm_only > 20 && both > 5);
}

/* For every beta the maximum of G - beta slack is at least max_R G (weak duality); at beta* it is equal (strong). */
static void duality_holds(void **state) {
    (void)state;
    for (uint64_t seed = 2000; seed < 2060; seed++) {
        struct problem *p = problem_new(seed, 20 + (int)(seed % 80), 1 + (int)(seed % 12));
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0}, dual;
        double w_min[MAX_D], w_max[MAX_D], w[MAX_D];
        problem_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        assert_true(width > 0);
        for (int k = -6; k <= 6; k++) {
            memcpy(w, p->w_hat, sizeof w);
            problem_ascend(p, (max.beta > 0 ? max.beta : 1) * pow(2, k), w, &dual);
            assert_true(dual.kkt <= 1e-9 && dual.penalty_gap <= 1e-8 * (fabs(dual.objective) + dual.beta + width));
            assert_true(dual.objective >= max.gap - 1e-9 * width);
            if (k == 0 && max.beta > 0) assert_true(fabs(dual.objective - max.gap) <= 1e-8 * width);
        }
        problem_free(p);
    }
}

/* No point and no beta get a bound below the truth, and only the right ones a small one. */
static void certificate_is_rigorous(void **state) {
    (void)state;
    int points = 0, outside = 0;
    for (uint64_t seed = 3000; seed < 3030; seed++) {
        struct problem *p = problem_new(seed, 30, 2 + (int)(seed % 6));
        p->bound = fmax(p->bound, 3);
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0}, o;
        double w_min[MAX_D], w_max[MAX_D], w[MAX_D];
        problem_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        for (int k = 0; k < 50; k++) {
            const double reach = pow(10, -3.0 * problem_uniform(p)) * p->bound;
            for (int j = 0; j < p->d; j++) w[j] = (k % 2 ? w_max : p->w_hat)[j] + reach * problem_normal(p);
            confidence_certify(p->c, p->g, p->zeta, max.beta * exp(0.3 * problem_normal(p)), w, true, &o);
            if (o.norm > p->bound) continue;
            /* The point of R that the gap is measured from. */
            const double t = o.slack > 0 ? p->zeta / (p->zeta + o.slack) : 1;
            for (int j = 0; j < p->d; j++) w[j] = p->w_hat[j] + t * (w[j] - p->w_hat[j]);
            assert_true(problem_loss(p, w, NULL) <= p->fit.loss + p->zeta + 1e-13);
            const double short_by = max.gap - dot(p->g, w, p->d);
            assert_true(o.objective + o.penalty_gap >= max.gap - 1e-9 * width);
            assert_true(o.duality_gap >= short_by - 1e-9 * width);
            if (short_by > 1e-3 * width) assert_true(o.kkt > 1e-9);
            points += t == 1;
            outside += t < 1;
        }
        confidence_certify(p->c, p->g, p->zeta, max.beta, w_max, true, &o);
        assert_true(o.gap == max.gap && o.kkt == max.kkt && o.duality_gap == max.duality_gap);
        problem_free(p);
    }
    assert_true(points > 100 && outside > 100);
}

static void curve_falls_and_agrees_with_fixed_beta(void **state) {
    (void)state;
    enum { POINTS = 15 };
    for (uint64_t seed = 4000; seed < 4030; seed++) {
        struct problem *p = problem_new(seed, 30 + (int)(seed % 50), 2 + (int)(seed % 9));
        problem_fit(p);
        double beta[POINTS], gap[POINTS], excess[POINTS], last[MAX_D], w[MAX_D];
        for (int k = 0; k < POINTS; k++) beta[k] = 0.05 * pow(2, k);
        struct err e = {""};
        if (!confidence_curve(p->c, p->g, beta, POINTS, gap, excess, last, &e)) fail_msg("%s", e.msg);
        for (int k = 0; k < POINTS; k++) {
            struct confidence_optimum o;
            memcpy(w, p->w_hat, sizeof w);
            problem_ascend(p, beta[k], w, &o);
            const double size = 1 + fabs(gap[k]);
            assert_true(fabs(o.gap - gap[k]) <= 1e-8 * size);
            assert_true(fabs(o.loss - p->fit.loss - excess[k]) <= 1e-8 * (1 + excess[k]));
            if (k == 0) assert_true(distance(w, last, p->d) <= 1e-7 * (1 + norm_of(w, p->d)));
            if (k > 0) assert_true(gap[k] <= gap[k - 1] + 1e-9 * size && excess[k] <= excess[k - 1] + 1e-11);
        }
        assert_true(excess[0] > excess[POINTS - 1]);
        problem_free(p);
    }
}

/* ---- Constraints and degenerate data ----------------------------------------------------------------------------- */

static void constraint_can_be_inactive(void **state) {
    (void)state;
    struct problem *p = problem_new(5, 50, 4);
    p->zeta = 1e6;
    problem_fit(p);
    struct confidence_optimum min = {0}, max = {0};
    double w_min[MAX_D], w_max[MAX_D];
    problem_interval(p, w_min, &min, w_max, &max);
    const double middle = dot(p->g, p->centre, 4), half = p->bound * norm_of(p->g, 4);
    assert_true(fabs(max.gap - middle - half) <= 1e-12 * half && fabs(min.gap - middle + half) <= 1e-12 * half);
    assert_true(max.beta == 0 && min.beta == 0 && !max.loss_active && !min.loss_active && max.norm_active);
    assert_true(max.kkt <= 1e-12 && max.duality_gap <= 1e-12 * half);

    memset(p->g, 0, sizeof p->g);
    p->zeta = 0.01;
    max = min = (struct confidence_optimum){0};
    problem_interval(p, w_min, &min, w_max, &max);
    assert_true(max.gap == 0 && min.gap == 0 && max.beta == 0 && !max.loss_active && max.kkt == 0 &&
                max.duality_gap == 0);
    assert_true(max.slack < 0);
    problem_ascend(p, 2.0, w_max, &max); /* and with g = 0 every beta leads to the least loss */
    assert_true(max.loss <= p->fit.loss + 1e-12);
    problem_free(p);
}

/* Labels that always prefer one side: the flip rate keeps the extremes finite inside the ball; without it, and without
 * a ridge, the ball does. */
static void separable_data_stay_finite(void **state) {
    (void)state;
    for (int flips = 0; flips < 2; flips++) {
        struct problem *p = problem_new(6, 60, 3);
        for (int i = 0; i < p->n; i++) {
            p->feature[i * 3] = fabsf(p->feature[i * 3]) + 0.1f;
            p->label[i] = 1;
            p->flip[i] = flips ? 0.05 : 0;
        }
        memset(p->centre, 0, sizeof p->centre);
        p->ridge = 0;
        p->bound = flips ? 1e3 : 25;
        p->zeta = 0.01;
        problem_fit(p);
        assert_int_equal(p->fit.norm_active, !flips);
        struct confidence_optimum min = {0}, max = {0};
        double w_min[MAX_D], w_max[MAX_D];
        problem_interval(p, w_min, &min, w_max, &max);
        assert_true(isfinite(max.gap) && isfinite(min.gap) && max.gap > min.gap);
        assert_true(max.duality_gap <= 1e-7 * (max.gap - min.gap) && min.duality_gap <= 1e-7 * (max.gap - min.gap));
        assert_int_equal(max.norm_active, !flips);
        problem_free(p);
    }
}

/* Fewer pairs than features: g points where no pair looks, and both constraints hold the maximum. */
static void more_features_than_pairs(void **state) {
    (void)state;
    for (uint64_t seed = 7; seed < 17; seed++) {
        struct problem *p = problem_new(seed, 15, 50);
        p->zeta = 0.01;
        p->bound = 5;
        p->ridge = seed % 2 ? 0 : 1e-6;
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0};
        double w_min[MAX_D], w_max[MAX_D];
        problem_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        assert_true(max.norm_active && min.norm_active && max.loss_active && min.loss_active);
        assert_true(max.kkt <= 1e-8 && min.kkt <= 1e-8);
        assert_true(max.duality_gap <= 1e-9 * width && min.duality_gap <= 1e-9 * width);
        problem_free(p);
    }
}

/* Hard labels, no flips and margins in the hundreds: the loss is all but piecewise linear and w leaps as beta passes
 * beta*. */
static void leaping_maximisers_are_found(void **state) {
    (void)state;
    int leaps = 0;
    for (uint64_t seed = 20; seed < 60; seed++) {
        struct problem *p = problem_new(seed, 12, 1 + (int)(seed % 4));
        for (int i = 0; i < p->n; i++) {
            for (int j = 0; j < p->d; j++) p->feature[i * p->d + j] *= 20;
            p->label[i] = i % 2;
            p->flip[i] = 0;
        }
        p->bound = 30;
        p->zeta = 4;
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0};
        double w_min[MAX_D], w_max[MAX_D];
        problem_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        assert_true(max.slack <= 0 && min.slack <= 0);
        assert_true(max.duality_gap <= 1e-6 * width && min.duality_gap <= 1e-6 * width);
        leaps += max.betas > 30;
        problem_free(p);
    }
    assert_true(leaps > 5);
}

/* Pairs that tell nothing: every reward is in the set, and there is no radius to speak of. */
static void features_of_zero_tell_nothing(void **state) {
    (void)state;
    struct problem *p = problem_new(11, 8, 2);
    memset(p->feature, 0, 16 * sizeof *p->feature);
    problem_fit(p);
    assert_true(fabs(p->fit.loss - log(2)) <= 1e-15);
    struct err e;
    double zeta, w[2];
    assert_false(confidence_wilks(p->c, 0.05, &zeta, &e));
    struct confidence_optimum o = {0};
    assert_true(confidence_maximise(p->c, p->g, 0.01, w, &o, &e));
    assert_true(o.beta == 0 && o.norm_active &&
                fabs(o.gap - dot(p->g, p->centre, 2) - p->bound * norm_of(p->g, 2)) <= 1e-12 * (1 + p->bound));
    problem_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradient_are_the_definition),
        cmocka_unit_test(fit_is_the_minimum),
        cmocka_unit_test(radius_is_that_of_wilks),
        cmocka_unit_test(dimension_is_the_rank),
        cmocka_unit_test(extremes_match_brute_force),
        cmocka_unit_test(duality_holds),
        cmocka_unit_test(certificate_is_rigorous),
        cmocka_unit_test(curve_falls_and_agrees_with_fixed_beta),
        cmocka_unit_test(constraint_can_be_inactive),
        cmocka_unit_test(separable_data_stay_finite),
        cmocka_unit_test(more_features_than_pairs),
        cmocka_unit_test(leaping_maximisers_are_found),
        cmocka_unit_test(features_of_zero_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
