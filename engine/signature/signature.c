/* Failure signatures: the tables, the history's rings, and the alerts that detectors raise and clear. See
 * signature.h. */
#include "engine/signature/signature.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "engine/signature/signature_private.h"

/* Checks in succession that must find a condition over before its alert goes. Two evaluations, because one is a single
 * bootstrap draw; sixteen steps, because that is twice the window over which steps are averaged, so the good values are
 * not those that raised it. */
enum { CLEAR_EVALUATIONS = 2, CLEAR_STEPS = 16 };

static const struct {
    const char *name, *seen, *advice;
    enum alert_level level;
} SIGNATURES[N_SIGNATURES] = {
#define X(id, name, level, seen, advice) {name, seen, advice, level},
    SIGNATURE_TABLE(X)
#undef X
};

static const struct {
    const char *name;
    enum signature_id signature;
    enum signature_row row;
    enum detection (*look)(const struct signature_history *h, double v[SIGNATURE_VALUES]);
} DETECTORS[N_DETECTORS] = {
#define X(name, signature, row, ...) {#name, signature, row, signature_detect_##name},
    DETECTOR_TABLE(X)
#undef X
};

const char *signature_name(enum signature_id id) { return SIGNATURES[id].name; }
const char *signature_seen(enum signature_id id) { return SIGNATURES[id].seen; }
const char *signature_advice(enum signature_id id) { return SIGNATURES[id].advice; }
enum alert_level signature_level(enum signature_id id) { return SIGNATURES[id].level; }
const char *signature_detector_name(int detector) { return DETECTORS[detector].name; }

static const char *figure_name(const char *const *name, int n, double figure) {
    return figure >= 0 && figure < n ? name[(int)figure] : "a figure";
}

#define X(id, key) key,
#define METRIC(id, name, unit, help, value, result, curves, watch) watch
#define NOT_WATCHED

const char *signature_evaluation_name(double figure) {
    static const char *const NAMES[] = {"tick", "iteration",
#define EVAL(id, key) key,
#define STEP(id, key)
#include "engine/metric/metrics.def"
#undef EVAL
#undef STEP
                                        SIGNATURE_EVALUATION_TABLE(X)};
    return figure_name(NAMES, N_EVAL_FIGURES, figure);
}

const char *signature_step_name(double figure) {
    static const char *const NAMES[] = {"tick", "iteration",
#define EVAL(id, key)
#define STEP(id, key) key,
#include "engine/metric/metrics.def"
                                        SIGNATURE_STEP_TABLE(X)};
    return figure_name(NAMES, N_STEP_FIGURES, figure);
}
#undef X
#undef METRIC

/* ---- the history ---- */

void signature_no_figures(double *figure, int n) {
    for (int i = 0; i < n; i++) figure[i] = (double)NAN;
}

double signature_measured(double x) { return isfinite(x) ? x : (double)INFINITY; }

void signature_history_init(struct signature_history *h) {
    *h = (struct signature_history){0};
    signature_no_figures(h->evaluation[0], SIGNATURE_EVALUATIONS * N_EVAL_FIGURES);
    signature_no_figures(h->step[0], SIGNATURE_STEPS * N_STEP_FIGURES);
}

void signature_push_evaluation(struct signature_history *h, const double figure[N_EVAL_FIGURES]) {
    assert(known(figure[EVAL_TICK]) && known(figure[EVAL_ITERATION]));
    memcpy(h->evaluation[h->n_evaluations++ % SIGNATURE_EVALUATIONS], figure, sizeof h->evaluation[0]);
}

void signature_push_step(struct signature_history *h, const double figure[N_STEP_FIGURES]) {
    assert(known(figure[STEP_TICK]) && known(figure[STEP_ITERATION]));
    memcpy(h->step[h->n_steps++ % SIGNATURE_STEPS], figure, sizeof h->step[0]);
}

double signature_median(const double *x, int n) {
    double sorted[SIGNATURE_STEPS];
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > x[i]; at--) sorted[at] = sorted[at - 1];
        sorted[at] = x[i];
    }
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

/* ---- alerts ---- */

void signature_alerts_init(struct signature_alerts *a) { *a = (struct signature_alerts){0}; }

static void write_text(int detector, const double *v, char *text, size_t size) {
    (void)v;
    switch (detector) {
#define X(name, signature, row, ...)                                                                                   \
    case DETECTOR_##name: snprintf(text, size, __VA_ARGS__); break;
        DETECTOR_TABLE(X)
#undef X
    default: assert(false);
    }
}

/* Bring the alert of detector d up to date with the newest row. Returns whether it was raised or cleared by this. */
static bool update(const struct signature_history *h, int d, struct signature_alert *a) {
    double v[SIGNATURE_VALUES] = {0};
    const enum detection found = DETECTORS[d].look(h, v);
    if (found == DETECTION_RAISE) {
        a->clear = 0;
        memcpy(a->value, v, sizeof a->value);
        if (a->active != 0) return false;
        const bool step = DETECTORS[d].row == ROW_STEP;
        a->active = 1;
        a->since_tick = step ? step_figure(h, 0, STEP_TICK) : evaluation_figure(h, 0, EVAL_TICK);
        a->since_iteration = step ? step_figure(h, 0, STEP_ITERATION) : evaluation_figure(h, 0, EVAL_ITERATION);
        return true;
    }
    if (found == DETECTION_BETWEEN) a->clear = 0;
    if (found == DETECTION_BETWEEN || a->active == 0) return false;
    a->clear += 1;
    if (a->clear < (DETECTORS[d].row == ROW_STEP ? CLEAR_STEPS : CLEAR_EVALUATIONS)) return false;
    a->active = a->clear = 0;
    return true;
}

int signature_check(const struct signature_history *h, struct signature_alerts *a,
                    struct signature_finding finding[SIGNATURE_MAX_DETECTORS]) {
    const bool new_step = (double)h->n_steps > a->n_steps, new_evaluation = (double)h->n_evaluations > a->n_evaluations;
    int n = 0;
    a->n_steps = (double)h->n_steps;
    a->n_evaluations = (double)h->n_evaluations;
    for (int d = 0; d < N_DETECTORS; d++) {
        struct signature_alert *alert = &a->alert[d];
        const bool fresh = DETECTORS[d].row == ROW_STEP ? new_step : new_evaluation;
        const bool changed = fresh && update(h, d, alert);
        if (alert->active == 0 && !changed) continue;
        struct signature_finding *f = &finding[n++];
        *f = (struct signature_finding){.id = DETECTORS[d].signature,
                                        .change = !changed             ? SIGNATURE_STANDS
                                                  : alert->active != 0 ? SIGNATURE_RAISED
                                                                       : SIGNATURE_CLEARED,
                                        .since_tick = (int64_t)alert->since_tick,
                                        .since_iteration = (int64_t)alert->since_iteration};
        write_text(d, alert->value, f->text, sizeof f->text);
    }
    return n;
}
