/* Sampling: the answers that stand against the teacher's outputs, the pairs of the two, and their labels (steps 1 and 2
 * of the game). */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/corpus/pair.h"
#include "engine/game/algorithm.h"
#include "engine/game/answers.h"
#include "engine/game/labelling.h"
#include "engine/game/options_check.h"
#include "engine/game/pairs.h"
#include "engine/game/phase/phases.h"
#include "engine/game/tell.h"

bool phase_sample_runs(const struct options *o, int64_t iteration) {
    return algorithm_info(o)->pairs && algorithm_gathers(o, iteration);
}

int64_t phase_sample_steps(const struct game *g, int64_t iteration) {
    (void)iteration;
    return phase_at_least_1(chunks_of(g->o->prompts_per_iteration, CHUNK_SAMPLES));
}

double phase_sample_work(const struct game *g, const struct costs *c) {
    const double n = (double)g->o->prompts_per_iteration * g->o->samples_per_prompt;
    return n * (c->write + 2 * (c->read_reward + c->read_expert)) / (double)phase_sample_steps(g, 1);
}

/* Answer i of the prompt, or the teacher's output. */
static struct passage passage_of(const struct game *g, const struct labelling *l, int i) {
    const struct teacher_output *y0 = l->y0;
    if (i == LABELLING_TEACHER) return (struct passage){y0->text, y0->token, y0->n, y0->truncated, {ORIGIN_TEACHER, 0}};
    return (struct passage){l->text[i], l->y[i].token, l->y[i].n, l->y[i].truncated, answer_by(g, i)};
}

/* Make the pair of answers i and j, unless the labeller is against it or their texts are the same: *made. */
static bool make_pair(struct game *g, const struct labelling *l, int i, int j, uint64_t index, bool *made,
                      struct err *e) {
    const struct passage x = {l->x->text, l->x->token, l->x->n, false, {0}}, y0 = passage_of(g, l, i),
                         y1 = passage_of(g, l, j);
    struct pref_pair label;
    *made = true;
    return labelling_pair(l, g, i, j, index, &label) == LABEL_NO_PAIR ||
           pair_add(&g->corpus.dpref, &label, &x, &y0, &y1, made, e);
}

/* Make the pairs of a prompt's teacher output and k other answers, the at-th of which is the first; those whose texts
 * are the same make none and are counted. Offline the others are ranked among themselves too. */
static bool make_pairs(struct game *g, const struct teacher_output *teacher, const struct gen_output *y, int k, int at,
                       int *same, struct err *e) {
    const uint64_t ranked = 1u << 24; /* far beyond the teacher's pairs of a tick, CHUNK_SAMPLES x k at most */
    struct labelling l;
    bool ok = true, made;
    labelling_begin(&l, g, teacher, y, k);
    for (int j = 0; ok && j < k; j++) {
        ok = make_pair(g, &l, LABELLING_TEACHER, j, (uint64_t)(at + j), &made, e);
        *same += ok && !made;
    }
    for (int i = 0; ok && g->o->game_data == DATA_OFFLINE && i < k; i++)
        for (int j = i + 1; ok && j < k; j++)
            ok = make_pair(g, &l, i, j, ranked + (uint64_t)(at + i) * (uint64_t)k + (uint64_t)j, &made, e);
    labelling_end(&l);
    return ok;
}

/* The pairs just made, before the reward is trained on them: the "newest" accuracy. */
static bool judge_new_pairs(struct game *g, int first, struct err *e) {
    struct pref_sums sums = {0};
    int64_t tokens = 0;
    if (!game_judge_pairs(g, first, &sums, &tokens, e)) return false;
    g->st.sum_correct += sums.correct;
    g->st.sum_decided += sums.decided;
    g->st.tokens += (double)tokens;
    return true;
}

/* Pairs of this iteration that no labeller could decide, where none was to be left to a person. */
static void log_unlabelled(struct game *g) {
    int n = 0;
    for (int i = (int)g->st.first_pair; i < g->corpus.dpref.n; i++) n += g->corpus.dpref.pair[i].source == SOURCE_NONE;
    if (n > 0 && !options_need_person(g->o))
        game_log(g, ALERT_INFO,
                 "labeller %s could not decide %d of them: they train nothing until a person labels them",
                 g->o->labeller, n);
}

static bool add_pairs(struct game *g, int first_output, int n, int k, const struct gen_output *y, struct err *e) {
    bool ok = db_begin(g->db, e);
    const int n_before = g->corpus.dpref.n;
    int same = 0;
    for (int i = 0; ok && i < n; i++)
        ok = make_pairs(g, &g->corpus.outputs.output[first_output + i], y + i * k, k, i * k, &same, e);
    if (!ok) {
        db_rollback(g->db);
        return false;
    }
    if (!db_commit(g->db, e)) return false;
    game_pairs_changed(g);
    g->st.identical += same;
    return judge_new_pairs(g, n_before, e);
}

enum game_result phase_sample_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int first = (int)st->first_output + (int)st->step * CHUNK_SAMPLES;
    const int n = g->corpus.outputs.n - first < CHUNK_SAMPLES ? g->corpus.outputs.n - first : CHUNK_SAMPLES;
    const int k = answers_per_prompt(g);
    if (n > 0) {
        const struct prompt *prompt[CHUNK_SAMPLES] = {0};
        for (int i = 0; i < n; i++) prompt[i] = &g->corpus.train.prompt[g->corpus.outputs.output[first + i].prompt];
        struct gen_output *y = mem_small((size_t)(n * k) * sizeof *y);
        const enum game_result r = answers_draw(g, prompt, n, y, e);
        bool ok = r == GAME_OK && add_pairs(g, first, n, k, y, e);
        for (int i = 0; ok && i < n * k; i++) {
            st->sampled++;
            st->truncated += y[i].truncated;
        }
        if (r == GAME_OK) gen_output_free(y, n * k);
        free(y);
        if (r != GAME_OK) return r;
        if (!ok) return GAME_FAILED;
    }
    *finished = first + n >= g->corpus.outputs.n;
    if (*finished) {
        if (algorithm_has_fitted(g->o))
            game_metric(g, METRIC_RM_NEWEST, st->sum_decided > 0 ? st->sum_correct / st->sum_decided : (double)NAN);
        game_log(g, ALERT_INFO, "iteration %d: %d new pairs, %d answers were identical to the teacher output",
                 (int)st->iteration, g->corpus.dpref.n - (int)st->first_pair, (int)st->identical);
        log_unlabelled(g);
        if (g->o->game_data == DATA_OFFLINE) players_close_candidates(&g->players);
    }
    return GAME_OK;
}
