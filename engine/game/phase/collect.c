/* Collecting: teacher outputs for the iteration's prompts (step 1 of the game). They come before the student's answers,
 * as a phase of their own, because a student that has never been trained is trained on them before it is sampled. */
#include <stdlib.h>

#include "engine/game/algorithm.h"
#include "engine/game/generation.h"
#include "engine/game/labelling.h"
#include "engine/game/pairs.h"
#include "engine/game/phase/phases.h"

bool phase_collect_runs(const struct options *o, int64_t iteration) {
    (void)o, (void)iteration;
    return true;
}

int64_t phase_collect_steps(const struct game *g, int64_t iteration) {
    const int64_t chunks = chunks_of(g->o->prompts_per_iteration, CHUNK_TEACHER);
    return algorithm_gathers(g->o, iteration) ? phase_at_least_1(chunks) : 1;
}

double phase_collect_work(const struct game *g, const struct costs *c) {
    return g->o->prompts_per_iteration * c->write_teacher / (double)phase_collect_steps(g, 1);
}

enum game_result phase_collect_step(struct game *g, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    const int want = g->o->prompts_per_iteration;
    const int have = g->corpus.outputs.n - (int)st->first_output;
    const int n = want - have < CHUNK_TEACHER ? want - have : CHUNK_TEACHER;
    if (n <= 0 || !algorithm_gathers(g->o, st->iteration)) {
        *finished = true;
        return GAME_OK;
    }
    int index[CHUNK_TEACHER];
    const struct prompt *prompt[CHUNK_TEACHER] = {0};
    struct teacher_text out[CHUNK_TEACHER];
    for (int i = 0; i < n; i++) {
        index[i] = prompt_stream_at(&g->corpus.stream, g->corpus.train.n, (uint64_t)g->o->seed, st->prompt_cursor + i);
        prompt[i] = &g->corpus.train.prompt[index[i]];
    }
    const enum game_result r = game_ask(g, g->players.teacher, prompt, n, g->o->teacher_temperature, 0, out, e);
    if (r != GAME_OK) return r;
    const int n_pairs = g->corpus.dpref.n;
    bool ok = db_begin(g->db, e) && (!labelling_import_is_due(g) || labelling_import(g, e));
    for (int i = 0; i < n; i++) {
        ok = ok && outputs_add(&g->corpus.outputs, g->db, st->tick, OUTPUT_TRAIN, index[i], (int)st->iteration,
                               out[i].text, out[i].truncated, g->players.tok, g->players.chat, g->o->max_new_tokens, e);
        free(out[i].text);
    }
    if (!ok) {
        db_rollback(g->db);
        return GAME_FAILED;
    }
    if (!db_commit(g->db, e) || !game_show_newest(g, n_pairs, e)) return GAME_FAILED;
    st->prompt_cursor += n;
    *finished = have + n >= want;
    return GAME_OK;
}
