/* The local teacher: a GGUF model in this process. See local.h. */
#include "engine/teacher/local.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/model/model_io.h"

struct local {
    struct model *model;
    struct tokenizer *tok;
    enum chat_kind chat;
    char *system;
    int32_t end_ids[16];
    int n_end_ids;
};

/* Everything that no other kind claims is a file: if it is none, opening says so. */
static bool local_claims(const char *where) {
    (void)where;
    return true;
}

static void local_close(void *state) {
    struct local *t = state;
    model_free(t->model);
    tokenizer_free(t->tok);
    free(t->system);
    free(t);
}

static bool load(struct local *t, const struct teacher_source *s, struct err *e) {
    struct gguf *g = gguf_open(s->where, e);
    const bool ok = g && (t->tok = tokenizer_from_gguf(g, e)) && (t->model = model_load(g, s->progress, s->ctx, e));
    gguf_close(g);
    if (!ok || !chat_kind_parse(s->template_name, t->tok, &t->chat, e)) return false;
    return t->model->cfg.n_vocab >= tokenizer_n_vocab(t->tok) ||
           err_set(e, "%s: %d vocabulary rows for %d tokens", s->where, t->model->cfg.n_vocab,
                   tokenizer_n_vocab(t->tok));
}

static void *local_open(const struct teacher_source *s, struct err *e) {
    struct local *t = mem_small(sizeof *t);
    t->system = s->system ? mem_strdup(s->system) : NULL;
    if (!load(t, s, e)) {
        local_close(t);
        return NULL;
    }
    t->n_end_ids = tokenizer_end_ids(t->tok, t->end_ids, sizeof t->end_ids / sizeof *t->end_ids);
    return t;
}

static struct teacher_model local_model(const void *state) {
    const struct local *t = state;
    return (struct teacher_model){t->model, t->tok, t->chat};
}

static bool local_generate(void *state, const char *const *prompt, int n, const struct gen_config *c, uint64_t stream,
                           struct teacher_text *out, int64_t *tokens, bool *stopped, struct err *e) {
    struct local *t = state;
    struct token_list *x = mem_small((size_t)n * sizeof *x);
    struct gen_request *req = mem_small((size_t)n * sizeof *req);
    struct gen_output *y = mem_small((size_t)n * sizeof *y);
    struct gen_config own = *c;
    own.end_ids = t->end_ids;
    own.n_end_ids = t->n_end_ids;
    own.n_valid_vocab = tokenizer_n_vocab(t->tok);
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        ok = chat_encode_prompt(t->tok, t->chat, t->system, prompt[i], &x[i], e);
        req[i] = (struct gen_request){x[i].id, (int)x[i].n, 1, stream + (uint64_t)i};
    }
    ok = ok && generate(t->model, &own, req, n, y, stopped, e);
    if (ok && !*stopped) {
        for (int i = 0; i < n; i++) {
            struct strbuf text = {0};
            tokenizer_decode(t->tok, y[i].token, (size_t)y[i].n, false, &text);
            out[i] = (struct teacher_text){strbuf_take(&text), y[i].truncated};
            if (tokens) *tokens += y[i].n;
        }
        gen_output_free(y, n);
    }
    for (int i = 0; i < n; i++) token_list_free(&x[i]);
    free(x);
    free(req);
    free(y);
    return ok;
}

const struct teacher_ops TEACHER_LOCAL = {.name = "local",
                                          .claims = local_claims,
                                          .open = local_open,
                                          .close = local_close,
                                          .generate = local_generate,
                                          .model = local_model};
