/* Names of phases and series: see series.h. */
#include "engine/metric/series.h"

const char *run_phase_name(enum run_phase p) {
    static const char *const NAMES[N_PHASES] = {
        "loading",      "first evaluation",       "teacher outputs", "cross-entropy", "student samples", "reward fit",
        "gate",         "reward ascent",          "student descent", "evaluation",    "checkpoint",      "done",
        "distillation", "preference optimisation"};
    return NAMES[p];
}

static const struct {
    const char *name, *unit, *help;
} SERIES[N_SERIES] = {
#define X(id, name, unit, help) {name, unit, help},
    SERIES_TABLE(X)
#undef X
};

const char *series_name(enum series_id id) { return SERIES[id].name; }
const char *series_unit(enum series_id id) { return SERIES[id].unit; }
const char *series_help(enum series_id id) { return SERIES[id].help; }
