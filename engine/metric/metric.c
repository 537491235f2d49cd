/* The table of metrics: see metric.h. */
#include "engine/metric/metric.h"

#include <string.h>

const struct metric_info METRICS[N_METRICS] = {
#define CURVE(panel, place, legend, brief) {CURVES_##panel, place, legend, brief},
#define NOT_DRAWN                                                                                                      \
    { 0 }
#define METRIC(id, name, unit, help, value, result, curves, watch) {name, unit, help, result, {curves}},
#include "engine/metric/metrics.def"
#undef METRIC
};

int metric_find(const char *name) {
    for (int i = 0; i < N_METRICS; i++)
        if (strcmp(METRICS[i].name, name) == 0) return i;
    return -1;
}

int metric_curves(enum metric_panel panel, struct metric_drawn out[N_METRICS]) {
    int n = 0;
    for (int i = 0; i < N_METRICS * METRIC_CURVES; i++) {
        const struct metric_curve *c = &METRICS[i / METRIC_CURVES].curve[i % METRIC_CURVES];
        if (!c->legend || c->panel != panel) continue;
        int at = n++;
        for (; at > 0 && out[at - 1].curve->place > c->place; at--) out[at] = out[at - 1];
        out[at] = (struct metric_drawn){(enum metric_id)(i / METRIC_CURVES), c};
    }
    return n;
}
