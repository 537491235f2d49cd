/* The functions of the phases: of every row PHASE(id, name, place, stem, ...) of phase_table.h the file phase/STEM.c has
 *
 *   phase_STEM_runs(o, t)     whether it takes place in iteration t (from 1) under these options
 *   phase_STEM_step(g, ...)   one micro-step of it; *finished = true when the phase has nothing left to do after it
 *   phase_STEM_done(g)        the fraction of it that is done, 0..1, for people
 */
#ifndef PBKD_GAME_PHASE_PHASES_H
#define PBKD_GAME_PHASE_PHASES_H

#include "engine/game/game_parts.h"
#include "engine/game/phase_table.h"

#define PHASE(id, name, place, stem, share)                                                                            \
    bool phase_##stem##_runs(const struct options *o, int64_t iteration);                                              \
    enum game_result phase_##stem##_step(struct game *g, bool *finished, struct err *e);                               \
    double phase_##stem##_done(const struct game *g);
#define MARK(id, name)
PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK

/* done / all as such a fraction. */
static inline double phase_share(double done, double all) { return all > 0 && done < all ? done / all : 1.0; }

#endif
