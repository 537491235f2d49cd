/* The backend that tests compare the others with: the definitions as loops, sums in double. Slow, needs nothing, and
 * therefore also what to reach for when a result of another backend is doubted. See matmul_backend.h. */
#include <math.h>
#include <stddef.h>

#include "engine/math/matmul_backend.h"

static size_t at(int row, int ld, int col) { return (size_t)row * (size_t)ld + (size_t)col; }

static bool available(void) { return true; }

static void sgemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                  bool accumulate, float *c, int ldc) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
                sum += (double)a[ta ? at(l, lda, i) : at(i, lda, l)] * (double)b[tb ? at(j, ldb, l) : at(l, ldb, j)];
            float *to = &c[at(i, ldc, j)];
            *to = (float)((double)alpha * sum + (accumulate ? (double)*to : 0.0));
        }
}

static void dsyrk_gram(int n, int k, const double *a, int lda, bool accumulate, double *c, int ldc) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            double sum = accumulate ? c[at(i, ldc, j)] : 0.0;
            for (int l = 0; l < k; l++) sum += a[at(l, lda, i)] * a[at(l, lda, j)];
            c[at(i, ldc, j)] = sum;
        }
}

static void dsyrk_downdate(int n, int k, const double *a, int lda, double *c, int ldc) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            for (int l = 0; l < k; l++) c[at(i, ldc, j)] -= a[at(i, lda, l)] * a[at(j, lda, l)];
}

/* A row x of b L^-T solves L x^T = b^T. */
static void dtrsv(bool transposed, int n, const double *l, int ldl, double *x) {
    for (int step = 0; step < n; step++) {
        const int i = transposed ? n - 1 - step : step;
        const int from = transposed ? i + 1 : 0, to = transposed ? n : i;
        for (int j = from; j < to; j++) x[i] -= l[transposed ? at(j, ldl, i) : at(i, ldl, j)] * x[j];
        x[i] /= l[at(i, ldl, i)];
    }
}

static void dtrsm(int m, int n, const double *l, int ldl, double *b, int ldb) {
    for (int i = 0; i < m; i++) dtrsv(false, n, l, ldl, b + at(i, ldb, 0));
}

static void dsymv(int n, double alpha, const double *a, int lda, const double *x, double *y) {
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) sum += a[j < i ? at(j, lda, i) : at(i, lda, j)] * x[j];
        y[i] = alpha * sum;
    }
}

static void dsyr2(int n, double alpha, const double *x, const double *y, double *a, int lda) {
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) a[at(i, lda, j)] += alpha * (x[i] * y[j] + y[i] * x[j]);
}

static double ddot(int n, const double *x, const double *y) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void dgemv(int m, int n, double alpha, const double *a, int lda, const double *x, double *y) {
    for (int i = 0; i < m; i++) y[i] = alpha * ddot(n, a + at(i, lda, 0), x);
}

static void dger(int m, int n, double alpha, const double *x, const double *y, double *a, int lda) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) a[at(i, lda, j)] += alpha * x[i] * y[j];
}

static double dnrm2(int n, const double *x) { return sqrt(ddot(n, x, x)); }

static void daxpy(int n, double alpha, const double *x, double *y) {
    for (int i = 0; i < n; i++) y[i] += alpha * x[i];
}

const struct matmul_backend matmul_reference = {
    .name = "reference",
    .available = available,
    .sgemm = sgemm,
    .dsyrk_gram = dsyrk_gram,
    .dsyrk_downdate = dsyrk_downdate,
    .dtrsm = dtrsm,
    .dtrsv = dtrsv,
    .dsymv = dsymv,
    .dsyr2 = dsyr2,
    .dgemv = dgemv,
    .dger = dger,
    .ddot = ddot,
    .dnrm2 = dnrm2,
    .daxpy = daxpy,
};
