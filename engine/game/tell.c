/* Telling the observer: see tell.h. */
#include "engine/game/tell.h"

#include <stdarg.h>
#include <stdio.h>

void game_log(struct game *g, enum alert_level level, const char *fmt, ...) {
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (g->see.log) g->see.log(g->see.ctx, level, text);
}

void game_series(struct game *g, enum series_id id, double value) {
    if (g->see.series) g->see.series(g->see.ctx, id, value);
}

void game_figure(struct game *g, enum series_id id, int figure, double value) {
    game_series(g, id, value);
    watch_figure(&g->watch, figure, value);
}
