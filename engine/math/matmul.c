/* Matrix products: see matmul.h.
 *
 * The result is cut into tiles whose size depends on the shape alone, never on the number of threads, and the summed
 * dimension is never cut: so results are bitwise equal for any thread count. Tiles are as large as still gives a few
 * per processor, because every tile packs its share of both operands again. */
#include "engine/math/matmul.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/math/matmul_backend.h"
#include "engine/math/parallel.h"

/* ---- backends ---- */

/* The first is the default. */
static const struct matmul_backend *const BACKENDS[] = {&matmul_openblas, &matmul_reference};

/* Process-wide like the pool, and for its reason: which arithmetic a machine has is a fact of the process. Written by
 * matmul_use alone, before work is handed out. */
static const struct matmul_backend *in_use = &matmul_openblas;

const struct matmul_backend *matmul_backend(void) { return in_use; }

bool matmul_use(const char *name, struct err *e) {
    for (size_t i = 0; i < sizeof BACKENDS / sizeof *BACKENDS; i++) {
        if (name && strcmp(BACKENDS[i]->name, name) != 0) continue;
        if (!BACKENDS[i]->available())
            return err_set(e, "matrix products: this machine cannot run backend \"%s\"", BACKENDS[i]->name);
        in_use = BACKENDS[i];
        return true;
    }
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof BACKENDS / sizeof *BACKENDS && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", BACKENDS[i]->name);
    return err_set(e, "matrix products: there is no backend \"%s\", expected one of %s", name, known);
}

void matmul_block(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                  bool accumulate, float *c, int ldc) {
    in_use->sgemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, accumulate, c, ldc);
}

/* ---- tiles ---- */

struct product {
    bool ta, tb;
    int m, n, k;
    const float *a, *b;
    int lda, ldb;
    bool accumulate;
    float *c; /* [m,n] */
    int tile_m, tile_n, tiles_across;
};

/* Below this many multiply-adds a tile costs more to hand out than it saves. */
#define TILE_MIN_WORK 1.0e6
enum { TILE_MAX_M = 512, TILE_MAX_N = 1024, TILES_WANTED = 8, TILE_STEP = 16 };

static int half_up(int v) { return ((v + 1) / 2 + TILE_STEP - 1) / TILE_STEP * TILE_STEP; }

/* The tile that cuts n into as few equal parts as keep below `most`: a last tile of a few rows would leave processors
 * idle. */
static int even_share(int n, int most) {
    const int parts = (n - 1) / most + 1;
    const int share = (n - 1) / parts + 1;
    return parts == 1 ? n : (share + TILE_STEP - 1) / TILE_STEP * TILE_STEP;
}

static int count(int n, int tile) { return (n - 1) / tile + 1; }

static void choose_tiles(struct product *p) {
    p->tile_m = even_share(p->m, TILE_MAX_M);
    p->tile_n = even_share(p->n, TILE_MAX_N);
    while (count(p->m, p->tile_m) * count(p->n, p->tile_n) < TILES_WANTED) {
        if ((double)p->tile_m * p->tile_n * p->k < 2 * TILE_MIN_WORK) break;
        int *side = p->tile_m * 2 > p->tile_n ? &p->tile_m : &p->tile_n;
        const int smaller = half_up(*side);
        if (smaller >= *side) break;
        *side = smaller;
    }
    p->tiles_across = count(p->n, p->tile_n);
}

static void run_tile(void *ctx, int i) {
    const struct product *p = ctx;
    const int row = i / p->tiles_across * p->tile_m, col = i % p->tiles_across * p->tile_n;
    const int rows = p->m - row < p->tile_m ? p->m - row : p->tile_m;
    const int cols = p->n - col < p->tile_n ? p->n - col : p->tile_n;
    const float *a = p->a + (p->ta ? (size_t)row : (size_t)row * (size_t)p->lda);
    const float *b = p->b + (p->tb ? (size_t)col * (size_t)p->ldb : (size_t)col);
    matmul_block(p->ta, p->tb, rows, cols, p->k, 1.0f, a, p->lda, b, p->ldb, p->accumulate,
                 p->c + (size_t)row * (size_t)p->n + (size_t)col, p->n);
}

static void run(struct product *p) {
    if (p->m <= 0 || p->n <= 0 || p->k <= 0) return;
    choose_tiles(p);
    parallel_for(count(p->m, p->tile_m) * p->tiles_across, run_tile, p);
}

/* ---- the three products of a linear layer ---- */

void matmul_nt(float *y, const float *x, const float *w, int m, int n, int k, bool accumulate) {
    struct product p = {.ta = false,
                        .tb = true,
                        .m = m,
                        .n = n,
                        .k = k,
                        .a = x,
                        .lda = k,
                        .b = w,
                        .ldb = k,
                        .accumulate = accumulate,
                        .c = y};
    run(&p);
}

void matmul_nn(float *dx, const float *dy, const float *w, int m, int k, int n, bool accumulate) {
    struct product p = {.ta = false,
                        .tb = false,
                        .m = m,
                        .n = k,
                        .k = n,
                        .a = dy,
                        .lda = n,
                        .b = w,
                        .ldb = k,
                        .accumulate = accumulate,
                        .c = dx};
    run(&p);
}

void matmul_tn(float *dw, const float *dy, const float *x, int n, int k, int m) {
    struct product p = {.ta = true,
                        .tb = false,
                        .m = n,
                        .n = k,
                        .k = m,
                        .a = dy,
                        .lda = n,
                        .b = x,
                        .ldb = k,
                        .accumulate = true,
                        .c = dw};
    run(&p);
}
