/* What a run has ahead of it: micro-steps and their work, phase by phase. For people who wait; nothing decides by it. */
#ifndef PBKD_GAME_PLAN_H
#define PBKD_GAME_PLAN_H

#include "engine/game/game_parts.h"

/* Micro-steps of the phase in a whole iteration of that number (0: what comes before the first). Where a phase may end
 * early or go again, as the gate does, it is taken to go straight through. */
int64_t game_phase_steps(const struct game *g, int64_t iteration, enum run_phase p);
/* Micro-steps of the phase from here to the end of the run. */
double game_phase_left(const struct game *g, enum run_phase p);
/* About how much one of them computes, in parameters times tokens read. Right within a small factor: models are counted
 * with all of their parameters, and texts at the mean length of those that are there. */
double game_step_work(const struct game *g, enum run_phase p);

#endif
