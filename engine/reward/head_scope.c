/* Features, values and descent of scope `head`: see head_scope.h. The basis is made in head_scope_basis.c; what needs
 * the vocabulary lives in head_linear.h. */
#include "engine/reward/head_scope.h"

#include <math.h>

#include "engine/base/mem.h"

bool head_scope_init(struct head_scope *s, int k, const struct model *m, struct err *e) {
    const int d = m->cfg.d_model, n_vocab = m->cfg.n_vocab;
    *s = (struct head_scope){0};
    if (k < 1 || k > d || k >= n_vocab)
        return err_set(e, "scope head: 1 to %d corrections are possible for width %d and vocabulary %d, found %d",
                       d < n_vocab ? d : n_vocab - 1, d, n_vocab, k);
    const size_t directions = (size_t)k * (size_t)d;
    *s = (struct head_scope){.k = k, .d = d, .n_vocab = n_vocab, .n_state = 2 * directions + 1 + (size_t)k};
    s->space = head_linear_space_new();
    s->state = mem_alloc(s->n_state, sizeof *s->state, "basis of scope head", e);
    s->projected = mem_alloc((size_t)n_vocab * (size_t)k, sizeof *s->projected, "projected embeddings", e);
    if (!s->state || !s->projected) {
        head_scope_free(s);
        return false;
    }
    s->a = s->state;
    s->b = s->a + directions;
    s->w = s->b + directions;
    head_scope_reset_weights(s);
    return true;
}

void head_scope_free(struct head_scope *s) {
    head_linear_space_free(s->space);
    mem_free(s->state);
    mem_free(s->projected);
    mem_free(s->row_feature);
    *s = (struct head_scope){0};
}

/* ---- Features ---- */

bool head_scope_fits(const struct head_scope *s, const struct model *m, struct err *e) {
    if (m->cfg.d_model == s->d && m->cfg.n_vocab == s->n_vocab) return true;
    return err_set(e, "scope head was made for width %d and vocabulary %d, the model has %d and %d", s->d, s->n_vocab,
                   m->cfg.d_model, m->cfg.n_vocab);
}

static bool check(const struct head_scope *s, const struct reward *r, struct err *e) {
    if (r->level != REWARD_TOKEN) return err_set(e, "scope head needs a reward of level token");
    return head_scope_fits(s, r->t.model, e) &&
           (s->attached || err_set(e, "scope head: the basis has not been built or attached"));
}

static struct head_linear linear_of(const struct head_scope *s) {
    return (struct head_linear){.k = s->k, .a = s->a, .projected = s->projected, .space = s->space};
}

bool head_scope_row_features(struct head_scope *s, const struct reward *r, const struct head_rows *rows, float *feature,
                             struct err *e) {
    const struct head_linear l = linear_of(s);
    return check(s, r, e) && head_linear_features(r->t.model, rows, r->bound, &l, r->t.space, feature, e);
}

static bool reserve_rows(struct head_scope *s, int n_rows, struct err *e) {
    if (n_rows <= s->cap_rows) return true;
    mem_free(s->row_feature);
    s->cap_rows = 0;
    s->row_feature = mem_alloc((size_t)n_rows * 2 * (size_t)(1 + s->k), sizeof *s->row_feature, "features of rows", e);
    if (!s->row_feature) return false;
    s->cap_rows = n_rows * 2;
    return true;
}

bool head_scope_features(struct head_scope *s, struct reward *r, const struct sequences *q, float *feature,
                         struct err *e) {
    if (!check(s, r, e) || !reserve_rows(s, q->n_rows, e)) return false;
    const struct batch b = sequences_batch(q);
    const float *hidden;
    if (!model_forward(r->t.model, r->t.acts, &b, false, &hidden, e)) return false;
    const struct head_rows rows = sequences_rows(q, hidden);
    if (!head_scope_row_features(s, r, &rows, s->row_feature, e)) return false;
    const size_t n = 1 + (size_t)s->k;
    for (int i = 0; i < q->n_seq; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (int h = q->row_start[i]; h < q->row_start[i + 1]; h++)
                sum += (double)s->row_feature[(size_t)h * n + j];
            feature[(size_t)i * n + j] = (float)(sum * (double)r->scale);
        }
    return true;
}

void head_scope_pairs(const struct head_scope *s, const float *feature, const int *first, const int *second,
                      int n_pairs, float *difference) {
    const size_t n = 1 + (size_t)s->k;
    for (int i = 0; i < n_pairs; i++) {
        const float *a = feature + (size_t)first[i] * n, *b = feature + (size_t)second[i] * n;
        for (size_t j = 0; j < n; j++) difference[(size_t)i * n + j] = a[j] - b[j];
    }
}

/* ---- Under w ---- */

bool head_scope_set_weights(struct head_scope *s, const double *w, struct err *e) {
    for (int j = 0; j <= s->k; j++)
        if (!isfinite((float)w[j])) return err_set(e, "scope head: weight %d is not finite: %g", j, w[j]);
    for (int j = 0; j <= s->k; j++) s->w[j] = (float)w[j];
    return true;
}

void head_scope_reset_weights(struct head_scope *s) {
    for (int j = 0; j <= s->k; j++) s->w[j] = j == 0 ? 1.0f : 0.0f;
}

void head_scope_value(const struct head_scope *s, const float *feature, int n_seq, double *value) {
    const size_t n = 1 + (size_t)s->k;
    for (int i = 0; i < n_seq; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) sum += (double)s->w[j] * (double)feature[(size_t)i * n + j];
        value[i] = sum;
    }
}

bool head_scope_descent(struct head_scope *s, const struct model *student, const struct head_rows *rs,
                        const struct reward *r, const struct head_rows *rr, const struct model *ref,
                        const struct head_rows *rf, const float *weight, float kl_coef, struct head_space *space,
                        struct exact_terms *terms, float *dhidden, float *grads, struct err *e) {
    const struct head_linear l = linear_of(s);
    return check(s, r, e) && head_linear_descent(student, rs, r->t.model, rr, r->bound, &l, s->w, ref, rf, weight,
                                                 kl_coef, space, terms, dhidden, grads, e);
}
