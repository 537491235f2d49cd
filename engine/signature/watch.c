/* Figures and findings of a run: see watch.h. */
#include "engine/signature/watch.h"

#include <math.h>
#include <string.h>

void watch_init(struct watch *w) {
    *w = (struct watch){.n_findings = 0};
    signature_history_init(&w->history);
    signature_alerts_init(&w->alerts);
    signature_no_figures(w->step, N_STEP_FIGURES);
}

void watch_begin(struct watch *w) {
    signature_no_figures(w->step, N_STEP_FIGURES);
    memset(w->told, 0, sizeof w->told);
    w->found_not_finite = false;
}

void watch_figure(struct watch *w, int figure, double value) { w->step[figure] = signature_measured(value); }

/* The step figures that metrics are: 0 where a row watches none. */
#define STEP(id, key) +STEP_##id
#define EVAL(id, key)
#define NOT_WATCHED
static const int STEP_OF[N_METRICS] = {
#define METRIC(id, name, unit, help, value, result, curves, watch) [METRIC_##id] = 0 watch,
#include "engine/metric/metrics.def"
#undef METRIC
};
#undef STEP
#undef EVAL

void watch_metric(struct watch *w, enum metric_id id, double value) {
    w->told[id] = true;
    if (STEP_OF[id]) watch_figure(w, STEP_OF[id], value);
}

/* The evaluation figures likewise. */
#define STEP(id, key)
#define EVAL(id, key) +EVAL_##id
static const int EVAL_OF[N_METRICS] = {
#define METRIC(id, name, unit, help, value, result, curves, watch) [METRIC_##id] = 0 watch,
#include "engine/metric/metrics.def"
#undef METRIC
};

void watch_put_metric(const struct watch *w, double row[N_EVAL_FIGURES], enum metric_id id, double value) {
    if (EVAL_OF[id]) row[EVAL_OF[id]] = w->told[id] ? signature_measured(value) : value;
}

static bool any_figure(const double *row) {
    for (int i = 0; i < N_STEP_FIGURES; i++)
        if (!isnan(row[i])) return true;
    return false;
}

bool watch_push_step(struct watch *w, int64_t tick, int64_t iteration) {
    if (!any_figure(w->step)) return false;
    w->step[STEP_TICK] = (double)tick;
    w->step[STEP_ITERATION] = (double)iteration;
    signature_push_step(&w->history, w->step);
    return true;
}

static bool comes_before(const struct signature_finding *a, const struct signature_finding *b) {
    const enum alert_level x = signature_level(a->id), y = signature_level(b->id);
    return x != y ? x > y : a->since_tick > b->since_tick;
}

static void insert(struct watch *w, const struct signature_finding *f) {
    int at = w->n_findings++;
    for (; at > 0 && comes_before(f, &w->finding[at - 1]); at--) w->finding[at] = w->finding[at - 1];
    w->finding[at] = *f;
}

void watch_check(struct watch *w, void (*tell)(void *ctx, const struct signature_finding *f), void *ctx) {
    struct signature_finding found[SIGNATURE_MAX_DETECTORS];
    const int n = signature_check(&w->history, &w->alerts, found);
    w->n_findings = 0;
    for (int i = 0; i < n; i++) {
        if (found[i].change != SIGNATURE_STANDS && tell) tell(ctx, &found[i]);
        if (found[i].change == SIGNATURE_RAISED && found[i].id == SIGNATURE_NON_FINITE) w->found_not_finite = true;
        if (found[i].change != SIGNATURE_CLEARED) insert(w, &found[i]);
    }
}
