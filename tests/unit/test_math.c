/* The mathematics under the model: the pool, AdamW, and the elementary functions against libm. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/math/adamw.h"
#include "engine/math/kernels.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"

static float *noise(size_t n, uint64_t tick) {
    float *x = calloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (float)rng_normal(1, RNG_TEST, tick, i);
    return x;
}

/* ---- pool ---- */

static void count_visit(void *ctx, int i) { atomic_fetch_add((atomic_int *)ctx + i, 1); }

static void count_range(void *ctx, int begin, int end) {
    for (int i = begin; i < end; i++) count_visit(ctx, i);
}

static void test_every_chunk_runs_once(void **state) {
    (void)state;
    enum { N = 1000 };
    atomic_int *visits = calloc(N, sizeof *visits);
    const int threads[] = {1, 2, 4, 7};
    int calls = 0;
    for (size_t t = 0; t < 4; t++) {
        parallel_init(threads[t]);
        for (int round = 0; round < 200; round++, calls++) {
            parallel_for(N, count_visit, visits);
            parallel_for(0, count_visit, visits);
        }
        for (int grain = 1; grain < 2000; grain = grain * 3 + 1, calls++)
            parallel_ranges(N, grain, count_range, visits);
        for (int i = 0; i < N; i++) assert_int_equal(atomic_load(&visits[i]), calls);
    }
    parallel_shutdown();
    assert_int_equal(parallel_threads(), 1);
    parallel_for(N, count_visit, visits);
    for (int i = 0; i < N; i++) assert_int_equal(atomic_load(&visits[i]), calls + 1);
    free(visits);
}

static void count_row(void *ctx, int i) { parallel_for(1 + i % 7, count_visit, (atomic_int *)ctx + 8 * i); }

/* A job within a chunk is done by the thread that runs the chunk, and the next job is shared out again. */
static void test_jobs_within_jobs(void **state) {
    (void)state;
    enum { ROWS = 40, ROUNDS = 300 };
    for (int threads = 1; threads <= 4; threads++) {
        atomic_int *visits = calloc(8 * ROWS, sizeof *visits);
        parallel_init(threads);
        for (int round = 0; round < ROUNDS; round++) {
            parallel_for(ROWS, count_row, visits);
            parallel_for(8 * ROWS, count_visit, visits);
        }
        parallel_shutdown();
        for (int i = 0; i < 8 * ROWS; i++)
            assert_int_equal(atomic_load(&visits[i]), ROUNDS * (1 + (i % 8 < 1 + i / 8 % 7)));
        free(visits);
    }
}

/* Many short jobs of changing length: a worker that comes late must not run a chunk of a job that is over. */
static void test_short_jobs_do_not_mix(void **state) {
    (void)state;
    parallel_init(4);
    for (int round = 0; round < 5000; round++) {
        atomic_int visits[8] = {0};
        const int n = 1 + round % 8;
        parallel_for(n, count_visit, visits);
        for (int i = 0; i < 8; i++) assert_int_equal(atomic_load(&visits[i]), i < n);
    }
    parallel_shutdown();
}

/* ---- AdamW ---- */

enum { N_PARAMS = 20011, N_STEPS = 6 };

/* The paper's algorithm 2 in double, with the norm clipped first. */
static void reference_steps(double *p, const struct adamw_config *c) {
    double *m = calloc(N_PARAMS, sizeof *m), *v = calloc(N_PARAMS, sizeof *v);
    for (int step = 1; step <= N_STEPS; step++) {
        float *g = noise(N_PARAMS, 10 + (uint64_t)step);
        double norm = 0;
        for (int i = 0; i < N_PARAMS; i++) norm += (double)g[i] * (double)g[i];
        norm = sqrt(norm);
        const double clip = c->clip_norm > 0 && norm > (double)c->clip_norm ? (double)c->clip_norm / norm : 1.0;
        const double b1 = (double)c->beta1, b2 = (double)c->beta2;
        for (int i = 0; i < N_PARAMS; i++) {
            const double gi = (double)g[i] * clip;
            m[i] = b1 * m[i] + (1 - b1) * gi;
            v[i] = b2 * v[i] + (1 - b2) * gi * gi;
            const double mh = m[i] / (1 - pow(b1, step)), vh = v[i] / (1 - pow(b2, step));
            p[i] -= (double)c->lr * (mh / (sqrt(vh) + (double)c->eps) + (double)c->weight_decay * p[i]);
        }
        free(g);
    }
    free(m);
    free(v);
}

