/* What pbkd computes on a real model, written down for comparison with an independent implementation
 * (compare_logits.py): greedy continuations of prompts through the batched generator, and log-probabilities of a text
 * through the plain forward pass and the head.
 *
 *     logits_dump MODEL.gguf PROMPTS.txt N_NEW TEXT.txt [F32_COPY.gguf] > dump.json
 *
 * PROMPTS.txt has one prompt a line. With a last argument the model is also written there as F32, for implementations
 * that would compute in quantised arithmetic otherwise. Speed goes to standard error. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/formats/quant.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/model/generate.h"
#include "engine/model/head.h"
#include "engine/model/model_io.h"

enum { MAX_PROMPTS = 256, MAX_FILE = 1 << 20 };

static void print_ids(const char *name, const int32_t *id, size_t n) {
    printf("\"%s\": [", name);
    for (size_t i = 0; i < n; i++) printf("%s%" PRId32, i ? ", " : "", id[i]);
    printf("]");
}

static void print_floats(const char *name, const float *x, size_t n) {
    printf("\"%s\": [", name);
    for (size_t i = 0; i < n; i++) printf("%s%.9g", i ? ", " : "", (double)x[i]);
    printf("]");
}

/* One encoded prompt a line; returns how many. */
static int read_prompts(struct tokenizer *t, char *text, struct token_list *list) {
    int n = 0;
    for (char *line = strtok(text, "\n"); line && n < MAX_PROMPTS; line = strtok(NULL, "\n"))
        tokenizer_encode(t, line, strlen(line), false, &list[n++]);
    return n;
}

static bool dump_greedy(const struct model *m, struct tokenizer *t, const char *path, int n_new, struct err *e) {
    static struct token_list prompt[MAX_PROMPTS];
    static struct gen_request req[MAX_PROMPTS];
    static struct gen_output out[MAX_PROMPTS];
    char *text;
    size_t len;
    if (!file_read_all(path, MAX_FILE, &text, &len, e)) return false;
    int n = read_prompts(t, text, prompt), n_tokens = 0;
    mem_free(text);
    for (int i = 0; i < n; i++) req[i] = (struct gen_request){prompt[i].id, (int)prompt[i].n, 1, 0};
    struct gen_config c = {.max_new_tokens = n_new};
    double from = clock_seconds();
    bool ok = generate(m, &c, req, n, out, NULL, e);
    double seconds = clock_seconds() - from;
    printf("\"greedy\": [");
    for (int i = 0; ok && i < n; i++) {
        printf("%s\n{", i ? "," : "");
        print_ids("prompt", prompt[i].id, prompt[i].n);
        printf(", ");
        print_ids("answer", out[i].token, (size_t)out[i].n);
        printf(", ");
        print_floats("log_prob", out[i].log_prob, (size_t)out[i].n);
        printf("}");
        n_tokens += out[i].n;
    }
    printf("],\n");
    if (ok) fprintf(stderr, "greedy: %d sequences, %d tokens, %.1f tokens/s\n", n, n_tokens, n_tokens / seconds);
    if (ok) gen_output_free(out, n);
    for (int i = 0; i < n; i++) token_list_free(&prompt[i]);
    return ok;
}

/* log p of every token but the first. */
static bool text_log_probs(const struct model *m, const struct token_list *x, float *log_prob, struct err *e) {
    struct activations *a = activations_new();
    struct head_space *s = head_space_new();
    int start[2] = {0, (int)x->n};
    struct batch b = {1, start, x->id};
    int *row = mem_small(x->n * sizeof *row);
    for (size_t i = 0; i < x->n; i++) row[i] = (int)i;
    struct head_rows r = {.row = row, .target = x->id + 1, .n = (int)x->n - 1};
    double from = clock_seconds();
    bool ok = model_forward(m, a, &b, false, &r.hidden, e) && head_log_prob(m, &r, s, log_prob, NULL, e);
    if (ok) fprintf(stderr, "text: %zu tokens, %.1f tokens/s\n", x->n, (double)x->n / (clock_seconds() - from));
    free(row);
    head_space_free(s);
    activations_free(a);
    return ok;
}

static bool dump_text(const struct model *m, struct tokenizer *t, const char *path, struct err *e) {
    struct token_list x = {0};
    char *text;
    size_t len;
    if (!file_read_all(path, MAX_FILE, &text, &len, e)) return false;
    tokenizer_encode(t, text, len, false, &x);
    mem_free(text);
    bool ok = x.n > 1 || err_set(e, "%s: at least two tokens are needed", path);
    float *log_prob = mem_small((x.n + 1) * sizeof *log_prob);
    ok = ok && text_log_probs(m, &x, log_prob, e);
    if (ok) {
        print_ids("text", x.id, x.n);
        printf(",\n");
        print_floats("text_log_prob", log_prob, x.n - 1);
    }
    free(log_prob);
    token_list_free(&x);
    return ok;
}

int main(int argc, char **argv) {
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: %s MODEL.gguf PROMPTS.txt N_NEW TEXT.txt [F32_COPY.gguf] > dump.json\n", argv[0]);
        return 2;
    }
    struct err e;
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    parallel_init(0);
    double from = clock_seconds();
    bool ok = model_open(argv[1], &m, &t, &e);
    if (ok) fprintf(stderr, "load: %.2f s\n", clock_seconds() - from);
    printf("{");
    ok = ok && dump_greedy(m, t, argv[2], atoi(argv[3]), &e) && dump_text(m, t, argv[4], &e) &&
         (argc < 6 || model_save(m, t, argv[5], QUANT_F32, &e));
    printf("}\n");
    if (!ok) fprintf(stderr, "%s\n", e.msg);
    model_free(m);
    tokenizer_free(t);
    parallel_shutdown();
    return ok ? 0 : 1;
}
