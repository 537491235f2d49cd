/* Matrix products, all of the program's. Matrices are row-major f32.
 *
 * The result of a large product is cut into tiles whose size depends on the shape alone and which run through the pool
 * (parallel.h); a tile is one call of the backend (matmul_backend.h: OpenBLAS unless matmul_use says otherwise). Results
 * are bitwise equal for any number of threads; between backends they differ by rounding. */
#ifndef PBKD_MATH_MATMUL_H
#define PBKD_MATH_MATMUL_H

#include <stdbool.h>

#include "engine/base/err.h"

/* y[m,n] (+)= x[m,k] * w[n,k]^T     (forward of a linear layer with w stored [out,in]); adds when accumulate. */
void matmul_nt(float *y, const float *x, const float *w, int m, int n, int k, bool accumulate);
/* dx[m,k] (+)= dy[m,n] * w[n,k]     (gradient to the input) */
void matmul_nn(float *dx, const float *dy, const float *w, int m, int k, int n, bool accumulate);
/* dw[n,k] += dy[m,n]^T * x[m,k]     (gradient to the weight, always accumulates) */
void matmul_tn(float *dw, const float *dy, const float *x, int n, int k, int m);

/* One small product on the calling thread: c[m,n] (+)= alpha op(a) op(b), rows ldX floats apart; op(a) [m,k] is stored
 * [k,m] when ta, op(b) [k,n] is stored [n,k] when tb. For blocks inside work that is shared out already (attention). */
void matmul_block(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                  bool accumulate, float *c, int ldc);

/* Which backend multiplies from now on, in the whole process: "openblas" (before any call) or "reference"; NULL is the
 * first. Call it from the one thread that computes, as parallel_init. False when there is no such backend or this
 * machine cannot run it. */
bool matmul_use(const char *name, struct err *e);

#endif
