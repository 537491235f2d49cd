/* The shared frame of ascents: see ascent.h. */
#include "engine/game/adversary/ascent.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/algorithm.h"
#include "engine/game/generation.h"
#include "engine/game/tell.h"
#include "engine/reward/beta_control.h"

/* ---- answers ---- */

/* Teacher outputs of this iteration that the game may use, at most n, drawn at random. */
static int draw_outputs(struct game *g, const struct teacher_output **out, int n) {
    const int total = g->corpus.outputs.n - (int)g->st.first_output;
    int have = 0;
    for (uint64_t draw = 0; have < n && draw < 16 * (uint64_t)n && total > 0; draw++) {
        const uint64_t at =
            rng_below((uint64_t)total, (uint64_t)g->o->seed, RNG_PROMPTS, (uint64_t)g->st.tick + (1ull << 40), draw);
        const struct teacher_output *y = &g->corpus.outputs.output[g->st.first_output + (int64_t)at];
        if (y->set == OUTPUT_TRAIN && !g->corpus.train.prompt[y->prompt].heldout) out[have++] = y;
    }
    return have;
}

enum game_result answers_of_both(struct game *g, struct answers *a, struct err *e) {
    const int want = g->o->game_reward_batch;
    *a = (struct answers){.teacher = mem_small((size_t)want * sizeof *a->teacher),
                          .student = mem_small((size_t)want * sizeof *a->student)};
    const struct prompt **prompt = mem_small((size_t)want * sizeof *prompt);
    a->n = draw_outputs(g, a->teacher, want);
    for (int i = 0; i < a->n; i++) prompt[i] = &g->corpus.train.prompt[a->teacher[i]->prompt];
    enum game_result r = GAME_FAILED;
    if (a->n > 0)
        r = game_generate(g, prompt, a->n, 1, 0, g->o->temperature, a->student, e);
    else
        err_set(e, "no teacher output of this iteration is usable for the game (all prompts are held out)");
    free(prompt);
    if (r != GAME_OK) {
        a->n = 0;
        answers_free(a);
    }
    return r;
}

void answers_free(struct answers *a) {
    gen_output_free(a->student, a->n);
    free(a->teacher);
    free(a->student);
    *a = (struct answers){0};
}

void answers_pack(const struct game *g, const struct answers *a, struct sequences *s, bool include_last) {
    for (int i = 0; i < a->n; i++) {
        const struct prompt *x = &g->corpus.train.prompt[a->teacher[i]->prompt];
        sequences_add(s, x->token, x->n, a->teacher[i]->token, a->teacher[i]->n, include_last);
    }
    for (int i = 0; i < a->n; i++) {
        const struct prompt *x = &g->corpus.train.prompt[a->teacher[i]->prompt];
        sequences_add(s, x->token, x->n, a->student[i].token, a->student[i].n, include_last);
    }
}

/* ---- preferences ---- */

bool ascent_measure_fitted(struct game *g, int n, struct ascent *a, struct err *e) {
    if (g->o->beta_mode != BETA_AUTO) return true;
    struct pref_sums sums = {0};
    int64_t tokens = 0;
    const struct sequences packed = g->scratch.pairs.seqs; /* may hold the batch's states already */
    g->scratch.pairs.seqs = g->scratch.seqs_reward;
    const bool ok = pref_evaluate(&g->rewards.fitted, &g->scratch.pairs, n, &sums, NULL, &tokens, e);
    g->scratch.seqs_reward = g->scratch.pairs.seqs;
    g->scratch.pairs.seqs = packed;
    a->nll_fitted = sums.nll / sums.weight;
    g->st.tokens += (double)tokens;
    return ok;
}

/* The loss of scored pair i and its derivative. */
static double pair_loss(const struct pref_space *p, int i, double *dl) {
    return pref_pair_loss(p->pair[i], p->value[p->first[i]] - p->value[p->second[i]], p->margin, dl);
}

void ascent_hold(struct game *g, int n, struct ascent *a) {
    struct pref_space *p = &g->scratch.pairs;
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

void ascent_publish(struct game *g, const struct ascent *a) {
    struct game_state *st = &g->st;
    const struct adversary_ops *adversary = g->adversary.ops;
    /* Since the last descent the reward was fitted again, or there was none yet. */
    const bool anew = st->policy_step == 0 &&
                      (st->iteration == 1 || (algorithm_has_fitted(g->o) && algorithm_gathers(g->o, st->iteration)));
    if (st->step == 0 && !anew) { /* else the step before was an ascent too */
        game_metric(g, METRIC_GAP_DESCENT, a->before);
    }
    game_metric(g, METRIC_GAP_ASCENT, a->after);
    if (g->adversary.trainee) watch_figure(&g->watch, STEP_GRADIENT_REWARD, g->adversary.trainee->opt.norm);
    if (!algorithm_holds_adversary(g->o)) return;
    const double best = g->o->beta_mode == BETA_AUTO ? a->nll_fitted : st->nll_best;
    if (adversary->exact)
        st->slack = a->nll - a->nll_fitted;
    else
        st->slack += 0.2 * (a->nll - best - st->slack);
    st->beta = a->beta;
    st->beta_integral = a->integral;
    game_metric(g, METRIC_SLACK, st->slack);
    game_metric(g, METRIC_BETA, st->beta);
}
