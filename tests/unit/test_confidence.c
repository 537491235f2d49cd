/* The confidence set of rewards: fit, inner maximum and minimum against a brute-force search on random problems, duality,
 * certificates that no wrong point passes, the curve, both constraints active and inactive, degenerate data, bad input,
 * warm starts, independence of threads and of earlier solves; and the linear algebra under it. */
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
#include "engine/game/confidence.h"
#include "engine/math/chi2.h"
#include "engine/math/parallel.h"
#include "engine/math/spd.h"

enum { MAX_D = 64, MAX_N = 1200 };

/* ---- Random problems ------------------------------------------------------------------------------------------------ */

struct problem {
    int n, d;
    float *feature;
    double label[MAX_N], flip[MAX_N], weight[MAX_N];
    double centre[MAX_D], g[MAX_D], ridge, bound, zeta;
    struct confidence *c;
    struct confidence_fit fit;
    double w_hat[MAX_D];
    uint64_t seed, drawn;
};

static double uniform(struct problem *p) {
    return rng_uniform(p->seed, RNG_TEST, 0, p->drawn++);
}

static double normal(struct problem *p) {
    return rng_normal(p->seed, RNG_TEST, 1, p->drawn++);
}

static double log_uniform(struct problem *p, double from, double to) {
    return exp(log(from) + (log(to) - log(from)) * uniform(p));
}

/* Soft, hard and tied labels, some without flip rate, weights with zeros, any centre. */
static struct problem *problem_new(uint64_t seed, int n, int d) {
    struct problem *p = calloc(1, sizeof *p);
    p->seed = seed;
    p->n = n;
    p->d = d;
    p->feature = calloc((size_t)n * (size_t)d, sizeof *p->feature);
    const double size = log_uniform(p, 0.3, 3);
    const bool hard = uniform(p) < 0.3, flips = uniform(p) < 0.8;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) p->feature[i * d + j] = (float)(size * normal(p));
        const double u = uniform(p);
        p->label[i] = hard ? (p->feature[i * d] > 0 ? 1 : 0) : u < 0.2 ? 0.5 : u < 0.6 ? uniform(p) : u < 0.8 ? 1 : 0;
        p->flip[i] = flips ? 0.3 * uniform(p) : 0;
        p->weight[i] = i > 0 && uniform(p) < 0.1 ? 0 : 3 * uniform(p) + 0.01;
    }
    for (int j = 0; j < d; j++) {
        p->centre[j] = uniform(p) < 0.5 ? 0 : normal(p);
        p->g[j] = normal(p);
    }
    p->ridge = log_uniform(p, 1e-8, 1e-2);
    p->bound = log_uniform(p, 0.3, 30);
    p->zeta = log_uniform(p, 1e-3, 0.3);
    return p;
}

static void problem_free(struct problem *p) {
    confidence_free(p->c);
    free(p->feature);
    free(p);
}

static struct confidence_pairs pairs_of(const struct problem *p) {
    return (struct confidence_pairs){.feature = p->feature,
                                     .label = p->label,
                                     .flip = p->flip,
                                     .weight = p->weight,
                                     .centre = p->centre,
                                     .n_pairs = p->n,
                                     .ridge = p->ridge,
                                     .bound = p->bound};
}

/* Set the pairs and fit, from w0. */
static void problem_fit(struct problem *p) {
    struct err e = {""};
    const struct confidence_pairs pairs = pairs_of(p);
    if (!p->c) p->c = confidence_new(p->n, p->d, &e);
    assert_non_null(p->c);
    if (!confidence_set_pairs(p->c, &pairs, &e)) fail_msg("%s", e.msg);
    memcpy(p->w_hat, p->centre, sizeof p->w_hat);
    if (!confidence_fit(p->c, p->w_hat, &p->fit, &e)) fail_msg("seed %d: %s", (int)p->seed, e.msg);
}

