/* Exact student descent over the whole vocabulary: see head.h.
 *
 * At one state, with pi, ref the two policies, r_a = q_a - sum_b b_b q_b the reward of every action and
 *     f_a = -r_a + kl_coef (log pi_a - log ref_a):
 *     loss = sum_a pi_a f_a,   dloss/dz_k = pi_k (f_k - sum_a pi_a f_a)
 * (the derivative of log pi_a inside f adds sum_a pi_a d log pi_a = 0). */
#include <math.h>

#include "engine/math/kernels.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/head_internal.h"

struct exact_job {
    float *z;        /* [n, n_vocab] student logits, turned into dlogits */
    const float *zr; /* reward model's logits */
    const float *zf; /* reference's logits or NULL */
    int n_vocab;
    const float *weight;
    float bound, kl_coef;
    struct exact_terms terms[HEAD_MAX_ROWS];
};

/* What is known of a row before its sums: log-sum-exps. */
struct row_lse {
    float pi, reward, ref;
};

struct row_sums {
    double bq;    /* sum b q */
    double piq;   /* sum pi q */
    double kl;    /* sum pi (log pi - log ref) */
    double plogp; /* sum pi log pi */
};

/* Partial sums over lanes; bq and piq still without the factor R. */
struct lane_sums {
    float bq[SIMD_LANES], piq[SIMD_LANES], kl[SIMD_LANES], plogp[SIMD_LANES];
};

/* Add one action's terms to lane j; l = log pi, lr = log b, lf = log ref. */
SIMD_INLINE void add_action(struct lane_sums *s, int j, float l, float lr, float lf, float inv_bound) {
    const float p = simd_exp(l), th = simd_tanh(lr * inv_bound);
    s->bq[j] += simd_exp(lr) * th;
    s->piq[j] += p * th;
    s->plogp[j] += p * l;
    s->kl[j] += p * (l - lf);
}

SIMD_CLONES static struct row_sums sum_row(const float *z, const float *zr, const float *zf, int n, struct row_lse s,
                                           float bound) {
    const float inv = 1.0f / bound;
    struct row_sums out = {0};
    for (int i = 0; i < n;) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        struct lane_sums lane = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++)
                add_action(&lane, j, z[i + j] - s.pi, zr[i + j] - s.reward, zf[i + j] - s.ref, inv);
        for (; i < stop; i++) add_action(&lane, 0, z[i] - s.pi, zr[i] - s.reward, zf[i] - s.ref, inv);
        out.bq += (double)bound * (double)simd_lane_sum(lane.bq);
        out.piq += (double)bound * (double)simd_lane_sum(lane.piq);
        out.kl += (double)simd_lane_sum(lane.kl);
        out.plogp += (double)simd_lane_sum(lane.plogp);
    }
    return out;
}

/* z_k = w pi_k (f_k - mean f); the state's mean reward cancels between f_k and mean f. */
SIMD_CLONES static void gradient_row(float *z, const float *zr, const float *zf, int n, struct row_lse s, float bound,
                                     float kl_coef, float mean, float w) {
    const float inv = 1.0f / bound;
    for (int i = 0; i < n; i++) {
        const float l = z[i] - s.pi, q = bound * simd_tanh((zr[i] - s.reward) * inv);
        z[i] = w * simd_exp(l) * (kl_coef * (l - (zf[i] - s.ref)) - q - mean);
    }
}

static void exact_rows(void *ctx, int begin, int end) {
    struct exact_job *j = ctx;
    const int n = j->n_vocab;
    for (int r = begin; r < end; r++) {
        const size_t at = (size_t)r * (size_t)n;
        float *z = j->z + at;
        const float *zr = j->zr + at;
        struct row_lse lse = {.pi = (float)row_log_sum_exp(z, n), .reward = (float)row_log_sum_exp(zr, n)};
        /* Without a reference the policy stands in for it: every difference is then exactly 0. */
        const float *zf = j->zf ? j->zf + at : z;
        lse.ref = j->zf ? (float)row_log_sum_exp(zf, n) : lse.pi;
        const struct row_sums s = sum_row(z, zr, zf, n, lse, j->bound);
        j->terms[r] = (struct exact_terms){.value = s.piq - s.bq, .kl = s.kl, .entropy = -s.plogp};
        gradient_row(z, zr, zf, n, lse, j->bound, j->kl_coef, (float)((double)j->kl_coef * s.kl - s.piq), j->weight[r]);
    }
}

static bool check_sides(const struct model *student, const struct head_rows *rs, const struct model *reward,
                        const struct head_rows *rr, float bound, const struct model *ref, const struct head_rows *rf,
                        float kl_coef, struct err *e) {
    if (!(bound > 0.0f) || !isfinite(bound)) return err_set(e, "reward bound must be above 0, found %g", (double)bound);
    if (kl_coef != 0.0f && !ref)
        return err_set(e, "exact descent: a KL weight of %g needs a reference", (double)kl_coef);
    if (student->cfg.n_vocab != reward->cfg.n_vocab || (ref && student->cfg.n_vocab != ref->cfg.n_vocab))
        return err_set(e, "exact descent: vocabularies differ: student %d, reward %d, reference %d",
                       student->cfg.n_vocab, reward->cfg.n_vocab, ref ? ref->cfg.n_vocab : student->cfg.n_vocab);
    if (rs->n != rr->n || (ref && rs->n != rf->n))
        return err_set(e, "exact descent: row counts differ: student %d, reward %d, reference %d", rs->n, rr->n,
                       ref ? rf->n : rs->n);
    return head_check_rows(student, rs, false, e) && head_check_rows(reward, rr, false, e) &&
           (!ref || head_check_rows(ref, rf, false, e));
}

bool head_exact_descent(const struct model *student, const struct head_rows *rs, const struct model *reward,
                        const struct head_rows *rr, float bound, const struct model *ref, const struct head_rows *rf,
                        const float *weight, float kl_coef, struct head_space *s, struct exact_terms *terms,
                        float *dhidden, float *grads, struct err *e) {
    if (!check_sides(student, rs, reward, rr, bound, ref, rf, kl_coef, e)) return false;
    const int step = head_chunk_rows(student->cfg.n_vocab);
    struct exact_terms sum = {0};
    for (int first = 0; first < rs->n; first += step) {
        const int n = rs->n - first < step ? rs->n - first : step;
        struct exact_job j = {
            .n_vocab = student->cfg.n_vocab, .weight = weight + first, .bound = bound, .kl_coef = kl_coef};
        if (!(j.z = head_logits(student, rs, first, n, s, 0, e)) ||
            !(j.zr = head_logits(reward, rr, first, n, s, 1, e)) ||
            (ref && !(j.zf = head_logits(ref, rf, first, n, s, 2, e))))
            return false;
        parallel_ranges(n, head_grain(j.n_vocab), exact_rows, &j);
        for (int i = 0; i < n; i++) {
            const double w = (double)weight[first + i];
            sum.value += w * j.terms[i].value;
            sum.kl += w * j.terms[i].kl;
            sum.entropy += w * j.terms[i].entropy;
        }
        if (!head_push_gradient(student, rs, first, n, j.z, s, dhidden, grads, e)) return false;
    }
    if (terms) *terms = sum;
    return true;
}
