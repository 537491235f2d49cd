/* Student descent (step 4b): one training step on fresh samples of the student.
 *
 *   exact    on the states of sampled responses, maximise sum_a pi(a|s) r(s,a) over the whole vocabulary (level token
 *            only). White-box the states are those of the ascent, a share of game.off_policy from teacher outputs;
 *            there r = A_Q, whose mean over the expert cancels from the gradient, so that the expert is not asked.
 *            game.to_go adds the policy gradient on what follows each token
 *   sampled  clipped policy gradient, leave-one-out advantages over the K samples of a prompt, no division by their
 *            deviation; white-box on A_Q summed to go, at the student's own states only
 * Both may add alpha KL to the reference and gamma cross-entropy on teacher outputs. `exact` takes samples of any
 * temperature as its states; the ratios of `sampled` are right only for samples of the policy itself, at temperature 1
 * (options_check.c). */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/generation.h"
#include "engine/game/phase/advantages.h"
#include "engine/game/phase/phases.h"
#include "engine/game/student_step.h"
#include "engine/game/tell.h"

bool phase_descent_runs(const struct options *o, int64_t iteration) {
    (void)iteration;
    return algorithm_plays(o);
}

int64_t phase_descent_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return g->o->game_rounds * phase_at_least_1(g->o->game_policy_steps);
}

double phase_descent_work(const struct game *g, const struct costs *c) {
    const struct options *o = g->o;
    const bool exact = game_descends_exactly(g);
    const double n = (double)o->game_policy_batch * (exact ? 1 : o->samples_per_prompt),
                 epochs = exact ? 1 : o->game_policy_epochs;
    const double beside = (o->game_kl > 0 ? c->read : 0) + (o->game_sft > 0 ? TRAIN * c->read : 0);
    return n * (c->write + c->read_reward + (exact ? 0 : c->read_expert) + epochs * TRAIN * c->read + beside);
}

/* Packed (prompt, sample) sequences of n prompts with k samples each. */
static void pack(struct sequences *s, const struct prompt *const *prompt, const struct gen_output *y, int n, int k,
                 bool last) {
    sequences_clear(s);
    for (int i = 0; i < n * k; i++) sequences_add(s, prompt[i / k]->token, prompt[i / k]->n, y[i].token, y[i].n, last);
}

/* to_go: weights of -log pi of the sampled tokens that are minimised along, from the adversary's scores of this very
 * batch; or NULL. */
static bool exact_gradient(struct game *g, int n_samples, const float *to_go, struct err *e) {
    struct trainee *t = &g->players.student;
    struct sequences *s = &g->scratch.seqs;
    struct reward *r = g->adversary.reward;
    const struct batch b = sequences_batch(s);
    const float *hs, *hr = to_go ? r->hidden : NULL; /* of the scoring */
    if (!trainee_prepare(t, s, e) || !model_forward(t->model, t->acts, &b, true, &hs, e) ||
        (!hr && !model_forward(r->t.model, r->t.acts, &b, false, &hr, e)))
        return false;
    const struct head_rows rs = sequences_rows(s, hs), rr = sequences_rows(s, hr);
    struct head_rows rf = rs;
    const bool kl = g->o->game_kl > 0;
    if (kl && !game_reference_rows(g, s, &rf, e)) return false;
    for (int i = 0; i < rs.n; i++) t->row_value[i] = r->scale / (float)n_samples;
    struct exact_terms terms;
    const struct exact_descent exact = {.student = t,
                                        .rows = &rs,
                                        .reward_rows = &rr,
                                        .reference = kl ? g->players.reference : NULL,
                                        .reference_rows = kl ? &rf : NULL,
                                        .weight = t->row_value,
                                        .kl = (float)g->o->game_kl};
    const bool ok = g->adversary.ops->descend(g, &exact, &terms, e);
    if (!ok || (to_go && !head_nll_backward(t->model, &rs, to_go, t->space, NULL, NULL, t->dhidden, t->grads, e)) ||
        !model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e))
        return false;
    const double rows = (double)r->scale * (double)rs.n / (double)n_samples; /* sum of the weights */
    /* with b = pi_E it would cost the expert's forward pass */
    if (!r->expert) game_metric(g, METRIC_STUDENT_REWARD, terms.value);
    game_metric(g, METRIC_ENTROPY, terms.entropy / rows);
    if (kl) game_metric(g, METRIC_KL, terms.kl / rows);
    g->st.tokens += (kl ? 3.0 : 2.0) * s->n_tokens;
    return true;
}

