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
#include <math.h>

#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"

/* The three models at the rows of the first n sequences. */
struct state_rows {
    struct head_rows student, expert, critic;
};

static struct moment_models at_states(const struct game *g, int n, const float *student_hidden,
                                      struct state_rows *rows) {
    const struct sequences *s = &g->pairs.seqs;
    const struct reward *r = &g->adversary;
    rows->student = sequences_rows_between(s, student_hidden, 0, n);
    rows->expert = sequences_rows_between(s, r->expert_hidden, 0, n);
    rows->critic = sequences_rows_between(s, r->hidden, 0, n);
    return (struct moment_models){.student = g->student.model,
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
    struct reward *r = &g->adversary;
    struct trainee *t = &r->t;
    struct pref_space *p = &g->pairs;
    struct state_rows rows;
    const struct moment_models m = at_states(g, n, student_hidden, &rows);
    const struct batch all = sequences_batch(&p->seqs);
    double value;
    if (n_pairs > 0) {
        if (!reward_values(r, &p->seqs, n, p->value, e)) return false;
        for (int i = n; i < p->seqs.n_seq; i++) p->dvalue[i] = 0;
        game_hold(g, n_pairs, a);
        if (!reward_head_backward(r, &p->seqs, n, p->dvalue, e)) return false;
    }
    for (int i = 0; i < rows.critic.n; i++) t->row_value[i] = -r->scale / (float)n;
    if (!moment_critic_backward(&m, t->row_value, NULL, t->space, &value, t->dhidden, t->grads, e)) return false;
    a->before = -value;
    return model_backward(t->model, t->acts, &all, t->dhidden, t->grads, e);
}

/* G after the step; student and expert have not moved. */
static bool measure_gap(struct game *g, int n, const float *student_hidden, double *gap, struct err *e) {
    struct reward *r = &g->adversary;
    struct trainee *t = &r->t;
    struct batch states = sequences_batch(&g->pairs.seqs);
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
    struct reward *r = &g->adversary;
    const struct sequences *s = &g->pairs.seqs;
    struct batch states = sequences_batch(s);
    const float *hidden;
    states.n_seq = n;
    if (!reward_forward(r, s, true, e) ||
        !model_forward(g->student.model, g->student.acts, &states, false, &hidden, e) ||
        !accumulate(g, n, n_pairs, hidden, a, e) || !reward_step(r, g->o->game_reward_lr, NULL, e) ||
        !measure_gap(g, n, hidden, &a->after, e))
        return false;
    g->st.tokens += 2.0 * s->n_tokens + 2.0 * s->start[n];
    game_publish_ascent(g, a);
    return true;
}

enum game_result white_box_ascent(struct game *g, struct err *e) {
    const int n = g->o->game_reward_batch;
    const enum game_result r = game_draw_states(g, &g->pairs.seqs, n, 1.0 - g->o->game_off_policy, e);
    if (r != GAME_OK) return r;
    struct ascent a = {0};
    int n_pairs = 0;
    if (algorithm_has_fitted(g->o)) {
        n_pairs = game_draw_pairs(g, g->o->reward_batch);
        if (!game_measure_fitted(g, n_pairs, &a, e)) return GAME_FAILED;
        pref_space_reserve(&g->pairs, n_pairs, n);
        pref_sequences(&g->pairs.seqs, g->pairs.pair, n_pairs, false, g->pairs.first, g->pairs.second);
    }
    return ascend(g, n, n_pairs, &a, e) ? GAME_OK : GAME_FAILED;
}
