/* The phase of cross-entropy on teacher outputs: what trains the student in the baseline sft, and the first training of a
 * raw student before anything else. The step itself and the stand-alone job are in train/sft.c; cross-entropy beside
 * another loss in student_step.c. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/game/phase/phases.h"
#include "engine/game/student_step.h"
#include "engine/game/tell.h"
#include "engine/train/sft.h"

bool phase_cross_entropy_runs(const struct options *o, int64_t iteration) {
    return algorithm_info(o)->trains == PHASE_SFT || (iteration == 1 && o->sft_steps > 0);
}

/* As many student steps as the game would take, or the initial training of the first iteration. */
static int64_t n_steps(const struct game *g) {
    return algorithm_info(g->o)->trains == PHASE_SFT ? game_student_steps(g) : g->o->sft_steps;
}

int64_t phase_cross_entropy_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return phase_at_least_1(n_steps(g));
}

double phase_cross_entropy_work(const struct game *g, const struct costs *c) {
    return TRAIN * g->o->sft_batch * c->read;
}

static int draw_examples(struct game *g, struct sft_example *ex, int n) {
    const struct teacher_output **out = mem_small((size_t)n * sizeof *out);
    const int found = game_draw_outputs(g, true, out, n);
    for (int i = 0; i < found; i++) {
        const struct prompt *x = corpus_output_prompt(&g->corpus, out[i]);
        ex[i] = (struct sft_example){x->token, out[i]->token, x->n, out[i]->n};
    }
    free(out);
    return found;
}

enum game_result phase_cross_entropy_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int64_t steps = n_steps(g);
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
    ok = ok && sft_step(&g->players.student, &g->scratch.seqs, ex, n, lr, &loss, &tokens, e);
    free(ex);
    if (!ok) return GAME_FAILED;
    st->tokens += (double)tokens;
    watch_figure(&g->watch, STEP_GRADIENT_STUDENT, g->players.student.opt.norm);
    game_metric(g, METRIC_SFT_LOSS, loss);
    *finished = st->step + 1 >= steps;
    return GAME_OK;
}
