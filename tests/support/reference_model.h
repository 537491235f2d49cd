/* The transformer and its losses once more, in double precision and naive loops, written from the published equations
 * and sharing no code with engine/. Central differences of these losses are what the engine's gradients are compared
 * with. */
#ifndef PBKD_TESTS_SUPPORT_REFERENCE_MODEL_H
#define PBKD_TESTS_SUPPORT_REFERENCE_MODEL_H

#include "engine/model/model.h"

/* Final normalised hidden states [n_tokens, d] under params [n_params] (doubles in the layout of m). Caller frees. */
double *reference_hidden(const struct model *m, const double *params, const struct batch *b);

/* log softmax of the head's outputs at one hidden state; out [n_vocab]. */
void reference_log_softmax(const struct model *m, const double *params, const double *hidden, double *out);

/* Reward of every action from the reward model's log softmax: q_a = R tanh(l_a/R), r_a = q_a - sum_b exp(l_b) q_b. */
void reference_rewards(const double *log_softmax, int n_vocab, double bound, double *reward);

#endif
