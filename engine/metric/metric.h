/* What the game measures: the table is metrics.def. A metric's name stands in run.db, its id indexes the series that charts
 * draw and the figures of a snapshot. */
#ifndef PBKD_METRIC_METRIC_H
#define PBKD_METRIC_METRIC_H

enum alert_level { ALERT_INFO, ALERT_WARNING, ALERT_ERROR };

enum metric_id {
#define METRIC(id, name, unit, help, value, result, curves, watch) METRIC_##id,
#include "engine/metric/metrics.def"
#undef METRIC
    N_METRICS
};

/* Charts that metrics are drawn in. */
enum metric_panel {
    CURVES_GAME,
    CURVES_REWARD,
    CURVES_LOSS,
    CURVES_MISFIT,
    CURVES_STUDENT,
    CURVES_DRIFT,
    CURVES_REGRET
};

struct metric_curve {
    enum metric_panel panel;
    int place;                  /* 1 comes first */
    const char *legend, *brief; /* NULL: no curve */
};

enum { METRIC_CURVES = 2 };
struct metric_info {
    const char *name, *unit, *help;
    const char *result; /* path in the result line, or NULL */
    struct metric_curve curve[METRIC_CURVES];
};
extern const struct metric_info METRICS[N_METRICS];

int metric_find(const char *name); /* an enum metric_id; -1: there is none */

struct metric_drawn {
    enum metric_id id;
    const struct metric_curve *curve;
};
/* The curves of a panel in their places; returns how many. */
int metric_curves(enum metric_panel panel, struct metric_drawn out[N_METRICS]);

#endif
