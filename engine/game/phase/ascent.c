/* Reward ascent (step 4a).
 *
 * Ascent maximises G - beta (L - L_hat - zeta) over all parameters of the adversary. G's teacher and student answers
 * and the pairs of L are one packed batch: one forward and one backward pass. G is measured before the step (the trough
 * that the last descent left) and after it (the peak), which is the saw-tooth of the dashboard. */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/algorithm.h"
#include "engine/reward/beta_control.h"
#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"

/* Teacher outputs of this iteration that the game may use, at most n, drawn at random. */
static int draw_outputs(struct game *g, const struct teacher_output **out, int n) {
    const int total = g->outputs.n - (int)g->st.first_output;
    int have = 0;
    for (uint64_t draw = 0; have < n && draw < 16 * (uint64_t)n && total > 0; draw++) {
        const uint64_t at =
            rng_below((uint64_t)total, (uint64_t)g->o->seed, RNG_PROMPTS, (uint64_t)g->st.tick + (1ull << 40), draw);
        const struct teacher_output *y = &g->outputs.output[g->st.first_output + (int64_t)at];
        if (y->set == OUTPUT_TRAIN && !g->train.prompt[y->prompt].heldout) out[have++] = y;
    }
    return have;
}

/* Build the batch: n teacher answers, n student answers, then the pairs. */
static void ascent_sequences(struct game *g, const struct teacher_output *const *out, const struct gen_output *y, int n,
                             int n_pairs) {
    const bool last = g->adversary.level == REWARD_SEQUENCE;
    sequences_clear(&g->pairs.seqs);
    for (int i = 0; i < n; i++) {
        const struct prompt *x = &g->train.prompt[out[i]->prompt];
        sequences_add(&g->pairs.seqs, x->token, x->n, out[i]->token, out[i]->n, last);
    }
    for (int i = 0; i < n; i++) {
        const struct prompt *x = &g->train.prompt[out[i]->prompt];
        sequences_add(&g->pairs.seqs, x->token, x->n, y[i].token, y[i].n, last);
    }
    pref_sequences(&g->pairs.seqs, g->pairs.pair, n_pairs, last, g->pairs.first, g->pairs.second);
}

bool game_measure_fitted(struct game *g, int n, struct ascent *a, struct err *e) {
    if (g->o->beta_mode != BETA_AUTO) return true;
    struct pref_sums sums = {0};
    int64_t tokens = 0;
    const struct sequences packed = g->pairs.seqs; /* may hold the batch's states already */
    g->pairs.seqs = g->seqs_reward;
    const bool ok = pref_evaluate(&g->fitted, &g->pairs, n, &sums, NULL, &tokens, e);
    g->seqs_reward = g->pairs.seqs;
    g->pairs.seqs = packed;
    a->nll_fitted = sums.nll / sums.weight;
    g->st.tokens += (double)tokens;
    return ok;
}

/* The loss of scored pair i and its derivative. */
static double pair_loss(const struct pref_space *p, int i, double *dl) {
    return pref_pair_loss(p->pair[i], p->value[p->first[i]] - p->value[p->second[i]], p->margin, dl);
}

void game_hold(struct game *g, int n, struct ascent *a) {
    struct pref_space *p = &g->pairs;
    const struct options *o = g->o;
    const struct beta_gains gains = {.k_i = o->beta_k_i, .k_p = o->beta_k_p, .zeta = o->zeta};
    double weight = 0, dl;
    a->nll = 0;
    for (int i = 0; i < n; i++) weight += p->pair[i]->weight;
    for (int i = 0; i < n; i++) a->nll += p->pair[i]->weight / weight * pair_loss(p, i, NULL);
    a->beta = o->beta;
    a->integral = g->st.beta_integral;
    if (o->beta_mode == BETA_AUTO) a->beta = beta_control(&gains, a->nll - a->nll_fitted, &a->integral);
    for (int i = 0; i < n; i++) {
        pair_loss(p, i, &dl);
        const double d = a->beta * (p->pair[i]->weight / weight) * dl;
        p->dvalue[p->first[i]] += d;
        p->dvalue[p->second[i]] -= d;
    }
}

