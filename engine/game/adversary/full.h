/* The adversary of game.scope full, the paper's: all parameters of a model of its own, by gradient steps of the ascent. */
#ifndef PBKD_GAME_ADVERSARY_FULL_H
#define PBKD_GAME_ADVERSARY_FULL_H

#include "engine/game/adversary/adversary.h"

extern const struct adversary_ops ADVERSARY_FULL;

#endif
