/* The functions of the phases: of every row PHASE(id, name, place, stem, ...) of phase_table.h the file phase/STEM.c has
 *
 *   phase_STEM_runs(o, t)     whether it takes place in iteration t (from 1) under these options
 *   phase_STEM_step(g, ...)   one micro-step of it; *finished = true when the phase has nothing left to do after it
 *   phase_STEM_steps(g, t)    micro-steps that it takes in iteration t, where it takes place: for people; one that may
 *                             end early or go again is taken to go straight through
 *   phase_STEM_work(g, c)     about how much one of them computes, in the unit of costs.h; 0: next to nothing
 */
#ifndef PBKD_GAME_PHASE_PHASES_H
#define PBKD_GAME_PHASE_PHASES_H

#include "engine/game/costs.h"
#include "engine/game/game_parts.h"
#include "engine/game/phase_table.h"

#define PHASE(id, name, place, stem)                                                                                   \
    bool phase_##stem##_runs(const struct options *o, int64_t iteration);                                              \
    enum game_result phase_##stem##_step(struct game *g, bool *finished, struct err *e);                               \
    int64_t phase_##stem##_steps(const struct game *g, int64_t iteration);                                             \
    double phase_##stem##_work(const struct game *g, const struct costs *c);
#define MARK(id, name)
PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK

static inline int64_t phase_at_least_1(int64_t n) { return n > 0 ? n : 1; }

#endif
