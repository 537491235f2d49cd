/* Performance gaps and their intervals: see gaps.h. */
#include "engine/game/gaps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/game/adversary/adversaries.h"
#include "engine/game/adversary/own_model.h"
#include "engine/game/algorithm.h"
#include "engine/game/generation.h"
#include "engine/game/student_step.h"
#include "engine/game/tell.h"
#include "engine/math/stats.h"

/* ---- the samples themselves ---- */

static bool same_answer(const struct gen_output *a, const int32_t *token, int n) {
    return a->n == n && memcmp(a->token, token, (size_t)n * sizeof *token) == 0;
}

/* All k samples of a prompt are one answer that is not the teacher's. */
static bool says_one_thing(const struct gen_output *y, int k, const struct teacher_output *t) {
    for (int i = 1; i < k; i++)
        if (!same_answer(&y[i], y[0].token, y[0].n)) return false;
    return !same_answer(&y[0], t->token, t->n);
}

/* Sum of log pi - log pi_0 over the tokens of n samples, packed in g->scratch.seqs. */
static bool add_kl(struct game *g, const struct gen_output *y, int n, struct err *e) {
    struct head_rows rows;
    if (!game_reserve_rows(g, g->scratch.seqs.n_rows, e) || !game_reference_rows(g, &g->scratch.seqs, &rows, e) ||
        !head_log_prob(g->players.reference, &rows, g->players.student.space, g->scratch.row_ref, NULL, e))
        return false;
    for (int i = 0, h = 0; i < n; i++)
        for (int j = 0; j < y[i].n; j++, h++) g->st.sum_kl += (double)y[i].log_prob[j] - (double)g->scratch.row_ref[h];
    g->st.tokens += (double)g->scratch.seqs.n_tokens;
    return true;
}

/* What the failure signatures want to know of the k samples y of each of n prompts. */
static bool measure_samples(struct game *g, const struct prompt *const *prompt, const struct gen_output *y, int first,
                            int n, int k, struct err *e) {
    struct game_state *st = &g->st;
    sequences_clear(&g->scratch.seqs);
    for (int i = 0; i < n * k; i++) {
        st->sum_cut += y[i].truncated;
        st->sum_tokens += y[i].n;
        for (int j = 0; j < y[i].n; j++) st->sum_entropy -= (double)y[i].log_prob[j];
        sequences_add(&g->scratch.seqs, prompt[i / k]->token, prompt[i / k]->n, y[i].token, y[i].n, false);
    }
    for (int i = 0; i < n; i++)
        st->sum_same += says_one_thing(y + i * k, k, corpus_heldout_output(&g->corpus, first + i));
    return g->o->temperature != 1.0 || add_kl(g, y, n * k, e);
}

/* ---- under every reward ---- */

/* Of the packed answers to the prompts [first, first + n). */
static bool measure_chunk(struct game *g, int first, int n, int k, struct err *e) {
    if (!g->adversary.ops->measure(g, first, n, k, e)) return false;
    if (!g->rewards.held.t.model) return true;
    if (!own_model_gaps(g, &g->rewards.held, n, k, g->evaluation.gap_held + first, e)) return false;
    for (int i = 0; i < n * k; i++) g->st.sum_reward += g->scratch.pairs.value[n + i];
    return true;
}

static void begin_sums(struct game_state *st) {
    st->sum_kl = st->sum_entropy = st->sum_tokens = st->sum_reward = st->sum_cut = st->sum_same = st->sum_q =
        st->sum_rows = 0;
}

