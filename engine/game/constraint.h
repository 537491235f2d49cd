/* What holds the adversary: the multiplier beta and the radius zeta of the confidence set as they are in force. */
#ifndef PBKD_GAME_CONSTRAINT_H
#define PBKD_GAME_CONSTRAINT_H

#include "engine/game/game_parts.h"

/* Beta in force: the option, or what automatic control made of it. */
double game_beta(const struct game *g);
/* Radius of the confidence set in force, in nats a pair: the option, or Wilks' after the last fit. Above 0 where the
 * adversary is exact. */
double game_zeta(const struct game *g);

#endif
