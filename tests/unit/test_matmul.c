/* Matrix products: every backend against the definition, and the choice between backends. A new backend needs its name
 * in BACKENDS and nothing else to be held to all of this. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/math/matmul.h"
#include "engine/math/matmul_backend.h"
#include "engine/math/parallel.h"

static const char *const BACKENDS[] = {"openblas", "reference"};
enum { N_BACKENDS = sizeof BACKENDS / sizeof *BACKENDS };

static float *noise(size_t n, uint64_t tick) {
    float *x = calloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = (float)rng_normal(1, RNG_TEST, tick, i);
    return x;
}

static int default_backend(void **state) {
    (void)state;
    return matmul_use(NULL, NULL) ? 0 : -1;
}

/* The three products of a linear layer against their definitions. */
static void check_product(int m, int n, int k) {
    float *x = noise((size_t)m * (size_t)k, 1), *w = noise((size_t)n * (size_t)k, 2),
          *y = noise((size_t)m * (size_t)n, 3);
    float *y0 = calloc((size_t)m * (size_t)n, sizeof *y0), *dx = noise((size_t)m * (size_t)k, 4);
    float *dx0 = calloc((size_t)m * (size_t)k, sizeof *dx0), *dw = noise((size_t)n * (size_t)k, 5);
    memcpy(y0, y, (size_t)m * (size_t)n * sizeof *y);
    memcpy(dx0, dx, (size_t)m * (size_t)k * sizeof *dx);
    float *dw0 = noise((size_t)n * (size_t)k, 5);
    const double tolerance = 1e-5 * (sqrt((double)m) + sqrt((double)n) + sqrt((double)k));
    const bool accumulate = (m + n) % 2;
    matmul_nt(y, x, w, m, n, k, accumulate);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = accumulate ? (double)y0[i * n + j] : 0.0;
            for (int c = 0; c < k; c++) sum += (double)x[i * k + c] * (double)w[j * k + c];
            assert_true(fabs(sum - (double)y[i * n + j]) < tolerance);
        }
    matmul_nn(dx, y0, w, m, k, n, accumulate);
    for (int i = 0; i < m; i++)
        for (int c = 0; c < k; c++) {
            double sum = accumulate ? (double)dx0[i * k + c] : 0.0;
            for (int j = 0; j < n; j++) sum += (double)y0[i * n + j] * (double)w[j * k + c];
            assert_true(fabs(sum - (double)dx[i * k + c]) < tolerance);
        }
    matmul_tn(dw, y0, x, n, k, m);
    for (int j = 0; j < n; j++)
        for (int c = 0; c < k; c++) {
            double sum = (double)dw0[j * k + c];
            for (int i = 0; i < m; i++) sum += (double)y0[i * n + j] * (double)x[i * k + c];
            assert_true(fabs(sum - (double)dw[j * k + c]) < tolerance);
        }
    float *all[] = {x, w, y, y0, dx, dx0, dw, dw0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void products_are_right(void **state) {
    (void)state;
    parallel_init(3);
    const int shape[][3] = {{1, 1, 1},     {1, 130, 7},     {5, 3, 2},   {300, 17, 33},
                            {7, 1100, 40}, {257, 255, 129}, {64, 64, 64}};
    for (size_t b = 0; b < N_BACKENDS; b++) {
        assert_true(matmul_use(BACKENDS[b], NULL));
        for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) check_product(shape[i][0], shape[i][1], shape[i][2]);
    }
    parallel_shutdown();
}

static void products_do_not_depend_on_threads(void **state) {
    (void)state;
    enum { M = 333, N = 517, K = 129 };
    float *x = noise((size_t)M * K, 1), *w = noise((size_t)N * K, 2), *y[3];
    for (size_t b = 0; b < N_BACKENDS; b++) {
        assert_true(matmul_use(BACKENDS[b], NULL));
        for (int t = 0; t < 3; t++) {
            parallel_init(1 + 2 * t);
            y[t] = calloc((size_t)M * N, sizeof **y);
            matmul_nt(y[t], x, w, M, N, K, false);
            parallel_shutdown();
            assert_memory_equal(y[0], y[t], (size_t)M * N * sizeof **y);
        }
        for (int t = 0; t < 3; t++) free(y[t]);
    }
    free(x);
    free(w);
}

/* Blocks with rows further apart than they are long, scaled, transposed either way: all backends agree with the
 * reference, and nothing outside the block is written. */
static void blocks_agree(void **state) {
    (void)state;
    enum { M = 19, N = 33, K = 21, LD = 40 };
    float *a = noise((size_t)LD * LD, 7), *b = noise((size_t)LD * LD, 8), *c0 = noise((size_t)M * LD, 9);
    float *want = calloc((size_t)M * LD, sizeof *want), *got = calloc((size_t)M * LD, sizeof *got);
    for (int form = 0; form < 8; form++) {
        const bool ta = form & 1, tb = form & 2, accumulate = form & 4;
        memcpy(want, c0, (size_t)M * LD * sizeof *want);
        assert_true(matmul_use("reference", NULL));
        matmul_block(ta, tb, M, N, K, 0.25f, a, LD, b, LD, accumulate, want, LD);
        for (size_t k = 0; k < N_BACKENDS; k++) {
            memcpy(got, c0, (size_t)M * LD * sizeof *got);
            assert_true(matmul_use(BACKENDS[k], NULL));
            matmul_block(ta, tb, M, N, K, 0.25f, a, LD, b, LD, accumulate, got, LD);
            for (int i = 0; i < M; i++) {
                for (int j = 0; j < N; j++) assert_true(fabsf(got[i * LD + j] - want[i * LD + j]) < 1e-5f);
                assert_memory_equal(got + i * LD + N, c0 + i * LD + N, (LD - N) * sizeof *got);
            }
        }
    }
    float *all[] = {a, b, c0, want, got};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Without accumulate the result is not read: not-a-number there must not survive. */
static void old_results_are_overwritten(void **state) {
    (void)state;
    const float x[6] = {1, 2, 3, 4, 5, 6}, w[6] = {1, 0, 1, 0, 1, 0};
    for (size_t k = 0; k < N_BACKENDS; k++) {
        float y[4] = {NAN, NAN, NAN, NAN};
        assert_true(matmul_use(BACKENDS[k], NULL));
        matmul_nt(y, x, w, 2, 2, 3, false);
        assert_memory_equal(y, ((const float[4]){4, 2, 10, 5}), sizeof y);
    }
}

static void an_unknown_backend_is_refused(void **state) {
    (void)state;
    struct err e;
    assert_true(matmul_use("reference", &e));
    assert_false(matmul_use("abacus", &e));
    for (size_t k = 0; k < N_BACKENDS; k++) assert_non_null(strstr(e.msg, BACKENDS[k]));
    assert_non_null(strstr(e.msg, "abacus"));
    assert_string_equal(matmul_backend()->name, "reference"); /* the refusal changed nothing */
    assert_true(matmul_use(NULL, &e));
    assert_string_equal(matmul_backend()->name, "openblas");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(products_are_right, default_backend),
        cmocka_unit_test_teardown(products_do_not_depend_on_threads, default_backend),
        cmocka_unit_test_teardown(blocks_agree, default_backend),
        cmocka_unit_test_teardown(old_results_are_overwritten, default_backend),
        cmocka_unit_test_teardown(an_unknown_backend_is_refused, default_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