enum game_result game_gap_chunk(struct game *g, int chunk, struct err *e) {
    const int first = chunk * CHUNK_SAMPLES, left = g->evaluation.n_gap_prompts - first, k = g->o->samples_per_prompt;
    const int n = left < CHUNK_SAMPLES ? left : CHUNK_SAMPLES;
    const struct prompt *prompt[CHUNK_SAMPLES] = {0};
    for (int i = 0; i < n; i++) prompt[i] = &g->corpus.heldout.prompt[first + i];
    struct gen_output *y = mem_small((size_t)(n * k) * sizeof *y);
    enum game_result r = game_generate(g, prompt, n, k, 0, g->o->temperature, y, e);
    if (r == GAME_OK) {
        const bool last = g->adversary.reward->level == REWARD_SEQUENCE;
        sequences_clear(&g->scratch.seqs_reward);
        bool ok = true;
        for (int i = 0; ok && i < n; i++) {
            const struct teacher_output *t = corpus_heldout_output(&g->corpus, first + i);
            ok = t != NULL || err_set(e, "no teacher output for held-out prompt %d", first + i);
            if (ok) sequences_add(&g->scratch.seqs_reward, prompt[i]->token, prompt[i]->n, t->token, t->n, last);
        }
        for (int i = 0; ok && i < n * k; i++)
            sequences_add(&g->scratch.seqs_reward, prompt[i / k]->token, prompt[i / k]->n, y[i].token, y[i].n, last);
        if (first == 0) begin_sums(&g->st);
        ok = ok && measure_samples(g, prompt, y, first, n, k, e) && measure_chunk(g, first, n, k, e);
        gen_output_free(y, n * k);
        if (!ok) r = GAME_FAILED;
    }
    free(y);
    return r;
}

static struct interval bootstrap(struct game *g, const double *x, int n, uint64_t which) {
    return stats_bootstrap(x, (size_t)n, g->o->eval_bootstrap, (uint64_t)g->o->seed, (uint64_t)g->st.tick * 4 + which);
}

static void publish_worst(struct game *g) {
    const struct interval worst = bootstrap(g, g->evaluation.gap_worst, g->evaluation.n_gap_prompts, 0);
    g->st.regret += worst.mean;
    game_metric_interval(g, METRIC_GAP_WORST, worst);
}

/* Beside what the game's guarantee bounds it by, up to a constant. Every iteration is evaluated once. */
static void publish_regret(struct game *g) {
    struct game_state *st = &g->st;
    const double t = (double)st->iteration;
    game_metric(g, METRIC_REGRET, st->regret);
    if (t < 2) return;
    game_metric(g, METRIC_REGRET_RATE, st->regret / sqrt(t * log(t)));
}

void game_publish_gaps(struct game *g) {
    struct game_state *st = &g->st;
    if (adversary_is_worst_case(g)) publish_worst(g);
    const struct evaluation *v = &g->evaluation;
    if (algorithm_has_fitted(g->o))
        game_metric_interval(g, METRIC_GAP_FITTED, bootstrap(g, v->gap_fitted, v->n_gap_prompts, 1));
    if (g->rewards.held.t.model)
        game_metric_interval(g, METRIC_GAP_HELD, bootstrap(g, v->gap_held, v->n_gap_prompts, 3));
    if (adversary_is_worst_case(g)) publish_regret(g);
    /* What exact descent measures at every step, it measures better. */
    const bool exact = game_descends_exactly(g);
    if (g->o->temperature == 1.0 && !(exact && g->o->game_kl > 0))
        game_metric(g, METRIC_KL, st->sum_kl / st->sum_tokens);
    if (!exact) game_metric(g, METRIC_ENTROPY, st->sum_entropy / st->sum_tokens);
}

void game_publish_true_gap(struct game *g) {
    if (g->evaluation.n_eval_prompts == 0) return;
    double *d = mem_small((size_t)g->evaluation.n_eval_prompts * sizeof *d);
    for (int i = 0; i < g->evaluation.n_eval_prompts; i++)
        d[i] = g->evaluation.right_teacher[i] - g->evaluation.right_student[i];
    game_metric_interval(g, METRIC_GAP_TRUE, bootstrap(g, d, g->evaluation.n_eval_prompts, 2));
    free(d);
}
