/* Maximum-likelihood fit of the reward (step 3 of the online game) and the figures that the gate looks at.
 *
 * The phase is reward.steps training steps, then an evaluation over training pairs (at most EVAL_PAIRS of them, evenly
 * spread, so that its cost does not grow with D_pref) and over all held-out pairs up to the same bound. */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"
#include "engine/game/options_check.h"

enum { EVAL_PAIRS = 1024 };

/* The other half is that of r_held. The last digit of the hash decides the held-out tenth, so it is left out here. */
static bool is_other_half(const struct game *g, const struct pref_pair *p) {
    return g->held.t.model && p->prompt_hash / 10 % 2 == 1;
}

static bool trains(const struct pref_pair *p) { return p->active && !p->heldout && p->weight > 0; }

bool game_pair_trains(const struct game *g, const struct pref_pair *p) { return trains(p) && !is_other_half(g, p); }
bool game_pair_trains_held(const struct game *g, const struct pref_pair *p) { return trains(p) && is_other_half(g, p); }

static void add_to_groups(const struct game *g, struct pair_groups *s, int i) {
    const struct pref_pair *p = &g->dpref.pair[i];
    struct pair_group *last = s->n ? &s->group[s->n - 1] : NULL;
    const struct pref_pair *q = last ? &g->dpref.pair[last->first] : NULL;
    const bool same_y0 = q && q->by0.origin == p->by0.origin && q->by0.item == p->by0.item;
    if (same_y0 && last->first + last->count == i && q->prompt_hash == p->prompt_hash && q->iteration == p->iteration) {
        last->count++;
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->group = mem_grow(s->group, (size_t)s->cap * sizeof *s->group);
    }
    s->group[s->n++] = (struct pair_group){i, 1};
}

void game_refresh_groups(struct game *g) {
    if (!g->groups_stale) return;
    g->groups_stale = false;
    g->groups.n = g->held_groups.n = 0;
    for (int i = 0; i < g->dpref.n; i++) {
        if (game_pair_trains(g, &g->dpref.pair[i])) add_to_groups(g, &g->groups, i);
        if (game_pair_trains_held(g, &g->dpref.pair[i])) add_to_groups(g, &g->held_groups, i);
    }
}

/* Whole groups at random, from g->pairs.pair[have] on until there are n pairs; returns how many there are then. */
static int draw_groups(struct game *g, const struct pair_groups *s, int have, int n, uint64_t stream) {
    for (uint64_t draw = 0; have < n && s->n > 0; draw++) {
        const uint64_t at =
            rng_below((uint64_t)s->n, (uint64_t)g->o->seed, RNG_PAIRS, (uint64_t)g->st.tick, stream + draw);
        for (int i = 0; i < s->group[at].count && have < n; i++)
            g->pairs.pair[have++] = &g->dpref.pair[s->group[at].first + i];
    }
    return have;
}

int game_draw_pairs(struct game *g, int n) {
    game_refresh_groups(g);
    pref_space_reserve(&g->pairs, n + GAME_FRESH_LABELS + 64, n + GAME_FRESH_LABELS);
    g->pairs.margin = g->o->label_margin;
    int have = 0;
    for (int i = 0; i < g->n_fresh; i++) {
        const struct pref_pair *p = dpref_find(&g->dpref, g->fresh[i]);
        if (p && game_pair_trains(g, p)) g->pairs.pair[have++] = p;
    }
    g->n_fresh = 0;
    return draw_groups(g, &g->groups, have, n, 0);
}

static bool is_evaluated(const struct game *g, const struct pref_pair *p, bool heldout) {
    return p->active && p->heldout == heldout && (heldout || !is_other_half(g, p));
}

/* The pairs an evaluation looks at: every stride-th training pair, then every stride-th held-out pair. */
static void choose_eval_pairs(struct game *g, bool heldout) {
    int total = 0;
    for (int i = 0; i < g->dpref.n; i++) total += is_evaluated(g, &g->dpref.pair[i], heldout);
    const int stride = total / EVAL_PAIRS + 1;
    g->eval_pair = mem_grow(g->eval_pair, (size_t)(total / stride + 2) * sizeof *g->eval_pair);
    g->n_eval_pair = 0;
    for (int i = 0, seen = 0; i < g->dpref.n; i++) {
        if (!is_evaluated(g, &g->dpref.pair[i], heldout)) continue;
        if (seen++ % stride == 0) g->eval_pair[g->n_eval_pair++] = i;
    }
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
    choose_eval_pairs(g, heldout);
    if (all) all->pair = mem_grow(all->pair, (size_t)(all->n + g->n_eval_pair + 1) * sizeof *all->pair);
    int64_t tokens = 0;
    bool ok = true;
    for (int at = 0; ok && at < g->n_eval_pair; at += CHUNK_PAIRS) {
        const int n = g->n_eval_pair - at < CHUNK_PAIRS ? g->n_eval_pair - at : CHUNK_PAIRS;
        pref_space_reserve(&g->pairs, n, 0);
        g->pairs.margin = g->o->label_margin;
        for (int i = 0; i < n; i++) g->pairs.pair[i] = &g->dpref.pair[g->eval_pair[at + i]];
        ok = pref_evaluate(r, &g->pairs, n, sums, NULL, &tokens, e);
        if (ok && all) keep_scores(all, &g->pairs, n);
    }
    g->st.tokens += (double)tokens;
    return ok;
}

