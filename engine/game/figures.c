/* Rows for the failure signatures: see figures.h. */
#include "engine/game/figures.h"

#include <math.h>

#include "engine/game/algorithm.h"
#include "engine/game/constraint.h"
#include "engine/game/game_metrics.h"
#include "engine/game/tell.h"

static void tell(void *ctx, const struct signature_finding *f) {
    struct game *g = ctx;
    const char *name = signature_name(f->id);
    if (f->change == SIGNATURE_CLEARED) {
        game_log(g, ALERT_INFO, "%s is over: %s", name, f->text);
        return;
    }
    game_log(g, signature_level(f->id), "%s: %s", name, f->text);
    game_log(g, signature_level(f->id), "%s: %s", name, signature_advice(f->id));
}

static void check(struct game *g) { watch_check(&g->watch, tell, g); }

void game_list_findings(struct game *g) { check(g); } /* no row is new: it lists */

void game_watch_step(struct game *g, int64_t tick) {
    if (watch_push_step(&g->watch, tick, g->st.iteration)) check(g);
}

/* ---- evaluations ---- */

/* A figure that this run has. */
static void put(double *row, int figure, bool has, double value) {
    if (has) row[figure] = signature_measured(value);
}

/* Of an adversary that is held by preferences; else they have no meaning. */
static void put_constraint(const struct game *g, double *row) {
    const bool holds = algorithm_holds_adversary(g->o);
    row[EVAL_SLACK] = row[EVAL_BETA] = row[EVAL_ZETA] = (double)NAN;
    put(row, EVAL_SLACK, holds, g->st.slack);
    put(row, EVAL_BETA, holds, game_beta(g));
    put(row, EVAL_BETA_FLOOR, holds && g->o->beta_mode == BETA_AUTO, 0);
    put(row, EVAL_ZETA, holds, game_zeta(g));
}

/* Of the samples at the prompts of the gaps. */
static void put_samples(const struct game *g, double *row) {
    const struct game_state *st = &g->st;
    const double prompts = g->evaluation.n_gap_prompts, samples = prompts * g->o->samples_per_prompt;
    put(row, EVAL_STUDENT_REWARD_HELD, g->rewards.held.t.model != NULL, st->sum_reward / samples);
    put(row, EVAL_ENTROPY, st->sum_tokens > 0, st->sum_entropy / st->sum_tokens);
    put(row, EVAL_KL, st->sum_tokens > 0 && g->o->temperature == 1.0, st->sum_kl / st->sum_tokens);
    put(row, EVAL_TRUNCATED, true, st->sum_cut / samples);
    put(row, EVAL_IDENTICAL, g->o->samples_per_prompt > 1, st->sum_same / prompts);
    put(row, EVAL_Q_NORM, st->sum_rows > 0, sqrt(st->sum_q / st->sum_rows) / (double)g->adversary.reward->bound);
}

void game_watch_evaluation(struct game *g) {
    double row[N_EVAL_FIGURES];
    const struct game_state *st = &g->st;
    signature_no_figures(row, N_EVAL_FIGURES);
    row[EVAL_TICK] = (double)st->tick;
    row[EVAL_ITERATION] = (double)st->iteration;
    for (int i = 0; i < N_METRICS; i++)
        watch_put_metric(&g->watch, row, (enum metric_id)i, game_metric_value(g, (enum metric_id)i));
    put_constraint(g, row);
    if (algorithm_has_adversary(g->o)) put_samples(g, row);
    put(row, EVAL_ZERO_GROUPS, st->groups > 0, (double)st->zero_groups / (double)st->groups);
    signature_push_evaluation(&g->watch.history, row);
    check(g);
}