/* d objective / d log pi of every row, given its advantage: the clipped ratio's gradient, minus alpha times that of
 * k3. */
static void sampled_coefficients(struct game *g, const struct gen_output *y, const double *advantage,
                                 const float *log_prob, const float *ref, float *weight, int n_samples) {
    const double clip = g->o->game_clip, alpha = g->o->game_kl;
    const double unit = 1.0 / ((double)n_samples * (double)g->o->max_new_tokens);
    for (int i = 0, h = 0; i < n_samples; i++)
        for (int j = 0; j < y[i].n; j++, h++) {
            const double d = fmax(-20, fmin(20, (double)log_prob[h] - (double)y[i].log_prob[j]));
            const double rho = exp(d), a = advantage[h];
            const bool clipped = (a > 0 && rho > 1 + clip) || (a < 0 && rho < 1 - clip);
            double grad = clipped ? 0.0 : rho * a;
            if (ref) grad += alpha * (exp(fmin(20, (double)ref[h] - (double)log_prob[h])) - 1.0);
            weight[h] = (float)(unit * grad); /* the head minimises sum weight (-log pi) */
        }
}

static bool sampled_gradient(struct game *g, const struct gen_output *y, const double *advantage, int n_samples,
                             struct err *e) {
    struct trainee *t = &g->players.student;
    struct sequences *s = &g->scratch.seqs;
    const struct batch b = sequences_batch(s);
    const float *hidden;
    if (!game_reserve_rows(g, s->n_rows, e)) return false;
    float *log_prob = g->scratch.row_policy, *ref = g->scratch.row_ref;
    const bool kl = g->o->game_kl > 0;
    if (kl) {
        struct head_rows rf;
        if (!game_reference_rows(g, s, &rf, e) || !head_log_prob(g->players.reference, &rf, t->space, ref, NULL, e))
            return false;
    }
    if (!trainee_prepare(t, s, e) || !model_forward(t->model, t->acts, &b, true, &hidden, e)) return false;
    const struct head_rows rows = sequences_rows(s, hidden);
    if (!head_log_prob(t->model, &rows, t->space, log_prob, NULL, e)) return false;
    sampled_coefficients(g, y, advantage, log_prob, kl ? ref : NULL, t->row_value, n_samples);
    double loss;
    g->st.tokens += (double)s->n_tokens;
    return head_nll_backward(t->model, &rows, t->row_value, t->space, &loss, NULL, t->dhidden, t->grads, e) &&
           model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e);
}

/* One step on the gradient accumulated so far, with cross-entropy on n teacher outputs where it is asked for. */
static bool finish_step(struct game *g, int n, struct err *e) {
    return game_add_cross_entropy(g, n, e) && game_student_step(g, g->o->game_policy_lr, g->st.policy_step, e);
}

static enum game_result descend_exact(struct game *g, struct err *e) {
    const int n = g->o->game_policy_batch;
    const enum game_result r =
        game_draw_states(g, &g->scratch.seqs, n, g->adversary.reward->expert ? 1.0 - g->o->game_off_policy : 1.0, e);
    if (r != GAME_OK) return r;
    return exact_gradient(g, n, NULL, e) && finish_step(g, n, e) ? GAME_OK : GAME_FAILED;
}

/* The exact gradient knows what an action is worth at its state, not where it leads: game.to_go times the policy
 * gradient on the rewards after each token adds that. The samples are the policy's own and used once, so that every
 * importance ratio is 1 and nothing is clipped. */
