/* Evaluation on held-out prompts, never on those just trained on: greedy accuracy where answers can be checked, and the
 * performance gaps (gaps.c). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"
#include "engine/math/stats.h"

static int chunks(int n, int size) { return (n + size - 1) / size; }

/* ---- greedy accuracy ---- */

static enum game_result student_accuracy_chunk(struct game *g, int chunk, struct err *e) {
    const int first = chunk * CHUNK_GREEDY, left = g->n_eval_prompts - first;
    const int n = left < CHUNK_GREEDY ? left : CHUNK_GREEDY;
    const struct prompt *prompt[CHUNK_GREEDY] = {0};
    struct gen_output y[CHUNK_GREEDY];
    for (int i = 0; i < n; i++) prompt[i] = &g->heldout.prompt[first + i];
    const enum game_result r = game_generate(g, prompt, n, 1, 0, 0.0, y, e);
    if (r != GAME_OK) return r;
    for (int i = 0; i < n; i++) {
        char *text = game_text(g, &y[i]);
        g->right_student[first + i] = game_check(g, text, prompt[i]);
        free(text);
    }
    gen_output_free(y, n);
    return GAME_OK;
}

/* Teacher outputs at held-out prompts: kept for the gap estimates and checked for the teacher's own accuracy. */
static enum game_result teacher_chunk(struct game *g, int chunk, int total, struct err *e) {
    const int first = chunk * CHUNK_TEACHER, left = total - first;
    const int n = left < CHUNK_TEACHER ? left : CHUNK_TEACHER;
    const struct prompt *prompt[CHUNK_TEACHER] = {0};
    struct teacher_text out[CHUNK_TEACHER];
    for (int i = 0; i < n; i++) prompt[i] = &g->heldout.prompt[first + i];
    const enum game_result r = game_ask(g, g->teacher, prompt, n, g->o->teacher_temperature, 0, out, e);
    if (r != GAME_OK) return r;
    bool ok = db_begin(g->db, e);
    for (int i = 0; i < n; i++) {
        if (first + i < g->n_eval_prompts)
            g->right_teacher[first + i] = game_check(g, out[i].text, &g->heldout.prompt[first + i]);
        ok = ok && outputs_add(&g->outputs, g->db, g->st.tick, OUTPUT_HELDOUT, first + i, 0, out[i].text,
                               out[i].truncated, g->tok, g->chat, g->o->max_new_tokens, e);
        free(out[i].text);
    }
    if (!ok) {
        db_rollback(g->db);
        return GAME_FAILED;
    }
    return db_commit(g->db, e) ? GAME_OK : GAME_FAILED;
}

static void publish_accuracy(struct game *g) {
    if (g->n_eval_prompts == 0) return;
    g->st.accuracy_now = stats_mean(g->right_student, (size_t)g->n_eval_prompts);
    game_series(g, SERIES_ACCURACY, g->st.accuracy_now);
}

enum game_result evaluate_start_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int n_outputs = g->n_eval_prompts > g->n_gap_prompts ? g->n_eval_prompts : g->n_gap_prompts;
    const int n_teacher = chunks(n_outputs, CHUNK_TEACHER), n_student = chunks(g->n_eval_prompts, CHUNK_GREEDY);
    const int step = (int)st->step;
    const enum game_result r = step < n_teacher               ? teacher_chunk(g, step, n_outputs, e)
                               : step < n_teacher + n_student ? student_accuracy_chunk(g, step - n_teacher, e)
                                                              : GAME_OK;
    if (r != GAME_OK) return r;
    *finished = step + 1 >= n_teacher + n_student;
    if (*finished && g->n_eval_prompts > 0) {
        publish_accuracy(g);
        st->accuracy_before = st->accuracy_now;
        st->accuracy_teacher = stats_mean(g->right_teacher, (size_t)g->n_eval_prompts);
        game_log(g, ALERT_INFO, "held-out accuracy at the start: student %.1f %%, teacher %.1f %%",
                 100 * st->accuracy_before, 100 * st->accuracy_teacher);
    }
    return GAME_OK;
}

/* ---- the evaluation of an iteration ---- */

/* What was measured, and nothing else: a run without a checker has no accuracy, one without a reward no gap. */
static void log_evaluation(struct game *g, bool gaps) {
    const struct game_state *st = &g->st;
    char accuracy[60] = "", gap[80] = "", set[60] = "";
    if (g->n_eval_prompts > 0)
        snprintf(accuracy, sizeof accuracy, " held-out accuracy %.1f %%", 100 * st->accuracy_now);
    if (gaps && game_has_worst(g))
        snprintf(gap, sizeof gap, "%s worst-case gap %.3f [%.3f, %.3f]", accuracy[0] ? "," : "", st->worst_mean,
                 st->worst_lo, st->worst_hi);
    else if (gaps)
        snprintf(gap, sizeof gap, "%s gap under the fitted reward %.3f [%.3f, %.3f]", accuracy[0] ? "," : "",
                 st->fitted_mean, st->fitted_lo, st->fitted_hi);
    if (g->head) snprintf(set, sizeof set, ", over the set [%.3f, %.3f]", g->gap_set.min, g->gap_set.max);
    game_log(g, ALERT_INFO, "iteration %d:%s%s%s%s", (int)st->iteration, accuracy, gap, set,
             accuracy[0] || gap[0] ? "" : " done");
}

enum game_result evaluate_step(struct game *g, bool *finished, struct err *e) {
    const int n_student = chunks(g->n_eval_prompts, CHUNK_GREEDY), step = (int)g->st.step;
    const int n_gap = algorithm_has_adversary(g->o) ? chunks(g->n_gap_prompts, CHUNK_SAMPLES) : 0;
    const bool last = step + 1 >= n_student + n_gap;
    enum game_result r = g->head && last ? head_refresh(g, e) : GAME_OK;
    if (r != GAME_OK) return r;
    if (step < n_student)
        r = student_accuracy_chunk(g, step, e);
    else if (step < n_student + n_gap)
        r = game_gap_chunk(g, step - n_student, e);
    if (r != GAME_OK) return r;
    if (last && g->head && !head_measure_set(g, e)) return GAME_FAILED;
    *finished = last;
    if (*finished) {
        publish_accuracy(g);
        if (n_gap > 0) game_publish_gaps(g);
        game_publish_true_gap(g);
        log_evaluation(g, n_gap > 0);
        watch_evaluation(g);
    }
    return GAME_OK;
}
