/* Advantages of sampled answers: leave-one-out over the samples of a prompt, no division by their deviation. Rows are
 * those of n prompts with k samples y each, packed in that order. */
#ifndef PBKD_GAME_PHASE_ADVANTAGES_H
#define PBKD_GAME_PHASE_ADVANTAGES_H

#include "engine/game/game_parts.h"
#include "engine/model/generate.h"

/* Every row of a sample has the advantage of its whole reward r, which is overwritten: the truncation penalty taken
 * off, less the mean of the prompt's other samples. Counts groups of equal rewards in the state. */
void advantages_whole(struct game *g, const struct gen_output *y, int n, int k, double *r, double *advantage);
/* The advantage of every row of s, which the adversary has just scored: the reward of its token and those that follow
 * (after: only of those), the truncation penalty taken off, less the mean of the other samples' at the same position,
 * which is 0 where they have ended. */
void advantages_to_go(const struct game *g, const struct sequences *s, const struct gen_output *y, int n, int k,
                      bool after, double *advantage);

#endif
