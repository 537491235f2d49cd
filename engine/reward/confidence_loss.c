/* The preference likelihood of a linear reward and its gradient in one pass over the features: see confidence.h.
 *
 * Rows are cut into at most PARTS parts, by their number alone; each part sums into its own place and the parts are
 * added in order, so the bits do not depend on the number of threads. Within a part a block of rows is read twice while
 * it lies in the first-level cache: for the margins f . w, then for the gradient. */
#include <string.h>

#include "engine/reward/confidence_private.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"

enum { PARTS = 64, PART_MIN_ROWS = 64, BLOCK_ROWS = 32, LANES = 8, ALIGN = 8 };

/* A part is [gradient | loss]. */
static size_t part_size(int d) { return ((size_t)d + 1 + ALIGN - 1) / ALIGN * ALIGN; }

size_t confidence_parts_size(int d) { return PARTS * part_size(d); }

/* margin[r] = f_r . w */
SIMD_CLONES static void margins(double *restrict margin, const float *restrict f, const double *restrict w, int rows,
                                int d) {
    for (int r = 0; r < rows; r++, f += d) {
        double lane[LANES] = {0};
        int j = 0;
        for (; j + LANES <= d; j += LANES)
            for (int l = 0; l < LANES; l++) lane[l] += (double)f[j + l] * w[j + l];
        for (; j < d; j++) lane[0] += (double)f[j] * w[j];
        margin[r] = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
    }
}

/* gradient += sum_r by[r] f_r, four rows at a time */
SIMD_CLONES static void add_rows(double *restrict gradient, const float *restrict f, const double *restrict by,
                                 int rows, int d) {
    int r = 0;
    for (; r + 4 <= rows; r += 4, f += 4 * (size_t)d) {
        const float *f1 = f + d, *f2 = f1 + d, *f3 = f2 + d;
        const double b0 = by[r], b1 = by[r + 1], b2 = by[r + 2], b3 = by[r + 3];
        for (int j = 0; j < d; j++)
            gradient[j] += (b0 * (double)f[j] + b1 * (double)f1[j]) + (b2 * (double)f2[j] + b3 * (double)f3[j]);
    }
    for (; r < rows; r++, f += d)
        for (int j = 0; j < d; j++) gradient[j] += by[r] * (double)f[j];
}

void confidence_margins(const struct confidence *c, const double *w, double *margin) {
    margins(margin, c->feature, w, c->n, c->d);
}

/* l = softplus(z) - o~ z written without cancellation; *dl = s(z) - o~, *ddl = s(z) s(-z). */
static double pair_terms(double z, double o, double *dl, double *ddl) {
    const double t = exp(-fabs(z)), below = t / (1 + t); /* s(-|z|) */
    *ddl = below / (1 + t);
    *dl = z >= 0 ? (1 - o) - below : below - o;
    return (z >= 0 ? (1 - o) * z : -o * z) + log1p(t);
}

struct evaluation {
    struct confidence *c;
    const double *w;
    int part_rows, n_parts;
};

static void evaluate_part(void *ctx, int i) {
    const struct evaluation *v = ctx;
    struct confidence *c = v->c;
    const size_t d = (size_t)c->d;
    double *gradient = c->parts + (size_t)i * part_size(c->d), loss = 0, z[BLOCK_ROWS];
    memset(gradient, 0, d * sizeof *gradient);
    const int begin = i * v->part_rows, end = c->n - begin < v->part_rows ? c->n : begin + v->part_rows;
    for (int from = begin; from < end; from += BLOCK_ROWS) {
        const int rows = end - from < BLOCK_ROWS ? end - from : BLOCK_ROWS;
        const float *f = c->feature + (size_t)from * d;
        margins(z, f, v->w, rows, c->d);
        for (int r = 0; r < rows; r++) {
            const double weight = c->weight[from + r];
            double dl, ddl;
            loss += weight * pair_terms(z[r], c->label[from + r], &dl, &ddl);
            c->curvature[from + r] = weight * ddl;
            z[r] = weight * dl;
        }
        add_rows(gradient, f, z, rows, c->d);
    }
    gradient[d] = loss;
}

double confidence_evaluate(struct confidence *c, const double *w, double *gradient) {
    struct evaluation v = {.c = c, .w = w};
    v.part_rows = (c->n + PARTS - 1) / PARTS;
    if (v.part_rows < PART_MIN_ROWS) v.part_rows = PART_MIN_ROWS;
    v.n_parts = (c->n + v.part_rows - 1) / v.part_rows;
    parallel_for(v.n_parts, evaluate_part, &v);
    double loss = 0;
    memset(gradient, 0, (size_t)c->d * sizeof *gradient);
    for (int i = 0; i < v.n_parts; i++) {
        const double *part = c->parts + (size_t)i * part_size(c->d);
        for (int j = 0; j < c->d; j++) gradient[j] += part[j];
        loss += part[c->d];
    }
    return loss;
}
