/* How long scope `head` takes: the basis, the features of responses, and a descent step's gradient under r_w beside the
 * plain one. One line a figure, `NAME N ms  what it is`, the median of RUNS.
 *
 *     make bench-programs VARIANT=release
 *     build/release/tests/bench/bench_head_scope [THREADS [K [VOCAB WIDTH LAYERS RESPONSES]]]   (0 or nothing: one thread per processor)
 *
 * The reward has the built-in game's size unless told otherwise: width 128, 4 layers, 571 tokens; 1,000 responses of 75
 * tokens after prompts of 25, 40 a batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/reward/head_scope.h"
#include "engine/math/eigen.h"
#include "engine/math/parallel.h"

enum { RUNS = 5, BATCH = 40, PROMPT = 25, RESPONSE = 75, SAMPLE_ROWS = 6000 };

struct bench {
    struct reward r;
    struct trainee student;
    struct head_scope s;
    struct head_scope_sample p;
    struct sequences q;
    float *feature, *weight;
    int k, n_vocab, width, layers, responses;
};

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, double *t, const char *what) {
    qsort(t, RUNS, sizeof *t, by_value);
    printf("%-10s %9.1f ms  %s\n", name, t[RUNS / 2] * 1e3, what);
    fflush(stdout);
}

static void pack(struct bench *b, int first) {
    int32_t token[PROMPT + RESPONSE];
    sequences_clear(&b->q);
    for (int i = first; i < first + BATCH; i++) {
        for (int t = 0; t < PROMPT + RESPONSE; t++)
            token[t] = (int32_t)rng_below((uint64_t)b->n_vocab, 1, RNG_TEST, (uint64_t)i, (uint64_t)t);
        sequences_add(&b->q, token, PROMPT, token + PROMPT, RESPONSE, false);
    }
}

static bool setup(struct bench *b, struct err *e) {
    struct model_config c = {.n_vocab = b->n_vocab,
                             .d_model = b->width,
                             .n_layer = b->layers,
                             .n_head = b->width / 32,
                             .n_kv_head = b->width / 32,
                             .head_dim = 32,
                             .d_ff = b->width * 3,
                             .n_ctx = 512,
                             .rope_base = 10000,
                             .rms_eps = 1e-5f,
                             .tied = true};
    struct model *m = model_new(&c, false, e);
    if (!m) return false;
    model_init(m, 1);
    if (!reward_init(&b->r, m, REWARD_TOKEN, 5, 96, e) || !(m = model_new(&c, false, e))) return false;
    model_init(m, 2);
    b->feature = mem_alloc((size_t)BATCH * (size_t)(1 + b->k), sizeof *b->feature, "features", e);
    b->weight = mem_alloc(BATCH * RESPONSE, sizeof *b->weight, "weights", e);
    if (!trainee_init(&b->student, m, e) || !b->feature || !b->weight) return false;
    for (int i = 0; i < BATCH * RESPONSE; i++) b->weight[i] = 1.0f / (BATCH * RESPONSE);
    return head_scope_init(&b->s, b->k, b->r.t.model, e) && head_scope_sample_init(&b->p, SAMPLE_ROWS, b->r.t.model, e);
}

static bool bench_basis(struct bench *b, struct err *e) {
    double t[RUNS];
    for (int i = 0; b->p.n < b->p.cap; i += BATCH) {
        pack(b, i);
        if (!head_scope_sample_add(&b->p, &b->r, &b->q, e)) return false;
    }
    for (int i = 0; i < RUNS; i++) {
        const double start = clock_seconds();
        if (!head_scope_build(&b->s, &b->r, &b->p, e)) return false;
        t[i] = clock_seconds() - start;
    }
    report("build", t, "basis from 6,000 rows, forward passes not counted");
    return true;
}

static bool bench_features(struct bench *b, struct err *e) {
    double whole[RUNS] = {0}, score[RUNS] = {0}, value[BATCH];
    for (int i = 0; i < RUNS; i++)
        for (int first = 0; first < b->responses; first += BATCH) {
            pack(b, first);
            const double start = clock_seconds();
            if (!head_scope_features(&b->s, &b->r, &b->q, b->feature, e)) return false;
            const double mid = clock_seconds();
            if (!reward_score(&b->r, &b->q, false, value, e)) return false;
            whole[i] += mid - start;
            score[i] += clock_seconds() - mid;
        }
    report("features", whole, "features of all responses");
    report("score", score, "reward_score of the same, for comparison");
    return true;
}

static bool bench_descent(struct bench *b, struct err *e) {
    double plain[RUNS], linear[RUNS], w[512] = {1};
    struct trainee *t = &b->student;
    struct exact_terms terms;
    const float *hs, *hr;
    for (int j = 1; j <= b->k; j++) w[j] = 0.3 * rng_normal(1, RNG_TEST, 3, (uint64_t)j);
    if (!head_scope_set_weights(&b->s, w, e)) return false;
    pack(b, 0);
    const struct batch batch = sequences_batch(&b->q);
    if (!trainee_prepare(t, &b->q, e) || !model_forward(t->model, t->acts, &batch, true, &hs, e) ||
        !model_forward(b->r.t.model, b->r.t.acts, &batch, false, &hr, e))
        return false;
    const struct head_rows rs = sequences_rows(&b->q, hs), rr = sequences_rows(&b->q, hr);
    for (int i = -1; i < RUNS; i++) { /* the first time only grows buffers */
        const double start = clock_seconds();
        if (!head_exact_descent(t->model, &rs, b->r.t.model, &rr, b->r.bound, NULL, NULL, b->weight, 0, t->space,
                                &terms, t->dhidden, t->grads, e))
            return false;
        const double mid = clock_seconds();
        if (!head_scope_descent(&b->s, t->model, &rs, &b->r, &rr, NULL, NULL, b->weight, 0, t->space, &terms,
                                t->dhidden, t->grads, e))
            return false;
        if (i >= 0) plain[i] = mid - start, linear[i] = clock_seconds() - mid;
    }
    report("plain", plain, "head_exact_descent on one batch");
    report("linear", linear, "head_scope_descent on the same");
    return true;
}

