/* Rows for the failure signatures, and what comes of them: see watch.h. Which figure is taken where is listed in
 * signature.h. */
#include "engine/game/watch.h"

#include <math.h>
#include <string.h>

#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"

void watch_init(struct watch *w) {
    *w = (struct watch){.n_findings = 0};
    signature_history_init(&w->history);
    signature_alerts_init(&w->alerts);
    signature_no_figures(w->step, N_STEP_FIGURES);
}

/* ---- findings ---- */

static bool comes_before(const struct signature_finding *a, const struct signature_finding *b) {
    const enum alert_level x = signature_level(a->id), y = signature_level(b->id);
    return x != y ? x > y : a->since_tick > b->since_tick;
}

static void insert(struct watch *w, const struct signature_finding *f) {
    int at = w->n_findings++;
    for (; at > 0 && comes_before(f, &w->finding[at - 1]); at--) w->finding[at] = w->finding[at - 1];
    w->finding[at] = *f;
}

static void tell(struct game *g, const struct signature_finding *f) {
    const char *name = signature_name(f->id);
    if (f->change == SIGNATURE_CLEARED) {
        game_log(g, ALERT_INFO, "%s is over: %s", name, f->text);
        return;
    }
    game_log(g, signature_level(f->id), "%s: %s", name, f->text);
    game_log(g, signature_level(f->id), "%s: %s", name, signature_advice(f->id));
}

static void check(struct game *g) {
    struct watch *w = &g->watch;
    struct signature_finding found[SIGNATURE_MAX_DETECTORS];
    const int n = signature_check(&w->history, &w->alerts, found);
    w->n_findings = 0;
    for (int i = 0; i < n; i++) {
        if (found[i].change != SIGNATURE_STANDS) tell(g, &found[i]);
        if (found[i].change == SIGNATURE_RAISED && found[i].id == SIGNATURE_NON_FINITE) w->found_not_finite = true;
        if (found[i].change != SIGNATURE_CLEARED) insert(w, &found[i]);
    }
}

void watch_restore(struct game *g) { check(g); } /* no row is new: it lists */

/* ---- steps ---- */

void watch_begin(struct game *g) {
    signature_no_figures(g->watch.step, N_STEP_FIGURES);
    g->watch.found_not_finite = false;
}

void watch_figure(struct game *g, int figure, double value) { g->watch.step[figure] = signature_measured(value); }

static bool any_figure(const double *row) {
    for (int i = 0; i < N_STEP_FIGURES; i++)
        if (!isnan(row[i])) return true;
    return false;
}

void watch_step(struct game *g, int64_t tick) {
    double *row = g->watch.step;
    if (!any_figure(row)) return;
    row[STEP_TICK] = (double)tick;
    row[STEP_ITERATION] = (double)g->st.iteration;
    signature_push_step(&g->watch.history, row);
    check(g);
}

/* ---- evaluations ---- */

/* A figure that this run has. */
static void put(double *row, int figure, bool has, double value) {
    if (has) row[figure] = signature_measured(value);
}

static void put_gap(double *row, int figure, bool has, double mean, double lo, double hi) {
    put(row, figure, has, mean);
    put(row, figure + 1, has, lo);
    put(row, figure + 2, has, hi);
}

static void put_gaps(const struct game *g, double *row) {
    const struct game_state *st = &g->st;
    const bool plays = algorithm_has_adversary(g->o), fitted = algorithm_has_fitted(g->o) && plays,
               held = g->held.t.model != NULL && plays;
    put_gap(row, EVAL_GAP_WORST, plays && game_has_worst(g), st->worst_mean, st->worst_lo, st->worst_hi);
    put_gap(row, EVAL_GAP_FITTED, fitted, st->fitted_mean, st->fitted_lo, st->fitted_hi);
    put_gap(row, EVAL_GAP_HELD, held, st->held_mean, st->held_lo, st->held_hi);
    put_gap(row, EVAL_GAP_TRUE, g->n_eval_prompts > 0, st->true_mean, st->true_lo, st->true_hi);
}

/* Of the samples at the prompts of the gaps. */
static void put_samples(const struct game *g, double *row) {
    const struct game_state *st = &g->st;
    const double prompts = g->n_gap_prompts, samples = prompts * g->o->samples_per_prompt;
    put(row, EVAL_STUDENT_REWARD_HELD, g->held.t.model != NULL, st->sum_reward / samples);
    put(row, EVAL_ENTROPY, st->sum_tokens > 0, st->sum_entropy / st->sum_tokens);
    put(row, EVAL_KL, st->sum_tokens > 0 && g->o->temperature == 1.0, st->sum_kl / st->sum_tokens);
    put(row, EVAL_TRUNCATED, true, st->sum_cut / samples);
    put(row, EVAL_IDENTICAL, g->o->samples_per_prompt > 1, st->sum_same / prompts);
    put(row, EVAL_Q_NORM, st->sum_rows > 0, sqrt(st->sum_q / st->sum_rows) / (double)g->adversary.bound);
}

void watch_evaluation(struct game *g) {
    double row[N_EVAL_FIGURES];
    const struct game_state *st = &g->st;
    const bool holds = algorithm_holds_adversary(g->o);
    signature_no_figures(row, N_EVAL_FIGURES);
    row[EVAL_TICK] = (double)st->tick;
    row[EVAL_ITERATION] = (double)st->iteration;
    put_gaps(g, row);
    if (algorithm_has_adversary(g->o)) put_samples(g, row);
    row[EVAL_RM_NEWEST] = st->rm_newest; /* shares: NAN where there was nothing to count */
    row[EVAL_RM_HELDOUT] = st->rm_heldout;
    row[EVAL_RM_LENGTH] = st->rm_length;
    row[EVAL_LENGTH_CORRELATION] = g->diagnostics.length_correlation;
    put(row, EVAL_ZERO_GROUPS, st->groups > 0, (double)st->zero_groups / (double)st->groups);
    put(row, EVAL_SLACK, holds, st->slack);
    put(row, EVAL_BETA, holds, game_beta(g));
    put(row, EVAL_BETA_FLOOR, holds && g->o->beta_mode == BETA_AUTO, 0);
    put(row, EVAL_ZETA, holds, game_zeta(g));
    row[EVAL_TRUTH_EXCESS] = st->truth_excess;
    signature_push_evaluation(&g->watch.history, row);
    check(g);
}
