/* Matrix products on OpenBLAS. All matrices are row-major f32. Rows or columns of the result are cut into chunks of
 * fixed size and run through the pool (parallel.h), each chunk one single-threaded cblas_sgemm. */
#ifndef PBKD_MATH_MATMUL_H
#define PBKD_MATH_MATMUL_H

#include <stdbool.h>

/* y[m,n] (+)= x[m,k] * w[n,k]^T     (forward of a linear layer with w stored [out,in]); adds when accumulate. */
void matmul_nt(float *y, const float *x, const float *w, int m, int n, int k, bool accumulate);
/* dx[m,k] (+)= dy[m,n] * w[n,k]     (gradient to the input) */
void matmul_nn(float *dx, const float *dy, const float *w, int m, int k, int n, bool accumulate);
/* dw[n,k] += dy[m,n]^T * x[m,k]     (gradient to the weight, always accumulates) */
void matmul_tn(float *dw, const float *dy, const float *x, int n, int k, int m);

#endif
