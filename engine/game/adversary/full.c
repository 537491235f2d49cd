/* Gradient steps of a whole model: see full.h.
 *
 * Ascent maximises G - beta (L - L_hat - zeta) over all parameters of the adversary. G's teacher and student answers
 * and the pairs of L are one packed batch: one forward and one backward pass. G is measured before the step (the trough
 * that the last descent left) and after it (the peak), which is the saw-tooth of the dashboard. */
#include "engine/game/adversary/full.h"

#include "engine/game/adversary/ascent.h"
#include "engine/game/adversary/own_model.h"
#include "engine/game/algorithm.h"
#include "engine/game/pairs.h"

static bool serves(const struct options *o) { return algorithm_has_adversary(o) && algorithm_info(o)->ascent; }

/* dvalue of the minimised objective -G + beta L, and G before the step. */
static void ascent_gradient(struct game *g, int n, int n_pairs, struct ascent *a) {
    struct pref_space *p = &g->scratch.pairs;
    a->before = 0;
    for (int i = 0; i < p->seqs.n_seq; i++) p->dvalue[i] = 0;
    for (int i = 0; i < n; i++) {
        a->before += (p->value[i] - p->value[n + i]) / n;
        p->dvalue[i] = -1.0 / n;
        p->dvalue[n + i] = 1.0 / n;
    }
    ascent_hold(g, n_pairs, a);
}

static bool ascend(struct game *g, int n, int n_pairs, struct ascent *a, struct err *e) {
    struct pref_space *p = &g->scratch.pairs;
    double norm;
    if (!reward_score(g->adversary.reward, &p->seqs, true, p->value, e)) return false;
    ascent_gradient(g, n, n_pairs, a);
    if (!reward_backward(g->adversary.reward, &p->seqs, p->dvalue, e) ||
        !reward_step(g->adversary.reward, g->o->game_reward_lr, &norm, e))
        return false;
    const struct sequences answers = sequences_first(&p->seqs, 2 * n);
    if (!reward_score(g->adversary.reward, &answers, false, p->value, e)) return false;
    a->after = 0;
    for (int i = 0; i < n; i++) a->after += (p->value[i] - p->value[n + i]) / n;
    g->st.tokens += (double)p->seqs.n_tokens + answers.n_tokens;
    ascent_publish(g, a);
    return true;
}

/* A gradient step on the answers of both sides. */
static bool step_up(struct game *g, const struct answers *answers, struct err *e) {
    struct ascent a;
    struct pref_space *p = &g->scratch.pairs;
    const bool last = g->adversary.reward->level == REWARD_SEQUENCE;
    const int n_pairs = game_draw_pairs(g, g->o->reward_batch);
    if (!ascent_measure_fitted(g, n_pairs, &a, e)) return false;
    pref_space_reserve(p, n_pairs, 2 * answers->n);
    sequences_clear(&p->seqs);
    answers_pack(g, answers, &p->seqs, last);
    pref_sequences(&p->seqs, p->pair, n_pairs, last, p->first, p->second);
    return ascend(g, answers->n, n_pairs, &a, e);
}

static enum game_result full_ascend(struct game *g, struct err *e) {
    struct answers answers;
    const enum game_result r = answers_of_both(g, &answers, e);
    if (r != GAME_OK) return r;
    const bool ok = step_up(g, &answers, e);
    answers_free(&answers);
    return ok ? GAME_OK : GAME_FAILED;
}

const struct adversary_ops ADVERSARY_FULL = {OWN_MODEL_OPS, .name = "full",        .serves = serves,
                                             .plays = true, .ascend = full_ascend, .measure = own_model_measure};
