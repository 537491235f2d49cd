/* A copy of the fitted reward that never moves: what the baseline ppo_fixed_rm descends on. */
#ifndef PBKD_GAME_ADVERSARY_FIXED_H
#define PBKD_GAME_ADVERSARY_FIXED_H

#include "engine/game/adversary/adversary.h"

extern const struct adversary_ops ADVERSARY_FIXED;

#endif
