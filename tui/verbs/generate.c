/* pbkd generate: answer one prompt or a file of prompts. Prompts are decoded in batches, answers are written in order
 * as soon as their batch is done. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/json_string.h"
#include "engine/base/mem.h"
#include "engine/math/parallel.h"
#include "engine/model/generate.h"
#include "engine/model/model_io.h"
#include "engine/text/chat.h"
#include "tui/safe_text.h"
#include "tui/signals.h"
#include "tui/verbs.h"

#define BATCH 32 /* prompts decoded together: wide enough for fast products, small enough for the cache */

struct job {
    struct model *model;
    struct tokenizer *tokenizer;
    enum chat_kind kind;
    struct gen_config config;
    int32_t *end_id;
    char **prompt; /* [n] owned */
    int n, cap;
    bool as_text; /* one prompt, its answer as text */
    FILE *out;
};

static void job_free(struct job *j) {
    for (int i = 0; i < j->n; i++) free(j->prompt[i]);
    free(j->prompt);
    free(j->end_id);
    model_free(j->model);
    tokenizer_free(j->tokenizer);
}

static void add_prompt(struct job *j, const char *text) {
    if (j->n == j->cap) {
        j->cap = j->cap ? 2 * j->cap : 64;
        j->prompt = mem_grow(j->prompt, (size_t)j->cap * sizeof *j->prompt);
    }
    j->prompt[j->n++] = mem_strdup(text);
}

static bool read_prompt(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    const char *text;
    if (!json_get_string(obj, "prompt", where, &text, e)) return false;
    add_prompt(ctx, text);
    return true;
}

static bool go_on(void *ctx) {
    (void)ctx;
    return !signals_stop();
}

static void set_ends(struct job *j) {
    const int n = tokenizer_n_vocab(j->tokenizer);
    j->end_id = mem_small((size_t)n * sizeof *j->end_id);
    j->config.end_ids = j->end_id;
    j->config.n_end_ids = tokenizer_end_ids(j->tokenizer, j->end_id, n);
    j->config.n_valid_vocab = n;
}

static bool write_answer(struct job *j, const char *prompt, const struct gen_output *o) {
    struct strbuf raw = {0}, text = {0};
    tokenizer_decode(j->tokenizer, o->token, (size_t)o->n, false, &raw);
    valid_text(&text, strbuf_str(&raw), raw.len);
    if (j->as_text) {
        strbuf_putc(&text, '\n');
        safe_lines(j->out, strbuf_str(&text));
    } else {
        struct strbuf line = {0};
        strbuf_puts(&line, "{\"prompt\":");
        json_append_string(&line, prompt);
        strbuf_puts(&line, ",\"response\":");
        json_append_string(&line, strbuf_str(&text));
        strbuf_putc(&line, '}');
        safe_json(j->out, strbuf_str(&line));
        strbuf_free(&line);
    }
    strbuf_free(&raw);
    strbuf_free(&text);
    return !ferror(j->out);
}

/* Prompts first .. first+n: encode, decode together, write. */
static bool answer_batch(struct job *j, int first, int n, bool *stopped, struct err *e) {
    struct token_list tokens = {0};
    size_t start[BATCH + 1] = {0};
    struct gen_request req[BATCH];
    struct gen_output out[BATCH];
    bool ok = true;
    for (int i = 0; i < n && ok; i++) {
        ok = chat_encode_prompt(j->tokenizer, j->kind, NULL, j->prompt[first + i], &tokens, e);
        start[i + 1] = tokens.n;
    }
    for (int i = 0; i < n && ok; i++) {
        const int len = (int)(start[i + 1] - start[i]);
        req[i] = (struct gen_request){tokens.id + start[i], len, 1, (uint64_t)(first + i)};
        if (len >= j->model->cfg.n_ctx)
            ok = err_set(e, "prompt %d has %d tokens, the model's context is %d", first + i + 1, len,
                         j->model->cfg.n_ctx);
    }
    ok = ok && generate(j->model, &j->config, req, n, out, stopped, e);
    if (ok && !*stopped) {
        for (int i = 0; i < n && ok; i++)
            if (!write_answer(j, j->prompt[first + i], &out[i])) ok = err_errno(e, "writing the answers");
        if (ok && fflush(j->out) != 0) ok = err_errno(e, "writing the answers");
        gen_output_free(out, n);
    }
    token_list_free(&tokens);
    return ok;
}

