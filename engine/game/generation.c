/* Asking models for answers: the student, and whoever takes and gives text (the teacher, candidates of an offline
 * D_pref). Random numbers follow from the seed and the tick, and a person who pauses or quits ends a long generation at
 * its next token. */
#include "engine/game/generation.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/corpus/checker.h"

static struct gen_config config(const struct game *g, double temperature) {
    return (struct gen_config){.max_new_tokens = g->o->max_new_tokens,
                               .temperature = (float)temperature,
                               .seed = (uint64_t)g->o->seed,
                               .tick = (uint64_t)g->st.tick,
                               .safe_point = g->see.safe_point,
                               .ctx = g->see.ctx};
}

enum game_result game_generate(struct game *g, const struct prompt *const *prompt, int n, int k, int stream,
                               double temperature, struct gen_output *out, struct err *e) {
    struct gen_config c = config(g, temperature);
    c.n_valid_vocab = tokenizer_n_vocab(g->players.tok);
    c.end_ids = g->players.end_ids;
    c.n_end_ids = g->players.n_end_ids;
    struct gen_request *req = mem_small((size_t)n * sizeof *req);
    for (int i = 0; i < n; i++)
        req[i] = (struct gen_request){prompt[i]->token, prompt[i]->n, k, (uint64_t)i * 64 + (uint64_t)stream};
    bool stopped = false;
    const bool ok = generate(g->players.student.model, &c, req, n, out, &stopped, e);
    free(req);
    if (!ok) return GAME_FAILED;
    if (stopped) return GAME_ABANDONED;
    for (int i = 0; i < n * k; i++) g->st.tokens += out[i].n;
    return GAME_OK;
}

char *game_text(const struct game *g, const struct gen_output *y) {
    struct strbuf b = {0};
    tokenizer_decode(g->players.tok, y->token, (size_t)y->n, false, &b);
    return strbuf_take(&b);
}

bool game_check(const struct game *g, const char *text, const struct prompt *p) {
    return p->answer && checker_right(g->o->prompts_checker, text, p->answer);
}

enum game_result game_ask(struct game *g, struct teacher *t, const struct prompt *const *prompt, int n,
                          double temperature, uint64_t stream, struct teacher_text *out, struct err *e) {
    const struct gen_config c = config(g, temperature);
    const char **text = mem_small((size_t)n * sizeof *text);
    for (int i = 0; i < n; i++) text[i] = prompt[i]->text;
    bool stopped = false;
    int64_t tokens = 0;
    const bool ok = teacher_generate(t, text, n, &c, stream, out, &tokens, &stopped, e);
    free(text);
    if (!ok) return GAME_FAILED;
    if (stopped) return GAME_ABANDONED;
    g->st.tokens += (double)tokens;
    return GAME_OK;
}
