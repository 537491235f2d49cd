/* Evaluation on held-out prompts, never on those just trained on: greedy accuracy where answers can be checked, and the
 * performance gaps. */
#include <stdio.h>

#include "engine/game/accuracy.h"
#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/figures.h"
#include "engine/game/gaps.h"
#include "engine/game/phase/phases.h"
#include "engine/game/tell.h"

bool phase_evaluate_runs(const struct options *o, int64_t iteration) {
    (void)o, (void)iteration;
    return true;
}

static int gap_chunks(const struct game *g) {
    return g->adversary.ops ? chunks_of(g->evaluation.n_gap_prompts, CHUNK_SAMPLES) : 0;
}

int64_t phase_evaluate_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return phase_at_least_1(accuracy_chunks(g) + gap_chunks(g));
}

double phase_evaluate_work(const struct game *g, const struct costs *c) {
    const double k = g->o->samples_per_prompt, reward = c->read_reward + c->read_expert,
                 gaps = gap_chunks(g) > 0 ? g->evaluation.n_gap_prompts : 0,
                 all = g->evaluation.n_eval_prompts * c->write +
                       gaps * (k * c->write + k * c->read + (1 + k) * 2 * reward);
    return all / (double)phase_evaluate_steps(g, 1);
}

/* What was measured, and nothing else: a run without a checker has no accuracy, one without a reward no gap. */
static void log_evaluation(struct game *g, bool gaps) {
    const double *m = g->st.metric;
    char accuracy[60] = "", gap[80] = "", set[60] = "";
    if (g->evaluation.n_eval_prompts > 0)
        snprintf(accuracy, sizeof accuracy, " held-out accuracy %.1f %%", 100 * m[METRIC_ACCURACY]);
    if (gaps && adversary_is_worst_case(g))
        snprintf(gap, sizeof gap, "%s worst-case gap %.3f [%.3f, %.3f]", accuracy[0] ? "," : "", m[METRIC_GAP_WORST],
                 m[METRIC_GAP_WORST_LO], m[METRIC_GAP_WORST_HI]);
    else if (gaps)
        snprintf(gap, sizeof gap, "%s gap under the fitted reward %.3f [%.3f, %.3f]", accuracy[0] ? "," : "",
                 m[METRIC_GAP_FITTED], m[METRIC_GAP_FITTED_LO], m[METRIC_GAP_FITTED_HI]);
    if (adversary_measures_set(g))
        snprintf(set, sizeof set, ", over the set [%.3f, %.3f]", g->evaluation.gap_set.min, g->evaluation.gap_set.max);
    game_log(g, ALERT_INFO, "iteration %d:%s%s%s%s", (int)g->st.iteration, accuracy, gap, set,
             accuracy[0] || gap[0] ? "" : " done");
}

enum game_result phase_evaluate_step(struct game *g, bool *finished, struct err *e) {
    const int n_student = accuracy_chunks(g), n_gap = gap_chunks(g), step = (int)g->st.step;
    const bool last = step + 1 >= n_student + n_gap;
    enum game_result r = last ? adversary_refresh(g, e) : GAME_OK;
    if (r != GAME_OK) return r;
    if (step < n_student)
        r = accuracy_chunk(g, step, e);
    else if (step < n_student + n_gap)
        r = game_gap_chunk(g, step - n_student, e);
    if (r != GAME_OK) return r;
    if (last && !adversary_measure_set(g, e)) return GAME_FAILED;
    *finished = last;
    if (*finished) {
        accuracy_publish(g);
        if (n_gap > 0) game_publish_gaps(g);
        game_publish_true_gap(g);
        log_evaluation(g, n_gap > 0);
        game_watch_evaluation(g);
    }
    return GAME_OK;
}
