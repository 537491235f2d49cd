/* Cross-entropy on teacher outputs within a run: the phase SFT (the baseline sft, and the first training of a raw
 * student), and the term that a descent may add. The step itself and the stand-alone job are in sft.c. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"
#include "engine/train/sft.h"

/* Steps of the sft phase: as many student steps as the game would take, or the initial training of the first
 * iteration. */
int64_t game_sft_steps(const struct game *g) {
    return algorithm_info(g->o)->trains == PHASE_SFT ? game_student_steps(g) : g->o->sft_steps;
}

static int draw_examples(struct game *g, struct sft_example *ex, int n) {
    const struct teacher_output **out = mem_small((size_t)n * sizeof *out);
    const int found = game_draw_outputs(g, true, out, n);
    for (int i = 0; i < found; i++) {
        const struct prompt *x = game_output_prompt(g, out[i]);
        ex[i] = (struct sft_example){x->token, out[i]->token, x->n, out[i]->n};
    }
    free(out);
    return found;
}

enum game_result game_sft_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int64_t steps = game_sft_steps(g);
    if (st->step >= steps) {
        *finished = true;
        return GAME_OK;
    }
    struct sft_example *ex = mem_small((size_t)g->o->sft_batch * sizeof *ex);
    const int n = draw_examples(g, ex, g->o->sft_batch);
    double loss = 0;
    int64_t tokens = 0;
    bool ok = n > 0 || err_set(e, "cross-entropy training has no usable teacher output (all truncated or held out)");
    const bool is_all = algorithm_info(g->o)->trains == PHASE_SFT; /* else it only comes before the training, once */
    const double lr = is_all ? game_student_lr(g, g->o->sft_lr, st->step)
                             : schedule_lr(g->o->sft_lr, st->step, steps, g->o->game_warmup, g->o->game_final_lr);
    ok = ok && sft_step(&g->student, &g->seqs, ex, n, lr, &loss, &tokens, e);
    free(ex);
    if (!ok) return GAME_FAILED;
    st->tokens += (double)tokens;
    st->sft_step++;
    watch_figure(g, STEP_GRADIENT_STUDENT, g->student.opt.norm);
    game_series(g, SERIES_SFT_LOSS, loss);
    *finished = st->step + 1 >= steps;
    return GAME_OK;
}

bool game_add_cross_entropy(struct game *g, int n, struct err *e) {
    if (g->o->game_sft <= 0) return true;
    struct trainee *t = &g->student;
    const struct teacher_output **out = mem_small((size_t)n * sizeof *out);
    const int found = game_draw_outputs(g, true, out, n);
    sequences_clear(&g->seqs_ref);
    for (int i = 0; i < found; i++) {
        const struct prompt *x = game_output_prompt(g, out[i]);
        sequences_add(&g->seqs_ref, x->token, x->n, out[i]->token, out[i]->n, false);
    }
    free(out);
    if (g->seqs_ref.n_seq == 0) return true;
    if (!trainee_prepare(t, &g->seqs_ref, e)) return false;
    const struct batch b = sequences_batch(&g->seqs_ref);
    const float *hidden;
    if (!model_forward(t->model, t->acts, &b, true, &hidden, e)) return false;
    const struct head_rows rows = sequences_rows(&g->seqs_ref, hidden);
    for (int i = 0; i < rows.n; i++) t->row_value[i] = (float)g->o->game_sft / (float)rows.n;
    double loss;
    g->st.tokens += (double)g->seqs_ref.n_tokens;
    return head_nll_backward(t->model, &rows, t->row_value, t->space, &loss, NULL, t->dhidden, t->grads, e) &&
           model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e);
}
