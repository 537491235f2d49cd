/* What adversaries share that are a model of their own: memory, start, values, descent, gaps. Each function fits a
 * member of struct adversary_ops. */
#ifndef PBKD_GAME_ADVERSARY_OWN_MODEL_H
#define PBKD_GAME_ADVERSARY_OWN_MODEL_H

#include "engine/game/game_parts.h"

/* A reward of a copy of `from`, at the level and bound of the options. */
bool own_model_reward(const struct options *o, struct reward *r, const struct model *from, struct err *e);

/* The members that all of them have alike. */
#define OWN_MODEL_OPS                                                                                                  \
    .open = own_model_open, .close = own_model_close, .start = own_model_start, .values = own_model_values,            \
    .descend = own_model_descend

bool own_model_open(struct game *g, const struct model *from, struct err *e);
void own_model_close(struct game *g);
void own_model_start(struct game *g);
bool own_model_values(struct game *g, const struct sequences *s, double *value, struct err *e);
bool own_model_descend(struct game *g, const struct exact_descent *d, struct exact_terms *terms, struct err *e);
/* Under the adversary, where it is a worst case, and under the fitted reward, where there is one. */
bool own_model_measure(struct game *g, int first, int n, int k, struct err *e);

/* gap[i] = r(x, y_E) - mean_k r(x, y_k) of the packed scratch.seqs_reward: n teacher outputs, then n*k samples. The
 * rewards stay in scratch.pairs.value. */
bool own_model_gaps(struct game *g, struct reward *r, int n, int k, double *gap, struct err *e);

#endif
