/* Reward ascent (step 4a): one step of the adversary in play. What it does, and that it is measured before and after,
 * is the adversary's own (adversary/). */
#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/phase/phases.h"

bool phase_ascent_runs(const struct options *o, int64_t iteration) {
    (void)iteration;
    return algorithm_plays(o) && algorithm_info(o)->ascent;
}

/* Of a round: one, or as many as the adversary asks for. */
static int64_t ascents(const struct game *g) {
    const struct adversary_ops *ops = g->adversary.ops;
    if (ops && ops->descents) return phase_at_least_1(chunks_of(g->o->game_policy_steps, ops->descents(g->o)));
    return phase_at_least_1(g->o->game_reward_steps);
}

int64_t phase_ascent_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return g->o->game_rounds * ascents(g);
}

double phase_ascent_work(const struct game *g, const struct costs *c) {
    const struct options *o = g->o;
    const double n = o->game_reward_batch, pairs = o->reward_batch, texts = 2 * n + 2 * pairs,
                 read = c->read_reward + c->read_expert;
    if (adversary_is_exact(g)) return n * c->write + texts * read;
    return n * c->write + TRAIN * texts * c->read_reward + texts * c->read_expert + 2 * n * read +
           (o->beta_mode == BETA_AUTO ? 2 * pairs * read : 0);
}

enum game_result phase_ascent_step(struct game *g, bool *finished, struct err *e) {
    *finished = g->st.step + 1 >= g->o->game_reward_steps;
    return g->o->game_reward_steps == 0 ? GAME_OK : adversary_ascend(g, e);
}