static void solve_interval(struct problem *p, double *w_min, struct confidence_optimum *min, double *w_max, struct confidence_optimum *max) {
    struct err e = {""};
    if (!confidence_interval(p->c, p->g, p->zeta, w_min, min, w_max, max, &e)) fail_msg("seed %d: %s", (int)p->seed, e.msg);
}

static void ascend(struct problem *p, double beta, double *w, struct confidence_optimum *out) {
    struct err e = {""};
    if (!confidence_ascend(p->c, p->g, p->zeta, beta, w, out, &e)) fail_msg("seed %d: %s", (int)p->seed, e.msg);
}

/* ---- The same, written down again ----------------------------------------------------------------------------------- */

static double dot(const double *a, const double *b, int n) {
    double s = 0;
    for (int j = 0; j < n; j++) s += a[j] * b[j];
    return s;
}

static double norm_of(const double *a, int n) {
    return sqrt(dot(a, a, n));
}

static double distance(const double *a, const double *b, int n) {
    double s = 0;
    for (int j = 0; j < n; j++) s += (a[j] - b[j]) * (a[j] - b[j]);
    return sqrt(s);
}

/* L(w) by the definition; gradient may be NULL. */
static double reference_loss(const struct problem *p, const double *w, double *gradient) {
    double sum = 0, weights = 0;
    if (gradient) memset(gradient, 0, (size_t)p->d * sizeof *gradient);
    for (int i = 0; i < p->n; i++) {
        double z = 0;
        for (int j = 0; j < p->d; j++) z += (double)p->feature[i * p->d + j] * w[j];
        const double o = (1 - p->flip[i]) * p->label[i] + p->flip[i] * (1 - p->label[i]);
        const double log_yes = z > 0 ? -log1p(exp(-z)) : z - log1p(exp(z)), log_no = log_yes - z;
        sum += p->weight[i] * -(o * log_yes + (1 - o) * log_no);
        weights += p->weight[i];
        for (int j = 0; gradient && j < p->d; j++) gradient[j] += p->weight[i] * (exp(log_yes) - o) * (double)p->feature[i * p->d + j];
    }
    for (int j = 0; gradient && j < p->d; j++) gradient[j] /= weights;
    return sum / weights;
}

/* How far from `from`, inside the set, along the unit vector u to its boundary. */
static double exit_distance(const struct problem *p, const double *from, const double *u) {
    double at[3], gradient[3], offset[3];
    for (int j = 0; j < p->d; j++) offset[j] = from[j] - p->centre[j];
    const double along = dot(offset, u, p->d);
    double t = -along + sqrt(along * along + p->bound * p->bound - dot(offset, offset, p->d));
    /* L along the ray is convex and below the bound at 0: Newton's method from outside comes down to the crossing. */
    for (int k = 0; k < 200; k++) {
        for (int j = 0; j < p->d; j++) at[j] = from[j] + t * u[j];
        const double excess = reference_loss(p, at, gradient) - p->fit.loss - p->zeta;
        if (excess <= 1e-15) break;
        t -= excess / dot(gradient, u, p->d);
    }
    return t;
}

/* The gap at the boundary point in the direction of two angles from g; e1, e2 complete g to a basis. */
struct cone {
    const struct problem *p;
    double from[3], axis[3][3];
    double first;
};

static double gap_at(struct cone *k, double second) {
    double u[3];
    for (int j = 0; j < k->p->d; j++)
        u[j] = cos(second) * (cos(k->first) * k->axis[0][j] + sin(k->first) * k->axis[1][j]) + sin(second) * k->axis[2][j];
    return exit_distance(k->p, k->from, u) * cos(second) * cos(k->first) * norm_of(k->p->g, k->p->d);
}

