/* The last phase of an iteration: a micro-step of its own, so that the owner of the game can write a checkpoint before
 * it. The game itself does nothing. */
#include "engine/game/phase/phases.h"

bool phase_checkpoint_runs(const struct options *o, int64_t iteration) {
    (void)o, (void)iteration;
    return true;
}

int64_t phase_checkpoint_steps(const struct game *g, int64_t iteration) {
    (void)g, (void)iteration;
    return 1;
}

double phase_checkpoint_work(const struct game *g, const struct costs *c) {
    (void)g, (void)c;
    return 0;
}

enum game_result phase_checkpoint_step(struct game *g, bool *finished, struct err *e) {
    (void)g, (void)e;
    *finished = true;
    return GAME_OK;
}
