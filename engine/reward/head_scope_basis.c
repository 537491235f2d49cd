/* The basis of scope `head`: see head_scope.h. Covariances and their eigenvectors are double; directions are rounded to
 * f32 once, and the scales are measured with the rounded directions, through the same code that makes features
 * later. */
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/reward/head_scope.h"
#include "engine/math/eigen.h"
#include "engine/math/matmul.h"
#include "engine/math/spd.h"

/* Deviations below this share of the largest count as rounding: a product of a thousand terms in f32 is good to
 * 2e-6. */
static const double NEGLIGIBLE = 1e-5;

/* ---- Sample ---- */

bool head_scope_sample_init(struct head_scope_sample *p, int cap, const struct model *m, struct err *e) {
    *p = (struct head_scope_sample){.cap = cap, .d = m->cfg.d_model};
    if (cap < 2) return err_set(e, "scope head: a sample needs room for at least 2 rows, found %d", cap);
    p->hidden = mem_alloc((size_t)cap * (size_t)p->d, sizeof *p->hidden, "sample of hidden states", e);
    p->target = mem_alloc((size_t)cap, sizeof *p->target, "sample of tokens", e);
    if (p->hidden && p->target) return true;
    head_scope_sample_free(p);
    return false;
}

void head_scope_sample_free(struct head_scope_sample *p) {
    mem_free(p->hidden);
    mem_free(p->target);
    *p = (struct head_scope_sample){0};
}

bool head_scope_sample_add(struct head_scope_sample *p, struct reward *r, const struct sequences *q, struct err *e) {
    if (r->t.model->cfg.d_model != p->d)
        return err_set(e, "scope head: the sample has width %d, the reward %d", p->d, r->t.model->cfg.d_model);
    if (p->n == p->cap) return true;
    const struct batch b = sequences_batch(q);
    const float *hidden;
    if (!model_forward(r->t.model, r->t.acts, &b, false, &hidden, e)) return false;
    const size_t d = (size_t)p->d;
    for (int i = 0; i < q->n_rows && p->n < p->cap; i++, p->n++) {
        memcpy(p->hidden + (size_t)p->n * d, hidden + (size_t)q->row[i] * d, d * sizeof *hidden);
        p->target[p->n] = q->target[i];
    }
    return true;
}

/* ---- Principal directions ---- */

/* Scratch of one eigenproblem of width d, over at most n rows. */
struct space {
    double *cov, *vector, *value, *mean, *eigen; /* [d,d], [d,d], [d], [d] */
    double *gram, *weight;                       /* [n] */
};

static void space_free(struct space *s) {
    mem_free(s->cov);
    mem_free(s->gram);
    mem_free(s->weight);
}

static bool space_new(struct space *s, int d, int n, struct err *e) {
    const size_t square = (size_t)d * (size_t)d, width = (size_t)d;
    *s = (struct space){0};
    s->cov = mem_alloc(2 * square + 2 * width + eigen_scratch(d), sizeof *s->cov, "covariance", e);
    s->gram = mem_alloc(spd_gram_scratch(d), sizeof *s->gram, "covariance", e);
    s->weight = mem_alloc((size_t)n, sizeof *s->weight, "covariance", e);
    if (!s->cov || !s->gram || !s->weight) {
        space_free(s);
        return false;
    }
    s->vector = s->cov + square;
    s->value = s->vector + square;
    s->mean = s->value + width;
    s->eigen = s->mean + width;
    return true;
}

/* direction [k,d]: unit eigenvectors of the covariance of the rows of x [n,d], largest eigenvalue first. */
static bool principal(const float *x, int n, int d, int k, struct space *s, float *direction, const char *what,
                      struct err *e) {
    const size_t width = (size_t)d;
    for (int i = 0; i < n; i++) s->weight[i] = 1.0 / n;
    spd_gram(s->cov, x, s->weight, n, d, s->gram);
    memset(s->mean, 0, width * sizeof *s->mean);
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t j = 0; j < width; j++) s->mean[j] += (double)x[i * width + j] / n;
    for (size_t i = 0; i < width; i++)
        for (size_t j = 0; j <= i; j++) s->cov[i * width + j] -= s->mean[i] * s->mean[j];
    if (!eigen_symmetric(s->cov, d, s->value, s->vector, s->eigen))
        return err_set(e, "scope head: %s are not finite", what);
    for (size_t i = 0; i < (size_t)k * width; i++) direction[i] = (float)s->vector[i];
    return true;
}

