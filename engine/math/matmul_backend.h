/* What a matrix-product backend provides. Private to engine/math: everybody else multiplies through matmul.h.
 *
 * A backend is one file with one `struct matmul_backend` and one row in BACKENDS (matmul.c). It computes one tile of a
 * product on the calling thread; cutting products into tiles and handing them out stays in matmul.c, so that no backend
 * can make results depend on the number of threads. The f64 functions carry the small dense systems of the confidence
 * set and of scope `head` (spd.c, eigen.c).
 *
 * All matrices are row-major; ldX is the distance between rows of X. The functions may be called from several threads
 * at once, must give the same bits for the same arguments each time, and cannot fail. */
#ifndef PBKD_MATH_MATMUL_BACKEND_H
#define PBKD_MATH_MATMUL_BACKEND_H

#include <stdbool.h>

struct matmul_backend {
    const char *name;
    bool (*available)(void); /* does this machine have what it needs? */

    /* f32: c[m,n] = alpha op(a) op(b) (+ c when accumulate); op(a) is [m,k], stored [k,m] when ta; op(b) is [k,n],
     * stored [n,k] when tb. Without accumulate c is not read. */
    void (*sgemm)(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                  bool accumulate, float *c, int ldc);

    /* f64, named as in BLAS. Vectors are dense. */
    /* Lower triangle of c[n,n] = a^T a (+ c when accumulate), a[k,n]; the rest of c is left alone. */
    void (*dsyrk_gram)(int n, int k, const double *a, int lda, bool accumulate, double *c, int ldc);
    /* Lower triangle of c[n,n] -= a a^T, a[n,k]. */
    void (*dsyrk_downdate)(int n, int k, const double *a, int lda, double *c, int ldc);
    /* b[m,n] = b L^-T, L[n,n] lower. */
    void (*dtrsm)(int m, int n, const double *l, int ldl, double *b, int ldb);
    /* x[n] = L^-1 x, or L^-T x when transposed; L[n,n] lower. */
    void (*dtrsv)(bool transposed, int n, const double *l, int ldl, double *x);
    /* y[n] = alpha a x; a[n,n] symmetric, upper triangle read. */
    void (*dsymv)(int n, double alpha, const double *a, int lda, const double *x, double *y);
    /* Upper triangle of a[n,n] += alpha (x y^T + y x^T). */
    void (*dsyr2)(int n, double alpha, const double *x, const double *y, double *a, int lda);
    /* y[m] = alpha a x, a[m,n]. */
    void (*dgemv)(int m, int n, double alpha, const double *a, int lda, const double *x, double *y);
    /* a[m,n] += alpha x y^T. */
    void (*dger)(int m, int n, double alpha, const double *x, const double *y, double *a, int lda);
    double (*ddot)(int n, const double *x, const double *y);
    double (*dnrm2)(int n, const double *x);
    /* y += alpha x */
    void (*daxpy)(int n, double alpha, const double *x, double *y);
};

extern const struct matmul_backend matmul_openblas, matmul_reference;

/* The one in use: see matmul_use. */
const struct matmul_backend *matmul_backend(void);

#endif
