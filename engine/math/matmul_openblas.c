/* The default backend: OpenBLAS, the one file that calls it. See matmul_backend.h. */
#include <cblas.h>

#include "engine/math/matmul_backend.h"

/* OpenBLAS brings a pool of its own: it and ours (parallel.h) would fight for the processors, and it cuts products by
 * its number of threads, which changes results. A constructor, so that no program can forget it: whoever multiplies
 * links this file. */
__attribute__((constructor)) static void keep_blas_single_threaded(void) { openblas_set_num_threads(1); }

static bool available(void) { return true; }

static enum CBLAS_TRANSPOSE op(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

static void sgemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                  bool accumulate, float *c, int ldc) {
    cblas_sgemm(CblasRowMajor, op(ta), op(tb), m, n, k, alpha, a, lda, b, ldb, accumulate ? 1.0f : 0.0f, c, ldc);
}

static void dsyrk_gram(int n, int k, const double *a, int lda, bool accumulate, double *c, int ldc) {
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, n, k, 1.0, a, lda, accumulate ? 1.0 : 0.0, c, ldc);
}

static void dsyrk_downdate(int n, int k, const double *a, int lda, double *c, int ldc) {
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, n, k, -1.0, a, lda, 1.0, c, ldc);
}

static void dtrsm(int m, int n, const double *l, int ldl, double *b, int ldb) {
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, m, n, 1.0, l, ldl, b, ldb);
}

static void dtrsv(bool transposed, int n, const double *l, int ldl, double *x) {
    cblas_dtrsv(CblasRowMajor, CblasLower, op(transposed), CblasNonUnit, n, l, ldl, x, 1);
}

static void dsymv(int n, double alpha, const double *a, int lda, const double *x, double *y) {
    cblas_dsymv(CblasRowMajor, CblasUpper, n, alpha, a, lda, x, 1, 0.0, y, 1);
}

static void dsyr2(int n, double alpha, const double *x, const double *y, double *a, int lda) {
    cblas_dsyr2(CblasRowMajor, CblasUpper, n, alpha, x, 1, y, 1, a, lda);
}

static void dgemv(int m, int n, double alpha, const double *a, int lda, const double *x, double *y) {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, m, n, alpha, a, lda, x, 1, 0.0, y, 1);
}

static void dger(int m, int n, double alpha, const double *x, const double *y, double *a, int lda) {
    cblas_dger(CblasRowMajor, m, n, alpha, x, 1, y, 1, a, lda);
}

static double ddot(int n, const double *x, const double *y) { return cblas_ddot(n, x, 1, y, 1); }

static double dnrm2(int n, const double *x) { return cblas_dnrm2(n, x, 1); }

static void daxpy(int n, double alpha, const double *x, double *y) { cblas_daxpy(n, alpha, x, 1, y, 1); }

const struct matmul_backend matmul_openblas = {
    .name = "openblas",
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
