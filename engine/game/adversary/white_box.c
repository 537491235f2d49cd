/* White-box ascent (algorithms.md section 6): one step of the critic Q, the adversary, up
 *
 *     G - beta (L - L_hat - zeta),   G = sum over the states s of (V_E - V_pi)(s) = sum_a (pi_E - pi)(a|s) Q(s,a)
 *
 * which is the student's performance gap where the states are those it visits (the performance difference identity). A
 * batch holds states of student samples, with weight 1 - mu, and of teacher outputs (the off-policy twin), with weight
 * mu = game.off_policy: by their shares of the answers, as game_draw_states rounds them. G carries the reward's scale,
 * so that beta means what it means in the black-box game.
 *
 * The pairs of L ride in the same batch, behind the states: they are scored by the sum of A_Q, the states by their
 * moments, and one backward pass serves both. Without a fitted reward (algorithm moment) there are none, and the bound
 * of Q alone keeps the game finite.
 */
#include "engine/game/adversary/white_box.h"

#include <math.h>

#include "engine/game/adversary/ascent.h"
#include "engine/game/adversary/own_model.h"
#include "engine/game/algorithm.h"
#include "engine/game/pairs.h"
#include "engine/game/student_step.h"

static bool serves(const struct options *o) { return algorithm_white_box_reward(o) && algorithm_info(o)->ascent; }

/* The three models at the rows of the first n sequences. */
struct state_rows {
    struct head_rows student, expert, critic;
};

static struct moment_models at_states(const struct game *g, int n, const float *student_hidden,
                                      struct state_rows *rows) {
    const struct sequences *s = &g->scratch.pairs.seqs;
    const struct reward *r = g->adversary.reward;
    rows->student = sequences_rows_between(s, student_hidden, 0, n);
    rows->expert = sequences_rows_between(s, r->expert_hidden, 0, n);
    rows->critic = sequences_rows_between(s, r->hidden, 0, n);
    return (struct moment_models){.student = g->players.student.model,
                                  .expert = r->expert,
                                  .critic = r->t.model,
                                  .student_rows = &rows->student,
                                  .expert_rows = &rows->expert,
                                  .critic_rows = &rows->critic,
                                  .bound = r->bound};
}

/* Gradient of -G + beta L; returns false on errors; a gets what it measures before the step. */
static bool accumulate(struct game *g, int n, int n_pairs, const float *student_hidden, struct ascent *a,
                       struct err *e) {
    struct reward *r = g->adversary.reward;
    struct trainee *t = &r->t;
    struct pref_space *p = &g->scratch.pairs;
    struct state_rows rows;
    const struct moment_models m = at_states(g, n, student_hidden, &rows);
    const struct batch all = sequences_batch(&p->seqs);
    double value;
    if (n_pairs > 0) {
        if (!reward_values(r, &p->seqs, n, p->value, e)) return false;
        for (int i = n; i < p->seqs.n_seq; i++) p->dvalue[i] = 0;
        ascent_hold(g, n_pairs, a);
        if (!reward_head_backward(r, &p->seqs, n, p->dvalue, e)) return false;
    }
    for (int i = 0; i < rows.critic.n; i++) t->row_value[i] = -r->scale / (float)n;
    if (!moment_critic_backward(&m, t->row_value, NULL, t->space, &value, t->dhidden, t->grads, e)) return false;
    a->before = -value;
    return model_backward(t->model, t->acts, &all, t->dhidden, t->grads, e);
}

/* G after the step; student and expert have not moved. */
static bool measure_gap(struct game *g, int n, const float *student_hidden, double *gap, struct err *e) {
    struct reward *r = g->adversary.reward;
    struct trainee *t = &r->t;
    struct batch states = sequences_batch(&g->scratch.pairs.seqs);
    states.n_seq = n;
    if (!model_forward(t->model, t->acts, &states, false, &r->hidden, e)) return false;
    struct state_rows rows;
    const struct moment_models m = at_states(g, n, student_hidden, &rows);
    const struct moment_out out = {.moment = t->row_value};
    if (!moment_measure(&m, t->space, &out, e)) return false;
    *gap = 0;
    for (int i = 0; i < rows.critic.n; i++) *gap += (double)t->row_value[i] * (double)r->scale / n;
    return true;
}

static bool ascend(struct game *g, int n, int n_pairs, struct ascent *a, struct err *e) {
    struct reward *r = g->adversary.reward;
    const struct sequences *s = &g->scratch.pairs.seqs;
    struct batch states = sequences_batch(s);
    const float *hidden;
    states.n_seq = n;
    if (!reward_forward(r, s, true, e) ||
        !model_forward(g->players.student.model, g->players.student.acts, &states, false, &hidden, e) ||
        !accumulate(g, n, n_pairs, hidden, a, e) || !reward_step(r, g->o->game_reward_lr, NULL, e) ||
        !measure_gap(g, n, hidden, &a->after, e))
        return false;
    g->st.tokens += 2.0 * s->n_tokens + 2.0 * s->start[n];
    ascent_publish(g, a);
    return true;
}

static enum game_result white_box_ascend(struct game *g, struct err *e) {
    const int n = g->o->game_reward_batch;
    const enum game_result r = game_draw_states(g, &g->scratch.pairs.seqs, n, 1.0 - g->o->game_off_policy, e);
    if (r != GAME_OK) return r;
    struct ascent a = {0};
    int n_pairs = 0;
    if (algorithm_has_fitted(g->o)) {
        n_pairs = game_draw_pairs(g, g->o->reward_batch);
        if (!ascent_measure_fitted(g, n_pairs, &a, e)) return GAME_FAILED;
        pref_space_reserve(&g->scratch.pairs, n_pairs, n);
        pref_sequences(&g->scratch.pairs.seqs, g->scratch.pairs.pair, n_pairs, false, g->scratch.pairs.first,
                       g->scratch.pairs.second);
    }
    return ascend(g, n, n_pairs, &a, e) ? GAME_OK : GAME_FAILED;
}

/* And how large A_Q is on the answers of both players: a critic that grows without bound is unstable. */
static bool white_box_measure(struct game *g, int first, int n, int k, struct err *e) {
    const struct reward *r = g->adversary.reward;
    const int n_rows = g->scratch.seqs_reward.n_rows;
    if (!own_model_measure(g, first, n, k, e)) return false; /* the critic's own rows are as its scoring left them */
    for (int h = 0; h < n_rows; h++) g->st.sum_q += (double)r->t.row_value[h] * (double)r->t.row_value[h];
    g->st.sum_rows += n_rows;
    return true;
}

const struct adversary_ops ADVERSARY_WHITE_BOX = {
    OWN_MODEL_OPS, .name = "white-box",        .serves = serves,
    .plays = true, .ascend = white_box_ascend, .measure = white_box_measure};
