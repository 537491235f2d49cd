/* The reward r_phi(x, y): a transformer read at two levels (algorithms.md section 3), both bounded by construction.
 *
 *   token     r(x,y) = sum_h r(s_h,a_h) / sqrt(max_new_tokens),  r(s,a) = Q(s,a) - sum_a' b(a'|s) Q(s,a'),
 *             Q = R tanh(log softmax z / R),  b = softmax z, or, white-box (section 6), b = pi_E: then r(s,a) is the
 *             advantage A_Q(s,a) over the teacher, and its sum is the reward that Q induces less a constant of
 *             the prompt
 *   sequence  r(x,y) = w . f(x,y) / sqrt(d), f the final hidden state at the last response token, ||w|| <= R
 */
#ifndef PBKD_REWARD_REWARD_H
#define PBKD_REWARD_REWARD_H

#include "engine/train/trainee.h"
#include "engine/model/moment.h"

enum reward_level { REWARD_TOKEN, REWARD_SEQUENCE };

struct reward {
    struct trainee t;
    enum reward_level level;
    float bound;                         /* R */
    float scale;                         /* 1/sqrt(max_new_tokens) */
    const struct model *expert;          /* pi_E of the white-box form, else NULL; borrowed */
    struct activations *expert_acts;     /* borrowed; one for all rewards of a game */
    const float *hidden, *expert_hidden; /* of the last reward_forward */
    float *row_expert;                   /* [cap_expert] scratch: V_E of every row */
    int cap_expert;
};

/* Takes the model over (also on failure). Level sequence needs a model with a value vector. */
bool reward_init(struct reward *r, struct model *m, enum reward_level level, double bound, int max_new_tokens,
                 struct err *e);
void reward_free(struct reward *r);
/* White-box from here on (level token). The expert speaks the same vocabulary; both are borrowed. */
void reward_use_expert(struct reward *r, const struct model *expert, struct activations *acts);

/* value[i] = r(x_i, y_i) of every sequence; keep = true prepares reward_backward. The sequences must have been added
 * with include_last = (level == REWARD_SEQUENCE). */
bool reward_score(struct reward *r, const struct sequences *s, bool keep, double *value, struct err *e);
/* Accumulate the gradient of sum_i dvalue_i r_i for the sequences of the last reward_score(keep = true). With an
 * expert, no other reward that shares its activations may have been scored in between. */
bool reward_backward(struct reward *r, const struct sequences *s, const double *dvalue, struct err *e);

/* The halves of the two, for batches in which only the sequences [from, n_seq) are scored: hidden states of all;
 * value[from..); and the gradient of dvalue[from..) as far as t.dhidden and the head, which model_backward on the whole
 * batch completes. */
bool reward_forward(struct reward *r, const struct sequences *s, bool keep, struct err *e);
bool reward_values(struct reward *r, const struct sequences *s, int from, double *value, struct err *e);
bool reward_head_backward(struct reward *r, const struct sequences *s, int from, const double *dvalue, struct err *e);
/* AdamW step on the accumulated gradient, then the norm bound of level sequence. */
bool reward_step(struct reward *r, double lr, double *grad_norm, struct err *e);

#endif
