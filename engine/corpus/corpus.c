/* Prompts, outputs and pairs of a run: see corpus.h. */
#include "engine/corpus/corpus.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/base/mem.h"

static void copy_heldout_tenth(struct corpus *c) {
    c->heldout.prompt = mem_small((size_t)c->train.n * sizeof *c->heldout.prompt);
    for (int i = 0; i < c->train.n; i++) {
        const struct prompt *p = &c->train.prompt[i];
        if (!p->heldout) continue;
        struct prompt *q = &c->heldout.prompt[c->heldout.n++];
        *q = *p;
        q->text = mem_strdup(p->text);
        q->answer = p->answer ? mem_strdup(p->answer) : NULL;
        q->token = mem_small((size_t)p->n * sizeof *q->token);
        memcpy(q->token, p->token, (size_t)p->n * sizeof *q->token);
    }
}

static bool load_prompts(struct corpus *c, const struct options *o, const struct dressing *d, struct err *e) {
    const int longest = o->prompts_max_tokens;
    if (!prompt_set_load(&c->train, o->prompts_train, d->tok, d->chat, d->system, longest, e)) return false;
    if (o->prompts_heldout[0] &&
        !prompt_set_load(&c->heldout, o->prompts_heldout, d->tok, d->chat, d->system, longest, e))
        return false;
    c->trainable = mem_small((size_t)c->train.n * sizeof *c->trainable);
    for (int i = 0; i < c->train.n; i++)
        if (!c->train.prompt[i].heldout) c->trainable[c->n_trainable++] = i;
    if (!o->prompts_heldout[0]) copy_heldout_tenth(c);
    if (c->n_trainable == 0 || c->heldout.n < 2)
        return err_set(e, "%s: too few prompts: %d for training, %d held out (at least 1 and 2 are needed)",
                       o->prompts_train, c->n_trainable, c->heldout.n);
    return true;
}

struct recording {
    struct corpus *corpus;
    const struct dressing *dressing;
    int max_new_tokens;
};

static bool add_recorded(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    const struct recording *r = ctx;
    const struct dressing *d = r->dressing;
    struct prompt_set *s = &r->corpus->recorded;
    const char *prompt, *response;
    if (!json_get_string(obj, "prompt", where, &prompt, e) || !json_get_string(obj, "response", where, &response, e))
        return false;
    struct token_list x = {0};
    if (!chat_encode_prompt(d->tok, d->chat, d->system, prompt, &x, e)) return err_wrap(e, "%s", where);
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->prompt = mem_grow(s->prompt, (size_t)s->cap * sizeof *s->prompt);
    }
    s->prompt[s->n++] = (struct prompt){.text = mem_strdup(prompt), .token = x.id, .n = (int)x.n};
    return outputs_add(&r->corpus->outputs, NULL, 0, OUTPUT_RECORDED, s->n - 1, 0, response, false, d->tok, d->chat,
                       r->max_new_tokens, e);
}

bool corpus_open(struct corpus *c, const struct options *o, const struct dressing *d, struct err *e) {
    struct recording r = {c, d, o->max_new_tokens};
    if (!load_prompts(c, o, d, e) || !corpus_fits(c, o->max_new_tokens, d->n_ctx, "student", e)) return false;
    return !o->prompts_recorded[0] || jsonl_each(o->prompts_recorded, add_recorded, &r, e);
}

void corpus_free(struct corpus *c) {
    prompt_set_free(&c->train);
    prompt_set_free(&c->heldout);
    prompt_set_free(&c->recorded);
    prompt_stream_free(&c->stream);
    outputs_free(&c->outputs);
    dpref_free(&c->dpref);
    free(c->trainable);
    *c = (struct corpus){0};
}

const struct prompt *corpus_output_prompt(const struct corpus *c, const struct teacher_output *y) {
    if (y->set == OUTPUT_RECORDED) return &c->recorded.prompt[y->prompt];
    return y->set == OUTPUT_TRAIN ? &c->train.prompt[y->prompt] : &c->heldout.prompt[y->prompt];
}

bool corpus_output_trains(const struct corpus *c, const struct teacher_output *y) {
    return y->set == OUTPUT_RECORDED || (y->set == OUTPUT_TRAIN && !c->train.prompt[y->prompt].heldout);
}

/* The first evaluation appends them in the order of the prompts, behind the recorded ones. */
const struct teacher_output *corpus_heldout_output(const struct corpus *c, int prompt) {
    const struct output_store *s = &c->outputs;
    int first = 0;
    while (first < s->n && s->output[first].set != OUTPUT_HELDOUT) first++;
    if (first + prompt >= s->n) return NULL;
    const struct teacher_output *y = &s->output[first + prompt];
    return y->set == OUTPUT_HELDOUT && y->prompt == prompt ? y : NULL;
}

bool corpus_fits(const struct corpus *c, int max_new_tokens, int n_ctx, const char *whose, struct err *e) {
    for (int i = 0; i < c->train.n + c->heldout.n; i++) {
        const struct prompt *p = i < c->train.n ? &c->train.prompt[i] : &c->heldout.prompt[i - c->train.n];
        if (p->n + max_new_tokens > n_ctx)
            return err_set(e, "a prompt of %d tokens and max_new_tokens %d do not fit the %s's context of %d", p->n,
                           max_new_tokens, whose, n_ctx);
    }
    return true;
}
