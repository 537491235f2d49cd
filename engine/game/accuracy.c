/* Greedy accuracy: see accuracy.h. */
#include "engine/game/accuracy.h"

#include <stdlib.h>

#include "engine/game/generation.h"
#include "engine/game/tell.h"
#include "engine/math/stats.h"

int accuracy_chunks(const struct game *g) { return chunks_of(g->evaluation.n_eval_prompts, CHUNK_GREEDY); }

enum game_result accuracy_chunk(struct game *g, int chunk, struct err *e) {
    const int first = chunk * CHUNK_GREEDY, left = g->evaluation.n_eval_prompts - first;
    const int n = left < CHUNK_GREEDY ? left : CHUNK_GREEDY;
    const struct prompt *prompt[CHUNK_GREEDY] = {0};
    struct gen_output y[CHUNK_GREEDY];
    for (int i = 0; i < n; i++) prompt[i] = &g->corpus.heldout.prompt[first + i];
    const enum game_result r = game_generate(g, prompt, n, 1, 0, 0.0, y, e);
    if (r != GAME_OK) return r;
    for (int i = 0; i < n; i++) {
        char *text = game_text(g, &y[i]);
        g->evaluation.right_student[first + i] = game_check(g, text, prompt[i]);
        free(text);
    }
    gen_output_free(y, n);
    return GAME_OK;
}

void accuracy_publish(struct game *g) {
    if (g->evaluation.n_eval_prompts == 0) return;
    game_metric(g, METRIC_ACCURACY, stats_mean(g->evaluation.right_student, (size_t)g->evaluation.n_eval_prompts));
}
