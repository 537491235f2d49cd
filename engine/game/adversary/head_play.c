/* The steps of scope `head`: ascent to the exact maximum, values, and the gap over the whole set at evaluations. See
 * head_set.h. */
#include <math.h>

#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"

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
    return head_reserve_answers(g->head, s->n_seq, e) &&
           head_scope_features(&g->head->scope, &g->fitted, s, g->head->answer, e);
}

/* ---- ascent ---- */

/* From the last solve on; the first after a fit starts cold. */
static bool solve(struct game *g, struct confidence_optimum *best, struct err *e) {
    struct head_set *h = g->head;
    *best = (struct confidence_optimum){.beta = g->st.solves > 0 ? g->st.beta : 0};
    if (g->o->beta_mode == BETA_AUTO) return confidence_maximise(h->set, h->gap, game_zeta(g), h->w, best, e);
    return confidence_ascend(h->set, h->gap, game_zeta(g), g->o->beta, h->w, best, e);
}

bool head_ascend(struct game *g, const struct teacher_output *const *out, const struct gen_output *y, int n,
                 struct err *e) {
    struct head_set *h = g->head;
    struct sequences *s = &g->seqs_reward;
    struct confidence_optimum best;
    sequences_clear(s);
    for (int i = 0; i < 2 * n; i++) {
        const struct prompt *x = &g->train.prompt[out[i % n]->prompt];
        if (i < n)
            sequences_add(s, x->token, x->n, out[i]->token, out[i]->n, false);
        else
            sequences_add(s, x->token, x->n, y[i - n].token, y[i - n].n, false);
    }
    if (!measure_answers(g, s, e)) return false;
    for (int j = 0; j < h->n_features; j++) h->gap[j] = 0;
    for (int i = 0; i < n; i++) add_difference(h, i, n + i, 1, 1.0 / n, h->gap);
    const double before = gap_under_weights(h, h->gap);
    if (!solve(g, &best, e) || !head_scope_set_weights(&h->scope, h->w, e)) return false;
    g->st.solves++;
    game_publish_ascent(g, &(struct ascent){.nll = best.loss,
                                            .nll_fitted = h->fit.loss,
                                            .beta = best.beta,
                                            .integral = g->st.beta_integral,
                                            .before = before,
                                            .after = gap_under_weights(h, h->gap)});
    return true;
}

bool head_values(struct game *g, const struct sequences *s, double *value, struct err *e) {
    if (!measure_answers(g, s, e)) return false;
    head_scope_value(&g->head->scope, g->head->answer, s->n_seq, value);
    return true;
}

/* ---- evaluation ---- */

bool head_measure_gaps(struct game *g, int first, int n, int k, struct err *e) {
    struct head_set *h = g->head;
    if (!measure_answers(g, &g->seqs_reward, e)) return false;
    for (int j = 0; first == 0 && j < h->n_features; j++) h->gap_sum[j] = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < h->n_features; j++) h->gap[j] = 0;
        add_difference(h, i, n + i * k, k, 1, h->gap);
        for (int j = 0; j < h->n_features; j++) h->gap_sum[j] += h->gap[j];
        g->gap_worst[first + i] = gap_under_weights(h, h->gap);
        g->gap_fitted[first + i] = h->gap[0]; /* the first feature is the fitted reward */
    }
    return true;
}

bool head_measure_set(struct game *g, struct err *e) {
    struct head_set *h = g->head;
    struct gap_set *s = &g->gap_set;
    struct confidence_optimum min = {0}, max = {0};
    double beta[GAP_CURVE];
    for (int j = 0; j < h->n_features; j++) h->gap[j] = h->gap_sum[j] / g->n_gap_prompts;
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
    game_series(g, SERIES_GAP_MAX, s->max);
    game_series(g, SERIES_GAP_MIN, s->min);
    return true;
}