static bool train_exact_to_go(struct game *g, const struct prompt *const *prompt, const struct gen_output *y, int n,
                              int k, struct err *e) {
    const int n_samples = n * k;
    pack(&g->scratch.seqs, prompt, y, n, k, false);
    double *value = mem_small((size_t)n_samples * sizeof *value),
           *advantage = mem_small((size_t)g->scratch.seqs.n_rows * sizeof *advantage);
    bool ok =
        game_reserve_rows(g, g->scratch.seqs.n_rows, e) && g->adversary.ops->values(g, &g->scratch.seqs, value, e);
    if (ok) advantages_to_go(g, &g->scratch.seqs, y, n, k, true, advantage);
    for (int h = 0; ok && h < g->scratch.seqs.n_rows; h++)
        g->scratch.row_policy[h] = (float)(g->o->game_to_go * advantage[h] / n_samples);
    ok = ok && exact_gradient(g, n_samples, g->scratch.row_policy, e) && finish_step(g, n_samples, e);
    free(advantage);
    free(value);
    return ok;
}

static bool train_on_samples(struct game *g, const struct prompt *const *prompt, const struct gen_output *y, int n,
                             int k, struct err *e) {
    const int n_samples = n * k;
    pack(&g->scratch.seqs, prompt, y, n, k, false);
    pack(&g->scratch.seqs_reward, prompt, y, n, k, g->adversary.reward->level == REWARD_SEQUENCE);
    double *r = mem_small((size_t)n_samples * sizeof *r),
           *advantage = mem_small((size_t)g->scratch.seqs.n_rows * sizeof *advantage), mean = 0;
    bool ok = g->adversary.ops->values(g, &g->scratch.seqs_reward, r, e);
    for (int i = 0; ok && i < n_samples; i++) mean += r[i] / n_samples;
    if (ok && g->adversary.reward->expert)
        advantages_to_go(g, &g->scratch.seqs_reward, y, n, k, false, advantage);
    else if (ok)
        advantages_whole(g, y, n, k, r, advantage);
    for (int epoch = 0; ok && epoch < g->o->game_policy_epochs; epoch++)
        ok = sampled_gradient(g, y, advantage, n_samples, e) && finish_step(g, n, e);
    if (ok) game_metric(g, METRIC_STUDENT_REWARD, mean);
    free(advantage);
    free(r);
    return ok;
}

typedef bool train_fn(struct game *g, const struct prompt *const *prompt, const struct gen_output *y, int n, int k,
                      struct err *e);

/* Train on samples_per_prompt fresh samples of each of n fresh prompts. */
static enum game_result descend_in_groups(struct game *g, int n, train_fn *train, struct err *e) {
    const int k = g->o->samples_per_prompt;
    const struct prompt **prompt = mem_small((size_t)n * sizeof *prompt);
    struct gen_output *y = mem_small((size_t)(n * k) * sizeof *y);
    game_fresh_prompts(g, prompt, n);
    enum game_result r = game_generate(g, prompt, n, k, 0, g->o->temperature, y, e);
    if (r == GAME_OK) {
        if (!train(g, prompt, y, n, k, e)) r = GAME_FAILED;
        g->st.sampled += n * k;
        for (int i = 0; i < n * k; i++) g->st.truncated += y[i].truncated;
        gen_output_free(y, n * k);
    }
    free(prompt);
    free(y);
    return r;
}

static enum game_result descend_sampled(struct game *g, struct err *e) {
    return descend_in_groups(g, g->o->game_policy_batch, train_on_samples, e);
}

/* As many samples as without game.to_go, in whole groups. */
static enum game_result descend_exact_to_go(struct game *g, struct err *e) {
    const int n = g->o->game_policy_batch / g->o->samples_per_prompt;
    return descend_in_groups(g, n > 0 ? n : 1, train_exact_to_go, e);
}

enum game_result phase_descent_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    *finished = true;
    if (g->o->game_policy_steps == 0) return GAME_OK;
    const enum game_result r = !game_descends_exactly(g) ? descend_sampled(g, e)
                               : g->o->game_to_go > 0    ? descend_exact_to_go(g, e)
                                                         : descend_exact(g, e);
    if (r != GAME_OK) return r;
    watch_figure(&g->watch, STEP_GRADIENT_STUDENT, g->players.student.opt.norm);
    st->policy_step++;
    st->round_step++;
    *finished = st->round_step >= g->o->game_policy_steps || adversary_wants_a_turn(g, st->round_step);
    return GAME_OK;
}