static bool bench_eigen(struct bench *b, struct err *e) {
    const size_t n = (size_t)b->width;
    double *a = mem_alloc(2 * n * n + n + eigen_scratch(b->width), sizeof *a, "matrix", e), t[RUNS];
    if (!a) return false;
    for (int i = 0; i < RUNS; i++) {
        for (size_t j = 0; j < n * n; j++) a[j] = rng_normal(1, RNG_TEST, 4, j);
        const double start = clock_seconds();
        if (!eigen_symmetric(a, b->width, a + n * n, a + n * n + n, a + 2 * n * n + n))
            return err_set(e, "eigenvalues: not found");
        t[i] = clock_seconds() - start;
    }
    report("eigen", t, "all eigenvectors of one matrix of the model's width");
    mem_free(a);
    return true;
}

static int number(char **argv, int argc, int at, int fallback) { return argc > at ? atoi(argv[at]) : fallback; }

int main(int argc, char **argv) {
    struct err e = {""};
    struct bench b = {.k = number(argv, argc, 2, 64),
                      .n_vocab = number(argv, argc, 3, 571),
                      .width = number(argv, argc, 4, 128),
                      .layers = number(argv, argc, 5, 4),
                      .responses = number(argv, argc, 6, 1000)};
    if (b.k > 511 || b.width % 32 || b.width < 32) {
        fprintf(stderr, "K at most 511, WIDTH a multiple of 32\n");
        return 2;
    }
    parallel_init(number(argv, argc, 1, 0));
    if (!setup(&b, &e) || !bench_basis(&b, &e) || !bench_features(&b, &e) || !bench_descent(&b, &e) ||
        !bench_eigen(&b, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    parallel_shutdown();
    return 0;
}
