/* Collecting: teacher outputs for the iteration's prompts, then the answers that stand against them (offline.c), then
 * pairs and their labels (steps 1 and 2 of the game). Teacher outputs come first as a phase of their own, because a
 * student that has never been trained is trained on them before it is sampled. */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"
#include "engine/game/labelling.h"
#include "engine/game/options_check.h"
#include "engine/corpus/pair.h"

/* The training prompt at position `cursor` of the endless, per-epoch shuffled stream. */
static int draw_prompt(struct game *g, int64_t cursor) {
    const int64_t epoch = cursor / g->train.n;
    if (epoch != g->order_epoch) {
        rng_permutation(g->order, g->train.n, (uint64_t)g->o->seed, RNG_PROMPTS, (uint64_t)epoch);
        g->order_epoch = epoch;
    }
    return g->order[cursor % g->train.n];
}

/* Of many pairs that come at once, only the newest are scored and shown: nobody sees the others. */
static bool show_newest(struct game *g, int first, struct err *e) {
    enum { SHOWN = 64 };
    return game_show_pairs(g, first > g->dpref.n - SHOWN ? first : g->dpref.n - SHOWN, e);
}

enum game_result collect_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int want = g->o->prompts_per_iteration;
    const int have = g->outputs.n - (int)st->first_output;
    const int n = want - have < CHUNK_TEACHER ? want - have : CHUNK_TEACHER;
    if (n <= 0 || !algorithm_gathers(g->o, st->iteration)) {
        *finished = true;
        return GAME_OK;
    }
    int index[CHUNK_TEACHER];
    const struct prompt *prompt[CHUNK_TEACHER] = {0};
    struct teacher_text out[CHUNK_TEACHER];
    for (int i = 0; i < n; i++) {
        index[i] = draw_prompt(g, st->prompt_cursor + i);
        prompt[i] = &g->train.prompt[index[i]];
    }
    const enum game_result r = game_ask(g, g->teacher, prompt, n, g->o->teacher_temperature, 0, out, e);
    if (r != GAME_OK) return r;
    const int n_pairs = g->dpref.n;
    bool ok = db_begin(g->db, e) && (!labelling_import_is_due(g) || labelling_import(g, e));
    for (int i = 0; i < n; i++) {
        ok = ok && outputs_add(&g->outputs, g->db, st->tick, OUTPUT_TRAIN, index[i], (int)st->iteration, out[i].text,
                               out[i].truncated, g->tok, g->chat, g->o->max_new_tokens, e);
        free(out[i].text);
    }
    if (!ok) {
        db_rollback(g->db);
        return GAME_FAILED;
    }
    if (!db_commit(g->db, e) || !show_newest(g, n_pairs, e)) return GAME_FAILED;
    st->prompt_cursor += n;
    *finished = have + n >= want;
    return GAME_OK;
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
           pair_add(&g->dpref, &label, &x, &y0, &y1, made, e);
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

/* The i-th of the pairs that were just scored, or were not. */
static void show_pair(struct game *g, int i, bool scored) {
    const struct pref_space *p = &g->pairs;
    struct judged_pair j = {
        .pair = p->pair[i], .reward = {(double)NAN, (double)NAN}, .token_scale = (double)g->fitted.scale};
    for (int side = 0; scored && side < 2; side++) {
        const int seq = side == 0 ? p->first[i] : p->second[i];
        j.reward[side] = p->value[seq];
        if (g->fitted.level == REWARD_TOKEN) j.token_reward[side] = g->fitted.t.row_value + p->seqs.row_start[seq];
    }
    g->see.pair(g->see.ctx, &j);
}

/* What the fitted reward, if there is one, thinks of the pairs from `first` on: summed, and shown. */
static bool judge(struct game *g, int first, struct pref_sums *sums, int64_t *tokens, struct err *e) {
    for (int at = first; at < g->dpref.n; at += CHUNK_PAIRS) {
        const int n = g->dpref.n - at < CHUNK_PAIRS ? g->dpref.n - at : CHUNK_PAIRS;
        pref_space_reserve(&g->pairs, n, 0);
        g->pairs.margin = g->o->label_margin;
        for (int i = 0; i < n; i++) g->pairs.pair[i] = &g->dpref.pair[at + i];
        const bool scored = algorithm_has_fitted(g->o);
        if (scored && !pref_evaluate(&g->fitted, &g->pairs, n, sums, NULL, tokens, e)) return false;
        if (!g->see.pair) continue;
        for (int i = 0; i < n; i++) show_pair(g, i, scored);
    }
    return true;
}

bool game_show_pairs(struct game *g, int first, struct err *e) {
    struct pref_sums sums = {0};
    return judge(g, first, &sums, NULL, e);
}

/* The pairs just made, before the reward is trained on them: the "newest" accuracy. */
static bool judge_new_pairs(struct game *g, int first, struct err *e) {
    struct pref_sums sums = {0};
    int64_t tokens = 0;
    if (!judge(g, first, &sums, &tokens, e)) return false;
    g->st.sum_correct += sums.correct;
    g->st.sum_decided += sums.decided;
    g->st.tokens += (double)tokens;
    return true;
}

/* Pairs of this iteration that no labeller could decide, where none was to be left to a person. */
static void log_unlabelled(struct game *g) {
    int n = 0;
    for (int i = (int)g->st.first_pair; i < g->dpref.n; i++) n += g->dpref.pair[i].source == SOURCE_NONE;
    if (n > 0 && !options_need_person(g->o))
        game_log(g, ALERT_INFO,
                 "labeller %s could not decide %d of them: they train nothing until a person labels them",
                 g->o->labeller, n);
}

static bool add_pairs(struct game *g, int first_output, int n, int k, const struct gen_output *y, struct err *e) {
    bool ok = db_begin(g->db, e);
    const int n_before = g->dpref.n;
    int same = 0;
    for (int i = 0; ok && i < n; i++)
        ok = make_pairs(g, &g->outputs.output[first_output + i], y + i * k, k, i * k, &same, e);
    if (!ok) {
        db_rollback(g->db);
        return false;
    }
    if (!db_commit(g->db, e)) return false;
    game_pairs_changed(g);
    g->st.identical += same;
    return judge_new_pairs(g, n_before, e);
}

enum game_result sample_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int first = (int)st->first_output + (int)st->step * CHUNK_SAMPLES;
    const int n = g->outputs.n - first < CHUNK_SAMPLES ? g->outputs.n - first : CHUNK_SAMPLES;
    const int k = answers_per_prompt(g);
    if (n > 0) {
        const struct prompt *prompt[CHUNK_SAMPLES] = {0};
        for (int i = 0; i < n; i++) prompt[i] = &g->train.prompt[g->outputs.output[first + i].prompt];
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
    *finished = first + n >= g->outputs.n;
    if (*finished) {
        st->rm_newest = st->sum_decided > 0 ? st->sum_correct / st->sum_decided : (double)NAN;
        if (algorithm_has_fitted(g->o)) game_series(g, SERIES_RM_NEWEST, st->rm_newest);
        game_log(g, ALERT_INFO, "iteration %d: %d new pairs, %d answers were identical to the teacher output",
                 (int)st->iteration, g->dpref.n - (int)st->first_pair, (int)st->identical);
        log_unlabelled(g);
        if (g->o->game_data == DATA_OFFLINE) answers_close(g);
    }
    return GAME_OK;
}