/* Golden section for a maximum of a quasi-concave function of an angle. */
static double golden(struct cone *k, double (*f)(struct cone *, double)) {
    const double ratio = 0.5 * (sqrt(5) - 1);
    double a = -M_PI_2, b = M_PI_2, x = b - ratio * (b - a), y = a + ratio * (b - a), fx = f(k, x), fy = f(k, y);
    for (int i = 0; i < 48; i++) {
        if (fx < fy) {
            a = x, x = y, fx = fy, y = a + ratio * (b - a), fy = f(k, y);
        } else {
            b = y, y = x, fy = fx, x = b - ratio * (b - a), fx = f(k, x);
        }
    }
    return fmax(fx, fy);
}

static double gap_at_first(struct cone *k, double first) {
    k->first = first;
    return k->p->d < 3 ? gap_at(k, 0) : golden(k, gap_at);
}

/* max_R g.w for d <= 3, by polar search from a point inside. Along every half-plane through the polar axis, which is
 * orthogonal to g, the set is convex, so both searches are of quasi-concave functions. */
static double brute_maximum(const struct problem *p) {
    struct cone k = {.p = p};
    for (double s = 1;; s *= 0.5) {
        for (int j = 0; j < p->d; j++) k.from[j] = p->w_hat[j] + s * (p->centre[j] - p->w_hat[j]);
        if (reference_loss(p, k.from, NULL) <= p->fit.loss + 0.5 * p->zeta) break;
    }
    for (int a = 0; a < p->d; a++) {
        /* Gram-Schmidt of g and unit vectors, the least aligned first. */
        double best = 0, trial[3];
        for (int unit = 0; unit < (a ? p->d : 1); unit++) {
            for (int j = 0; j < p->d; j++) trial[j] = a ? (j == unit) : p->g[j];
            for (int b = 0; b < a; b++) {
                const double along = dot(trial, k.axis[b], p->d);
                for (int j = 0; j < p->d; j++) trial[j] -= along * k.axis[b][j];
            }
            const double norm = norm_of(trial, p->d);
            for (int j = 0; norm > best && j < p->d; j++) k.axis[a][j] = trial[j] / norm;
            best = fmax(best, norm);
        }
    }
    return dot(p->g, k.from, p->d) + (p->d == 1 ? gap_at(&k, 0) : golden(&k, gap_at_first));
}

static double brute_extreme(struct problem *p, bool minimum) {
    for (int j = 0; minimum && j < p->d; j++) p->g[j] = -p->g[j];
    const double best = brute_maximum(p);
    for (int j = 0; minimum && j < p->d; j++) p->g[j] = -p->g[j];
    return minimum ? -best : best;
}

/* ---- Fit ------------------------------------------------------------------------------------------------------------ */

