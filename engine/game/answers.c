/* Answers of the student and of candidates: see answers.h.
 *
 * Online they are samples of the student as it is now. Offline (game.data) D_pref is made once, so it has to hold
 * answers of all kinds that the student may come to give: one of the student at each of offline.temperatures, then one
 * of each model of offline.candidates, at the option `temperature`. Those models take and give text, as a teacher does,
 * under the same template; their answers become tokens of the student. They are opened when the first of them is asked,
 * again where a run is resumed in between, and closed when D_pref is complete. */
#include "engine/game/answers.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/game/generation.h"

static int n_temperatures(const struct game *g) { return option_list_length(g->o->offline_temperatures); }

int answers_per_prompt(const struct game *g) {
    if (g->o->game_data == DATA_ONLINE) return g->o->samples_per_prompt;
    return n_temperatures(g) + option_list_length(g->o->offline_candidates);
}

int answers_of_student(const struct game *g) {
    return g->o->game_data == DATA_ONLINE ? g->o->samples_per_prompt : n_temperatures(g);
}

struct answer_by answer_by(const struct game *g, int i) {
    const int n_student = answers_of_student(g);
    if (i >= n_student) return (struct answer_by){ORIGIN_CANDIDATE, i - n_student};
    return (struct answer_by){ORIGIN_STUDENT, g->o->game_data == DATA_OFFLINE ? i : 0};
}

/* The student's sample for each of n prompts at the source-th temperature, into y[i*k + source]. */
static enum game_result ask_student(struct game *g, const struct prompt *const *prompt, int n, int k, int source,
                                    struct gen_output *y, struct err *e) {
    char text[64];
    struct gen_output one[CHUNK_SAMPLES];
    option_list_item(g->o->offline_temperatures, source, text, sizeof text);
    const enum game_result r = game_generate(g, prompt, n, 1, source, strtod(text, NULL), one, e);
    for (int i = 0; r == GAME_OK && i < n; i++) y[i * k + source] = one[i];
    return r;
}

/* Text as an answer of the student's vocabulary; takes no text over. */
static bool encode(struct game *g, const struct teacher_text *t, struct gen_output *y, struct err *e) {
    struct token_list tokens = {0};
    bool truncated = t->truncated;
    output_tokenise(g->players.tok, g->players.chat, t->text, g->o->max_new_tokens, &truncated, &tokens);
    *y = (struct gen_output){
        .token = mem_alloc(tokens.n, sizeof *y->token, "answers", e), .n = (int)tokens.n, .truncated = truncated};
    if (y->token) memcpy(y->token, tokens.id, tokens.n * sizeof *tokens.id);
    token_list_free(&tokens);
    return y->token != NULL;
}

static enum game_result ask_candidate(struct game *g, const struct prompt *const *prompt, int n, int k, int which,
                                      struct gen_output *y, struct err *e) {
    const uint64_t stream = ((uint64_t)which + 1) << 16; /* no candidate draws as another does, nor as the student */
    struct teacher_text out[CHUNK_SAMPLES];
    const enum game_result r = game_ask(g, g->players.candidate[which], prompt, n, g->o->temperature, stream, out, e);
    if (r != GAME_OK) return r;
    bool ok = true;
    for (int i = 0; i < n; i++) {
        ok = ok && encode(g, &out[i], &y[i * k + n_temperatures(g) + which], e);
        free(out[i].text);
    }
    return ok ? GAME_OK : GAME_FAILED;
}

enum game_result answers_draw(struct game *g, const struct prompt *const *prompt, int n, struct gen_output *y,
                              struct err *e) {
    const int k = answers_per_prompt(g), n_student = n_temperatures(g);
    if (g->o->game_data == DATA_ONLINE) return game_generate(g, prompt, n, k, 0, g->o->temperature, y, e);
    const double tokens = g->st.tokens;
    if (!players_open_candidates(&g->players, g->o, e)) return GAME_FAILED;
    memset(y, 0, (size_t)(n * k) * sizeof *y);
    enum game_result r = GAME_OK;
    for (int source = 0; r == GAME_OK && source < k; source++)
        r = source < n_student ? ask_student(g, prompt, n, k, source, y, e)
                               : ask_candidate(g, prompt, n, k, source - n_student, y, e);
    if (r == GAME_OK) return r;
    gen_output_free(y, n * k);
    g->st.tokens = tokens; /* an abandoned step leaves no trace */
    return r;
}
