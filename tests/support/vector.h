/* Vectors of doubles, for references that tests compute themselves. */
#ifndef PBKD_TESTS_SUPPORT_VECTOR_H
#define PBKD_TESTS_SUPPORT_VECTOR_H

#include <math.h>

static inline double dot(const double *a, const double *b, int n) {
    double s = 0;
    for (int j = 0; j < n; j++) s += a[j] * b[j];
    return s;
}

static inline double norm_of(const double *a, int n) { return sqrt(dot(a, a, n)); }

static inline double distance(const double *a, const double *b, int n) {
    double s = 0;
    for (int j = 0; j < n; j++) s += (a[j] - b[j]) * (a[j] - b[j]);
    return sqrt(s);
}

#endif
