/* Exact student descent over the whole vocabulary: see head.h.
 *
 * At one state, with pi, ref the two policies, r_a = q_a - sum_b b_b q_b the reward of every action and
 *     f_a = -r_a + kl_coef (log pi_a - log ref_a):
 *     loss = sum_a pi_a f_a,   dloss/dz_k = pi_k (f_k - sum_a pi_a f_a)
 * (the derivative of log pi_a inside f adds sum_a pi_a d log pi_a = 0).
 *
 * A linear reward (head_linear.h) puts w_0 q_a + c_a in the place of q_a, c the correction of its chunk. The mean under
 * b that is taken off r also centres the correction, so nothing else changes. The two forms are one piece of code that
 * the compiler sees twice, with `linear` known, so that the plain one pays nothing. */
#include <math.h>

#include "engine/math/kernels.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/head_internal.h"
#include "engine/model/head_linear.h"

/* How q follows from log b: R, and w_0 of a linear reward. */
struct reward_form {
    float bound, w0;
};

struct exact_job {
    float *z;        /* [n, n_vocab] student logits, turned into dlogits */
    const float *zr; /* reward model's logits */
    const float *zf; /* reference's logits or NULL */
    const float *zc; /* correction of the reward or NULL */
    int n_vocab;
    const float *weight;
    struct reward_form form;
    float kl_coef;
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

/* q / R of an action; lr = log b. */
SIMD_INLINE float scaled_q(float lr, float correction, struct reward_form f, float inv_bound, bool linear) {
    const float th = simd_tanh(lr * inv_bound);
    return linear ? f.w0 * th + correction * inv_bound : th;
}

/* Add one action's terms to lane j; l = log pi, lr = log b, lf = log ref, q still without the factor R. */
SIMD_INLINE void add_action(struct lane_sums *s, int j, float l, float lr, float lf, float q) {
    const float p = simd_exp(l);
    s->bq[j] += simd_exp(lr) * q;
    s->piq[j] += p * q;
    s->plogp[j] += p * l;
    s->kl[j] += p * (l - lf);
}

/* zc is read only when linear. */
SIMD_INLINE struct row_sums sum_any_row(const float *z, const float *zr, const float *zf, const float *zc, int n,
                                        struct row_lse s, struct reward_form f, bool linear) {
    const float inv = 1.0f / f.bound;
    struct row_sums out = {0};
    for (int i = 0; i < n;) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        struct lane_sums lane = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++)
                add_action(&lane, j, z[i + j] - s.pi, zr[i + j] - s.reward, zf[i + j] - s.ref,
                           scaled_q(zr[i + j] - s.reward, linear ? zc[i + j] : 0.0f, f, inv, linear));
        for (; i < stop; i++)
            add_action(&lane, 0, z[i] - s.pi, zr[i] - s.reward, zf[i] - s.ref,
                       scaled_q(zr[i] - s.reward, linear ? zc[i] : 0.0f, f, inv, linear));
        out.bq += (double)f.bound * (double)simd_lane_sum(lane.bq);
        out.piq += (double)f.bound * (double)simd_lane_sum(lane.piq);
        out.kl += (double)simd_lane_sum(lane.kl);
        out.plogp += (double)simd_lane_sum(lane.plogp);
    }
    return out;
}

/* z_k = w pi_k (f_k - mean f); the state's mean reward cancels between f_k and mean f. */
SIMD_INLINE void any_gradient_row(float *z, const float *zr, const float *zf, const float *zc, int n, struct row_lse s,
                                  struct reward_form f, float kl_coef, float mean, float w, bool linear) {
    const float inv = 1.0f / f.bound;
    for (int i = 0; i < n; i++) {
        const float l = z[i] - s.pi, q = f.bound * scaled_q(zr[i] - s.reward, linear ? zc[i] : 0.0f, f, inv, linear);
        z[i] = w * simd_exp(l) * (kl_coef * (l - (zf[i] - s.ref)) - q - mean);
    }
}

SIMD_CLONES static struct row_sums sum_row(const float *z, const float *zr, const float *zf, int n, struct row_lse s,
                                           struct reward_form f) {
    return sum_any_row(z, zr, zf, NULL, n, s, f, false);
}

SIMD_CLONES static struct row_sums sum_linear_row(const float *z, const float *zr, const float *zf, const float *zc,
                                                  int n, struct row_lse s, struct reward_form f) {
    return sum_any_row(z, zr, zf, zc, n, s, f, true);
}

