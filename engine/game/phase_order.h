/* Which phase follows which, and what a run has ahead of it: all from the rows of phase_table.h. */
#ifndef PBKD_GAME_PHASE_ORDER_H
#define PBKD_GAME_PHASE_ORDER_H

#include "engine/game/costs.h"
#include "engine/game/game_parts.h"
#include "engine/game/phase_table.h"

/* One micro-step of the phase under way. GAME_DONE where it has none. */
enum game_result phase_step(struct game *g, bool *finished, struct err *e);

/* The first phase of an iteration; what follows phase p in it; and the first of a round of ascent and descent. */
enum run_phase phase_first(const struct options *o, int64_t iteration);
enum run_phase phase_next(const struct options *o, int64_t iteration, enum run_phase p);
enum run_phase phase_round(const struct options *o, int64_t iteration);
/* Whether p takes place in that iteration (0: what comes before the first). */
bool phase_takes_place(const struct options *o, int64_t iteration, enum run_phase p);

/* For people who wait; nothing decides by it. Micro-steps of phase p in a whole iteration of that number, 0 where it does
 * not take place; and about how much one of them computes (costs.h). */
int64_t game_phase_steps(const struct game *g, int64_t iteration, enum run_phase p);
double game_step_work(const struct game *g, const struct costs *c, enum run_phase p);
/* Fraction of the phase under way that is done, 0..1. */
double game_phase_done(const struct game *g);
/* Micro-steps of phase p from here to the end of the run. */
double game_phase_left(const struct game *g, enum run_phase p);

#endif
