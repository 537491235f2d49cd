/* The true reward and the confidence set: see head_truth.h.
 *
 * "Is it" has one answer a fit, which depends on how the run's labels fell and on how well the likelihood describes
 * them: an oracle that errs on 5 % of the pairs, whatever the reward's margin, scatters less than the logistic law
 * says, so its truth is in the set nearly always. "How often" asks what the level promises: labels drawn from the true
 * reward by that very law, on the pairs that the game has collected. */
#include "engine/game/adversary/head_truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/adversary/head_set.h"
#include "engine/game/constraint.h"
#include "engine/game/generation.h"
#include "engine/game/tell.h"
#include "engine/math/stats.h"

static int by_hash(const void *a, const void *b) {
    const struct checked_prompt *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void index_answers(struct head_set *h, const struct prompt_set *train) {
    if (h->checked) return;
    h->checked = mem_small(((size_t)train->n + 1) * sizeof *h->checked);
    for (int i = 0; i < train->n; i++)
        if (train->prompt[i].answer)
            h->checked[h->n_checked++] = (struct checked_prompt){train->prompt[i].hash, &train->prompt[i]};
    qsort(h->checked, (size_t)h->n_checked, sizeof *h->checked, by_hash);
}

/* An oracle's labels of the kept pairs: the answer that is right, a tie where both are or neither. Pairs that cannot be
 * checked weigh nothing. Returns how many have a label. */
static int label_by_oracle(struct game *g) {
    struct head_set *h = head_set_of(g);
    int n = 0, labelled = 0;
    index_answers(h, &g->corpus.train);
    for (int i = 0; i < g->corpus.dpref.n; i++) {
        const struct pref_pair *p = &g->corpus.dpref.pair[i];
        if (!pair_trains(&g->sampler, p)) continue;
        const struct checked_prompt key = {p->prompt_hash, NULL},
                                    *x = bsearch(&key, h->checked, (size_t)h->n_checked, sizeof key, by_hash);
        if (x) {
            const bool right0 = game_check(g, p->text0, x->prompt), right1 = game_check(g, p->text1, x->prompt);
            h->label[n] = right0 == right1 ? 0.5 : right0 ? 1.0 : 0.0;
            labelled++;
        } else {
            h->weight[n] = 0;
        }
        n++;
    }
    return labelled;
}

/* ---- redraws ---- */

static void draw_labels(struct game *g, int number, const double *margin, int n) {
    for (int i = 0; i < n; i++) {
        const uint64_t index = (uint64_t)number * (uint64_t)n + (uint64_t)i;
        const double u = rng_uniform((uint64_t)g->o->seed, RNG_COVERAGE, (uint64_t)g->st.tick, index);
        head_set_of(g)->label[i] = u < stats_sigmoid(margin[i]);
        head_set_of(g)->flip[i] = 0; /* drawn by the law of the likelihood: nothing is flipped on top */
    }
}

/* Whether the set of one redraw of the labels of the n kept pairs contains the true reward; false, with e filled, when
 * it has no best fit. */
static bool redraw(struct game *g, int number, const double *margin, int n, bool *inside, struct err *e) {
    struct head_set *h = head_set_of(g);
    struct err no_wilks; /* then the radius is the option's */
    draw_labels(g, number, margin, n);
    if (!head_fit_kept(g, n, e)) return false;
    *inside = confidence_loss(h->set, h->truth, NULL) <= h->fit.loss + head_radius(g, &no_wilks);
    return true;
}

/* Of head.redraws sets of labels drawn from the true reward on the n kept pairs, the share whose set contains it. It
 * measures and decides nothing, so a redraw that cannot be fitted is told and left out. */
static enum game_result redraw_all(struct game *g, int n, struct err *e) {
    const int redraws = (int)g->o->head_redraws;
    struct err why;
    int inside = 0, known = 0;
    double *margin = mem_alloc((size_t)n, sizeof *margin, "margins of the true reward", e);
    if (!margin) return GAME_FAILED;
    confidence_margins(head_set_of(g)->set, head_set_of(g)->truth,
                       margin); /* of the n pairs that the truth was fitted to */
    enum game_result r = GAME_OK;
    for (int i = 0; r == GAME_OK && i < redraws; i++) {
        bool holds = false;
        if (!game_may_go_on(g))
            r = GAME_ABANDONED;
        else if (redraw(g, i, margin, n, &holds, &why))
            known++, inside += holds;
    }
    mem_free(margin);
    if (r != GAME_OK) return r;
    if (known < redraws)
        game_log(g, ALERT_WARNING, "coverage: %d of %d redraws have no best fit and do not count: %s", redraws - known,
                 redraws, why.msg);
    if (known > 0) game_metric(g, METRIC_COVERAGE_REDRAWN, (double)inside / known);
    return GAME_OK;
}

/* ---- steps ---- */

enum game_result head_truth_fit(struct game *g, struct err *e) {
    struct head_set *h = head_set_of(g);
    double *m = g->st.metric;
    h->truth_known = false;
    m[METRIC_COVERAGE] = m[METRIC_COVERAGE_REDRAWN] = m[METRIC_TRUTH_EXCESS] = (double)NAN; /* of earlier fits */
    if (g->o->prompts_checker == CHECKER_NONE) return GAME_OK;
    const int n = head_keep_pairs(g, e);
    if (n < 0) return GAME_FAILED;
    if (label_by_oracle(g) == 0) return GAME_OK;
    if (!head_fit_kept(g, n, e)) {
        err_wrap(e, "true reward");
        return GAME_FAILED;
    }
    memcpy(h->truth, h->w_hat, (size_t)h->n_features * sizeof *h->truth);
    h->truth_known = true;
    return g->o->head_redraws > 0 ? redraw_all(g, n, e) : GAME_OK;
}

void head_truth_seek(struct game *g) {
    if (!head_set_of(g)->truth_known) return;
    const double excess =
        confidence_loss(head_set_of(g)->set, head_set_of(g)->truth, NULL) - head_set_of(g)->fit.loss - game_zeta(g);
    game_metric(g, METRIC_COVERAGE, excess <= 0);
    game_metric(g, METRIC_TRUTH_EXCESS, excess);
}
