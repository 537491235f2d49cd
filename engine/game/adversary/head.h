/* The adversary of game.scope head: exact within the linear rewards around the fitted one (head_set.h). */
#ifndef PBKD_GAME_ADVERSARY_HEAD_H
#define PBKD_GAME_ADVERSARY_HEAD_H

#include "engine/game/adversary/adversary.h"

extern const struct adversary_ops ADVERSARY_HEAD;

#endif
