/* Symmetric positive definite systems in double: the normal equations of a Newton step. Matrices are row-major [n,n]
 * and only their lower triangle is read and written. The sums are the matrix-product backend's
 * (matmul_backend.h). */
#ifndef PBKD_MATH_SPD_H
#define PBKD_MATH_SPD_H

#include <stdbool.h>
#include <stddef.h>

/* h[n,n] = sum_i weight[i] f_i f_i^T over the rows of f[n_rows,n], f32 taken as exact and summed in double. weight >=
 * 0. scratch: spd_gram_scratch(n) doubles, 64-byte aligned. Rows are cut by n_rows and n alone and pieces added in
 * order: the same bits for any number of threads. */
void spd_gram(double *h, const float *f, const double *weight, int n_rows, int n, double *scratch);
size_t spd_gram_scratch(int n);

/* Cholesky factor in place: a = L L^T, L in the lower triangle. False (a is spoilt) when a pivot is not positive and
 * finite: a is not positive definite in double precision. */
bool spd_factor(double *a, int n);
/* x = (L L^T)^-1 x */
void spd_solve(const double *l, double *x, int n);
/* x = L^-1 x, the first half of spd_solve: |L^-1 x|^2 = x^T a^-1 x. */
void spd_half_solve(const double *l, double *x, int n);
/* tr (L L^T)^-1; *of_square gets tr (L L^T)^-2; scratch n doubles. */
double spd_trace_inverse(const double *l, int n, double *of_square, double *scratch);

#endif