static void loss_and_gradient_are_the_definition(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct problem *p = problem_new(seed, 1 + (int)seed * 53, 1 + (int)seed * 3);
        problem_fit(p);
        double w[MAX_D], expected[MAX_D], found[MAX_D];
        for (int j = 0; j < p->d; j++) w[j] = (seed % 4 == 3 ? 100 : 1) * normal(p);
        const double l = reference_loss(p, w, expected), size = 1e-13 * (1 + l);
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
        assert_true(fabs(reference_loss(p, p->w_hat, gradient) - p->fit.loss) <= 1e-13);
        for (int j = 0; j < p->d; j++) u[j] = p->w_hat[j] - p->centre[j];
        for (int j = 0; j < p->d; j++) gradient[j] += p->ridge * u[j];
        const double held = p->fit.norm_active ? fmax(0, -dot(gradient, u, p->d) / dot(u, u, p->d)) : 0;
        on_ball += p->fit.norm_active;
        for (int j = 0; j < p->d; j++) gradient[j] += held * u[j];
        assert_true(norm_of(gradient, p->d) <= 1e-12);
        assert_true(norm_of(u, p->d) <= p->bound * (1 + 1e-14));
        const double best = p->fit.loss + 0.5 * p->ridge * dot(u, u, p->d);
        for (int k = 0; k < 300; k++) {
            const double reach = pow(10, -4.0 * uniform(p));
            for (int j = 0; j < p->d; j++) w[j] = p->w_hat[j] + reach * p->bound * normal(p);
            const double far = distance(w, p->centre, p->d);
            if (far > p->bound) continue;
            assert_true(reference_loss(p, w, NULL) + 0.5 * p->ridge * far * far >= best - 1e-14);
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
    assert_true(fabs(p->fit.n_pairs - sum * sum / squares) <= 1e-10);
    struct err e;
    double zeta;
    assert_true(confidence_wilks(p->c, 0.05, &zeta, &e));
    assert_true(fabs(zeta - chi2_quantile(0.95, p->fit.dimension) / (2 * p->fit.n_pairs)) <= 1e-15);
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
    assert_true(fabs(p->fit.dimension - 5) <= 1e-6);
    assert_true(fabs(p->fit.n_pairs - 300) <= 1e-9);
    problem_free(p);
}

/* ---- Extremes ------------------------------------------------------------------------------------------------------- */

static void check_extreme(struct problem *p, const double *w, const struct confidence_optimum *o, double brute, bool minimum, double width) {
    const double short_by = minimum ? o->gap - brute : brute - o->gap;
    if (!(fabs(short_by) <= 1e-6 * width)) fail_msg("seed %d: found %.12g, brute force %.12g, interval %g", (int)p->seed, o->gap, brute, width);
    assert_true(fabs(dot(p->g, w, p->d) - o->gap) <= 1e-12 * (1 + fabs(o->gap)));
    assert_true(reference_loss(p, w, NULL) <= p->fit.loss + p->zeta + 1e-13);
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
        solve_interval(p, w_min, &min, w_max, &max);
        const double low = brute_extreme(p, true), high = brute_extreme(p, false);
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
        solve_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        assert_true(width > 0);
        for (int k = -6; k <= 6; k++) {
            memcpy(w, p->w_hat, sizeof w);
            ascend(p, (max.beta > 0 ? max.beta : 1) * pow(2, k), w, &dual);
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
        solve_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        for (int k = 0; k < 50; k++) {
            const double reach = pow(10, -3.0 * uniform(p)) * p->bound;
            for (int j = 0; j < p->d; j++) w[j] = (k % 2 ? w_max : p->w_hat)[j] + reach * normal(p);
            confidence_certify(p->c, p->g, p->zeta, max.beta * exp(0.3 * normal(p)), w, true, &o);
            if (o.norm > p->bound) continue;
            /* The point of R that the gap is measured from. */
            const double t = o.slack > 0 ? p->zeta / (p->zeta + o.slack) : 1;
            for (int j = 0; j < p->d; j++) w[j] = p->w_hat[j] + t * (w[j] - p->w_hat[j]);
            assert_true(reference_loss(p, w, NULL) <= p->fit.loss + p->zeta + 1e-13);
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
            ascend(p, beta[k], w, &o);
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

/* ---- Constraints and degenerate data -------------------------------------------------------------------------------- */

static void constraint_can_be_inactive(void **state) {
    (void)state;
    struct problem *p = problem_new(5, 50, 4);
    p->zeta = 1e6;
    problem_fit(p);
    struct confidence_optimum min = {0}, max = {0};
    double w_min[MAX_D], w_max[MAX_D];
    solve_interval(p, w_min, &min, w_max, &max);
    const double middle = dot(p->g, p->centre, 4), half = p->bound * norm_of(p->g, 4);
    assert_true(fabs(max.gap - middle - half) <= 1e-12 * half && fabs(min.gap - middle + half) <= 1e-12 * half);
    assert_true(max.beta == 0 && min.beta == 0 && !max.loss_active && !min.loss_active && max.norm_active);
    assert_true(max.kkt <= 1e-12 && max.duality_gap <= 1e-12 * half);

    memset(p->g, 0, sizeof p->g);
    p->zeta = 0.01;
    max = min = (struct confidence_optimum){0};
    solve_interval(p, w_min, &min, w_max, &max);
    assert_true(max.gap == 0 && min.gap == 0 && max.beta == 0 && !max.loss_active && max.kkt == 0 && max.duality_gap == 0);
    assert_true(max.slack < 0);
    ascend(p, 2.0, w_max, &max); /* and with g = 0 every beta leads to the least loss */
    assert_true(max.loss <= p->fit.loss + 1e-12);
    problem_free(p);
}

/* Labels that always prefer one side: the flip rate keeps the extremes finite inside the ball; without it, and without a
 * ridge, the ball does. */
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
        solve_interval(p, w_min, &min, w_max, &max);
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
        solve_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        assert_true(max.norm_active && min.norm_active && max.loss_active && min.loss_active);
        assert_true(max.kkt <= 1e-8 && min.kkt <= 1e-8);
        assert_true(max.duality_gap <= 1e-9 * width && min.duality_gap <= 1e-9 * width);
        problem_free(p);
    }
}

/* Hard labels, no flips and margins in the hundreds: the loss is all but piecewise linear and w leaps as beta passes beta*. */
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
        solve_interval(p, w_min, &min, w_max, &max);
        const double width = max.gap - min.gap;
        assert_true(max.slack <= 0 && min.slack <= 0);
        assert_true(max.duality_gap <= 1e-6 * width && min.duality_gap <= 1e-6 * width);
        leaps += max.betas > 30;
        problem_free(p);
    }
    assert_true(leaps > 5);
}

