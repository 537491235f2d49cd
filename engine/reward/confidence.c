/* The confidence set of rewards: pairs, fit and radius (see confidence.h). The solver is in confidence_newton.c, the
 * maximum over the set in confidence_set.c. */
#include "engine/reward/confidence.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/reward/confidence_private.h"
#include "engine/math/chi2.h"
#include "engine/math/spd.h"

/* ---- Workspace --------------------------------------------------------------------------------------------------- */

struct carver {
    double *base; /* NULL: only count */
    size_t used;
};

/* Arrays start on cache lines, so that vector code meets the same alignment in every run. */
static double *carve(struct carver *v, size_t n) {
    double *p = v->base ? v->base + v->used : NULL;
    v->used += (n + 7) / 8 * 8;
    return p;
}

static size_t lay_out(struct confidence *c, double *base) {
    struct carver v = {.base = base};
    const size_t n = (size_t)c->max_pairs, d = (size_t)c->d;
    double **const per_pair[] = {&c->label, &c->weight, &c->curvature};
    double **const vectors[] = {&c->centre,         &c->w_hat,  &c->now.w,   &c->now.gradient, &c->trial.w,
                                &c->trial.gradient, &c->offset, &c->slope,   &c->step,         &c->vector,
                                &c->derivative,     &c->inside, &c->outside, &c->reverse};
    double **const squares[] = {&c->hessian_hat, &c->hessian_own, &c->factor};
    for (size_t i = 0; i < sizeof per_pair / sizeof *per_pair; i++) *per_pair[i] = carve(&v, n);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) *vectors[i] = carve(&v, d);
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) *squares[i] = carve(&v, d * d);
    c->parts = carve(&v, confidence_parts_size(c->d));
    c->gram_scratch = carve(&v, spd_gram_scratch(c->d));
    return v.used;
}

enum { MAX_FEATURES = 1 << 14 };

struct confidence *confidence_new(int max_pairs, int n_features, struct err *e) {
    if (max_pairs < 1 || n_features < 1 || n_features > MAX_FEATURES) {
        err_set(e, "confidence set: %d pairs of %d features, expected at least 1 pair of 1 to %d features", max_pairs,
                n_features, MAX_FEATURES);
        return NULL;
    }
    struct confidence *c = mem_small(sizeof *c);
    c->max_pairs = max_pairs;
    c->d = n_features;
    c->memory = mem_alloc(lay_out(c, NULL), sizeof *c->memory, "confidence set", e);
    if (!c->memory) {
        confidence_free(c);
        return NULL;
    }
    lay_out(c, c->memory);
    return c;
}

void confidence_free(struct confidence *c) {
    if (!c) return;
    mem_free(c->memory);
    free(c);
}

/* ---- Pairs ------------------------------------------------------------------------------------------------------- */

/* A number of pair i (i < 0: of the set as a whole) that must lie in [lo, hi]. */
static bool in_range(double x, double lo, double hi, const char *what, int i, struct err *e) {
    if (isfinite(x) && x >= lo && x <= hi) return true;
    if (i < 0) return err_set(e, "confidence set: %s is %g, expected a finite number in [%g, %g]", what, x, lo, hi);
    return err_set(e, "confidence set: %s of pair %d is %g, expected a finite number in [%g, %g]", what, i, x, lo, hi);
}

static bool take_pair(struct confidence *c, const struct confidence_pairs *p, int i, struct err *e) {
    const double o = p->label[i], flip = p->flip ? p->flip[i] : 0, weight = p->weight ? p->weight[i] : 1;
    if (!in_range(o, 0, 1, "label", i, e) || !in_range(flip, 0, 1, "flip rate", i, e)) return false;
    if (!in_range(weight, 0, HUGE_VAL, "weight", i, e)) return false;
    c->label[i] = (1 - flip) * o + flip * (1 - o);
    c->weight[i] = weight;
    return true;
}

/* |f_i|, or a negative number with e filled. */
static double feature_norm(const float *f, int d, int i, struct err *e) {
    double square = 0;
    for (int j = 0; j < d; j++) square += (double)f[j] * (double)f[j];
    if (isfinite(square)) return sqrt(square);
    for (int j = 0; j < d; j++)
        if (!isfinite(f[j]))
            err_set(e, "confidence set: feature %d of pair %d is %g, expected a finite number", j, i, (double)f[j]);
    return -1;
}

/* Weights made to sum to 1, and what is measured with them. */
static bool weigh(struct confidence *c, const struct confidence_pairs *p, struct err *e) {
    double sum = 0, squares = 0, largest = 0;
    for (int i = 0; i < p->n_pairs; i++) largest = fmax(largest, c->weight[i]);
    if (largest <= 0)
        return err_set(e, "confidence set: all %d pairs have weight 0, expected a positive one", p->n_pairs);
    for (int i = 0; i < p->n_pairs; i++) sum += c->weight[i] / largest;
    c->feature_scale = 0;
    for (int i = 0; i < p->n_pairs; i++) {
        c->weight[i] = c->weight[i] / largest / sum;
        squares += c->weight[i] * c->weight[i];
        const double norm = feature_norm(p->feature + (size_t)i * (size_t)c->d, c->d, i, e);
        if (norm < 0) return false;
        c->feature_scale += c->weight[i] * norm;
    }
    c->n_effective = 1 / squares;
    return true;
}

