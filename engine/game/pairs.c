/* Pairs in use: see pairs.h. */
#include "engine/game/pairs.h"

#include <math.h>

#include "engine/game/algorithm.h"
#include "engine/game/options_check.h"

void game_pairs_changed(struct game *g) {
    const struct adversary_ops *adversary = g->adversary.ops;
    g->sampler.stale = true;
    if (adversary && adversary->set_changed) adversary->set_changed(g);
}

int game_draw_pairs(struct game *g, int n) {
    const struct pair_draw how = {(uint64_t)g->o->seed, (uint64_t)g->st.tick, g->o->label_margin};
    return pair_sampler_draw(&g->sampler, &g->corpus.dpref, &how, n, &g->scratch.pairs);
}

/* ---- enough to train on ---- */

/* A person labels, alone or beside others: there must be enough decided pairs before anything can be fitted, or as many
 * as there are pairs to decide. */
static bool enough_labels(const struct game *g) {
    if (!options_need_person(g->o)) return true;
    const int *n = g->corpus.dpref.n_by_source;
    return (n[SOURCE_HUMAN] >= g->o->labeller_min_labels || n[SOURCE_NONE] == 0) && g->sampler.groups.n > 0;
}

/* Why nothing can be fitted. */
static bool fail_no_pairs(const struct game *g, struct err *e) {
    if (g->corpus.dpref.n == 0 && g->st.identical > 0)
        return err_set(e, "no training pairs: every answer is identical to the teacher output; raise temperature or "
                          "samples_per_prompt");
    return err_set(e,
                   "no training pairs: of %d pairs, labelled by %s, none trains the reward (held out, undecided, or "
                   "without weight); raise prompts.per_iteration or samples_per_prompt, or choose another labeller",
                   g->corpus.dpref.n, g->o->labeller);
}

enum game_result game_await_pairs(struct game *g, struct err *e) {
    pair_sampler_refresh(&g->sampler, &g->corpus.dpref);
    if (g->st.step == 0 && !enough_labels(g)) return GAME_NEEDS_LABELS;
    if (g->sampler.groups.n > 0) return GAME_OK;
    fail_no_pairs(g, e);
    return GAME_FAILED;
}

/* ---- shown as they come ---- */

/* The i-th of the pairs that were just scored, or were not. */
static void show_pair(struct game *g, int i, bool scored) {
    const struct pref_space *p = &g->scratch.pairs;
    struct judged_pair j = {
        .pair = p->pair[i], .reward = {(double)NAN, (double)NAN}, .token_scale = (double)g->rewards.fitted.scale};
    for (int side = 0; scored && side < 2; side++) {
        const int seq = side == 0 ? p->first[i] : p->second[i];
        j.reward[side] = p->value[seq];
        if (g->rewards.fitted.level == REWARD_TOKEN)
            j.token_reward[side] = g->rewards.fitted.t.row_value + p->seqs.row_start[seq];
    }
    g->see.pair(g->see.ctx, &j);
}

bool game_judge_pairs(struct game *g, int first, struct pref_sums *sums, int64_t *tokens, struct err *e) {
    for (int at = first; at < g->corpus.dpref.n; at += CHUNK_PAIRS) {
        const int n = g->corpus.dpref.n - at < CHUNK_PAIRS ? g->corpus.dpref.n - at : CHUNK_PAIRS;
        pref_space_reserve(&g->scratch.pairs, n, 0);
        g->scratch.pairs.margin = g->o->label_margin;
        for (int i = 0; i < n; i++) g->scratch.pairs.pair[i] = &g->corpus.dpref.pair[at + i];
        const bool scored = algorithm_has_fitted(g->o);
        if (scored && !pref_evaluate(&g->rewards.fitted, &g->scratch.pairs, n, sums, NULL, tokens, e)) return false;
        if (!g->see.pair) continue;
        for (int i = 0; i < n; i++) show_pair(g, i, scored);
    }
    return true;
}

bool game_show_pairs(struct game *g, int first, struct err *e) {
    struct pref_sums sums = {0};
    return game_judge_pairs(g, first, &sums, NULL, e);
}

bool game_show_newest(struct game *g, int first, struct err *e) {
    enum { SHOWN = 64 };
    return game_show_pairs(g, first > g->corpus.dpref.n - SHOWN ? first : g->corpus.dpref.n - SHOWN, e);
}