static bool answer_all(struct job *j, bool *stopped, struct err *e) {
    for (int i = 0; i < j->n && !*stopped; i += BATCH)
        if (!answer_batch(j, i, j->n - i < BATCH ? j->n - i : BATCH, stopped, e)) return false;
    return true;
}

static bool load(struct job *j, const struct args *a, struct err *e) {
    const char *file = args_text(a, "--prompts");
    j->as_text = !file && !args_given(a, "-o");
    if (!file) add_prompt(j, args_text(a, "--prompt"));
    if (file && !jsonl_each(file, read_prompt, j, e)) return false;
    parallel_init(args_int(a, "--threads"));
    if (!model_open(args_text(a, "--model"), &j->model, &j->tokenizer, e)) return false;
    if (!chat_kind_parse(args_given(a, "--raw") ? "raw" : "auto", j->tokenizer, &j->kind, e)) return false;
    j->config = (struct gen_config){.max_new_tokens = args_int(a, "--max-new-tokens"),
                                    .temperature = (float)args_real(a, "--temperature"),
                                    .seed = (uint64_t)args_int(a, "--seed"),
                                    .safe_point = go_on};
    set_ends(j);
    return true;
}

static bool run_to_file(struct job *j, const char *path, bool *stopped, struct err *e) {
    struct atomic_file f;
    if (!atomic_begin(&f, path, e)) return false;
    j->out = f.f;
    if (!answer_all(j, stopped, e) || *stopped) {
        atomic_abort(&f);
        return *stopped;
    }
    if (atomic_commit(&f, e)) return true;
    atomic_abort(&f);
    return false;
}

static int answer(const struct args *a) {
    if (args_given(a, "--prompt") == args_given(a, "--prompts"))
        return verb_usage("generate", "exactly one of --prompt and --prompts is needed");
    signals_install();
    struct job j = {.out = stdout};
    struct err e = {0};
    bool stopped = false;
    const char *path = args_text(a, "-o");
    const bool ok = load(&j, a, &e) && (path ? run_to_file(&j, path, &stopped, &e) : answer_all(&j, &stopped, &e));
    parallel_shutdown();
    job_free(&j);
    if (stopped) return 128 + signals_read().stop;
    return ok ? EXIT_DONE : verb_fail(&e);
}

static const struct arg_spec ARGS[] = {
    {"--model", "M.gguf", ARG_TEXT, 0, 0, ARG_REQUIRED, "the model"},
    {"--prompt", "TEXT", ARG_TEXT, 0, 0, NULL, "one prompt; its answer is printed as text, control characters shown"},
    {"--prompts", "FILE.jsonl", ARG_TEXT, 0, 0, NULL,
     "lines of {\"prompt\"}; prints lines of {\"prompt\", \"response\"}"},
    {"--max-new-tokens", "N", ARG_INT, 1, 1000000, "256", "an answer is cut here"},
    {"--temperature", "T", ARG_REAL, 0, 100, "0", "sampling temperature; 0 takes the likeliest token"},
    {"--seed", "N", ARG_INT, 0, 2147483647, "1", "seed of the sampling"},
    {"--raw", NULL, ARG_FLAG, 0, 0, NULL, "no chat template: the prompt and a newline"},
    THREADS_ARG,
    {"-o", "FILE.jsonl", ARG_TEXT, 0, 0, NULL, "write to a file instead of standard output"},
    {0}};
const struct verb verb_generate = {
    .name = "generate",
    .arguments = "",
    .help = "answer prompts with a model",
    .details = "Prompts are answered in batches. The chat template is recognised from the model file.",
    .args = ARGS,
    .run = answer,
};
