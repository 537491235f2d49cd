/* What every way of training the student shares: teacher outputs and states to train on, the reference's view of them,
 * cross-entropy beside another loss, and the optimiser step on the schedule of the run. */
#ifndef PBKD_GAME_STUDENT_STEP_H
#define PBKD_GAME_STUDENT_STEP_H

#include "engine/game/game_parts.h"

/* n teacher outputs to train on, drawn with replacement: collected and recorded ones whose prompts are not held out;
 * whole_only leaves out those that were cut. Returns how many were found. */
int game_draw_outputs(const struct game *g, bool whole_only, const struct teacher_output **out, int n);
/* n training prompts that are not held out, drawn anew at every tick. */
void game_fresh_prompts(const struct game *g, const struct prompt **prompt, int n);
/* Fill s with n answers whose states are trained on: a share on_policy of fresh samples of the student at fresh prompts
 * (rounded at random, so that the share holds on average), first, then teacher outputs. */
enum game_result game_draw_states(struct game *g, struct sequences *s, int n, double on_policy, struct err *e);

/* Whether descents are exact over the vocabulary: asked for, and the reward has a value for every action. */
bool game_descends_exactly(const struct game *g);
/* Room for n rows in scratch.row_policy and scratch.row_ref. */
bool game_reserve_rows(struct game *g, int n, struct err *e);
/* The rows of s under the reference. */
bool game_reference_rows(struct game *g, const struct sequences *s, struct head_rows *rows, struct err *e);

/* Optimiser steps of an iteration; what the schedule (game.schedule) makes of a learning rate at `step` of them; and
 * that step on the accumulated gradient. */
int64_t game_student_steps(const struct game *g);
double game_student_lr(const struct game *g, double lr, int64_t step);
bool game_student_step(struct game *g, double lr, int64_t step, struct err *e);
/* gamma (game.sft) * cross-entropy on n teacher outputs, added to the gradient. Overwrites scratch.seqs_ref. */
bool game_add_cross_entropy(struct game *g, int n, struct err *e);

#endif
