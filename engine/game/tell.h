/* How the game's files speak to whoever watches it: lines of the log, figures of series, and figures that the failure
 * signatures read too. */
#ifndef PBKD_GAME_TELL_H
#define PBKD_GAME_TELL_H

#include "engine/game/game_parts.h"

void game_log(struct game *g, enum alert_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void game_series(struct game *g, enum series_id id, double value);
/* A series that is a figure of the step under way too (signature.h). */
void game_figure(struct game *g, enum series_id id, int figure, double value);

#endif
