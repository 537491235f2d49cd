/* Scope `head` in play: ascent to the exact maximum, values, descent, and the gap over the whole set at evaluations.
 * What it keeps between two steps is in head_set.h. */
#include "engine/game/adversary/head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/game/adversary/ascent.h"
#include "engine/game/adversary/head_set.h"
#include "engine/game/adversary/head_truth.h"
#include "engine/game/algorithm.h"
#include "engine/game/checkpoint_parts.h"
#include "engine/game/constraint.h"
#include "engine/game/tell.h"

static bool serves(const struct options *o) { return algorithm_linear_adversary(o); }

/* ---- memory, sets ---- */

static bool head_open(struct game *g, const struct model *from, struct err *e) {
    g->adversary.reward = &g->rewards.fitted;
    return (g->adversary.state = head_set_new(g->o, from, e)) != NULL;
}

static void head_close(struct game *g) { head_set_free(g->adversary.state); }

static void head_set_changed(struct game *g) { head_set_of(g)->stale = true; }

/* GAME_ABANDONED: what was measured is kept. */
static enum game_result head_refresh(struct game *g, struct err *e) {
    const enum game_result r = head_measure_pairs(g, e);
    if (r != GAME_OK || !head_set_of(g)->stale) return r;
    g->sampler.n_fresh = 0; /* labels are in the set, from here on */
    return head_make_set(g, e) ? GAME_OK : GAME_FAILED;
}

/* Basis, features, set, coverage; w = w0. */
static enum game_result head_after_fit(struct game *g, struct err *e) {
    struct head_set *h = head_set_of(g);
    if (!game_may_go_on(g)) return GAME_ABANDONED;
    if (!head_build_basis(g, e)) return GAME_FAILED;
    h->n_pairs = 0;
    h->stale = true;
    enum game_result r = head_measure_pairs(g, e);
    if (r == GAME_OK) r = head_truth_fit(g, e);
    if (r != GAME_OK) return r;
    if (!head_make_set(g, e)) return GAME_FAILED;
    head_truth_seek(g);
    memcpy(h->w, h->centre, (size_t)h->n_features * sizeof *h->w);
    g->st.solves = 0;
    return GAME_OK;
}

/* gap [n_features] += F of sequence `teacher` - mean of F of the k sequences from `student` on, times scale. */
static void add_difference(const struct head_set *h, int teacher, int student, int k, double scale, double *gap) {
    const size_t n = (size_t)h->n_features;
    const float *a = h->answer + (size_t)teacher * n, *b = h->answer + (size_t)student * n;
    for (size_t j = 0; j < n; j++) {
        double mean = 0;
        for (size_t i = 0; i < (size_t)k; i++) mean += (double)b[i * n + j] / k;
        gap[j] += scale * ((double)a[j] - mean);
    }
}

static double gap_under_weights(const struct head_set *h, const double *gap) {
    double sum = 0;
    for (int j = 0; j < h->n_features; j++) sum += (double)h->scope.w[j] * gap[j];
    return sum;
}

static bool measure_answers(struct game *g, const struct sequences *s, struct err *e) {
    g->st.tokens += (double)s->n_tokens;
    return head_reserve_answers(head_set_of(g), s->n_seq, e) &&
           head_scope_features(&head_set_of(g)->scope, &g->rewards.fitted, s, head_set_of(g)->answer, e);
}

/* ---- ascent ---- */

/* From the last solve on; the first after a fit starts cold. */
static bool solve(struct game *g, struct confidence_optimum *best, struct err *e) {
    struct head_set *h = head_set_of(g);
    *best = (struct confidence_optimum){.beta = g->st.solves > 0 ? g->st.beta : 0};
    if (g->o->beta_mode == BETA_AUTO) return confidence_maximise(h->set, h->gap, game_zeta(g), h->w, best, e);
    return confidence_ascend(h->set, h->gap, game_zeta(g), g->o->beta, h->w, best, e);
}

/* w that maximises the gap between the answers of both sides, at the options' beta or over the set. */
static bool maximise(struct game *g, const struct answers *answers, struct err *e) {
    struct head_set *h = head_set_of(g);
    struct sequences *s = &g->scratch.seqs_reward;
    struct confidence_optimum best;
    sequences_clear(s);
    answers_pack(g, answers, s, false);
    if (!measure_answers(g, s, e)) return false;
    for (int j = 0; j < h->n_features; j++) h->gap[j] = 0;
    for (int i = 0; i < answers->n; i++) add_difference(h, i, answers->n + i, 1, 1.0 / answers->n, h->gap);
    const double before = gap_under_weights(h, h->gap);
    if (!solve(g, &best, e) || !head_scope_set_weights(&h->scope, h->w, e)) return false;
    g->st.solves++;
    ascent_publish(g, &(struct ascent){.nll = best.loss,
                                       .nll_fitted = h->fit.loss,
                                       .beta = best.beta,
                                       .integral = g->st.beta_integral,
                                       .before = before,
                                       .after = gap_under_weights(h, h->gap)});
    return true;
}

