/* Cross-entropy steps and the stand-alone training job: see sft.h. Examples of a job are visited in a fresh
 * counter-based permutation per epoch. */
#include "engine/train/sft.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/model/model_io.h"

bool sft_step(struct trainee *t, struct sequences *s, const struct sft_example *ex, int n, double lr, double *loss,
              int64_t *n_tokens, struct err *e) {
    sequences_clear(s);
    for (int i = 0; i < n; i++) sequences_add(s, ex[i].x, ex[i].n_x, ex[i].y, ex[i].n_y, false);
    if (!trainee_prepare(t, s, e)) return false;
    const struct batch b = sequences_batch(s);
    const float *hidden;
    if (!model_forward(t->model, t->acts, &b, true, &hidden, e)) return false;
    const struct head_rows rows = sequences_rows(s, hidden);
    for (int i = 0; i < rows.n; i++) t->row_value[i] = 1.0f / (float)rows.n;
    if (!head_nll_backward(t->model, &rows, t->row_value, t->space, loss, NULL, t->dhidden, t->grads, e) ||
        !model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e))
        return false;
    struct adamw_config c = ADAMW_DEFAULTS;
    c.lr = (float)lr;
    if (n_tokens) *n_tokens += s->n_tokens;
    return adamw_step(&t->opt, &c, t->model->params, t->grads, NULL, e);
}

/* ---- the job: texts from a file, tokens in one array ---- */

struct text_pair {
    char *prompt, *response;
};

struct job_data {
    struct text_pair *text;
    struct sft_example *example;
    struct token_list tokens;
    size_t *offset; /* [2n+1] into tokens: x_i, y_i */
    int n, cap;
};

static void job_data_free(struct job_data *d) {
    for (int i = 0; i < d->n; i++) {
        free(d->text[i].prompt);
        free(d->text[i].response);
    }
    free(d->text);
    free(d->example);
    free(d->offset);
    token_list_free(&d->tokens);
}

static bool read_row(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct job_data *d = ctx;
    const char *prompt, *response;
    if (!json_get_string(obj, "prompt", where, &prompt, e) || !json_get_string(obj, "response", where, &response, e))
        return false;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 1024;
        d->text = mem_grow(d->text, (size_t)d->cap * sizeof *d->text);
    }
    d->text[d->n++] = (struct text_pair){mem_strdup(prompt), mem_strdup(response)};
    return true;
}

static struct tokenizer *learn_vocabulary(const struct job_data *d, int n_vocab, struct err *e) {
    const char **texts = mem_small((size_t)d->n * 2 * sizeof *texts);
    for (int i = 0; i < d->n; i++) {
        texts[2 * i] = d->text[i].prompt;
        texts[2 * i + 1] = d->text[i].response;
    }
    struct tokenizer *t = tokenizer_train(texts, (size_t)d->n * 2, n_vocab, e);
    free(texts);
    return t;
}

static struct tokenizer *borrow_vocabulary(const char *path, struct err *e) {
    struct gguf *g = gguf_open(path, e);
    struct tokenizer *t = g ? tokenizer_from_gguf(g, e) : NULL;
    gguf_close(g);
    return t;
}

static bool encode_examples(struct job_data *d, struct tokenizer *tok, enum chat_kind chat, int n_ctx, struct err *e) {
    d->offset = mem_small(((size_t)d->n * 2 + 1) * sizeof *d->offset);
    d->example = mem_small((size_t)d->n * sizeof *d->example);
    for (int i = 0; i < d->n; i++) {
        d->offset[2 * i] = d->tokens.n;
        if (!chat_encode_prompt(tok, chat, NULL, d->text[i].prompt, &d->tokens, e)) return false;
        d->offset[2 * i + 1] = d->tokens.n;
        chat_encode_response(tok, chat, d->text[i].response, &d->tokens);
        d->offset[2 * i + 2] = d->tokens.n;
        if (d->tokens.n - d->offset[2 * i] > (size_t)n_ctx)
            return err_set(e, "example %d has %zu tokens, the model takes %d", i + 1, d->tokens.n - d->offset[2 * i],
                           n_ctx);
    }
    for (int i = 0; i < d->n; i++) {
        const int32_t *base = d->tokens.id;
        const size_t *o = d->offset + 2 * i;
        d->example[i] = (struct sft_example){base + o[0], base + o[1], (int)(o[1] - o[0]), (int)(o[2] - o[1])};
    }
    return true;
}

static bool open_or_make(const struct sft_job *job, const struct job_data *d, struct model **m, struct tokenizer **tok,
                         struct err *e) {
    if (job->model_path) return model_open(job->model_path, m, tok, e);
    *tok =
        job->tokenizer_path ? borrow_vocabulary(job->tokenizer_path, e) : learn_vocabulary(d, job->config.n_vocab, e);
    if (!*tok) return false;
    struct model_config c = job->config;
    c.n_vocab = tokenizer_n_vocab(*tok);
    *m = model_new(&c, false, e);
    if (!*m) return false;
    model_init(*m, job->seed);
    return true;
}

static bool train(const struct sft_job *job, const struct job_data *d, struct trainee *t,
                  void (*progress)(void *, int, int, double, double), void *ctx, struct err *e) {
    struct sequences seqs = {0};
    int *order = mem_small((size_t)d->n * sizeof *order);
    struct sft_example *ex = mem_small((size_t)job->batch * sizeof *ex);
    int64_t tokens = 0, epoch = -1;
    const double began = clock_seconds();
    bool ok = true;
    for (int step = 0, at = d->n; ok && step < job->n_steps; step++) {
        for (int i = 0; i < job->batch; i++, at++) {
            if (at >= d->n) {
                rng_permutation(order, d->n, job->seed, RNG_SHUFFLE, (uint64_t)++epoch);
                at = 0;
            }
            ex[i] = d->example[order[at]];
        }
        double loss = 0;
        const double lr = schedule_lr(job->lr, step, job->n_steps, job->warmup, job->final_share);
        ok = sft_step(t, &seqs, ex, job->batch, lr, &loss, &tokens, e);
        if (ok && progress)
            progress(ctx, step + 1, job->n_steps, loss, (double)tokens / (clock_seconds() - began + 1e-9));
        if (ok && job->keep_going && !job->keep_going(ctx))
            ok = err_set(e, "stopped at step %d; nothing was written", step + 1);
    }
    free(order);
    free(ex);
    sequences_free(&seqs);
    return ok;
}

bool sft_train_file(const struct sft_job *job,
                    void (*progress)(void *ctx, int step, int n_steps, double loss, double tokens_per_second),
                    void *ctx, struct err *e) {
    struct job_data d = {0};
    struct model *m = NULL;
    struct tokenizer *tok = NULL;
    struct trainee t = {0};
    enum chat_kind chat;
    bool ok = jsonl_each(job->data_path, read_row, &d, e);
    if (ok && d.n == 0) ok = err_set(e, "%s: no examples", job->data_path);
    ok = ok && open_or_make(job, &d, &m, &tok, e) && chat_kind_parse(job->template_name, tok, &chat, e) &&
         encode_examples(&d, tok, chat, m->cfg.n_ctx, e);
    if (ok) {
        ok = trainee_init(&t, m, e);
        m = NULL; /* taken over */
    }
    ok = ok && train(job, &d, &t, progress, ctx, e) && model_save(t.model, tok, job->out_path, job->save_type, e);
    trainee_free(&t);
    model_free(m);
    tokenizer_free(tok);
    job_data_free(&d);
    return ok;
}
