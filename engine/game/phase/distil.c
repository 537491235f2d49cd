/* Distillation on two distributions (algorithms.md section 9: fkl, rkl, jsd, skew_kl, tv): one training step on the
 * mean divergence per token of the student's next-token distribution from the teacher's, both at temperature 1, over
 * the states of a mini-batch.
 *
 * States are those of teacher outputs and of fresh student samples, mixed by distil.on_policy; the gradient goes
 * through the student's distribution at a state, never through which states its samples visit (as in GKD, arXiv
 * 2306.13649). Teacher outputs that were cut count too: every state of theirs has a full distribution to match. */
#include "engine/game/algorithm.h"
#include "engine/game/phase/phases.h"
#include "engine/game/student_step.h"
#include "engine/game/tell.h"

bool phase_distil_runs(const struct options *o, int64_t iteration) {
    (void)iteration;
    return algorithm_info(o)->trains == PHASE_DISTIL;
}

int64_t phase_distil_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return phase_at_least_1(game_student_steps(g));
}

double phase_distil_work(const struct game *g, const struct costs *c) {
    return g->o->game_policy_batch * (c->write + TRAIN * c->read + c->read_expert);
}

static double own_or(double option, double own) { return option < 0 ? own : option; }

static bool gradient(struct game *g, double *loss, struct err *e) {
    const struct algorithm_info *a = algorithm_info(g->o);
    struct trainee *t = &g->players.student;
    const struct sequences *s = &g->scratch.seqs;
    const struct batch b = sequences_batch(s);
    const float *hp, *hq;
    if (!trainee_prepare(t, s, e) || !model_forward(g->players.expert, g->players.expert_acts, &b, false, &hp, e) ||
        !model_forward(t->model, t->acts, &b, true, &hq, e))
        return false;
    const struct head_rows rp = sequences_rows(s, hp), rq = sequences_rows(s, hq);
    const struct divergence_pair pair = {g->players.expert, t->model, &rp, &rq};
    for (int i = 0; i < rq.n; i++) t->row_value[i] = 1.0f / (float)rq.n;
    g->st.tokens += 2.0 * s->n_tokens;
    return divergence_backward(&pair, a->divergence, (float)own_or(g->o->distil_coef, a->coef), t->row_value, t->space,
                               loss, NULL, t->dhidden, t->grads, e) &&
           model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e);
}

enum game_result phase_distil_step(struct game *g, bool *finished, struct err *e) {
    const int64_t step = g->st.step, steps = game_student_steps(g);
    *finished = step + 1 >= steps;
    if (step >= steps) return GAME_OK;
    const double on_policy = own_or(g->o->distil_on_policy, algorithm_info(g->o)->on_policy);
    const enum game_result r = game_draw_states(g, &g->scratch.seqs, g->o->game_policy_batch, on_policy, e);
    if (r != GAME_OK) return r;
    double loss;
    if (!gradient(g, &loss, e) || !game_student_step(g, g->o->game_policy_lr, step, e)) return GAME_FAILED;
    watch_figure(&g->watch, STEP_GRADIENT_STUDENT, g->players.student.opt.norm);
    game_metric(g, METRIC_DISTIL_LOSS, loss);
    return GAME_OK;
}
