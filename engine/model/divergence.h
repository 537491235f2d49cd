/* Two distributions at once: what the next-token distributions p (teacher) and q (student) of two models say at the
 * same positions, and the divergences between them that white-box distillation minimises (algorithms.md, sections 6
 * and 9).
 *
 * The two logits of a chunk of rows are made side by side (head.h), reduced at once and, where a gradient is wanted,
 * turned in place into it: no distribution is ever stored for a batch. Results do not depend on the number of threads.
 *
 *     fkl       KL(p || q)
 *     rkl       KL(q || p)
 *     jsd       c KL(p || m) + (1-c) KL(q || m),  m = c p + (1-c) q     generalised Jensen-Shannon, GKD
 *                                                                      (arXiv 2306.13649)
 *     skew_kl   KL(p || c p + (1-c) q)                                  DistiLLM (arXiv 2402.03898)
 *     skew_rkl  KL(q || (1-c) p + c q)
 *     tv        1/2 sum_a |p_a - q_a|
 *
 * in nats (tv has no unit and lies in [0, 1]), never below 0, exactly 0 with gradient 0 where the two logits are equal,
 * finite for logits up to 1e30 in size. Logits that are not finite give NaN. */
#ifndef PBKD_MODEL_DIVERGENCE_H
#define PBKD_MODEL_DIVERGENCE_H

#include "engine/model/head.h"

enum divergence {
    DIVERGENCE_FKL,
    DIVERGENCE_RKL,
    DIVERGENCE_JSD,
    DIVERGENCE_SKEW_KL,
    DIVERGENCE_SKEW_RKL,
    DIVERGENCE_TV,
    DIVERGENCE_KINDS
};

/* The same positions under two models of one vocabulary; widths may differ. Row i of both is the same position, so both
 * have the same n. The chosen tokens are q_rows->target; p_rows->target is not used. */
struct divergence_pair {
    const struct model *p, *q;
    const struct head_rows *p_rows, *q_rows;
};

/* Where the numbers of each row go, each [n]; NULL: not wanted. */
struct divergence_out {
    float *log_prob_p, *log_prob_q; /* log-probability of the chosen token */
    float *entropy_p, *entropy_q;   /* nats */
    float *value[DIVERGENCE_KINDS];
};

/* Fill what out asks for. jsd_coef is c of jsd, in [1e-6, 1 - 1e-6] (at 0 and 1 the divergence is 0 whatever p and q);
 * skew_coef is c of both skews, 0 (then they are fkl and rkl) or in [1e-6, 1 - 1e-6]. A coefficient is read and checked
 * only where its value is wanted, targets only where a log-probability is. Errors: vocabularies or row counts differ,
 * a coefficient, row or target out of range, memory. */
bool divergence_measure(const struct divergence_pair *pair, float jsd_coef, float skew_coef, struct head_space *s,
                        const struct divergence_out *out, struct err *e);

/* loss = sum_i weight_i D_i for one kind, with gradients to the q side only: adds to dhidden [n_tokens, d] and grads
 * [n_params] of q (as head.h). coef is c above, read for jsd and the skews. value [n] gets D_i; value and loss may be
 * NULL. At p_a = q_a, where tv has no derivative, its share is 0. Targets are not used. Errors as above. */
bool divergence_backward(const struct divergence_pair *pair, enum divergence kind, float coef, const float *weight,
                         struct head_space *s, double *loss, float *value, float *dhidden, float *grads, struct err *e);

#endif
