/* The head: see head.h. Chunks of rows, log-probabilities and the weighted negative log-likelihood. */
#include "engine/model/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/math/kernels.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/head_internal.h"

struct head_space *head_space_new(void) {
    return mem_small(sizeof(struct head_space));
}

void head_space_free(struct head_space *s) {
    if (!s) return;
    for (int i = 0; i < HEAD_SIDES; i++) {
        buffer_free(&s->x[i]);
        buffer_free(&s->logits[i]);
    }
    buffer_free(&s->dx);
    free(s);
}

/* ---- shared with head_reward.c and head_exact.c ---- */

int head_chunk_rows(int n_vocab) {
    const int fit = (8 << 20) / n_vocab; /* floats in 32 MiB */
    return fit < 32 ? 32 : fit > HEAD_MAX_ROWS ? HEAD_MAX_ROWS : fit;
}

int head_grain(int n_vocab) { return n_vocab >= 4096 ? 1 : 4096 / n_vocab; }

bool head_check_rows(const struct model *m, const struct head_rows *r, bool targets, struct err *e) {
    for (int i = 0; i < r->n; i++) {
        if (r->row[i] < 0) return err_set(e, "head: row index %d at %d is negative", r->row[i], i);
        if (targets && (r->target[i] < 0 || r->target[i] >= m->cfg.n_vocab))
            return err_set(e, "head: target %d at %d is outside the vocabulary of %d", r->target[i], i, m->cfg.n_vocab);
    }
    return true;
}

float *head_logits(const struct model *m, const struct head_rows *r, int first, int n, struct head_space *s, int side,
                   struct err *e) {
    const size_t d = (size_t)m->cfg.d_model, cap = (size_t)head_chunk_rows(m->cfg.n_vocab);
    if (!buffer_reserve(&s->x[side], cap * d, "head input", e)) return NULL;
    if (!buffer_reserve(&s->logits[side], cap * (size_t)m->cfg.n_vocab, "logits", e)) return NULL;
    for (int i = 0; i < n; i++)
        memcpy(s->x[side].p + (size_t)i * d, r->hidden + (size_t)r->row[first + i] * d, d * sizeof(float));
    /* [n, n_vocab] = [n, d] [n_vocab, d]^T */
    matmul_nt(s->logits[side].p, s->x[side].p, m->params + m->head, n, m->cfg.n_vocab, m->cfg.d_model, false);
    return s->logits[side].p;
}

bool head_push_gradient(const struct model *m, const struct head_rows *r, int first, int n, const float *dlogits,
                        struct head_space *s, float *dhidden, float *grads, struct err *e) {
    const int d = m->cfg.d_model, vocab = m->cfg.n_vocab;
    if (!buffer_reserve(&s->dx, (size_t)head_chunk_rows(vocab) * (size_t)d, "head gradient", e)) return false;
    matmul_nn(s->dx.p, dlogits, m->params + m->head, n, d, vocab, false); /* [n, d] = [n, n_vocab] [n_vocab, d] */
    matmul_tn(grads + m->head, dlogits, s->x[0].p, vocab, d, n);          /* [n_vocab, d] += [n, n_vocab]^T [n, d] */
    for (int i = 0; i < n; i++) {
        float *restrict to = dhidden + (size_t)r->row[first + i] * (size_t)d;
        const float *restrict from = s->dx.p + (size_t)i * (size_t)d;
        for (int c = 0; c < d; c++) to[c] += from[c];
    }
    return true;
}

/* ---- log-probabilities ---- */

struct nll_job {
    float *z; /* [n, n_vocab] logits; with weight: turned into dlogits */
    int n_vocab;
    const int32_t *target;
    const float *weight; /* NULL: no gradient */
    float *entropy;      /* NULL: not wanted */
    double log_prob[HEAD_MAX_ROWS];
};

/* sum_i exp(z_i - shift) * (z_i - shift) */
SIMD_CLONES static double sum_exp_times(const float *z, int n, float shift) {
    double sum = 0;
    int i = 0;
    while (i < n) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        float lane[SIMD_LANES] = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++) lane[j] += simd_exp(z[i + j] - shift) * (z[i + j] - shift);
        for (; i < stop; i++) lane[0] += simd_exp(z[i] - shift) * (z[i] - shift);
        sum += (double)simd_lane_sum(lane);
    }
    return sum;
}

/* z = scale * exp(z - shift) */
SIMD_CLONES static void scaled_exp(float *z, int n, float shift, float scale) {
    for (int i = 0; i < n; i++) z[i] = scale * simd_exp(z[i] - shift);
}

static void nll_rows(void *ctx, int begin, int end) {
    struct nll_job *j = ctx;
    for (int r = begin; r < end; r++) {
        float *z = j->z + (size_t)r * (size_t)j->n_vocab;
        const float top = row_max(z, j->n_vocab);
        const double sum = row_sum_exp(z, j->n_vocab, top), log_sum = log(sum);
        j->log_prob[r] = (double)z[j->target[r]] - (double)top - log_sum;
        if (j->entropy) j->entropy[r] = (float)(log_sum - sum_exp_times(z, j->n_vocab, top) / sum);
        if (!j->weight) continue;
        scaled_exp(z, j->n_vocab, top, (float)((double)j->weight[r] / sum)); /* dlogits = w (p - onehot) */
        z[j->target[r]] -= j->weight[r];
    }
}

bool head_log_prob(const struct model *m, const struct head_rows *r, struct head_space *s, float *log_prob,
                   float *entropy, struct err *e) {
    if (!head_check_rows(m, r, true, e)) return false;
    const int step = head_chunk_rows(m->cfg.n_vocab);
    for (int first = 0; first < r->n; first += step) {
        const int n = r->n - first < step ? r->n - first : step;
        struct nll_job j = {
            .n_vocab = m->cfg.n_vocab, .target = r->target + first, .entropy = entropy ? entropy + first : NULL};
        if (!(j.z = head_logits(m, r, first, n, s, 0, e))) return false;
        parallel_ranges(n, head_grain(j.n_vocab), nll_rows, &j);
        for (int i = 0; i < n; i++) log_prob[first + i] = (float)j.log_prob[i];
    }
    return true;
}

bool head_nll_backward(const struct model *m, const struct head_rows *r, const float *weight, struct head_space *s,
                       double *loss, float *log_prob, float *dhidden, float *grads, struct err *e) {
    if (!head_check_rows(m, r, true, e)) return false;
    const int step = head_chunk_rows(m->cfg.n_vocab);
    double sum = 0;
    for (int first = 0; first < r->n; first += step) {
        const int n = r->n - first < step ? r->n - first : step;
        struct nll_job j = {.n_vocab = m->cfg.n_vocab, .target = r->target + first, .weight = weight + first};
        if (!(j.z = head_logits(m, r, first, n, s, 0, e))) return false;
        parallel_ranges(n, head_grain(j.n_vocab), nll_rows, &j);
        for (int i = 0; i < n; i++) {
            sum -= (double)weight[first + i] * j.log_prob[i];
            if (log_prob) log_prob[first + i] = (float)j.log_prob[i];
        }
        if (!head_push_gradient(m, r, first, n, j.z, s, dhidden, grads, e)) return false;
    }
    if (loss) *loss = sum;
    return true;
}
