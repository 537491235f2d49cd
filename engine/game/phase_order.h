/* Which phase follows which, and how far a run is: all from the rows of phase_table.h. */
#ifndef PBKD_GAME_PHASE_ORDER_H
#define PBKD_GAME_PHASE_ORDER_H

#include "engine/game/game_parts.h"
#include "engine/game/phase_table.h"

/* One micro-step of the phase under way. GAME_DONE where it has none. */
enum game_result phase_step(struct game *g, bool *finished, struct err *e);

/* The first phase of an iteration; what follows phase p in it; and the first of a round of ascent and descent. */
enum run_phase phase_first(const struct options *o, int64_t iteration);
enum run_phase phase_next(const struct options *o, int64_t iteration, enum run_phase p);
enum run_phase phase_round(const struct options *o, int64_t iteration);

/* Fraction of the current phase that is done, 0..1; and of the whole run. */
double game_phase_done(const struct game *g);
double game_run_done(const struct game *g);

#endif