/* ---- Starts, threads, history --------------------------------------------------------------------------------------- */

static void warm_starts_give_the_cold_answer(void **state) {
    (void)state;
    for (uint64_t seed = 5000; seed < 5020; seed++) {
        struct problem *p = problem_new(seed, 400, 20);
        p->bound = fmax(p->bound, 3);
        problem_fit(p);
        struct confidence_optimum min = {0}, max = {0}, cold_min = {0}, cold_max = {0}, fixed, cold_fixed;
        double w_min[MAX_D], w_max[MAX_D], cold_w_min[MAX_D], cold_w_max[MAX_D], w[MAX_D], cold_w[MAX_D];
        solve_interval(p, w_min, &min, w_max, &max);
        memcpy(w, w_max, sizeof w);
        struct confidence_optimum again = max; /* a start that is the answer comes back unchanged */
        struct err e;
        assert_true(confidence_maximise(p->c, p->g, p->zeta, w, &again, &e));
        assert_memory_equal(w, w_max, (size_t)p->d * sizeof *w);
        assert_true(again.steps == 0 && again.beta == max.beta);

        for (int j = 0; j < p->d; j++) p->g[j] += 0.2 * normal(p);
        solve_interval(p, w_min, &min, w_max, &max);
        solve_interval(p, cold_w_min, &cold_min, cold_w_max, &cold_max);
        assert_true(distance(w_max, cold_w_max, p->d) <= 1e-9 * p->bound && distance(w_min, cold_w_min, p->d) <= 1e-9 * p->bound);
        assert_true(fabs(max.gap - cold_max.gap) <= 1e-9 * (max.gap - min.gap) && fabs(min.gap - cold_min.gap) <= 1e-9 * (max.gap - min.gap));
        memcpy(cold_w, p->w_hat, sizeof cold_w);
        ascend(p, 2 * max.beta, w, &fixed);
        ascend(p, 2 * max.beta, cold_w, &cold_fixed);
        assert_true(distance(w, cold_w, p->d) <= 1e-9 * p->bound);

        /* The fit, from a far start and from its own answer. */
        struct confidence_fit fit;
        for (int j = 0; j < p->d; j++) w[j] = 100 * normal(p);
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
    solve_interval(p, a->w_min, &a->min, a->w_max, &a->max);
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
    ascend(p, 0.1 * one.max.beta, w, &far);
    assert_true(far.hessians > 0);
    other.min.beta = other.max.beta = 0;
    solve_interval(p, other.w_min, &other.min, other.w_max, &other.max);
    assert_memory_equal(&one, &other, sizeof one);
    for (int threads = 2; threads <= 5; threads++) {
        parallel_init(threads);
        answer_all(p, &other);
        parallel_shutdown();
        assert_memory_equal(&one, &other, sizeof one);
    }
    problem_free(p);
}

/* ---- Bad input ------------------------------------------------------------------------------------------------------ */

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
    const struct confidence_pairs good = pairs_of(p);
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
    } numbers[] = {{&p->label[4], 1.5, "label of pair 4 is 1.5"},   {&p->label[4], NAN, "label of pair 4 is nan"},
                   {&p->flip[2], -0.1, "flip rate of pair 2"},      {&p->weight[7], -1, "weight of pair 7 is -1"},
                   {&p->weight[7], INFINITY, "weight of pair 7"},   {&p->centre[1], NAN, "centre[1] is nan"}};
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
    assert_true(o.beta == 0 && o.norm_active && fabs(o.gap - dot(p->g, p->centre, 2) - p->bound * norm_of(p->g, 2)) <= 1e-12 * (1 + p->bound));
    problem_free(p);
}

