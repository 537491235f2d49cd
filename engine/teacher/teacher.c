/* The local teacher: see teacher.h. */
#include "engine/teacher/teacher.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/model/model_io.h"

struct teacher {
    struct model *model;
    struct tokenizer *tok;
    enum chat_kind chat;
    char *system;
    int32_t end_ids[16];
    int n_end_ids;
};

struct teacher *teacher_open(const char *gguf_path, const char *template_name, const char *system,
                             void (*progress)(void *ctx, double done), void *ctx, struct err *e) {
    struct teacher *t = mem_small(sizeof *t);
    t->system = system ? mem_strdup(system) : NULL;
    struct gguf *g = gguf_open(gguf_path, e);
    bool ok = g != NULL;
    ok = ok && (t->tok = tokenizer_from_gguf(g, e)) && (t->model = model_load(g, progress, ctx, e));
    gguf_close(g);
    ok = ok && chat_kind_parse(template_name, t->tok, &t->chat, e);
    if (ok && t->model->cfg.n_vocab < tokenizer_n_vocab(t->tok))
        ok = err_set(e, "%s: %d vocabulary rows for %d tokens", gguf_path, t->model->cfg.n_vocab,
                     tokenizer_n_vocab(t->tok));
    if (!ok) {
        teacher_close(t);
        return NULL;
    }
    for (int32_t id = 0; id < tokenizer_n_vocab(t->tok) && t->n_end_ids < 16; id++)
        if (tokenizer_is_end(t->tok, id)) t->end_ids[t->n_end_ids++] = id;
    return t;
}

void teacher_close(struct teacher *t) {
    if (!t) return;
    model_free(t->model);
    tokenizer_free(t->tok);
    free(t->system);
    free(t);
}

const struct model *teacher_model(const struct teacher *t) { return t->model; }

const struct tokenizer *teacher_tokenizer(const struct teacher *t) { return t->tok; }

enum chat_kind teacher_chat(const struct teacher *t) { return t->chat; }

bool teacher_generate(struct teacher *t, const char *const *prompt, int n, const struct gen_config *c, uint64_t stream,
                      struct teacher_text *out, int64_t *tokens, bool *stopped, struct err *e) {
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
