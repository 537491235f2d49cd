/* The dense linear algebra under the confidence set and scope `head`: positive definite systems, and the eigenvectors
 * of symmetric matrices, on every matrix-product backend. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/math/eigen.h"
#include "engine/math/matmul.h"
#include "engine/math/spd.h"
#include "tests/support/vector.h"

/* ---- Positive definite systems ----------------------------------------------------------------------------------- */

static void systems_are_solved(void **state) {
    (void)state;
    struct err e;
    for (int n = 1; n <= 200; n = n * 3 / 2 + 1) {
        const int rows = 2 * n + 150;
        const size_t nn = (size_t)n * (size_t)n;
        float *f = mem_alloc((size_t)rows * (size_t)n, sizeof *f, "f", &e);
        double *weight = mem_alloc((size_t)rows, sizeof *weight, "weight", &e), *h = mem_alloc(nn, sizeof *h, "h", &e);
        double *l = mem_alloc(nn, sizeof *l, "l", &e), *x = mem_alloc((size_t)n, sizeof *x, "x", &e);
        double *b = mem_alloc((size_t)n, sizeof *b, "b", &e),
               *scratch = mem_alloc(spd_gram_scratch(n), sizeof *scratch, "scratch", &e);
        for (int i = 0; i < rows * n; i++) f[i] = (float)rng_normal(12, RNG_TEST, (uint64_t)n, (uint64_t)i);
        for (int i = 0; i < rows; i++) weight[i] = i % 5 ? rng_uniform(13, RNG_TEST, (uint64_t)n, (uint64_t)i) : 0;
        spd_gram(h, f, weight, rows, n, scratch);
        for (int r = 0; r < n; r++)
            for (int c = 0; c <= r; c++) {
                double sum = 0;
                for (int i = 0; i < rows; i++) sum += weight[i] * (double)f[i * n + r] * (double)f[i * n + c];
                assert_true(fabs(h[r * n + c] - sum) <= 1e-12 * rows);
                h[c * n + r] = h[r * n + c];
            }
        memcpy(l, h, nn * sizeof *l);
        assert_true(spd_factor(l, n));
        double trace = 0, square = 0, of_square;
        for (int k = 0; k < n; k++) { /* column k of the inverse */
            for (int j = 0; j < n; j++) x[j] = b[j] = j == k;
            spd_solve(l, x, n);
            trace += x[k];
            square += dot(x, x, n);
            for (int j = 0; j < n; j++) assert_true(fabs(dot(h + j * n, x, n) - (j == k)) <= 1e-11);
            spd_half_solve(l, b, n);
            assert_true(fabs(dot(b, b, n) - x[k]) <= 1e-12);
        }
        assert_true(fabs(spd_trace_inverse(l, n, &of_square, x) - trace) <= 1e-11 * trace);
        assert_true(fabs(of_square - square) <= 1e-11 * square);
        h[nn - 1] = -1;
        assert_false(spd_factor(h, n));
        double *const owned[] = {weight, h, l, x, b, scratch};
        for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) mem_free(owned[i]);
        mem_free(f);
    }
}

/* ---- Eigenvectors ------------------------------------------------------------------------------------------------ */

/* Residual, orthonormality, order and sign of the decomposition of a [n,n]; value gets the eigenvalues. */
static void check_eigen(const double *a, int n, double *value) {
    const size_t square = (size_t)n * (size_t)n;
    double *spoilt = calloc(square, sizeof *spoilt), *v = calloc(square, sizeof *v),
           *scratch = calloc(eigen_scratch(n), sizeof *scratch), size = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            spoilt[i * n + j] = j <= i ? a[i * n + j] : NAN; /* only the lower triangle is read */
            size = fmax(size, fabs(a[i * n + j]));
        }
    assert_true(eigen_symmetric(spoilt, n, value, v, scratch));
    for (int i = 0; i < n; i++) {
        int largest = 0;
        for (int j = 0; j < n; j++) {
            double image = 0;
            for (int k = 0; k < n; k++) image += a[j * n + k] * v[i * n + k];
            assert_true(fabs(image - value[i] * v[i * n + j]) <= 1e-14 * n * size);
            assert_true(fabs(dot(v + i * n, v + j * n, n) - (i == j)) < 1e-13);
            if (fabs(v[i * n + j]) > fabs(v[i * n + largest])) largest = j;
        }
        assert_true(v[i * n + largest] > 0 && (i == 0 || value[i] <= value[i - 1]));
    }
    free(spoilt);
    free(v);
    free(scratch);
}

static void eigenvectors_are_found(void **state) {
    (void)state;
    enum { MOST = 70 };
    static double a[MOST * MOST], value[MOST];
    for (int n = 1; n <= MOST; n += n < 6 ? 1 : 16) {
        for (int kind = 0; kind < 4; kind++) {
            for (int i = 0; i < n; i++)
                for (int j = 0; j <= i; j++) {
                    const double z = rng_normal(2, RNG_TEST, (uint64_t)(100 * n + i), (uint64_t)j);
                    /* random; graded over many decades; ones (rank 1); a chain of springs, whose values are known */
                    const double spring = i == j ? 2 : i == j + 1 ? -1 : 0;
                    a[i * n + j] = a[j * n + i] = kind == 0   ? z
                                                  : kind == 1 ? z * pow(10, -0.2 * (i + j))
                                                  : kind == 2 ? 1
                                                              : spring;
                }
            check_eigen(a, n, value);
            for (int i = 0; i < n; i++) {
                if (kind == 2) assert_true(fabs(value[i] - (i == 0 ? n : 0)) < 1e-12);
                if (kind == 3) assert_true(fabs(value[i] - 2 + 2 * cos(acos(-1) * (n - i) / (n + 1))) < 1e-13);
            }
        }
    }
    memset(a, 0, sizeof a);
    check_eigen(a, 5, value);
    double scratch[4], v[4], bad[4] = {1, 0, NAN, 1};
    assert_false(eigen_symmetric(bad, 2, value, v, scratch));
}

/* ---- Backends ---------------------------------------------------------------------------------------------------- */

static int use_openblas(void **state) {
    (void)state;
    return matmul_use("openblas", NULL) ? 0 : -1;
}

static int use_reference(void **state) {
    (void)state;
    return matmul_use("reference", NULL) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(systems_are_solved, use_openblas),
        cmocka_unit_test_setup(eigenvectors_are_found, use_openblas),
        cmocka_unit_test_setup(systems_are_solved, use_reference),
        cmocka_unit_test_setup(eigenvectors_are_found, use_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