static bool directions(struct head_scope *s, const struct model *m, const struct head_scope_sample *p, struct err *e) {
    struct space space;
    if (!space_new(&space, s->d, p->n > s->n_vocab ? p->n : s->n_vocab, e)) return false;
    const bool ok = principal(p->hidden, p->n, s->d, s->k, &space, s->a, "hidden states", e) &&
                    principal(m->params + m->head, s->n_vocab, s->d, s->k, &space, s->b, "embeddings", e);
    space_free(&space);
    return ok;
}

bool head_scope_attach(struct head_scope *s, const struct model *m, struct err *e) {
    s->attached = false;
    if (!head_scope_fits(s, m, e)) return false;
    const size_t n = (size_t)s->n_vocab, k = (size_t)s->k;
    matmul_nt(s->projected, m->params + m->head, s->b, s->n_vocab, s->k, s->d, false);
    /* what all actions share cancels in every feature; without it the differences are sharper */
    for (size_t j = 0; j < k; j++) {
        double mean = 0;
        for (size_t a = 0; a < n; a++) mean += (double)s->projected[a * k + j];
        for (size_t a = 0; a < n; a++) s->projected[a * k + j] -= (float)(mean / (double)n);
    }
    return s->attached = true;
}

/* ---- Scales ---- */

static double variance(const float *x, int n, size_t stride) {
    double mean = 0, sum = 0;
    for (size_t i = 0; i < (size_t)n; i++) mean += (double)x[i * stride] / n;
    for (size_t i = 0; i < (size_t)n; i++) sum += ((double)x[i * stride] - mean) * ((double)x[i * stride] - mean);
    return sum / n;
}

/* Divide the directions in a by the deviations of their features, feature [n, 1+k]. */
static bool rescale(struct head_scope *s, const float *feature, int n, struct err *e) {
    const size_t stride = 1 + (size_t)s->k, d = (size_t)s->d;
    double largest = 0;
    for (size_t j = 0; j < stride; j++) {
        const double v = variance(feature + j, n, stride);
        if (!isfinite(v)) return err_set(e, "scope head: feature %zu is not finite on the sample", j);
        if (j > 0) largest = fmax(largest, v);
    }
    for (size_t j = 1; j < stride; j++) {
        const double v = variance(feature + j, n, stride);
        const double scale = v > NEGLIGIBLE * NEGLIGIBLE * largest ? 1 / sqrt(v) : 0;
        for (size_t i = 0; i < d; i++) s->a[(j - 1) * d + i] = (float)(scale * (double)s->a[(j - 1) * d + i]);
    }
    return true;
}

static bool scales(struct head_scope *s, struct reward *r, const struct head_scope_sample *p, struct err *e) {
    int *row = mem_alloc((size_t)p->n, sizeof *row, "rows of the sample", e);
    float *feature = mem_alloc((size_t)p->n * (size_t)(1 + s->k), sizeof *feature, "features of the sample", e);
    bool ok = row && feature;
    if (ok) {
        for (int i = 0; i < p->n; i++) row[i] = i;
        const struct head_rows rows = {.hidden = p->hidden, .row = row, .target = p->target, .n = p->n};
        ok = head_scope_row_features(s, r, &rows, feature, e) && rescale(s, feature, p->n, e);
    }
    mem_free(row);
    mem_free(feature);
    return ok;
}

bool head_scope_build(struct head_scope *s, struct reward *r, const struct head_scope_sample *p, struct err *e) {
    s->attached = false;
    head_scope_reset_weights(s);
    if (r->level != REWARD_TOKEN) return err_set(e, "scope head needs a reward of level token");
    if (p->n < 2 || p->d != s->d)
        return err_set(e, "scope head: at least 2 rows of width %d are needed, found %d of %d", s->d, p->n, p->d);
    if (!head_scope_fits(s, r->t.model, e)) return false;
    return s->attached = directions(s, r->t.model, p, e) && head_scope_attach(s, r->t.model, e) && scales(s, r, p, e);
}