static void check_adamw(const struct adamw_config *c) {
    float *p = noise(N_PARAMS, 7);
    double *expected = calloc(N_PARAMS, sizeof *expected);
    for (int i = 0; i < N_PARAMS; i++) expected[i] = (double)p[i];
    reference_steps(expected, c);
    struct adamw o;
    assert_true(adamw_init(&o, N_PARAMS, NULL));
    for (int step = 1; step <= N_STEPS; step++) {
        float *g = noise(N_PARAMS, 10 + (uint64_t)step);
        double norm, sum = 0;
        for (int i = 0; i < N_PARAMS; i++) sum += (double)g[i] * (double)g[i];
        assert_true(adamw_step(&o, c, p, g, &norm, NULL));
        assert_true(fabs(norm - sqrt(sum)) < 1e-9 * norm);
        for (int i = 0; i < N_PARAMS; i++) assert_true(g[i] == 0.0f);
        free(g);
    }
    assert_int_equal(o.step, N_STEPS);
    for (int i = 0; i < N_PARAMS; i++) assert_true(fabs((double)p[i] - expected[i]) < 2e-6 * (1 + fabs(expected[i])));
    adamw_reset(&o);
    assert_int_equal(o.step, 0);
    for (int i = 0; i < N_PARAMS; i++) assert_true(o.m[i] == 0.0f && o.v[i] == 0.0f);
    adamw_free(&o);
    free(p);
    free(expected);
}

static void test_adamw_follows_the_paper(void **state) {
    (void)state;
    parallel_init(2);
    struct adamw_config c = ADAMW_DEFAULTS;
    check_adamw(&c);
    c.weight_decay = 0.1f;
    c.clip_norm = 0.0f;
    c.lr = 0.02f;
    check_adamw(&c);
    c.clip_norm = 1e6f; /* a bound that is not reached */
    check_adamw(&c);
    parallel_shutdown();
}

static void test_adamw_refuses_what_is_not_finite(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 3; k++) {
        float *p = noise(N_PARAMS, 1), *p0 = noise(N_PARAMS, 1), *g = noise(N_PARAMS, 2);
        struct adamw o;
        struct err e;
        assert_true(adamw_init(&o, N_PARAMS, NULL));
        g[N_PARAMS - 1 - k] = bad[k];
        double norm = 0;
        assert_false(adamw_step(&o, &ADAMW_DEFAULTS, p, g, &norm, &e));
        assert_false(isfinite(norm));
        assert_non_null(strstr(e.msg, "finite"));
        assert_memory_equal(p, p0, N_PARAMS * sizeof *p);
        assert_int_equal(o.step, 0);
        for (int i = 0; i < N_PARAMS; i++) assert_true(o.m[i] == 0.0f && o.v[i] == 0.0f && g[i] == 0.0f);
        adamw_free(&o);
        free(p);
        free(p0);
        free(g);
    }
}

static void test_adamw_does_not_depend_on_threads(void **state) {
    (void)state;
    enum { N = 100003 };
    float *p[3];
    double norm[3];
    for (int t = 0; t < 3; t++) {
        struct adamw o;
        float *g = noise(N, 2);
        p[t] = noise(N, 1);
        assert_true(adamw_init(&o, N, NULL));
        parallel_init(1 + t * 2);
        assert_true(adamw_step(&o, &ADAMW_DEFAULTS, p[t], g, &norm[t], NULL));
        parallel_shutdown();
        assert_true(norm[t] == norm[0]);
        assert_memory_equal(p[t], p[0], N * sizeof(float));
        adamw_free(&o);
        free(g);
    }
    for (int t = 0; t < 3; t++) free(p[t]);
}

/* ---- elementary functions and softmax pieces ---- */

