/* Values of metrics as they stand: the newest that was told (tell.h), or, where the row in metrics.def says ASKED(fn), what
 * the function of that name here knows at any time. */
#include "engine/game/constraint.h"
#include "engine/game/game_metrics.h"

/* The fit steps of a reward tell the loss of their batch; its value is that of the best fit. */
static double best_fit(const struct game *g) { return g->st.nll_best; }
static double misfit(const struct game *g) { return g->st.slack; }
static double beta_in_force(const struct game *g) { return game_beta(g); }
static double zeta_in_force(const struct game *g) { return game_zeta(g); }
static double regret_so_far(const struct game *g) { return g->st.regret; }

#define TOLD NULL
#define ASKED(fn) fn
static double (*const ASK[N_METRICS])(const struct game *g) = {
#define METRIC(id, name, unit, help, value, result, curves, watch) [METRIC_##id] = value,
#include "engine/metric/metrics.def"
#undef METRIC
};

double game_metric_value(const struct game *g, enum metric_id id) { return ASK[id] ? ASK[id](g) : g->st.metric[id]; }
