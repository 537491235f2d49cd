/* White-box moments: three heads at the same positions (algorithms.md, section 6). With z the critic's logits,
 *
 *     Q(s,a) = R tanh(log softmax z(a) / R)      bounded as the token-level reward (head.h), R = bound
 *     V_E(s) = sum_a pi_E(a|s) Q(s,a),  V_pi(s) = sum_a pi(a|s) Q(s,a),  A_Q(s,a) = Q(s,a) - V_E(s)
 *
 * V_E - V_pi summed over the states that the student visits is its performance gap (performance difference), and the
 * sum of A_Q over a response is, up to a constant of the prompt, the reward that Q induces: so the same critic serves
 * the game and the preference likelihood. |V| <= R, |V_E - V_pi| <= R and A_Q lies in [-R, R].
 *
 * Logits of a chunk of rows are made side by side and reduced at once, as in head.h; results do not depend on the
 * number of threads; everything is finite for logits up to 1e30 in size; logits that are not finite give NaN. */
#ifndef PBKD_MODEL_MOMENT_H
#define PBKD_MODEL_MOMENT_H

#include "engine/model/head.h"

/* One vocabulary, any widths; row i of all is the same position. Chosen tokens are critic_rows->target; the targets of
 * the others are not used. What a function does not need may be NULL, as it says. */
struct moment_models {
    const struct model *student, *expert, *critic; /* pi, pi_E, Q */
    const struct head_rows *student_rows, *expert_rows, *critic_rows;
    float bound; /* R > 0 */
};

/* Where the numbers of each row go, each [n]; NULL: not wanted. */
struct moment_out {
    float *v_expert;  /* V_E */
    float *v_student; /* V_pi */
    float *q_target;  /* Q of the chosen token */
    float *moment;    /* V_E - V_pi, exactly 0 where the logits of student and expert are equal */
};

/* Fill what out asks for. The student may be NULL when neither v_student nor moment is wanted, targets when q_target is
 * not. Errors of all three functions: a model is missing, vocabularies or row counts differ, a row or target out of
 * range, bound not above 0, memory. */
bool moment_measure(const struct moment_models *m, struct head_space *s, const struct moment_out *out, struct err *e);

/* Gradient to the critic of
 *     sum_i game_i (V_E - V_pi)_i + sum_i chosen_i (Q(target_i) - V_E)_i
 * added to dhidden [n_tokens, d] and grads [n_params] of the critic. game weighs the moments, chosen the advantages
 * A_Q of the chosen tokens. Either may be NULL (all 0); without game the student may be NULL, without chosen the
 * targets. value gets the sum, unless NULL. */
bool moment_critic_backward(const struct moment_models *m, const float *game, const float *chosen, struct head_space *s,
                            double *value, float *dhidden, float *grads, struct err *e);

/* loss = sum_i weight_i (-sum_a pi(a|s_i) A_Q(s_i,a)) = sum_i weight_i (V_E - V_pi)_i, with gradients to the student
 * only. V_E does not depend on the student: the expert may be NULL, then loss is -sum_i weight_i V_pi, with the same
 * gradient and without the price of the expert's forward pass. Targets are not used. loss may be NULL. */
bool moment_student_backward(const struct moment_models *m, const float *weight, struct head_space *s, double *loss,
                             float *dhidden, float *grads, struct err *e);

#endif
