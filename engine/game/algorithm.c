/* The table of algorithms and what follows from it: see algorithm.h. */
#include "engine/game/algorithm.h"

/* clang-format off */
static const struct algorithm_info ALGORITHMS[] = {
    [ALGORITHM_PBKD] = {.help = "the min-max game: an adversarial reward within the confidence set against the student",
                        .trains = PHASE_DESCENT, .pairs = true, .fit = FIT_EVERY_ITERATION, .expert = EXPERT_WHITE_BOX, .ascent = true},
    [ALGORITHM_SFT] = {.help = "cross-entropy on teacher outputs (black-box distillation)", .trains = PHASE_SFT},
    [ALGORITHM_PPO_FIXED_RM] = {.help = "the descent of the game under a reward that is fitted once and never plays",
                                .trains = PHASE_DESCENT, .pairs = true, .fit = FIT_FIRST_ITERATION, .expert = EXPERT_WHITE_BOX},
    [ALGORITHM_DPO] = {.help = "direct preference optimisation on the pairs of D_pref, without a reward", .trains = PHASE_DPO, .pairs = true},
    [ALGORITHM_FKL] = {.help = "forward KL(teacher, student) of next tokens, on teacher outputs",
                       .trains = PHASE_DISTIL, .expert = EXPERT_ALWAYS, .divergence = DIVERGENCE_FKL, .on_policy = 0.0},
    [ALGORITHM_RKL] = {.help = "reverse KL(student, teacher) of next tokens, on student samples",
                       .trains = PHASE_DISTIL, .expert = EXPERT_ALWAYS, .divergence = DIVERGENCE_RKL, .on_policy = 1.0},
    [ALGORITHM_JSD] = {.help = "generalised Jensen-Shannon divergence of next tokens, on both (GKD)",
                       .trains = PHASE_DISTIL, .expert = EXPERT_ALWAYS, .divergence = DIVERGENCE_JSD, .on_policy = 0.5, .coef = 0.5},
    [ALGORITHM_SKEW_KL] = {.help = "KL of the teacher to a mixture of teacher and student, on teacher outputs (DistiLLM)",
                           .trains = PHASE_DISTIL, .expert = EXPERT_ALWAYS, .divergence = DIVERGENCE_SKEW_KL, .on_policy = 0.0, .coef = 0.1},
    [ALGORITHM_TV] = {.help = "total variation of next tokens, on teacher outputs",
                      .trains = PHASE_DISTIL, .expert = EXPERT_ALWAYS, .divergence = DIVERGENCE_TV, .on_policy = 0.0},
    [ALGORITHM_MOMENT] = {.help = "adversarial moment matching: the white-box game without preferences",
                          .trains = PHASE_DESCENT, .expert = EXPERT_ALWAYS, .ascent = true},
};
/* clang-format on */

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