static double share(double a, double b) { return b > 0 ? a / b : (double)NAN; }

static void diagnose(struct game *g, const struct scored *all) {
    const struct diagnostics *d = &g->diagnostics;
    diagnostics_measure(&g->diagnostics, all->pair, all->n, (int)g->st.iteration, g->st.tick);
    game_series(g, SERIES_ECE, d->ece);
    game_series(g, SERIES_BRIER, d->brier);
    game_series(g, SERIES_LENGTH_CORRELATION, d->length_correlation);
    if (d->n_not_finite > 0) game_log(g, ALERT_ERROR, "the reward of %d pairs is not a finite number", d->n_not_finite);
}

static bool measure_fit(struct game *g, struct err *e) {
    struct game_state *st = &g->st;
    struct pref_sums train = {0}, heldout = {0};
    struct scored all = {0};
    const bool ok =
        evaluate_pairs(g, &g->fitted, false, &train, &all, e) && evaluate_pairs(g, &g->fitted, true, &heldout, &all, e);
    if (ok) diagnose(g, &all);
    free(all.pair);
    if (!ok) return false;
    st->nll_best = g->head ? g->head->fit.loss : share(train.nll, train.weight);
    if (algorithm_holds_adversary(g->o)) st->slack = 0;
    st->rm_train = share(train.correct, train.decided);
    st->rm_heldout = share(heldout.correct, heldout.decided);
    st->rm_length = share(train.length_correct + heldout.length_correct, train.decided + heldout.decided);
    st->rm_human = share(train.human_correct + heldout.human_correct, train.human_decided + heldout.human_decided);
    if (isnan(st->rm_heldout_first)) st->rm_heldout_first = st->rm_heldout;
    game_series(g, SERIES_NLL, st->nll_best);
    game_series(g, SERIES_RM_TRAIN, st->rm_train);
    game_series(g, SERIES_RM_HELDOUT, st->rm_heldout);
    game_series(g, SERIES_RM_LENGTH, st->rm_length);
    return true;
}

/* r_held takes its steps beside the fitted reward, on its own half. */
static bool fit_held(struct game *g, double lr, struct err *e) {
    double nll;
    int64_t tokens = 0;
    pref_space_reserve(&g->pairs, g->o->reward_batch, 0);
    const int n = draw_groups(g, &g->held_groups, 0, g->o->reward_batch, 1ull << 32);
    if (n == 0) return true; /* no pair yet: it stays as it is */
    if (!pref_fit_step(&g->held, &g->pairs, n, g->o->reward_center, lr, &nll, &tokens, e))
        return err_wrap(e, "held reward");
    g->st.tokens += (double)tokens;
    return true;
}

static bool measure_held(struct game *g, struct err *e) {
    struct pref_sums heldout = {0};
    if (!evaluate_pairs(g, &g->held, true, &heldout, NULL, e)) return false;
    g->st.rm_held = share(heldout.correct, heldout.decided);
    game_series(g, SERIES_RM_HELD, g->st.rm_held);
    return true;
}

/* A person labels, alone or beside others: there must be enough decided pairs before anything can be fitted, or as many
 * as there are pairs to decide. */
static bool enough_labels(const struct game *g) {
    if (!options_need_person(g->o)) return true;
    const int *n = g->dpref.n_by_source;
    return (n[SOURCE_HUMAN] >= g->o->labeller_min_labels || n[SOURCE_NONE] == 0) && g->groups.n > 0;
}

/* Why nothing can be fitted. */
static bool fail_no_pairs(const struct game *g, struct err *e) {
    if (g->dpref.n == 0 && g->st.identical > 0)
        return err_set(e, "no training pairs: every answer is identical to the teacher output; raise temperature or "
                          "samples_per_prompt");
    return err_set(e,
                   "no training pairs: of %d pairs, labelled by %s, none trains the reward (held out, undecided, or "
                   "without weight); raise prompts.per_iteration or samples_per_prompt, or choose another labeller",
                   g->dpref.n, g->o->labeller);
}

enum game_result game_await_pairs(struct game *g, struct err *e) {
    game_refresh_groups(g);
    if (g->st.step == 0 && !enough_labels(g)) return GAME_NEEDS_LABELS;
    if (g->groups.n > 0) return GAME_OK;
    fail_no_pairs(g, e);
    return GAME_FAILED;
}

enum game_result fit_phase_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const enum game_result r = game_await_pairs(g, e);
    if (r != GAME_OK) return r;
    if (st->step < g->o->reward_steps) {
        double nll;
        int64_t tokens = 0;
        const int n = game_draw_pairs(g, g->o->reward_batch);
        const double lr = schedule_lr(g->o->reward_lr, st->step, g->o->reward_steps, 5, 0.1);
        if (!pref_fit_step(&g->fitted, &g->pairs, n, g->o->reward_center, lr, &nll, &tokens, e)) return GAME_FAILED;
        st->tokens += (double)tokens;
        game_series(g, SERIES_NLL, nll);
        if (g->held.t.model && !fit_held(g, lr, e)) return GAME_FAILED;
        return GAME_OK;
    }
    const enum game_result built = g->head ? head_build(g, e) : GAME_OK;
    if (built != GAME_OK) return built;
    if (!measure_fit(g, e) || (g->held.t.model && !measure_held(g, e))) return GAME_FAILED;
    *finished = true;
    return GAME_OK;
}
