/* Beta and zeta in force: see constraint.h. */
#include "engine/game/constraint.h"

#include <math.h>

double game_beta(const struct game *g) { return g->o->beta_mode == BETA_AUTO ? g->st.beta : g->o->beta; }

double game_zeta(const struct game *g) {
    const bool exact = g->adversary.ops && g->adversary.ops->exact;
    if (!exact) return g->o->zeta;
    const bool measured = g->o->zeta_mode == ZETA_WILKS && isfinite(g->st.zeta); /* the first fit measures it */
    return fmax(1e-9, measured ? g->st.zeta : g->o->zeta);
}
