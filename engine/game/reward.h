/* The reward r_phi(x, y): a transformer read at two levels (algorithms.md section 3), both bounded by construction.
 *
 *   token     r(x,y) = sum_h r(s_h,a_h) / sqrt(max_new_tokens),  r(s,a) = Q(s,a) - sum_b pi_b(b|s) Q(s,b),
 *             Q = R tanh(log softmax z / R), pi_b = softmax z
 *   sequence  r(x,y) = w . f(x,y) / sqrt(d), f the final hidden state at the last response token, ||w|| <= R
 */
#ifndef PBKD_GAME_REWARD_H
#define PBKD_GAME_REWARD_H

#include "engine/game/trainee.h"

enum reward_level { REWARD_TOKEN, REWARD_SEQUENCE };

struct reward {
    struct trainee t;
    enum reward_level level;
    float bound;         /* R */
    float scale;         /* 1/sqrt(max_new_tokens) */
    const float *hidden; /* of the last reward_score, for reward_backward */
};

/* Takes the model over (also on failure). Level sequence needs a model with a value vector. */
bool reward_init(struct reward *r, struct model *m, enum reward_level level, double bound, int max_new_tokens, struct err *e);
void reward_free(struct reward *r);

/* value[i] = r(x_i, y_i) of every sequence; keep = true prepares reward_backward. The sequences must have been added with
 * include_last = (level == REWARD_SEQUENCE). */
bool reward_score(struct reward *r, const struct sequences *s, bool keep, double *value, struct err *e);
/* Accumulate the gradient of sum_i dvalue_i r_i for the sequences of the last reward_score(keep = true). */
bool reward_backward(struct reward *r, const struct sequences *s, const double *dvalue, struct err *e);
/* AdamW step on the accumulated gradient, then the norm bound of level sequence. */
bool reward_step(struct reward *r, double lr, double *grad_norm, struct err *e);

#endif
