/* The white-box adversary (algorithms.md section 6): a critic Q that reads the teacher's next-token probabilities. */
#ifndef PBKD_GAME_ADVERSARY_WHITE_BOX_H
#define PBKD_GAME_ADVERSARY_WHITE_BOX_H

#include "engine/game/adversary/adversary.h"

extern const struct adversary_ops ADVERSARY_WHITE_BOX;

#endif
