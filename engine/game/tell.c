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

void game_metric(struct game *g, enum metric_id id, double value) {
    g->st.metric[id] = value;
    watch_metric(&g->watch, id, value);
    if (g->see.series) g->see.series(g->see.ctx, id, value);
}

void game_metric_interval(struct game *g, enum metric_id mean, struct interval x) {
    game_metric(g, mean, x.mean);
    game_metric(g, mean + 1, x.lo);
    game_metric(g, mean + 2, x.hi);
}