SIMD_CLONES static void gradient_row(float *z, const float *zr, const float *zf, int n, struct row_lse s,
                                     struct reward_form f, float kl_coef, float mean, float w) {
    any_gradient_row(z, zr, zf, NULL, n, s, f, kl_coef, mean, w, false);
}

SIMD_CLONES static void gradient_linear_row(float *z, const float *zr, const float *zf, const float *zc, int n,
                                            struct row_lse s, struct reward_form f, float kl_coef, float mean,
                                            float w) {
    any_gradient_row(z, zr, zf, zc, n, s, f, kl_coef, mean, w, true);
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
        const float *zc = j->zc ? j->zc + at : NULL;
        const struct row_sums s =
            zc ? sum_linear_row(z, zr, zf, zc, n, lse, j->form) : sum_row(z, zr, zf, n, lse, j->form);
        j->terms[r] = (struct exact_terms){.value = s.piq - s.bq, .kl = s.kl, .entropy = -s.plogp};
        const float mean = (float)((double)j->kl_coef * s.kl - s.piq);
        if (zc)
            gradient_linear_row(z, zr, zf, zc, n, lse, j->form, j->kl_coef, mean, j->weight[r]);
        else
            gradient_row(z, zr, zf, n, lse, j->form, j->kl_coef, mean, j->weight[r]);
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

/* linear may be NULL, then w is not read. */
static bool descend(const struct model *student, const struct head_rows *rs, const struct model *reward,
                    const struct head_rows *rr, float bound, const struct head_linear *linear, const float *w,
                    const struct model *ref, const struct head_rows *rf, const float *weight, float kl_coef,
                    struct head_space *s, struct exact_terms *terms, float *dhidden, float *grads, struct err *e) {
    if (!check_sides(student, rs, reward, rr, bound, ref, rf, kl_coef, e)) return false;
    const int step = head_chunk_rows(student->cfg.n_vocab);
    struct exact_terms sum = {0};
    for (int first = 0; first < rs->n; first += step) {
        const int n = rs->n - first < step ? rs->n - first : step;
        struct exact_job j = {.n_vocab = student->cfg.n_vocab,
                              .weight = weight + first,
                              .form = {.bound = bound, .w0 = linear ? w[0] : 1.0f},
                              .kl_coef = kl_coef};
        if (!(j.z = head_logits(student, rs, first, n, s, 0, e)) ||
            !(j.zr = head_logits(reward, rr, first, n, s, 1, e)) ||
            (ref && !(j.zf = head_logits(ref, rf, first, n, s, 2, e))) ||
            (linear && !(j.zc = head_linear_correction(linear, w, s->x[1].p, n, reward->cfg.d_model, j.n_vocab, e))))
            return false;
        parallel_ranges(n, head_grain(j.n_vocab), exact_rows, &j);
        for (int i = 0; i < n; i++) {
            const double row_weight = (double)weight[first + i];
            sum.value += row_weight * j.terms[i].value;
            sum.kl += row_weight * j.terms[i].kl;
            sum.entropy += row_weight * j.terms[i].entropy;
        }
        if (!head_push_gradient(student, rs, first, n, j.z, s, dhidden, grads, e)) return false;
    }
    if (terms) *terms = sum;
    return true;
}

bool head_exact_descent(const struct model *student, const struct head_rows *rs, const struct model *reward,
                        const struct head_rows *rr, float bound, const struct model *ref, const struct head_rows *rf,
                        const float *weight, float kl_coef, struct head_space *s, struct exact_terms *terms,
                        float *dhidden, float *grads, struct err *e) {
    return descend(student, rs, reward, rr, bound, NULL, NULL, ref, rf, weight, kl_coef, s, terms, dhidden, grads, e);
}

bool head_linear_descent(const struct model *student, const struct head_rows *rs, const struct model *reward,
                         const struct head_rows *rr, float bound, const struct head_linear *l, const float *w,
                         const struct model *ref, const struct head_rows *rf, const float *weight, float kl_coef,
                         struct head_space *s, struct exact_terms *terms, float *dhidden, float *grads, struct err *e) {
    return descend(student, rs, reward, rr, bound, l, w, ref, rf, weight, kl_coef, s, terms, dhidden, grads, e);
}
