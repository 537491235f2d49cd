/* Eigenvalues and eigenvectors of a symmetric matrix in double, for principal directions. The sums
 * are the matrix-product backend's (matmul_backend.h). */
#ifndef PBKD_MATH_EIGEN_H
#define PBKD_MATH_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* Of a [n,n], row-major, lower triangle read, spoilt: value [n] in falling order, vector [n,n] with row i the unit
 * eigenvector of value[i], its largest component (the first of several) positive. Errors are of the size of rounding
 * times the largest |value|; where values are equal the vectors are some basis of their space. scratch:
 * eigen_scratch(n) doubles. False when a number is not finite. Serial: the same bits for any number of threads. About 8
 * n^3 operations. */
bool eigen_symmetric(double *a, int n, double *value, double *vector, double *scratch);
size_t eigen_scratch(int n);

#endif
