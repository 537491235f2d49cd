/* The value of a metric: the newest that was told, or what the game knows at any time (metrics.def). NAN, or as the game
 * begins, where nothing was measured. */
#ifndef PBKD_GAME_GAME_METRICS_H
#define PBKD_GAME_GAME_METRICS_H

#include "engine/game/game_parts.h"

double game_metric_value(const struct game *g, enum metric_id id);

#endif
