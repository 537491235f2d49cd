/* Rewards that are linear in fixed features of a state and an action, around the token-level reward (algorithms.md
 * section 4, scope `head`):
 *
 *     r_w(s,a) = w . F(s,a),   F(s,a) = [ r(s,a) ; (A h_s) o (P_a - sum_b b(b|s) P_b) ] in R^{1+k}
 *
 * with r(s,a) and b = softmax z the token-level reward and its own distribution (head.h), h_s the reward model's hidden
 * state at the row, o the product element by element. sum_b b(b|s) F(s,b) = 0 for every s, so r_w keeps the mean of r:
 * text that the reward's own distribution would write scores 0 a token, whatever w.
 *
 * For every action of a state the correction is of rank k: U P^T with U = (A h_s) o w. So whole vocabularies are
 * streamed as in head.h, with one more matrix product a chunk. Results do not depend on the number of threads. */
#ifndef PBKD_MODEL_HEAD_LINEAR_H
#define PBKD_MODEL_HEAD_LINEAR_H

#include "engine/model/head.h"

struct head_linear {
    int k;                           /* >= 1 */
    const float *a;                  /* [k, d] A */
    const float *projected;          /* [n_vocab, k] P, row a for action a */
    struct head_linear_space *space; /* scratch */
};

struct head_linear_space *head_linear_space_new(void);
void head_linear_space_free(struct head_linear_space *s); /* NULL is fine */

/* feature [n, 1+k]: F of every row and its target under the reward model m; R = bound. The first is what
 * head_token_reward gives, bit for bit. One pass over the vocabulary. Rows and columns that are not finite give NaN.
 * Errors: bound not above 0, a row or target out of range, memory. */
bool head_linear_features(const struct model *m, const struct head_rows *r, float bound, const struct head_linear *l,
                          struct head_space *s, float *feature, struct err *e);

/* head_exact_descent (head.h) with r_w in the place of r, w [1+k]; terms->value is sum_i weight_i sum_a pi r_w. With w
 * = (1, 0, .., 0) the same bits as head_exact_descent. Lives in head_exact.c. */
bool head_linear_descent(const struct model *student, const struct head_rows *rs, const struct model *reward,
                         const struct head_rows *rr, float bound, const struct head_linear *l, const float *w,
                         const struct model *ref, const struct head_rows *rf, const float *weight, float kl_coef,
                         struct head_space *s, struct exact_terms *terms, float *dhidden, float *grads, struct err *e);

/* [n, n_vocab]: U P^T of n hidden states x [n, d], not centred, for head_exact.c. Owned by l->space until the next
 * call; NULL when memory is short. n at most what one chunk of this vocabulary holds. */
const float *head_linear_correction(const struct head_linear *l, const float *w, const float *x, int n, int d,
                                    int n_vocab, struct err *e);

#endif
