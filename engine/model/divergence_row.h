/* One row of two distributions: sums over the vocabulary and the gradient. Private to divergence.c, which says which
 * divergence is wanted by a `struct divergence_mix`; the mathematics is in divergence_row.c. */
#ifndef PBKD_MODEL_DIVERGENCE_ROW_H
#define PBKD_MODEL_DIVERGENCE_ROW_H

/* Every divergence is   to_p * KL(p || p_own p + p_other q) + to_q * KL(q || q_own q + q_other p) + to_tv * TV(p, q)
 * with own + other = 1. */
struct divergence_mix {
    float to_p, p_own, p_other;
    float to_q, q_own, q_other;
    float to_tv;
};

/* log softmax z = (z - top) - log_sum, in this order: the log-sum-exp of large logits as one float would lose
 * digits. */
struct divergence_norm {
    float top;
    double log_sum;
};

struct divergence_sums {
    double kl_p, kl_q, tv;       /* the three divergences above */
    double entropy_p, entropy_q; /* nats */
    double slope;                /* sum_a q_a g_a, g = d/dq of the mix */
};

struct divergence_norm divergence_normalise(const float *z, int n);
struct divergence_sums divergence_sum_row(const float *zp, const float *zq, int n, struct divergence_norm np,
                                          struct divergence_norm nq, struct divergence_mix mix);
/* zq, the logits of q, become weight times the gradient of the mix with respect to them; slope from the sums. */
void divergence_gradient_row(const float *zp, float *zq, int n, struct divergence_norm np, struct divergence_norm nq,
                             struct divergence_mix mix, float slope, float weight);

#endif