void game_publish_ascent(struct game *g, const struct ascent *a) {
    struct game_state *st = &g->st;
    /* Since the last descent the reward was fitted again, or there was none yet. */
    const bool anew = st->policy_step == 0 &&
                      (st->iteration == 1 || (algorithm_has_fitted(g->o) && algorithm_gathers(g->o, st->iteration)));
    if (st->step == 0 && !anew) { /* else the step before was an ascent too */
        game_series(g, SERIES_GAP_DESCENT, a->before);
        watch_figure(g, STEP_GAP_DESCENT, a->before);
    }
    game_series(g, SERIES_GAP_ASCENT, a->after);
    watch_figure(g, STEP_GAP_ASCENT, a->after);
    if (!g->head) watch_figure(g, STEP_GRADIENT_REWARD, g->adversary.t.opt.norm);
    if (!algorithm_holds_adversary(g->o)) return;
    const double best = g->o->beta_mode == BETA_AUTO ? a->nll_fitted : st->nll_best;
    if (g->head)
        st->slack = a->nll - a->nll_fitted; /* exact */
    else
        st->slack += 0.2 * (a->nll - best - st->slack);
    st->beta = a->beta;
    st->beta_integral = a->integral;
    game_series(g, SERIES_SLACK, st->slack);
    game_series(g, SERIES_BETA, st->beta);
}

/* dvalue of the minimised objective -G + beta L, and G before the step. */
static void ascent_gradient(struct game *g, int n, int n_pairs, struct ascent *a) {
    struct pref_space *p = &g->pairs;
    a->before = 0;
    for (int i = 0; i < p->seqs.n_seq; i++) p->dvalue[i] = 0;
    for (int i = 0; i < n; i++) {
        a->before += (p->value[i] - p->value[n + i]) / n;
        p->dvalue[i] = -1.0 / n;
        p->dvalue[n + i] = 1.0 / n;
    }
    game_hold(g, n_pairs, a);
}

static bool ascend(struct game *g, int n, int n_pairs, struct ascent *a, struct err *e) {
    struct pref_space *p = &g->pairs;
    double norm;
    if (!reward_score(&g->adversary, &p->seqs, true, p->value, e)) return false;
    ascent_gradient(g, n, n_pairs, a);
    if (!reward_backward(&g->adversary, &p->seqs, p->dvalue, e) ||
        !reward_step(&g->adversary, g->o->game_reward_lr, &norm, e))
        return false;
    const struct sequences answers = sequences_first(&p->seqs, 2 * n);
    if (!reward_score(&g->adversary, &answers, false, p->value, e)) return false;
    a->after = 0;
    for (int i = 0; i < n; i++) a->after += (p->value[i] - p->value[n + i]) / n;
    g->st.tokens += (double)p->seqs.n_tokens + answers.n_tokens;
    game_publish_ascent(g, a);
    return true;
}

/* A gradient step of the adversary on n answers of each side. */
static bool step_up(struct game *g, const struct teacher_output *const *out, const struct gen_output *y, int n,
                    struct err *e) {
    struct ascent a;
    const int n_pairs = game_draw_pairs(g, g->o->reward_batch);
    if (!game_measure_fitted(g, n_pairs, &a, e)) return false;
    pref_space_reserve(&g->pairs, n_pairs, 2 * n);
    ascent_sequences(g, out, y, n, n_pairs);
    return ascend(g, n, n_pairs, &a, e);
}

static enum game_result black_box_ascent(struct game *g, struct err *e) {
    const int want = g->o->game_reward_batch;
    const struct teacher_output **out = mem_small((size_t)want * sizeof *out);
    const struct prompt **prompt = mem_small((size_t)want * sizeof *prompt);
    struct gen_output *y = mem_small((size_t)want * sizeof *y);
    const int n = draw_outputs(g, out, want);
    for (int i = 0; i < n; i++) prompt[i] = &g->train.prompt[out[i]->prompt];
    enum game_result r = n > 0 ? game_generate(g, prompt, n, 1, 0, g->o->temperature, y, e) : GAME_FAILED;
    if (n == 0) err_set(e, "no teacher output of this iteration is usable for the game (all prompts are held out)");
    if (r == GAME_OK) {
        if (!(g->head ? head_ascend(g, out, y, n, e) : step_up(g, out, y, n, e))) r = GAME_FAILED;
        gen_output_free(y, n);
    }
    free(out);
    free(prompt);
    free(y);
    return r;
}

enum game_result ascent_step(struct game *g, bool *finished, struct err *e) {
    *finished = g->st.step + 1 >= g->o->game_reward_steps;
    if (g->o->game_reward_steps == 0) return GAME_OK;
    const enum game_result r = g->head ? head_refresh(g, e) : GAME_OK;
    if (r != GAME_OK) return r;
    return g->adversary.expert ? white_box_ascent(g, e) : black_box_ascent(g, e);
}
