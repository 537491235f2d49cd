/* How fast the engine trains and generates, at the two sizes that matter: the student of the built-in demonstration and
 * the shape of SmolLM2-135M. One line a figure, `NAME N tokens/s  what it is`, which scripts/bench.sh sets beside the
 * lines of the same names from peer.py. Weights and tokens are random: speed does not depend on them.
 *
 * Usage: bench [THREADS]   (0 or nothing: one per processor)
 *
 * A figure is that of the median step, so that one step disturbed by another process does not decide it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/train/sft.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/model/generate.h"

enum { SEED = 1, MAX_RUNS = 64 };

struct shape {
    const char *name;
    struct model_config model;
    int train_seq, train_len, train_runs; /* a training step: train_seq sequences of train_len input tokens */
    int gen_prompts, gen_samples;         /* generation: samples of each prompt, which share its prefix */
    int gen_prompt_len, gen_len, gen_runs;
};

/* clang-format off */
static const struct shape SHAPES[] = {
    {.name = "demo",
     .model = {.n_vocab = 640, .d_model = 64, .n_layer = 4, .n_head = 4, .n_kv_head = 2, .head_dim = 16, .d_ff = 192,
               .n_ctx = 128, .rope_base = 10000.0f, .rms_eps = 1e-5f, .tied = true},
     .train_seq = 64, .train_len = 50, .train_runs = 20,
     .gen_prompts = 128, .gen_samples = 1, .gen_prompt_len = 16, .gen_len = 32, .gen_runs = 10},
    {.name = "smollm2",
     .model = {.n_vocab = 49152, .d_model = 576, .n_layer = 30, .n_head = 9, .n_kv_head = 3, .head_dim = 64,
               .d_ff = 1536, .n_ctx = 2048, .rope_base = 100000.0f, .rms_eps = 1e-5f, .tied = true},
     .train_seq = 1, .train_len = 512, .train_runs = 2,
     .gen_prompts = 1, .gen_samples = 32, .gen_prompt_len = 128, .gen_len = 16, .gen_runs = 2},
};
/* clang-format on */

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static int32_t *random_tokens(int n, int n_vocab) {
    int32_t *t = mem_small((size_t)n * sizeof *t);
    uint32_t x = SEED;
    for (int i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        t[i] = (int32_t)((x >> 8) % (uint32_t)n_vocab);
    }
    return t;
}

/* Forward, loss and its gradient, backward and AdamW over examples of one prompt token, so that every input token
 * carries loss. */
static bool time_training(struct trainee *t, const struct shape *s, struct err *e) {
    struct sequences seqs = {0};
    const int stride = s->train_len + 1;
    int32_t *token = random_tokens(s->train_seq * stride, s->model.n_vocab);
    struct sft_example *ex = mem_small((size_t)s->train_seq * sizeof *ex);
    for (int i = 0; i < s->train_seq; i++)
        ex[i] = (struct sft_example){token + i * stride, token + i * stride + 1, 1, s->train_len};
    double seconds[MAX_RUNS];
    bool ok = true;
    for (int run = -1; ok && run < s->train_runs; run++) { /* run -1 warms up: buffers grow, pages are touched */
        double loss;
        const double began = clock_seconds();
        ok = sft_step(t, &seqs, ex, s->train_seq, 1e-4, &loss, NULL, e);
        if (run >= 0) seconds[run] = clock_seconds() - began;
    }
    if (ok)
        printf("train-%s %.0f tokens/s  training step, %d x %d tokens\n", s->name,
               s->train_seq * s->train_len / median(seconds, s->train_runs), s->train_seq, s->train_len);
    free(ex);
    free(token);
    sequences_free(&seqs);
    return ok;
}

/* One run of generate() over all requests: the number of tokens that came out. */
static bool generate_once(const struct model *m, const struct shape *s, const struct gen_request *req,
                          struct gen_output *out, int *n_tokens, struct err *e) {
    const struct gen_config c = {.max_new_tokens = s->gen_len, .temperature = 1.0f, .seed = SEED};
    if (!generate(m, &c, req, s->gen_prompts, out, NULL, e)) return false;
    const int n_out = s->gen_prompts * s->gen_samples;
    *n_tokens = 0;
    for (int i = 0; i < n_out; i++) *n_tokens += out[i].n;
    gen_output_free(out, n_out);
    return true;
}

static bool time_generation(const struct model *m, const struct shape *s, struct err *e) {
    const int n_out = s->gen_prompts * s->gen_samples;
    int32_t *prompt = random_tokens(s->gen_prompts * s->gen_prompt_len, s->model.n_vocab);
    struct gen_request *req = mem_small((size_t)s->gen_prompts * sizeof *req);
    struct gen_output *out = mem_small((size_t)n_out * sizeof *out);
    for (int i = 0; i < s->gen_prompts; i++)
        req[i] = (struct gen_request){prompt + i * s->gen_prompt_len, s->gen_prompt_len, s->gen_samples,
                                      (uint64_t)(i * s->gen_samples)};
    double seconds[MAX_RUNS];
    int n_tokens = 0;
    bool ok = true;
    for (int run = -1; ok && run < s->gen_runs; run++) {
        const double began = clock_seconds();
        ok = generate_once(m, s, req, out, &n_tokens, e);
        if (run >= 0) seconds[run] = clock_seconds() - began;
    }
    if (ok)
        printf("generate-%s %.0f tokens/s  %d sequences x %d tokens after %d prompt%s of %d, prompts' time included\n",
               s->name, n_tokens / median(seconds, s->gen_runs), n_out, s->gen_len, s->gen_prompts,
               s->gen_prompts == 1 ? "" : "s", s->gen_prompt_len);
    free(out);
    free(req);
    free(prompt);
    return ok;
}

static bool bench_shape(const struct shape *s, struct err *e) {
    struct trainee t = {0};
    struct model *m = model_new(&s->model, false, e);
    if (!m) return false;
    model_init(m, SEED);
    if (!trainee_init(&t, m, e)) return false;
    bool ok = time_training(&t, s, e);
    fflush(stdout);
    ok = ok && time_generation(t.model, s, e);
    fflush(stdout);
    trainee_free(&t);
    return ok;
}

int main(int argc, char **argv) {
    long threads = 0;
    if (argc > 1) {
        char *end;
        errno = 0;
        threads = strtol(argv[1], &end, 10);
        if (argc > 2 || errno || *end || end == argv[1] || threads < 0 || threads > 64) {
            fprintf(stderr, "usage: bench [THREADS]   (0 to 64; 0: one per processor)\n");
            return 2;
        }
    }
    parallel_init((int)threads);
    printf("threads %d\n", parallel_threads());
    struct err e = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof SHAPES / sizeof *SHAPES; i++) ok = bench_shape(&SHAPES[i], &e);
    if (!ok) fprintf(stderr, "bench: %s\n", e.msg);
    parallel_shutdown();
    return ok ? 0 : 1;
}
