/* The symmetric eigenproblem: see eigen.h.
 *
 * Householder reflections make the matrix tridiagonal, implicit QR steps with Wilkinson's shift make that diagonal
 * (Golub and Van Loan, Matrix Computations, sections 8.3.1 to 8.3.3). Eigenvectors are kept as rows, so that a rotation
 * mixes two consecutive rows. Written here, on BLAS, because LAPACK is not part of every system's OpenBLAS. */
#include "engine/math/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/math/matmul_backend.h"
#include "engine/math/simd.h"

enum { MAX_STEPS_PER_VALUE = 60 };

size_t eigen_scratch(int n) { return 2 * (size_t)n; }

static void scale(double *v, int n, double by) {
    for (int i = 0; i < n; i++) v[i] *= by;
}

/* v [n] becomes the unit vector with (I - 2 v v^T) v_before = (result, 0, .., 0). */
static double reflector(double *v, int n) {
    const struct matmul_backend *blas = matmul_backend();
    const double norm = blas->dnrm2(n, v);
    if (norm == 0) return 0;
    const double to = v[0] > 0 ? -norm : norm;
    v[0] -= to;
    scale(v, n, 1 / blas->dnrm2(n, v));
    return to;
}

/* The upper triangle of a becomes tridiagonal, diag [n] and off [n-1]; the rest of row i, from column i+1, holds the
 * reflector that was applied from both sides to the block behind it. p: scratch [n]. */
static void tridiagonalise(double *a, int n, double *diag, double *off, double *p) {
    const struct matmul_backend *blas = matmul_backend();
    for (int i = 0; i + 1 < n; i++) {
        double *v = a + (size_t)i * (size_t)n + (size_t)i + 1, *block = v + n;
        const int m = n - i - 1;
        diag[i] = v[-1];
        if (m == 1) {
            off[i] = v[0];
            v[0] = 0;
            break;
        }
        off[i] = reflector(v, m);
        /* (I - 2vv^T) A (I - 2vv^T) = A - v q^T - q v^T, p = 2Av, q = p - (v.p) v */
        blas->dsymv(m, 2.0, block, n, v, p);
        blas->daxpy(m, -blas->ddot(m, v, p), v, p);
        blas->dsyr2(m, -1.0, v, p, block, n);
    }
    diag[n - 1] = a[(size_t)n * (size_t)n - 1];
}

/* vector = H_{n-3} .. H_0, the transpose of what tridiagonalised: from the last reflector to the first, whose part
 * outside its block is the identity. */
static void accumulate(const double *a, int n, double *vector, double *p) {
    const struct matmul_backend *blas = matmul_backend();
    memset(vector, 0, (size_t)n * (size_t)n * sizeof *vector);
    for (int i = 0; i < n; i++) vector[(size_t)i * (size_t)n + (size_t)i] = 1;
    for (int i = n - 3; i >= 0; i--) {
        const double *v = a + (size_t)i * (size_t)n + (size_t)i + 1;
        double *block = vector + (size_t)(i + 1) * (size_t)n + (size_t)i + 1;
        const int m = n - i - 1;
        blas->dgemv(m, m, 2.0, block, n, v, p);
        blas->dger(m, m, -1.0, p, v, block, n);
    }
}

SIMD_CLONES static void rotate(double *restrict x, double *restrict y, double c, double s, int n) {
    for (int j = 0; j < n; j++) {
        const double a = x[j], b = y[j];
        x[j] = c * a + s * b;
        y[j] = c * b - s * a;
    }
}

/* One QR step on the unreduced block [lo, hi]: rotations of neighbours chase the bulge from top to bottom. */
static void qr_step(double *diag, double *off, int lo, int hi, double *vector, int n) {
    const double half = (diag[hi - 1] - diag[hi]) / 2, last = off[hi - 1];
    const double shift = diag[hi] - last * (last / (half + copysign(hypot(half, last), half)));
    double x = diag[lo] - shift, z = off[lo];
    for (int i = lo; i < hi; i++) {
        const double r = hypot(x, z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        const double a = diag[i], b = off[i], d = diag[i + 1];
        if (i > lo) off[i - 1] = r;
        diag[i] = c * c * a + 2 * c * s * b + s * s * d;
        diag[i + 1] = s * s * a - 2 * c * s * b + c * c * d;
        off[i] = c * s * (d - a) + (c * c - s * s) * b;
        x = off[i];
        if (i + 1 < hi) {
            z = s * off[i + 1];
            off[i + 1] *= c;
        }
        rotate(vector + (size_t)i * (size_t)n, vector + (size_t)(i + 1) * (size_t)n, c, s, n);
    }
}

static bool diagonalise(double *diag, double *off, int n, double *vector) {
    double size = 0;
    for (int i = 0; i < n; i++) size = fmax(size, fabs(diag[i]) + (i + 1 < n ? fabs(off[i]) : 0));
    int hi = n - 1;
    for (long steps = 0; hi > 0; steps++) {
        int lo = hi;
        while (lo > 0 && fabs(off[lo - 1]) > DBL_EPSILON * size) lo--;
        if (lo == hi) {
            hi--;
            continue;
        }
        if (steps > (long)MAX_STEPS_PER_VALUE * n) return false;
        qr_step(diag, off, lo, hi, vector, n);
    }
    return true;
}

static void swap_rows(double *x, double *y, int n) {
    for (int i = 0; i < n; i++) {
        const double kept = x[i];
        x[i] = y[i];
        y[i] = kept;
    }
}

static void sort_and_sign(double *value, double *vector, int n) {
    for (int i = 0; i < n; i++) {
        double *row = vector + (size_t)i * (size_t)n;
        int best = i, largest = 0;
        for (int j = i + 1; j < n; j++)
            if (value[j] > value[best]) best = j;
        if (best != i) {
            const double kept = value[i];
            value[i] = value[best];
            value[best] = kept;
            swap_rows(row, vector + (size_t)best * (size_t)n, n);
        }
        for (int j = 1; j < n; j++)
            if (fabs(row[j]) > fabs(row[largest])) largest = j;
        if (row[largest] < 0) scale(row, n, -1);
    }
}

bool eigen_symmetric(double *a, int n, double *value, double *vector, double *scratch) {
    double *off = scratch, *p = scratch + n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            const double v = a[(size_t)i * (size_t)n + (size_t)j];
            if (!isfinite(v)) return false;
            a[(size_t)j * (size_t)n + (size_t)i] = v;
        }
    tridiagonalise(a, n, value, off, p);
    accumulate(a, n, vector, p);
    if (!diagonalise(value, off, n, vector)) return false;
    sort_and_sign(value, vector, n);
    return true;
}
