/* Maximum-likelihood fit of the reward (step 3 of the online game) and the figures that the gate looks at.
 *
 * The phase is reward.steps training steps, then an evaluation over training pairs (at most EVAL_PAIRS of them, evenly
 * spread, so that its cost does not grow with D_pref) and over all held-out pairs up to the same bound. */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/pairs.h"
#include "engine/game/phase/phases.h"
#include "engine/game/tell.h"

enum { EVAL_PAIRS = 1024 };

bool phase_fit_runs(const struct options *o, int64_t iteration) { return algorithm_fits_in(o, iteration); }

int64_t phase_fit_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return g->o->reward_steps + 1;
}

double phase_fit_work(const struct game *g, const struct costs *c) {
    const double made = (double)g->o->prompts_per_iteration * g->o->samples_per_prompt,
                 there = g->corpus.dpref.n > made ? g->corpus.dpref.n : made,
                 evaluated = there < 2 * EVAL_PAIRS ? there : 2 * EVAL_PAIRS, rewards = g->sampler.halved ? 2 : 1,
                 step = 2.0 * g->o->reward_batch * (TRAIN * c->read_reward + c->read_expert),
                 all = g->o->reward_steps * step + 2 * evaluated * (c->read_reward + c->read_expert);
    return rewards * all / (double)phase_fit_steps(g, 1);
}

/* The pairs an evaluation looks at: every stride-th training pair, or held-out pair. Returns their number; *chosen, of
 * indices into D_pref, is the caller's to free. */
static int choose_pairs(const struct game *g, bool heldout, int **chosen) {
    const struct dpref *d = &g->corpus.dpref;
    int total = 0, n = 0;
    for (int i = 0; i < d->n; i++) total += pair_is_evaluated(&g->sampler, &d->pair[i], heldout);
    const int stride = total / EVAL_PAIRS + 1;
    *chosen = mem_small((size_t)(total / stride + 2) * sizeof **chosen);
    for (int i = 0, seen = 0; i < d->n; i++) {
        if (!pair_is_evaluated(&g->sampler, &d->pair[i], heldout)) continue;
        if (seen++ % stride == 0) (*chosen)[n++] = i;
    }
    return n;
}

/* Scored pairs of an evaluation, for the diagnostics. */
struct scored {
    struct scored_pair *pair;
    int n;
};

static void keep_scores(struct scored *all, const struct pref_space *p, int n) {
    for (int i = 0; i < n; i++) {
        const struct pref_pair *q = p->pair[i];
        all->pair[all->n++] = (struct scored_pair){.id = q->id,
                                                   .reward0 = p->value[p->first[i]],
                                                   .reward1 = p->value[p->second[i]],
                                                   .length0 = q->n_y0,
                                                   .length1 = q->n_y1,
                                                   .o = q->o,
                                                   .flip = q->flip,
                                                   .weight = q->weight,
                                                   .margin = p->margin * q->strength,
                                                   .source = q->source,
                                                   .iteration = q->iteration,
                                                   .heldout = q->heldout};
    }
}

/* all: may be NULL. */
static bool evaluate_pairs(struct game *g, struct reward *r, bool heldout, struct pref_sums *sums, struct scored *all,
                           struct err *e) {
    struct pref_space *p = &g->scratch.pairs;
    int *chosen;
    const int n_chosen = choose_pairs(g, heldout, &chosen);
    if (all) all->pair = mem_grow(all->pair, (size_t)(all->n + n_chosen + 1) * sizeof *all->pair);
    int64_t tokens = 0;
    bool ok = true;
    for (int at = 0; ok && at < n_chosen; at += CHUNK_PAIRS) {
        const int n = n_chosen - at < CHUNK_PAIRS ? n_chosen - at : CHUNK_PAIRS;
        pref_space_reserve(p, n, 0);
        p->margin = g->o->label_margin;
        for (int i = 0; i < n; i++) p->pair[i] = &g->corpus.dpref.pair[chosen[at + i]];
        ok = pref_evaluate(r, p, n, sums, NULL, &tokens, e);
        if (ok && all) keep_scores(all, p, n);
    }
    free(chosen);
    g->st.tokens += (double)tokens;
    return ok;
}

static double share(double a, double b) { return b > 0 ? a / b : (double)NAN; }

