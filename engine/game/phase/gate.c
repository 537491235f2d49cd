/* The gate: no game on a reward that cannot tell the answers apart. Below reward.gate a person decides, or, where there
 * is none, reward.gate_action: go on, fit it further, or stop. Passing it, the adversary starts from the fitted
 * reward. */
#include <math.h>

#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/gate_answer.h"
#include "engine/game/phase/phases.h"
#include "engine/game/tell.h"

bool phase_gate_runs(const struct options *o, int64_t iteration) { return algorithm_fits_in(o, iteration); }

int64_t phase_gate_steps(const struct game *g, int64_t iteration) {
    (void)g, (void)iteration;
    return 1;
}

double phase_gate_work(const struct game *g, const struct costs *c) {
    (void)g, (void)c;
    return 0;
}

enum game_result phase_gate_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const double accuracy = st->metric[METRIC_RM_HELDOUT];
    if (isnan(accuracy) || accuracy >= g->o->reward_gate) {
        if (isnan(accuracy))
            game_log(g, ALERT_WARNING, "no held-out pairs: the reward could not be checked before the game");
        st->gate_answer = ANSWER_CONTINUE;
    } else if (st->gate_answer == ANSWER_NONE) {
        if (g->may_wait) return GAME_NEEDS_DECISION;
        game_log(g, ALERT_WARNING, "reward accuracy %.3f on held-out pairs is below the gate %.2f (length alone: %.3f)",
                 accuracy, g->o->reward_gate, st->metric[METRIC_RM_LENGTH]);
        if (g->o->reward_gate_action == GATE_STOP)
            st->gate_answer = ANSWER_STOP;
        else
            st->gate_answer =
                g->o->reward_gate_action == GATE_TRAIN && st->gate_tries < 3 ? ANSWER_TRAIN : ANSWER_CONTINUE;
    }
    const int64_t answer = st->gate_answer;
    st->gate_answer = ANSWER_NONE;
    if (answer == ANSWER_STOP) {
        err_set(e, "reward accuracy %.3f on held-out pairs did not reach reward.gate %.2f (length alone: %.3f)",
                accuracy, g->o->reward_gate, st->metric[METRIC_RM_LENGTH]);
        return GAME_FAILED;
    }
    if (answer == ANSWER_TRAIN) {
        st->gate_tries++;
        st->phase = PHASE_FIT;
        st->step = -1; /* game_step counts this micro-step */
        return GAME_OK;
    }
    adversary_start(g);
    *finished = true;
    return GAME_OK;
}
