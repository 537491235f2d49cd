/* The first evaluation: what the teacher answers at held-out prompts, which every later one compares with, and how good
 * teacher and student are before anything is trained. */
#include <stdlib.h>

#include "engine/game/accuracy.h"
#include "engine/game/generation.h"
#include "engine/game/phase/phases.h"
#include "engine/game/tell.h"
#include "engine/math/stats.h"

bool phase_evaluate_start_runs(const struct options *o, int64_t iteration) {
    (void)o;
    return iteration == 0;
}

/* Outputs are kept for the gaps and checked for the teacher's accuracy: the larger of the two asks. */
static int n_outputs(const struct game *g) {
    const struct evaluation *v = &g->evaluation;
    return v->n_eval_prompts > v->n_gap_prompts ? v->n_eval_prompts : v->n_gap_prompts;
}

int64_t phase_evaluate_start_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return phase_at_least_1(chunks_of(n_outputs(g), CHUNK_TEACHER) + accuracy_chunks(g));
}

double phase_evaluate_start_work(const struct game *g, const struct costs *c) {
    const double all = n_outputs(g) * c->write_teacher + g->evaluation.n_eval_prompts * c->write;
    return all / (double)phase_evaluate_start_steps(g, 0);
}

static enum game_result teacher_chunk(struct game *g, int chunk, struct err *e) {
    const int first = chunk * CHUNK_TEACHER, left = n_outputs(g) - first;
    const int n = left < CHUNK_TEACHER ? left : CHUNK_TEACHER;
    const struct prompt *prompt[CHUNK_TEACHER] = {0};
    struct teacher_text out[CHUNK_TEACHER];
    for (int i = 0; i < n; i++) prompt[i] = &g->corpus.heldout.prompt[first + i];
    const enum game_result r = game_ask(g, g->players.teacher, prompt, n, g->o->teacher_temperature, 0, out, e);
    if (r != GAME_OK) return r;
    bool ok = db_begin(g->db, e);
    for (int i = 0; i < n; i++) {
        if (first + i < g->evaluation.n_eval_prompts)
            g->evaluation.right_teacher[first + i] = game_check(g, out[i].text, &g->corpus.heldout.prompt[first + i]);
        ok = ok && outputs_add(&g->corpus.outputs, g->db, g->st.tick, OUTPUT_HELDOUT, first + i, 0, out[i].text,
                               out[i].truncated, g->players.tok, g->players.chat, g->o->max_new_tokens, e);
        free(out[i].text);
    }
    if (!ok) {
        db_rollback(g->db);
        return GAME_FAILED;
    }
    return db_commit(g->db, e) ? GAME_OK : GAME_FAILED;
}

enum game_result phase_evaluate_start_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int n_teacher = chunks_of(n_outputs(g), CHUNK_TEACHER), n_student = accuracy_chunks(g);
    const int step = (int)st->step;
    const enum game_result r = step < n_teacher               ? teacher_chunk(g, step, e)
                               : step < n_teacher + n_student ? accuracy_chunk(g, step - n_teacher, e)
                                                              : GAME_OK;
    if (r != GAME_OK) return r;
    *finished = step + 1 >= n_teacher + n_student;
    if (*finished && g->evaluation.n_eval_prompts > 0) {
        accuracy_publish(g);
        game_metric(g, METRIC_ACCURACY_START, st->metric[METRIC_ACCURACY]);
        game_metric(g, METRIC_TEACHER_ACCURACY,
                    stats_mean(g->evaluation.right_teacher, (size_t)g->evaluation.n_eval_prompts));
        game_log(g, ALERT_INFO, "held-out accuracy at the start: student %.1f %%, teacher %.1f %%",
                 100 * st->metric[METRIC_ACCURACY_START], 100 * st->metric[METRIC_TEACHER_ACCURACY]);
    }
    return GAME_OK;
}
