/* Reward ascent (step 4a): one step of the adversary in play. What it does, and that it is measured before and after,
 * is the adversary's own (adversary/). */
#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/phase/phases.h"

bool phase_ascent_runs(const struct options *o, int64_t iteration) {
    (void)iteration;
    return algorithm_plays(o) && algorithm_info(o)->ascent;
}

double phase_ascent_done(const struct game *g) { return phase_descent_done(g); }

enum game_result phase_ascent_step(struct game *g, bool *finished, struct err *e) {
    *finished = g->st.step + 1 >= g->o->game_reward_steps;
    return g->o->game_reward_steps == 0 ? GAME_OK : adversary_ascend(g, e);
}
