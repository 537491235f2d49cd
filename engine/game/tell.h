/* How the game's files speak to whoever watches it: lines of the log, and metrics. */
#ifndef PBKD_GAME_TELL_H
#define PBKD_GAME_TELL_H

#include "engine/game/game_parts.h"
#include "engine/math/stats.h"

void game_log(struct game *g, enum alert_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A metric was measured: it is kept as the newest value, watched where a step figure is it, and told to the observer. */
void game_metric(struct game *g, enum metric_id id, double value);
void game_metric_interval(struct game *g, enum metric_id mean, struct interval x); /* mean, _LO and _HI */

#endif
