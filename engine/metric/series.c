/* Names of series: see series.h. */
#include "engine/metric/series.h"

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
