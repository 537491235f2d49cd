/* Everything that needs the vocabulary: log-probabilities, cross-entropy, the token-level reward and exact student
 * descent.
 *
 * Logits are made for a chunk of rows at a time into one reused buffer, reduced at once, and (where a gradient is
 * wanted) turned in place into the gradient, from which dhidden and dW follow by two matrix products. tokens x
 * vocabulary is never stored. Only the rows that carry loss enter.
 *
 * A row is one position s_h of a response: hidden[row[i]] is the final normalised hidden state there (model_forward)
 * and target[i] the token a_h that was chosen at it. Gradients accumulate into dhidden [n_tokens, d] and grads
 * [n_params of the model]. */
#ifndef PBKD_MODEL_HEAD_H
#define PBKD_MODEL_HEAD_H

#include "engine/model/model.h"

struct head_rows {
    const float *hidden;   /* [n_tokens, d] */
    const int *row;        /* [n] indices into hidden */
    const int32_t *target; /* [n] */
    int n;
};

/* Scratch shared by all functions below; grows on demand. */
struct head_space;
struct head_space *head_space_new(void);
void head_space_free(struct head_space *s);

/* log_prob[i] = log softmax(z_i)[target_i]; entropy[i] in nats when not NULL. */
bool head_log_prob(const struct model *m, const struct head_rows *r, struct head_space *s, float *log_prob,
                   float *entropy, struct err *e);

/* loss = sum_i weight_i * (-log p_i(target_i)), with gradients. log_prob (may be NULL) gets log p_i. The same routine
 * serves cross-entropy (weight = 1/N) and policy gradients (weight_i = -dObjective/dlog p_i). */
bool head_nll_backward(const struct model *m, const struct head_rows *r, const float *weight, struct head_space *s,
                       double *loss, float *log_prob, float *dhidden, float *grads, struct err *e);

/* Token-level reward (algorithms.md section 3, black box): Q(a) = R tanh(log softmax z(a) / R), b = softmax z,
 * reward[i] = Q(target_i) - sum_a b(a) Q(a). R = bound. */
bool head_token_reward(const struct model *m, const struct head_rows *r, float bound, struct head_space *s,
                       float *reward, struct err *e);
/* Gradient of sum_i dreward_i * reward_i, through Q and through b; also returns the rewards when reward is not NULL. */
bool head_token_reward_backward(const struct model *m, const struct head_rows *r, float bound, const float *dreward,
                                struct head_space *s, float *reward, float *dhidden, float *grads, struct err *e);

/* Exact student descent (section 4b): loss = sum_i weight_i * [ -sum_a pi(a|s_i) r(s_i,a) + kl_coef * KL(pi(.|s_i) ||
 * ref(.|s_i)) ], with r from the reward model's head as above for every action. student rows, reward rows and reference
 * rows describe the same positions under the three models (targets are not used). Sums returned: value = sum_i weight_i
 * sum_a pi r, kl = sum_i weight_i KL_i, entropy = sum_i weight_i H_i. Gradients are to the student only. ref may be
 * NULL when kl_coef is 0. */
struct exact_terms {
    double value, kl, entropy;
};
bool head_exact_descent(const struct model *student, const struct head_rows *rs, const struct model *reward,
                        const struct head_rows *rr, float bound, const struct model *ref, const struct head_rows *rf,
                        const float *weight, float kl_coef, struct head_space *s, struct exact_terms *terms,
                        float *dhidden, float *grads, struct err *e);

#endif