static void diagnose(struct game *g, const struct scored *all) {
    const struct diagnostics *d = &g->rewards.diagnostics;
    diagnostics_measure(&g->rewards.diagnostics, all->pair, all->n, (int)g->st.iteration, g->st.tick);
    game_metric(g, METRIC_RM_MAJORITY, d->majority);
    game_metric(g, METRIC_NLL_HELDOUT, d->nll[DIAG_HELDOUT]);
    game_metric(g, METRIC_ECE, d->ece);
    game_metric(g, METRIC_BRIER, d->brier);
    game_metric(g, METRIC_LENGTH_CORRELATION, d->length_correlation);
    if (d->n_not_finite > 0) game_log(g, ALERT_ERROR, "the reward of %d pairs is not a finite number", d->n_not_finite);
}

static bool measure_fit(struct game *g, struct err *e) {
    struct game_state *st = &g->st;
    struct pref_sums train = {0}, heldout = {0};
    struct scored all = {0};
    const bool ok = evaluate_pairs(g, &g->rewards.fitted, false, &train, &all, e) &&
                    evaluate_pairs(g, &g->rewards.fitted, true, &heldout, &all, e);
    if (ok) diagnose(g, &all);
    free(all.pair);
    if (!ok) return false;
    if (!adversary_is_exact(g)) st->nll_best = share(train.nll, train.weight); /* else the set measured its own */
    if (algorithm_holds_adversary(g->o)) st->slack = 0;
    const double accuracy = share(heldout.correct, heldout.decided);
    game_metric(g, METRIC_NLL, st->nll_best);
    game_metric(g, METRIC_RM_TRAIN, share(train.correct, train.decided));
    game_metric(g, METRIC_RM_HELDOUT, accuracy);
    if (isnan(st->metric[METRIC_RM_HELDOUT_FIRST])) game_metric(g, METRIC_RM_HELDOUT_FIRST, accuracy);
    game_metric(g, METRIC_RM_LENGTH,
                share(train.length_correct + heldout.length_correct, train.decided + heldout.decided));
    game_metric(g, METRIC_RM_HUMAN,
                share(train.human_correct + heldout.human_correct, train.human_decided + heldout.human_decided));
    return true;
}

/* r_held takes its steps beside the fitted reward, on its own half. */
static bool fit_held(struct game *g, double lr, struct err *e) {
    double nll;
    int64_t tokens = 0;
    const struct pair_draw how = {(uint64_t)g->o->seed, (uint64_t)g->st.tick, g->o->label_margin};
    const int n = pair_sampler_draw_held(&g->sampler, &g->corpus.dpref, &how, g->o->reward_batch, &g->scratch.pairs);
    if (n == 0) return true; /* no pair yet: it stays as it is */
    if (!pref_fit_step(&g->rewards.held, &g->scratch.pairs, n, g->o->reward_center, lr, &nll, &tokens, e))
        return err_wrap(e, "held reward");
    g->st.tokens += (double)tokens;
    return true;
}

static bool measure_held(struct game *g, struct err *e) {
    struct pref_sums heldout = {0};
    if (!evaluate_pairs(g, &g->rewards.held, true, &heldout, NULL, e)) return false;
    game_metric(g, METRIC_RM_HELD, share(heldout.correct, heldout.decided));
    return true;
}

enum game_result phase_fit_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const enum game_result r = game_await_pairs(g, e);
    if (r != GAME_OK) return r;
    if (st->step < g->o->reward_steps) {
        double nll;
        int64_t tokens = 0;
        const int n = game_draw_pairs(g, g->o->reward_batch);
        const double lr = schedule_lr(g->o->reward_lr, st->step, g->o->reward_steps, 5, 0.1);
        if (!pref_fit_step(&g->rewards.fitted, &g->scratch.pairs, n, g->o->reward_center, lr, &nll, &tokens, e))
            return GAME_FAILED;
        st->tokens += (double)tokens;
        game_metric(g, METRIC_NLL, nll);
        if (g->rewards.held.t.model && !fit_held(g, lr, e)) return GAME_FAILED;
        return GAME_OK;
    }
    const enum game_result set = adversary_after_fit(g, e);
    if (set != GAME_OK) return set;
    if (!measure_fit(g, e) || (g->rewards.held.t.model && !measure_held(g, e))) return GAME_FAILED;
    *finished = true;
    return GAME_OK;
}