static void test_elementary_functions(void **state) {
    (void)state;
    double worst_exp = 0, worst_tanh = 0, worst_sigmoid = 0;
    for (int i = 0; i <= 400000; i++) {
        const float x = -86.0f + (float)i * (172.0f / 400000.0f), t = x / 8.0f;
        worst_exp = fmax(worst_exp, fabs((double)simd_exp(x) / exp((double)x) - 1));
        if (t != 0.0f) worst_tanh = fmax(worst_tanh, fabs((double)simd_tanh(t) / tanh((double)t) - 1));
        worst_sigmoid = fmax(worst_sigmoid, fabs((double)simd_sigmoid(t) * (1 + exp(-(double)t)) - 1));
    }
    assert_true(worst_exp < 2.5e-7);
    assert_true(worst_tanh < 2.5e-7);
    assert_true(worst_sigmoid < 4e-7);
    assert_true(simd_exp(0.0f) == 1.0f && simd_tanh(0.0f) == 0.0f);
    assert_true(simd_exp(-INFINITY) < 1e-37f && isfinite(simd_exp(INFINITY)));
    assert_true(simd_tanh(INFINITY) == 1.0f && simd_tanh(-INFINITY) == -1.0f);
    assert_true(isnan(simd_exp(NAN)) && isnan(simd_tanh(NAN)));
}

static void test_softmax_pieces(void **state) {
    (void)state;
    const int sizes[] = {1, 15, 16, 17, 1000, 1025, 49152};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int n = sizes[s];
        float *z = noise((size_t)n, 3), top = -INFINITY;
        double sum = 0;
        for (int i = 0; i < n; i++) {
            z[i] *= 4.0f;
            top = fmaxf(top, z[i]);
            sum += exp((double)z[i]);
        }
        assert_true(row_max(z, n) == top);
        assert_true(fabs(row_log_sum_exp(z, n) - log(sum)) < 5e-7);
        z[n - 1] = NAN;
        assert_true(isnan(row_log_sum_exp(z, n)));
        free(z);
    }
}

/* Rows with equal indices add up, whatever the number of threads. */
static void test_embedding_gradient(void **state) {
    (void)state;
    enum { V = 5, D = 200, N = 300 };
    float *dx = noise((size_t)N * D, 1), *table = calloc((size_t)V * D, sizeof *table);
    int32_t index[N];
    for (int i = 0; i < N; i++) index[i] = i * i % V;
    parallel_init(3);
    embed_backward(table, dx, index, N, D);
    parallel_shutdown();
    for (int v = 0; v < V; v++)
        for (int c = 0; c < D; c++) {
            float sum = 0; /* in order of t, as the contract says: bitwise equal */
            for (int i = 0; i < N; i++)
                if (index[i] == v) sum += dx[i * D + c];
            assert_true(table[v * D + c] == sum);
        }
    free(dx);
    free(table);
}

static void test_rotation_is_undone_by_its_transpose(void **state) {
    (void)state;
    enum { T = 50, HEADS = 3, HD = 8, STRIDE = 40 };
    float *x = noise((size_t)T * STRIDE, 1), *kept = noise((size_t)T * STRIDE, 1), table[T * HD];
    int pos[T];
    for (int t = 0; t < T; t++) pos[t] = T - 1 - t;
    rope_table(table, 0, T, HD, 1e4f);
    rope_forward(x, table, pos, T, HEADS, HD, STRIDE);
    assert_true(fabsf(x[0] - kept[0]) > 1e-3f);
    for (int t = 0; t < T; t++) /* heads beyond n_rot are left alone */
        assert_memory_equal(x + t * STRIDE + HEADS * HD, kept + t * STRIDE + HEADS * HD,
                            (STRIDE - HEADS * HD) * sizeof *x);
    rope_backward(x, table, pos, T, HEADS, HD, STRIDE);
    for (int i = 0; i < T * STRIDE; i++) assert_true(fabsf(x[i] - kept[i]) < 1e-5f);
    free(x);
    free(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_chunk_runs_once),
        cmocka_unit_test(test_jobs_within_jobs),
        cmocka_unit_test(test_short_jobs_do_not_mix),
        cmocka_unit_test(test_adamw_follows_the_paper),
        cmocka_unit_test(test_adamw_refuses_what_is_not_finite),
        cmocka_unit_test(test_adamw_does_not_depend_on_threads),
        cmocka_unit_test(test_elementary_functions),
        cmocka_unit_test(test_softmax_pieces),
        cmocka_unit_test(test_embedding_gradient),
        cmocka_unit_test(test_rotation_is_undone_by_its_transpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
