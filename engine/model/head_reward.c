/* The token-level reward and its gradient: see head.h.
 *
 * With l = log softmax(z), q_a = R tanh(l_a / R), t_a = dq_a/dl_a = 1 - (q_a/R)^2, b = softmax(z):
 *     r_c = q_c - sum_a b_a q_a
 *     g_j = dr_c/dl_j = [j = c] t_c - b_j (q_j + t_j)        (db_j/dl_j = b_j)
 *     dr_c/dz_k = g_k - b_k sum_j g_j
 * The two sums over the vocabulary come first; a second pass turns logits into gradients in place. */
#include <math.h>

#include "engine/math/kernels.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/head_internal.h"

struct reward_job {
    float *z; /* [n, n_vocab]; with dreward: turned into dlogits */
    int n_vocab;
    const int32_t *target;
    const float *dreward; /* NULL: rewards only */
    float *reward;        /* NULL: not wanted */
    float bound;
};

struct reward_sums {
    double bq; /* sum_a b_a q_a */
    double bt; /* sum_a b_a t_a */
};

SIMD_CLONES static struct reward_sums sum_row(const float *z, int n, float lse, float bound) {
    const float inv = 1.0f / bound;
    struct reward_sums s = {0};
    int i = 0;
    while (i < n) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        float bq[SIMD_LANES] = {0}, bt[SIMD_LANES] = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++) {
                const float l = z[i + j] - lse, b = simd_exp(l), th = simd_tanh(l * inv);
                bq[j] += b * th;
                bt[j] += b * (1.0f - th * th);
            }
        for (; i < stop; i++) {
            const float l = z[i] - lse, b = simd_exp(l), th = simd_tanh(l * inv);
            bq[0] += b * th;
            bt[0] += b * (1.0f - th * th);
        }
        s.bq += (double)simd_lane_sum(bq);
        s.bt += (double)simd_lane_sum(bt);
    }
    s.bq *= (double)bound;
    return s;
}

/* z_k = dreward * b_k (rest - q_k - t_k), rest = sum_a b_a (q_a + t_a) - t_c: everything but the target's own +t_c */
SIMD_CLONES static void gradient_row(float *z, int n, float lse, float bound, float rest, float dreward) {
    const float inv = 1.0f / bound;
    for (int i = 0; i < n; i++) {
        const float l = z[i] - lse, b = simd_exp(l), th = simd_tanh(l * inv);
        z[i] = dreward * b * (rest - bound * th - (1.0f - th * th));
    }
}

static void reward_rows(void *ctx, int begin, int end) {
    const struct reward_job *j = ctx;
    for (int r = begin; r < end; r++) {
        float *z = j->z + (size_t)r * (size_t)j->n_vocab;
        const float lse = (float)row_log_sum_exp(z, j->n_vocab);
        const struct reward_sums s = sum_row(z, j->n_vocab, lse, j->bound);
        const float th = tanhf((z[j->target[r]] - lse) / j->bound), t_c = 1.0f - th * th;
        if (j->reward) j->reward[r] = (float)((double)(j->bound * th) - s.bq);
        if (!j->dreward) continue;
        gradient_row(z, j->n_vocab, lse, j->bound, (float)(s.bq + s.bt - (double)t_c), j->dreward[r]);
        z[j->target[r]] += j->dreward[r] * t_c;
    }
}

static bool check_bound(float bound, struct err *e) {
    return bound > 0.0f && isfinite(bound) ? true : err_set(e, "reward bound must be above 0, found %g", (double)bound);
}

bool head_token_reward(const struct model *m, const struct head_rows *r, float bound, struct head_space *s,
                       float *reward, struct err *e) {
    if (!check_bound(bound, e) || !head_check_rows(m, r, true, e)) return false;
    const int step = head_chunk_rows(m->cfg.n_vocab);
    for (int first = 0; first < r->n; first += step) {
        const int n = r->n - first < step ? r->n - first : step;
        struct reward_job j = {
            .n_vocab = m->cfg.n_vocab, .target = r->target + first, .reward = reward + first, .bound = bound};
        if (!(j.z = head_logits(m, r, first, n, s, 0, e))) return false;
        parallel_ranges(n, head_grain(j.n_vocab), reward_rows, &j);
    }
    return true;
}

bool head_token_reward_backward(const struct model *m, const struct head_rows *r, float bound, const float *dreward,
                                struct head_space *s, float *reward, float *dhidden, float *grads, struct err *e) {
    if (!check_bound(bound, e) || !head_check_rows(m, r, true, e)) return false;
    const int step = head_chunk_rows(m->cfg.n_vocab);
    for (int first = 0; first < r->n; first += step) {
        const int n = r->n - first < step ? r->n - first : step;
        struct reward_job j = {.n_vocab = m->cfg.n_vocab,
                               .target = r->target + first,
                               .dreward = dreward + first,
                               .reward = reward ? reward + first : NULL,
                               .bound = bound};
        if (!(j.z = head_logits(m, r, first, n, s, 0, e))) return false;
        parallel_ranges(n, head_grain(j.n_vocab), reward_rows, &j);
        if (!head_push_gradient(m, r, first, n, j.z, s, dhidden, grads, e)) return false;
    }
    return true;
}