/* ---- Linear algebra ------------------------------------------------------------------------------------------------- */

static void systems_are_solved(void **state) {
    (void)state;
    struct err e;
    for (int n = 1; n <= 200; n = n * 3 / 2 + 1) {
        const int rows = 2 * n + 150;
        const size_t nn = (size_t)n * (size_t)n;
        float *f = mem_alloc((size_t)rows * (size_t)n, sizeof *f, "f", &e);
        double *weight = mem_alloc((size_t)rows, sizeof *weight, "weight", &e), *h = mem_alloc(nn, sizeof *h, "h", &e);
        double *l = mem_alloc(nn, sizeof *l, "l", &e), *x = mem_alloc((size_t)n, sizeof *x, "x", &e);
        double *b = mem_alloc((size_t)n, sizeof *b, "b", &e), *scratch = mem_alloc(spd_gram_scratch(n), sizeof *scratch, "scratch", &e);
        for (int i = 0; i < rows * n; i++) f[i] = (float)rng_normal(12, RNG_TEST, (uint64_t)n, (uint64_t)i);
        for (int i = 0; i < rows; i++) weight[i] = i % 5 ? rng_uniform(13, RNG_TEST, (uint64_t)n, (uint64_t)i) : 0;
        spd_gram(h, f, weight, rows, n, scratch);
        for (int r = 0; r < n; r++)
            for (int c = 0; c <= r; c++) {
                double sum = 0;
                for (int i = 0; i < rows; i++) sum += weight[i] * (double)f[i * n + r] * (double)f[i * n + c];
                assert_true(fabs(h[r * n + c] - sum) <= 1e-12 * rows);
                h[c * n + r] = h[r * n + c];
            }
        memcpy(l, h, nn * sizeof *l);
        assert_true(spd_factor(l, n));
        double trace = 0;
        for (int k = 0; k < n; k++) { /* column k of the inverse */
            for (int j = 0; j < n; j++) x[j] = b[j] = j == k;
            spd_solve(l, x, n);
            trace += x[k];
            for (int j = 0; j < n; j++) assert_true(fabs(dot(h + j * n, x, n) - (j == k)) <= 1e-11);
            spd_half_solve(l, b, n);
            assert_true(fabs(dot(b, b, n) - x[k]) <= 1e-12);
        }
        assert_true(fabs(spd_trace_inverse(l, n, x) - trace) <= 1e-11 * trace);
        h[nn - 1] = -1;
        assert_false(spd_factor(h, n));
        double *const owned[] = {weight, h, l, x, b, scratch};
        for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) mem_free(owned[i]);
        mem_free(f);
    }
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
        cmocka_unit_test(warm_starts_give_the_cold_answer),
        cmocka_unit_test(results_do_not_depend_on_threads_or_history),
        cmocka_unit_test(bad_pairs_are_refused),
        cmocka_unit_test(bad_questions_are_refused),
        cmocka_unit_test(features_of_zero_tell_nothing),
        cmocka_unit_test(systems_are_solved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
