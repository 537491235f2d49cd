/* Features of linear rewards, and their correction of a chunk: see head_linear.h.
 *
 * A chunk of logits becomes the distribution b in place while the reward's mean is summed, so that one product b P
 * gives the means that centre the features. The order of the sums is that of head_reward.c, for the same bits. */
#include "engine/model/head_linear.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/math/kernels.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/head_internal.h"

struct head_linear_space {
    struct buffer state;      /* [rows, k] A h, in descent times w */
    struct buffer mean;       /* [rows, k] sum_b b P_b */
    struct buffer correction; /* [rows, n_vocab] */
};

struct head_linear_space *head_linear_space_new(void) {
    return mem_small(sizeof(struct head_linear_space));
}

void head_linear_space_free(struct head_linear_space *s) {
    if (!s) return;
    buffer_free(&s->state);
    buffer_free(&s->mean);
    buffer_free(&s->correction);
    free(s);
}

struct feature_job {
    float *z; /* [n, n_vocab] logits, turned into b */
    int n_vocab;
    const int32_t *target;
    float bound;
    const struct head_linear *l;
    const float *state, *mean; /* [n, k] */
    float *feature;            /* [n, 1+k] */
};

/* z = b = exp(z - lse); returns sum_a b_a q_a. */
SIMD_CLONES static double distribution_row(float *z, int n, float lse, float bound) {
    const float inv = 1.0f / bound;
    double sum = 0;
    for (int i = 0; i < n;) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        float bq[SIMD_LANES] = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++) {
                const float l = z[i + j] - lse, b = simd_exp(l);
                bq[j] += b * simd_tanh(l * inv);
                z[i + j] = b;
            }
        for (; i < stop; i++) {
            const float l = z[i] - lse, b = simd_exp(l);
            bq[0] += b * simd_tanh(l * inv);
            z[i] = b;
        }
        sum += (double)simd_lane_sum(bq);
    }
    return sum * (double)bound;
}

static void reward_rows(void *ctx, int begin, int end) {
    const struct feature_job *j = ctx;
    for (int r = begin; r < end; r++) {
        float *z = j->z + (size_t)r * (size_t)j->n_vocab;
        const float lse = (float)row_log_sum_exp(z, j->n_vocab), th = tanhf((z[j->target[r]] - lse) / j->bound);
        const double mean = distribution_row(z, j->n_vocab, lse, j->bound);
        j->feature[(size_t)r * (size_t)(1 + j->l->k)] = (float)((double)(j->bound * th) - mean);
    }
}

static void product_rows(void *ctx, int begin, int end) {
    const struct feature_job *j = ctx;
    const size_t k = (size_t)j->l->k;
    for (size_t r = (size_t)begin; r < (size_t)end; r++) {
        const float *p = j->l->projected + (size_t)j->target[r] * k, *state = j->state + r * k, *mean = j->mean + r * k;
        float *to = j->feature + r * (1 + k) + 1;
        for (size_t i = 0; i < k; i++) to[i] = state[i] * (p[i] - mean[i]);
    }
}

bool head_linear_features(const struct model *m, const struct head_rows *r, float bound, const struct head_linear *l,
                          struct head_space *s, float *feature, struct err *e) {
    if (!(bound > 0.0f) || !isfinite(bound)) return err_set(e, "reward bound must be above 0, found %g", (double)bound);
    if (!head_check_rows(m, r, true, e)) return false;
    const int step = head_chunk_rows(m->cfg.n_vocab), vocab = m->cfg.n_vocab;
    const size_t part = (size_t)step * (size_t)l->k;
    if (!buffer_reserve(&l->space->state, part, "features of states", e) ||
        !buffer_reserve(&l->space->mean, part, "features' means", e))
        return false;
    for (int first = 0; first < r->n; first += step) {
        const int n = r->n - first < step ? r->n - first : step;
        struct feature_job j = {.n_vocab = vocab,
                                .target = r->target + first,
                                .bound = bound,
                                .l = l,
                                .state = l->space->state.p,
                                .mean = l->space->mean.p,
                                .feature = feature + (size_t)first * (size_t)(1 + l->k)};
        if (!(j.z = head_logits(m, r, first, n, s, 0, e))) return false;
        matmul_nt(l->space->state.p, s->x[0].p, l->a, n, l->k, m->cfg.d_model, false);
        parallel_ranges(n, head_grain(vocab), reward_rows, &j);
        matmul_nn(l->space->mean.p, j.z, l->projected, n, l->k, vocab, false);
        parallel_ranges(n, head_grain(l->k), product_rows, &j);
    }
    return true;
}

const float *head_linear_correction(const struct head_linear *l, const float *w, const float *x, int n, int d,
                                    int n_vocab, struct err *e) {
    const size_t cap = (size_t)head_chunk_rows(n_vocab), k = (size_t)l->k;
    if (!buffer_reserve(&l->space->state, cap * k, "features of states", e) ||
        !buffer_reserve(&l->space->correction, cap * (size_t)n_vocab, "correction of the reward", e))
        return NULL;
    float *u = l->space->state.p;
    matmul_nt(u, x, l->a, n, l->k, d, false);
    for (size_t r = 0; r < (size_t)n; r++)
        for (size_t i = 0; i < k; i++) u[r * k + i] *= w[1 + i];
    matmul_nt(l->space->correction.p, u, l->projected, n, n_vocab, l->k, false);
    return l->space->correction.p;
}
