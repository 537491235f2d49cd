/* Rows for the failure signatures: which figure of the game enters where (the list is in signature.h), and what the
 * detectors find is told. Changes nothing that the game computes. */
#ifndef PBKD_GAME_FIGURES_H
#define PBKD_GAME_FIGURES_H

#include "engine/game/game_parts.h"

/* After a step of ascent or of what trains the student, and after one whose gradient was refused, in whatever phase;
 * `tick` is the step's. */
void game_watch_step(struct game *g, int64_t tick);
/* When an evaluation is complete. */
void game_watch_evaluation(struct game *g);
/* After a checkpoint was read: list what stands. */
void game_list_findings(struct game *g);

#endif
