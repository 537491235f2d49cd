/* Random problems for the confidence set: see confidence_problem.h. */
#include "tests/support/confidence_problem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/vector.h"

double problem_uniform(struct problem *p) { return rng_uniform(p->seed, RNG_TEST, 0, p->drawn++); }

double problem_normal(struct problem *p) { return rng_normal(p->seed, RNG_TEST, 1, p->drawn++); }

static double log_uniform(struct problem *p, double from, double to) {
    return exp(log(from) + (log(to) - log(from)) * problem_uniform(p));
}

struct problem *problem_new(uint64_t seed, int n, int d) {
    struct problem *p = calloc(1, sizeof *p);
    p->seed = seed;
    p->n = n;
    p->d = d;
    p->feature = calloc((size_t)n * (size_t)d, sizeof *p->feature);
    const double size = log_uniform(p, 0.3, 3);
    const bool hard = problem_uniform(p) < 0.3, flips = problem_uniform(p) < 0.8;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < d; j++) p->feature[i * d + j] = (float)(size * problem_normal(p));
        const double u = problem_uniform(p);
        p->label[i] = hard      ? (p->feature[i * d] > 0 ? 1 : 0)
                      : u < 0.2 ? 0.5
                      : u < 0.6 ? problem_uniform(p)
                      : u < 0.8 ? 1
                                : 0;
        p->flip[i] = flips ? 0.3 * problem_uniform(p) : 0;
        p->weight[i] = i > 0 && problem_uniform(p) < 0.1 ? 0 : 3 * problem_uniform(p) + 0.01;
    }
    for (int j = 0; j < d; j++) {
        p->centre[j] = problem_uniform(p) < 0.5 ? 0 : problem_normal(p);
        p->g[j] = problem_normal(p);
    }
    p->ridge = log_uniform(p, 1e-8, 1e-2);
    p->bound = log_uniform(p, 0.3, 30);
    p->zeta = log_uniform(p, 1e-3, 0.3);
    return p;
}

void problem_free(struct problem *p) {
    confidence_free(p->c);
    free(p->feature);
    free(p);
}

struct confidence_pairs problem_pairs(const struct problem *p) {
    return (struct confidence_pairs){.feature = p->feature,
                                     .label = p->label,
                                     .flip = p->flip,
                                     .weight = p->weight,
                                     .centre = p->centre,
                                     .n_pairs = p->n,
                                     .ridge = p->ridge,
                                     .bound = p->bound};
}

void problem_fit(struct problem *p) {
    struct err e = {""};
    const struct confidence_pairs pairs = problem_pairs(p);
    if (!p->c) p->c = confidence_new(p->n, p->d, &e);
    assert_non_null(p->c);
    if (!confidence_set_pairs(p->c, &pairs, &e)) fail_msg("%s", e.msg);
    memcpy(p->w_hat, p->centre, sizeof p->w_hat);
    if (!confidence_fit(p->c, p->w_hat, &p->fit, &e)) fail_msg("seed %d: %s", (int)p->seed, e.msg);
}

void problem_interval(struct problem *p, double *w_min, struct confidence_optimum *min, double *w_max,
                      struct confidence_optimum *max) {
    struct err e = {""};
    if (!confidence_interval(p->c, p->g, p->zeta, w_min, min, w_max, max, &e))
        fail_msg("seed %d: %s", (int)p->seed, e.msg);
}

void problem_ascend(struct problem *p, double beta, double *w, struct confidence_optimum *out) {
    struct err e = {""};
    if (!confidence_ascend(p->c, p->g, p->zeta, beta, w, out, &e)) fail_msg("seed %d: %s", (int)p->seed, e.msg);
}

double problem_loss(const struct problem *p, const double *w, double *gradient) {
    double sum = 0, weights = 0;
    if (gradient) memset(gradient, 0, (size_t)p->d * sizeof *gradient);
    for (int i = 0; i < p->n; i++) {
        double z = 0;
        for (int j = 0; j < p->d; j++) z += (double)p->feature[i * p->d + j] * w[j];
        const double o = (1 - p->flip[i]) * p->label[i] + p->flip[i] * (1 - p->label[i]);
        const double log_yes = z > 0 ? -log1p(exp(-z)) : z - log1p(exp(z)), log_no = log_yes - z;
        sum += p->weight[i] * -(o * log_yes + (1 - o) * log_no);
        weights += p->weight[i];
        for (int j = 0; gradient && j < p->d; j++)
            gradient[j] += p->weight[i] * (exp(log_yes) - o) * (double)p->feature[i * p->d + j];
    }
    for (int j = 0; gradient && j < p->d; j++) gradient[j] /= weights;
    return sum / weights;
}

/* ---- The extremes by brute force --------------------------------------------------------------------------------- */

/* How far from `from`, inside the set, along the unit vector u to its boundary. */
static double exit_distance(const struct problem *p, const double *from, const double *u) {
    double at[3], gradient[3], offset[3];
    for (int j = 0; j < p->d; j++) offset[j] = from[j] - p->centre[j];
    const double along = dot(offset, u, p->d);
    double t = -along + sqrt(along * along + p->bound * p->bound - dot(offset, offset, p->d));
    /* L along the ray is convex and below the bound at 0: Newton's method from outside comes down to the crossing. */
    for (int k = 0; k < 200; k++) {
        for (int j = 0; j < p->d; j++) at[j] = from[j] + t * u[j];
        const double excess = problem_loss(p, at, gradient) - p->fit.loss - p->zeta;
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
        u[j] =
            cos(second) * (cos(k->first) * k->axis[0][j] + sin(k->first) * k->axis[1][j]) + sin(second) * k->axis[2][j];
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
        if (problem_loss(p, k.from, NULL) <= p->fit.loss + 0.5 * p->zeta) break;
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

double problem_extreme(struct problem *p, bool minimum) {
    for (int j = 0; minimum && j < p->d; j++) p->g[j] = -p->g[j];
    const double best = brute_maximum(p);
    for (int j = 0; minimum && j < p->d; j++) p->g[j] = -p->g[j];
    return minimum ? -best : best;
}
