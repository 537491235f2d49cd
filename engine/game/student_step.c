/* States, schedule and optimiser step of the student: see student_step.h. */
#include "engine/game/student_step.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/generation.h"

int game_draw_outputs(const struct game *g, bool whole_only, const struct teacher_output **out, int n) {
    int have = 0;
    for (uint64_t draw = 0; have < n && g->corpus.outputs.n > 0 && draw < 64 * (uint64_t)n; draw++) {
        const uint64_t at =
            rng_below((uint64_t)g->corpus.outputs.n, (uint64_t)g->o->seed, RNG_SHUFFLE, (uint64_t)g->st.tick, draw);
        const struct teacher_output *y = &g->corpus.outputs.output[at];
        if (corpus_output_trains(&g->corpus, y) && !(whole_only && y->truncated)) out[have++] = y;
    }
    return have;
}

void game_fresh_prompts(const struct game *g, const struct prompt **prompt, int n) {
    for (int i = 0; i < n; i++)
        prompt[i] =
            &g->corpus.train
                 .prompt[g->corpus.trainable[rng_below((uint64_t)g->corpus.n_trainable, (uint64_t)g->o->seed,
                                                       RNG_PROMPTS, (uint64_t)g->st.tick + (1ull << 41), (uint64_t)i)]];
}

/* ---- states ---- */

static enum game_result add_samples(struct game *g, struct sequences *s, int n, struct err *e) {
    const struct prompt **prompt = mem_small((size_t)n * sizeof *prompt);
    struct gen_output *y = mem_small((size_t)n * sizeof *y);
    game_fresh_prompts(g, prompt, n);
    const enum game_result r = game_generate(g, prompt, n, 1, 0, g->o->temperature, y, e);
    if (r == GAME_OK) {
        for (int i = 0; i < n; i++) {
            sequences_add(s, prompt[i]->token, prompt[i]->n, y[i].token, y[i].n, false);
            g->st.sampled++;
            g->st.truncated += y[i].truncated;
        }
        gen_output_free(y, n);
    }
    free(prompt);
    free(y);
    return r;
}

static bool add_outputs(struct game *g, struct sequences *s, int n, struct err *e) {
    const struct teacher_output **out = mem_small((size_t)n * sizeof *out);
    const int found = game_draw_outputs(g, false, out, n);
    for (int i = 0; i < found; i++) {
        const struct prompt *x = corpus_output_prompt(&g->corpus, out[i]);
        sequences_add(s, x->token, x->n, out[i]->token, out[i]->n, false);
    }
    free(out);
    return found == n || err_set(e, "no teacher output can be trained on: all belong to held-out prompts");
}

enum game_result game_draw_states(struct game *g, struct sequences *s, int n, double on_policy, struct err *e) {
    const double u = rng_uniform((uint64_t)g->o->seed, RNG_PROMPTS, (uint64_t)g->st.tick + (1ull << 42), 0);
    const int n_student = (int)fmin(n, floor(on_policy * n + u));
    sequences_clear(s);
    const enum game_result r = n_student > 0 ? add_samples(g, s, n_student, e) : GAME_OK;
    if (r != GAME_OK) return r;
    return n_student == n || add_outputs(g, s, n - n_student, e) ? GAME_OK : GAME_FAILED;
}

/* ---- scratch, reference, step ---- */

bool game_descends_exactly(const struct game *g) {
    return g->o->game_descent == DESCENT_EXACT && g->adversary.reward->level == REWARD_TOKEN;
}

bool game_reserve_rows(struct game *g, int n, struct err *e) {
    if (n <= g->scratch.cap_row) return true;
    mem_free(g->scratch.row_policy);
    mem_free(g->scratch.row_ref);
    g->scratch.row_ref = NULL;
    g->scratch.cap_row = 0;
    g->scratch.row_policy = mem_alloc((size_t)n * 2, sizeof *g->scratch.row_policy, "log-probabilities", e);
    g->scratch.row_ref = g->scratch.row_policy
                             ? mem_alloc((size_t)n * 2, sizeof *g->scratch.row_ref, "reference log-probabilities", e)
                             : NULL;
    if (!g->scratch.row_ref) return false;
    g->scratch.cap_row = n * 2;
    return true;
}

bool game_reference_rows(struct game *g, const struct sequences *s, struct head_rows *rows, struct err *e) {
    const struct batch b = sequences_batch(s);
    const float *hidden;
    if (!model_forward(g->players.reference, g->players.ref_acts, &b, false, &hidden, e)) return false;
    *rows = sequences_rows(s, hidden);
    return true;
}

int64_t game_student_steps(const struct game *g) { return (int64_t)g->o->game_rounds * g->o->game_policy_steps; }

double game_student_lr(const struct game *g, double lr, int64_t step) {
    const struct options *o = g->o;
    const int64_t n = game_student_steps(g), iteration = g->st.iteration;
    if (o->game_schedule == SCHEDULE_ITERATION) return schedule_lr(lr, step, n, o->game_warmup, o->game_final_lr);
    const int64_t last = iteration > o->iterations ? iteration : o->iterations; /* a person may have lowered it */
    return schedule_lr(lr, (iteration - 1) * n + step, last * n, o->game_warmup, o->game_final_lr);
}

bool game_student_step(struct game *g, double lr, int64_t step, struct err *e) {
    struct adamw_config c = ADAMW_DEFAULTS;
    c.lr = (float)game_student_lr(g, lr, step);
    return adamw_step(&g->players.student.opt, &c, g->players.student.model->params, g->players.student.grads, NULL, e);
}

/* ---- cross-entropy beside another loss ---- */

bool game_add_cross_entropy(struct game *g, int n, struct err *e) {
    if (g->o->game_sft <= 0) return true;
    struct trainee *t = &g->players.student;
    const struct teacher_output **out = mem_small((size_t)n * sizeof *out);
    const int found = game_draw_outputs(g, true, out, n);
    sequences_clear(&g->scratch.seqs_ref);
    for (int i = 0; i < found; i++) {
        const struct prompt *x = corpus_output_prompt(&g->corpus, out[i]);
        sequences_add(&g->scratch.seqs_ref, x->token, x->n, out[i]->token, out[i]->n, false);
    }
    free(out);
    if (g->scratch.seqs_ref.n_seq == 0) return true;
    if (!trainee_prepare(t, &g->scratch.seqs_ref, e)) return false;
    const struct batch b = sequences_batch(&g->scratch.seqs_ref);
    const float *hidden;
    if (!model_forward(t->model, t->acts, &b, true, &hidden, e)) return false;
    const struct head_rows rows = sequences_rows(&g->scratch.seqs_ref, hidden);
    for (int i = 0; i < rows.n; i++) t->row_value[i] = (float)g->o->game_sft / (float)rows.n;
    double loss;
    g->st.tokens += (double)g->scratch.seqs_ref.n_tokens;
    return head_nll_backward(t->model, &rows, t->row_value, t->space, &loss, NULL, t->dhidden, t->grads, e) &&
           model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e);
}