static enum game_result head_ascend(struct game *g, struct err *e) {
    struct answers answers;
    const enum game_result r = answers_of_both(g, &answers, e);
    if (r != GAME_OK) return r;
    const bool ok = maximise(g, &answers, e);
    answers_free(&answers);
    return ok ? GAME_OK : GAME_FAILED;
}

/* ---- the student's side ---- */

static int head_descents(const struct options *o) { return o->head_solve_every; }

static bool head_values(struct game *g, const struct sequences *s, double *value, struct err *e) {
    if (!measure_answers(g, s, e)) return false;
    head_scope_value(&head_set_of(g)->scope, head_set_of(g)->answer, s->n_seq, value);
    return true;
}

static bool head_descend(struct game *g, const struct exact_descent *d, struct exact_terms *terms, struct err *e) {
    struct trainee *t = d->student;
    return head_scope_descent(&head_set_of(g)->scope, t->model, d->rows, &g->rewards.fitted, d->reward_rows,
                              d->reference, d->reference_rows, d->weight, d->kl, t->space, terms, t->dhidden, t->grads,
                              e);
}

/* ---- evaluation ---- */

static bool head_measure(struct game *g, int first, int n, int k, struct err *e) {
    struct head_set *h = head_set_of(g);
    if (!measure_answers(g, &g->scratch.seqs_reward, e)) return false;
    for (int j = 0; first == 0 && j < h->n_features; j++) h->gap_sum[j] = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < h->n_features; j++) h->gap[j] = 0;
        add_difference(h, i, n + i * k, k, 1, h->gap);
        for (int j = 0; j < h->n_features; j++) h->gap_sum[j] += h->gap[j];
        g->evaluation.gap_worst[first + i] = gap_under_weights(h, h->gap);
        g->evaluation.gap_fitted[first + i] = h->gap[0]; /* the first feature is the fitted reward */
    }
    return true;
}

/* The extremes of the mean gap over the set, and its curve over beta. */
static bool head_measure_set(struct game *g, struct err *e) {
    struct head_set *h = head_set_of(g);
    struct gap_set *s = &g->evaluation.gap_set;
    struct confidence_optimum min = {0}, max = {0};
    double beta[GAP_CURVE];
    for (int j = 0; j < h->n_features; j++) h->gap[j] = h->gap_sum[j] / g->evaluation.n_gap_prompts;
    for (int i = 0; i < GAP_CURVE; i++) beta[i] = gap_curve_beta(i);
    if (!confidence_interval(h->set, h->gap, game_zeta(g), h->w_min, &min, h->w_max, &max, e) ||
        !confidence_curve(h->set, h->gap, beta, GAP_CURVE, s->curve_gap, s->curve_excess, NULL, e))
        return false;
    s->min = min.gap;
    s->max = max.gap;
    s->beta = max.beta;
    s->active = max.loss_active;
    s->kkt = fmax(min.kkt, max.kkt);
    s->duality_gap = fmax(min.duality_gap, max.duality_gap);
    game_metric(g, METRIC_GAP_MAX, s->max);
    game_metric(g, METRIC_GAP_MIN, s->min);
    return true;
}

/* ---- checkpoints: the basis and the weights; features and set are made again when they are needed ---- */

static void head_save_arrays(struct game *g, struct game_arrays *a) {
    const struct head_scope *s = &head_set_of(g)->scope;
    game_arrays_add(a, "head", &(struct st_array){"state", s->state, s->n_state}, 1);
}

static void head_save_state(const struct game *g, cJSON **root) {
    const struct head_set *h = head_set_of(g);
    json_put(root, "head_w", json_reals(h->w, h->n_features));
    json_put(root, "head_gap_sum", json_reals(h->gap_sum, h->n_features));
}

static bool head_restore(struct game *g, const char *folder, const cJSON *root, struct err *e) {
    struct head_set *h = head_set_of(g);
    h->n_pairs = 0;
    return checkpoint_reals(root, "head_w", h->w, h->n_features, e) &&
           checkpoint_reals(root, "head_gap_sum", h->gap_sum, h->n_features, e) &&
           checkpoint_array(folder, "head", "state", h->scope.state, h->scope.n_state, e) &&
           head_scope_attach(&h->scope, g->rewards.fitted.t.model, e);
}

const struct adversary_ops ADVERSARY_HEAD = {.name = "head",
                                             .serves = serves,
                                             .plays = true,
                                             .exact = true,
                                             .open = head_open,
                                             .close = head_close,
                                             .after_fit = head_after_fit,
                                             .set_changed = head_set_changed,
                                             .refresh = head_refresh,
                                             .ascend = head_ascend,
                                             .descents = head_descents,
                                             .values = head_values,
                                             .descend = head_descend,
                                             .measure = head_measure,
                                             .measure_set = head_measure_set,
                                             .save_arrays = head_save_arrays,
                                             .save_state = head_save_state,
                                             .restore = head_restore};
