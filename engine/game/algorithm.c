/* The table of algorithms and what follows from it: see algorithm.h. */
#include "engine/game/algorithm.h"

static const struct algorithm_info ALGORITHMS[] = {
#define ALGORITHM(id, name, its_help, ...) [ALGORITHM_##id] = {.help = its_help, __VA_ARGS__},
#include "engine/option/algorithms.def"
};

const struct algorithm_info *algorithm_info(const struct options *o) { return &ALGORITHMS[o->algorithm]; }

bool algorithm_needs_expert(const struct options *o) {
    const enum algorithm_expert x = algorithm_info(o)->expert;
    return x == EXPERT_ALWAYS || (x == EXPERT_WHITE_BOX && o->reward_access == ACCESS_WHITE_BOX);
}

bool algorithm_white_box_reward(const struct options *o) {
    return algorithm_has_adversary(o) && algorithm_needs_expert(o);
}

bool algorithm_has_fitted(const struct options *o) { return algorithm_info(o)->fit != FIT_NEVER; }

bool algorithm_has_adversary(const struct options *o) { return algorithm_info(o)->trains == PHASE_DESCENT; }

bool algorithm_holds_adversary(const struct options *o) { return algorithm_info(o)->ascent && algorithm_has_fitted(o); }

bool algorithm_linear_adversary(const struct options *o) {
    return algorithm_holds_adversary(o) && o->game_scope == SCOPE_HEAD;
}

bool algorithm_gathers(const struct options *o, int64_t iteration) {
    return iteration == 1 || o->game_data == DATA_ONLINE;
}

bool algorithm_plays(const struct options *o) { return algorithm_has_adversary(o) && o->game_rounds > 0; }

bool algorithm_fits_in(const struct options *o, int64_t iteration) {
    const enum algorithm_fit fit = algorithm_info(o)->fit;
    return fit == FIT_EVERY_ITERATION ? algorithm_gathers(o, iteration) : fit == FIT_FIRST_ITERATION && iteration == 1;
}