bool confidence_set_pairs(struct confidence *c, const struct confidence_pairs *p, struct err *e) {
    c->n = 0;
    c->have_fit = false;
    if (p->n_pairs < 1 || p->n_pairs > c->max_pairs)
        return err_set(e, "confidence set: %d pairs, expected 1 to %d", p->n_pairs, c->max_pairs);
    if (!in_range(p->ridge, 0, HUGE_VAL, "ridge", -1, e)) return false;
    if (!(p->bound > 0) || !isfinite(p->bound))
        return err_set(e, "confidence set: bound is %g, expected a positive finite number", p->bound);
    for (int j = 0; j < c->d; j++) {
        c->centre[j] = p->centre ? p->centre[j] : 0;
        if (!isfinite(c->centre[j]))
            return err_set(e, "confidence set: centre[%d] is %g, expected a finite number", j, c->centre[j]);
    }
    for (int i = 0; i < p->n_pairs; i++)
        if (!take_pair(c, p, i, e)) return false;
    if (!weigh(c, p, e)) return false;
    c->feature = p->feature;
    c->ridge = p->ridge;
    c->bound = p->bound;
    c->n = p->n_pairs;
    return true;
}

double confidence_loss(struct confidence *c, const double *w, double *gradient) {
    return confidence_evaluate(c, w, gradient ? gradient : c->vector);
}

/* ---- Fit and radius ---------------------------------------------------------------------------------------------- */

/* With M = (H + ridge I)^-1: d_eff = tr[H M] = D - ridge tr M, and Wilks' tr[I - (ridge M)^2]. Without a ridge the
 * limit: the rank, flat directions not counted. */
static void effective_dimensions(struct confidence *c, double *d_eff, double *wilks) {
    *d_eff = *wilks = 0;
    confidence_newton_use_hessian(c, c->hessian_hat);
    if (c->trace <= 0) return;
    const double ridge = fmax(c->ridge, 1e-9 * c->trace);
    double of_square;
    confidence_newton_factor(c, 1, ridge);
    *d_eff = fmax(0, c->d - ridge * spd_trace_inverse(c->factor, c->d, &of_square, c->vector));
    *wilks = fmax(0, c->d - ridge * ridge * of_square);
}

bool confidence_fit(struct confidence *c, double *w, struct confidence_fit *out, struct err *e) {
    c->have_fit = false;
    if (c->n == 0) return err_set(e, "confidence set: no pairs to fit");
    for (int j = 0; j < c->d; j++)
        if (!isfinite(w[j]))
            return err_set(e, "confidence set: start of the fit, w[%d] is %g, expected a finite number", j, w[j]);
    confidence_newton_begin(c, w, NULL);
    const struct confidence_goal goal = {.beta = 1, .ridge = c->ridge};
    double residual;
    if (!confidence_newton_minimise(c, &goal, &residual, e)) return err_wrap(e, "maximum-likelihood fit");
    const size_t bytes = (size_t)c->d * sizeof *w;
    memcpy(w, c->now.w, bytes);
    memcpy(c->w_hat, c->now.w, bytes);
    confidence_newton_move(c, c->w_hat);
    confidence_newton_hessian(c, c->hessian_hat);
    c->loss_hat = c->now.loss;
    double d_eff;
    effective_dimensions(c, &d_eff, &c->wilks_dimension);
    c->have_fit = true;
    const double norm = confidence_offset(c, w, c->offset);
    *out = (struct confidence_fit){.loss = c->loss_hat,
                                   .residual = residual,
                                   .norm = norm,
                                   .dimension = d_eff,
                                   .wilks_dimension = c->wilks_dimension,
                                   .n_pairs = c->n_effective,
                                   .norm_active = norm >= c->bound * (1 - 1e-9),
                                   .steps = c->steps,
                                   .hessians = c->hessians};
    return true;
}

bool confidence_wilks(const struct confidence *c, double delta, double *zeta, struct err *e) {
    if (!c->have_fit) return err_set(e, "confidence set: no fit, which the radius needs");
    if (!(delta > 0 && delta < 1))
        return err_set(e, "confidence set: delta is %g, expected a number between 0 and 1", delta);
    if (!(c->wilks_dimension > 0))
        return err_set(e, "confidence set: the effective dimension is 0: no pair tells two rewards apart");
    *zeta = chi2_quantile(1 - delta, c->wilks_dimension) / (2 * c->n_effective);
    return true;
}
