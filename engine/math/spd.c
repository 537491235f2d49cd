/* Symmetric positive definite systems: see spd.h.
 *
 * The Gram matrix takes nearly all the time of a Newton step. Rows are cut into pieces, each with its own result, so
 * that pieces run in parallel and are added in a fixed order. Within a piece blocks of rows are scaled by the root of
 * their weight into a buffer that stays in the cache, and a rank-k update does the rest.
 *
 * The Cholesky factorisation is written here, on the backend's BLAS, because LAPACK is not part of every system's OpenBLAS. */
#include "engine/math/spd.h"

#include <math.h>
#include <string.h>

#include "engine/math/matmul_backend.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"

enum { PIECES = 16, BLOCK_ROWS = 128, BLOCK = 48, ALIGN = 8, SUM_ROWS = 16 };

static size_t round_up(size_t n) { return (n + ALIGN - 1) / ALIGN * ALIGN; }

static size_t piece_size(int n) { return round_up((size_t)n * (size_t)n) + round_up((size_t)BLOCK_ROWS * (size_t)n); }

size_t spd_gram_scratch(int n) { return PIECES * piece_size(n); }

struct gram {
    double *h;
    const float *f;
    const double *weight;
    double *scratch;
    int n_rows, n, piece_rows, n_pieces;
};

SIMD_CLONES static void scale_row(double *restrict to, const float *restrict from, double by, int n) {
    for (int j = 0; j < n; j++) to[j] = by * (double)from[j];
}

static void gram_piece(void *ctx, int i) {
    const struct gram *g = ctx;
    const size_t n = (size_t)g->n;
    double *sum = g->scratch + (size_t)i * piece_size(g->n), *block = sum + round_up(n * n);
    const int begin = i * g->piece_rows;
    const int end = g->n_rows - begin < g->piece_rows ? g->n_rows : begin + g->piece_rows;
    for (int from = begin; from < end; from += BLOCK_ROWS) {
        const int rows = end - from < BLOCK_ROWS ? end - from : BLOCK_ROWS;
        for (int r = 0; r < rows; r++) {
            const size_t at = (size_t)(from + r);
            scale_row(block + (size_t)r * n, g->f + at * n, sqrt(g->weight[at]), g->n);
        }
        matmul_backend()->dsyrk_gram(g->n, rows, block, g->n, from > begin, sum, g->n);
    }
}

static void add_pieces(void *ctx, int begin, int end) {
    const struct gram *g = ctx;
    const size_t n = (size_t)g->n;
    for (size_t r = (size_t)begin; r < (size_t)end; r++) {
        memcpy(g->h + r * n, g->scratch + r * n, (r + 1) * sizeof *g->h);
        for (int p = 1; p < g->n_pieces; p++) {
            const double *from = g->scratch + (size_t)p * piece_size(g->n) + r * n;
            for (size_t j = 0; j <= r; j++) g->h[r * n + j] += from[j];
        }
    }
}

void spd_gram(double *h, const float *f, const double *weight, int n_rows, int n, double *scratch) {
    struct gram g = {.h = h, .f = f, .weight = weight, .scratch = scratch, .n_rows = n_rows, .n = n};
    g.piece_rows = (n_rows + PIECES - 1) / PIECES;
    if (g.piece_rows < BLOCK_ROWS) g.piece_rows = BLOCK_ROWS;
    g.n_pieces = (n_rows + g.piece_rows - 1) / g.piece_rows;
    parallel_for(g.n_pieces, gram_piece, &g);
    parallel_ranges(n, SUM_ROWS, add_pieces, &g);
}

/* A diagonal block, by rows: L_ij = (A_ij - L_i . L_j) / L_jj over the columns of the block. */
static bool factor_block(double *a, int n, int stride) {
    for (int i = 0; i < n; i++) {
        double *row = a + (size_t)i * (size_t)stride;
        for (int j = 0; j <= i; j++) {
            const double *other = a + (size_t)j * (size_t)stride;
            double s = row[j];
            for (int k = 0; k < j; k++) s -= row[k] * other[k];
            if (j < i) {
                row[j] = s / other[j];
            } else {
                if (!(s > 0) || !isfinite(s)) return false;
                row[i] = sqrt(s);
            }
        }
    }
    return true;
}

bool spd_factor(double *a, int n) {
    for (int at = 0; at < n; at += BLOCK) {
        const int b = n - at < BLOCK ? n - at : BLOCK, below = n - at - b;
        double *diagonal = a + (size_t)at * (size_t)n + (size_t)at, *panel = diagonal + (size_t)b * (size_t)n;
        if (!factor_block(diagonal, b, n)) return false;
        if (below == 0) break;
        matmul_backend()->dtrsm(below, b, diagonal, n, panel, n);
        matmul_backend()->dsyrk_downdate(below, b, panel, n, panel + b, n);
    }
    return true;
}

void spd_half_solve(const double *l, double *x, int n) { matmul_backend()->dtrsv(false, n, l, n, x); }

void spd_solve(const double *l, double *x, int n) {
    spd_half_solve(l, x, n);
    matmul_backend()->dtrsv(true, n, l, n, x);
}

/* tr A^-1 = |L^-1|_F^2 and tr A^-2 = |A^-1|_F^2, column by column; column j of L^-1 is zero above j. */
double spd_trace_inverse(const double *l, int n, double *of_square, double *scratch) {
    double trace = 0;
    *of_square = 0;
    for (int j = 0; j < n; j++) {
        memset(scratch, 0, (size_t)n * sizeof *scratch);
        scratch[j] = 1;
        matmul_backend()->dtrsv(false, n - j, l + (size_t)j * (size_t)n + (size_t)j, n, scratch + j);
        for (int i = j; i < n; i++) trace += scratch[i] * scratch[i];
        matmul_backend()->dtrsv(true, n, l, n, scratch);
        for (int i = 0; i < n; i++) *of_square += scratch[i] * scratch[i];
    }
    return trace;
}
