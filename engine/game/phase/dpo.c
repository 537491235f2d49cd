/* Direct preference optimisation (arXiv 2305.18290) on the pairs of D_pref: one training step of the student on
 *
 *     l = -[o~ log s(b m) + (1-o~) log s(-b m)],  m = log pi(y0|x)/pi_0(y0|x) - log pi(y1|x)/pi_0(y1|x),  b = dpo.beta
 *
 * which is the preference likelihood of the game (pref_fit.h) with the implicit reward b log pi/pi_0 in the place of r:
 * labels, flip rates, weights and margins count as they do there, a person's too. pi_0 is the reference: the student at
 * the start.
 *
 * The loss is content when both answers lose probability, the worse one more. With game.sft, cross-entropy on as many
 * teacher outputs holds those up (arXiv 2404.19733, which takes the preferred answers). */
#include "engine/game/algorithm.h"
#include "engine/game/pairs.h"
#include "engine/game/phase/phases.h"
#include "engine/game/student_step.h"
#include "engine/game/tell.h"

bool phase_dpo_runs(const struct options *o, int64_t iteration) {
    (void)iteration;
    return algorithm_info(o)->trains == PHASE_DPO;
}

int64_t phase_dpo_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return phase_at_least_1(game_student_steps(g));
}

double phase_dpo_work(const struct game *g, const struct costs *c) {
    return 2.0 * g->o->reward_batch * (1 + TRAIN) * c->read; /* and the reference reads */
}

/* Sum over the answer of log pi - log pi_0 for every sequence; keeps the student's forward pass for backward. */
static bool log_ratios(struct game *g, const struct sequences *s, double *ratio, struct head_rows *rows,
                       struct err *e) {
    struct trainee *t = &g->players.student;
    const struct batch b = sequences_batch(s);
    struct head_rows ref;
    const float *hidden;
    if (!game_reserve_rows(g, s->n_rows, e) || !game_reference_rows(g, s, &ref, e) ||
        !head_log_prob(g->players.reference, &ref, t->space, g->scratch.row_ref, NULL, e) ||
        !trainee_prepare(t, s, e) || !model_forward(t->model, t->acts, &b, true, &hidden, e))
        return false;
    *rows = sequences_rows(s, hidden);
    if (!head_log_prob(t->model, rows, t->space, g->scratch.row_policy, NULL, e)) return false;
    for (int i = 0; i < s->n_seq; i++) {
        ratio[i] = 0;
        for (int h = s->row_start[i]; h < s->row_start[i + 1]; h++)
            ratio[i] += (double)g->scratch.row_policy[h] - (double)g->scratch.row_ref[h];
    }
    return true;
}

/* dloss/dratio of every sequence from the ratios; returns the loss, and in *margin the mean of m in the direction of
 * the labels. */
static double pair_gradient(struct pref_space *p, int n, double beta, double *margin) {
    double weight = 0, loss = 0;
    *margin = 0;
    for (int i = 0; i < p->seqs.n_seq; i++) p->dvalue[i] = 0;
    for (int i = 0; i < n; i++) weight += p->pair[i]->weight;
    for (int i = 0; i < n; i++) {
        const double w = p->pair[i]->weight / weight, m = p->value[p->first[i]] - p->value[p->second[i]];
        double dl;
        loss += w * pref_pair_loss(p->pair[i], beta * m, p->margin, &dl);
        *margin += w * (2.0 * p->pair[i]->o - 1.0) * m;
        p->dvalue[p->first[i]] += w * beta * dl;
        p->dvalue[p->second[i]] -= w * beta * dl;
    }
    return loss;
}

static bool train(struct game *g, int n, struct err *e) {
    struct pref_space *p = &g->scratch.pairs;
    struct trainee *t = &g->players.student;
    struct head_rows rows;
    double margin;
    sequences_clear(&p->seqs);
    pref_sequences(&p->seqs, p->pair, n, false, p->first, p->second);
    if (!log_ratios(g, &p->seqs, p->value, &rows, e)) return false;
    const double loss = pair_gradient(p, n, g->o->dpo_beta, &margin);
    for (int i = 0; i < p->seqs.n_seq; i++) /* the head minimises sum weight (-log pi) */
        for (int h = p->seqs.row_start[i]; h < p->seqs.row_start[i + 1]; h++) t->row_value[h] = (float)-p->dvalue[i];
    const struct batch b = sequences_batch(&p->seqs);
    if (!head_nll_backward(t->model, &rows, t->row_value, t->space, NULL, NULL, t->dhidden, t->grads, e) ||
        !model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e))
        return false;
    g->st.tokens += 2.0 * p->seqs.n_tokens;
    game_metric(g, METRIC_DPO_LOSS, loss);
    game_metric(g, METRIC_DPO_MARGIN, margin);
    return true;
}

enum game_result phase_dpo_step(struct game *g, bool *finished, struct err *e) {
    const int64_t step = g->st.step, steps = game_student_steps(g);
    *finished = step + 1 >= steps;
    if (step >= steps) return GAME_OK;
    const enum game_result r = game_await_pairs(g, e);
    if (r != GAME_OK) return r;
    const int n = game_draw_pairs(g, g->o->reward_batch);
    if (!train(g, n, e) || !game_add_cross_entropy(g, n, e) || !game_student_step(g, g->o->dpo_lr, step, e))
        return GAME_FAILED;
    watch_figure(&g->watch, STEP_GRADIENT_STUDENT, g->players.student.opt.norm);
    return GAME_OK;
}
