/* Elementwise and row kernels: see kernels.h. The inner loops are plain and carry SIMD_CLONES; the functions around
 * them cut rows into ranges for the pool. Sums over a row use explicit lanes so that vector width does not change the
 * result (simd.h). */
#include "engine/math/kernels.h"

#include <math.h>
#include <string.h>

#include "engine/math/parallel.h"
#include "engine/math/simd.h"

/* Rows a piece: about 8192 floats, enough to pay for handing it out. */
static int grain_for(int width) {
    const int g = 8192 / (width > 0 ? width : 1);
    return g < 1 ? 1 : g;
}

/* ---- embedding ---- */

struct embed_job {
    float *x;
    const float *table;
    const int32_t *index;
    int n_rows, d;
};

static void embed_rows(void *ctx, int begin, int end) {
    const struct embed_job *j = ctx;
    const size_t d = (size_t)j->d;
    for (int t = begin; t < end; t++)
        memcpy(j->x + (size_t)t * d, j->table + (size_t)j->index[t] * d, d * sizeof(float));
}

void embed_forward(float *x, const float *table, const int32_t *token, int n_rows, int d) {
    struct embed_job j = {.x = x, .table = table, .index = token, .n_rows = n_rows, .d = d};
    parallel_ranges(n_rows, grain_for(d), embed_rows, &j);
}

/* Pieces are columns: two rows with the same index must not meet. */
static void embed_columns_backward(void *ctx, int begin, int end) {
    const struct embed_job *j = ctx;
    for (int t = 0; t < j->n_rows; t++) {
        float *restrict to = j->x + (size_t)j->index[t] * (size_t)j->d;
        const float *restrict from = j->table + (size_t)t * (size_t)j->d;
        for (int c = begin; c < end; c++) to[c] += from[c];
    }
}

void embed_backward(float *dtable, const float *dx, const int32_t *index, int n_rows, int d) {
    struct embed_job j = {.x = dtable, .table = dx, .index = index, .n_rows = n_rows, .d = d};
    parallel_ranges(d, 64, embed_columns_backward, &j);
}

/* ---- bias ---- */

struct bias_job {
    float *x, *dbias;
    const float *bias, *dx;
    int n_rows, d;
};

SIMD_CLONES static void add_row(float *restrict to, const float *restrict from, int n) {
    for (int i = 0; i < n; i++) to[i] += from[i];
}

static void bias_rows(void *ctx, int begin, int end) {
    const struct bias_job *j = ctx;
    for (int t = begin; t < end; t++) add_row(j->x + (size_t)t * (size_t)j->d, j->bias, j->d);
}

void bias_forward(float *x, const float *bias, int n_rows, int d) {
    struct bias_job j = {.x = x, .bias = bias, .n_rows = n_rows, .d = d};
    parallel_ranges(n_rows, grain_for(d), bias_rows, &j);
}

/* Pieces are columns, as for the embedding: a sum over rows is never cut. */
static void bias_columns_backward(void *ctx, int begin, int end) {
    const struct bias_job *j = ctx;
    for (int t = 0; t < j->n_rows; t++)
        add_row(j->dbias + begin, j->dx + (size_t)t * (size_t)j->d + (size_t)begin, end - begin);
}

void bias_backward(float *dbias, const float *dx, int n_rows, int d) {
    struct bias_job j = {.dbias = dbias, .dx = dx, .n_rows = n_rows, .d = d};
    parallel_ranges(d, 64, bias_columns_backward, &j);
}

/* ---- RMSNorm (Zhang & Sennrich 2019) ---- */

enum { NORM_GRAIN = 64 }; /* rows that share one partial sum of dw */

struct norm_job {
    float *y, *rstd, *x, *dx, *part;
    const float *residual, *w, *dy, *x_in, *rstd_in;
    int d;
    float eps;
    bool accumulate;
};

SIMD_CLONES static void rmsnorm_row(float *restrict y, float *rstd, float *restrict x, const float *restrict residual,
                                    const float *restrict w, int d, float eps) {
    if (residual)
        for (int i = 0; i < d; i++) x[i] += residual[i];
    float lane[SIMD_LANES] = {0};
    int i = 0;
    for (; i + SIMD_LANES <= d; i += SIMD_LANES)
        for (int j = 0; j < SIMD_LANES; j++) lane[j] += x[i + j] * x[i + j];
    for (; i < d; i++) lane[0] += x[i] * x[i];
    const float r = 1.0f / __builtin_sqrtf(simd_lane_sum(lane) / (float)d + eps);
    if (rstd) *rstd = r;
    for (i = 0; i < d; i++) y[i] = x[i] * r * w[i];
}

static void rmsnorm_rows(void *ctx, int begin, int end) {
    const struct norm_job *j = ctx;
    for (int t = begin; t < end; t++) {
        const size_t at = (size_t)t * (size_t)j->d;
        rmsnorm_row(j->y + at, j->rstd ? j->rstd + t : NULL, j->x + at, j->residual ? j->residual + at : NULL, j->w,
                    j->d, j->eps);
    }
}

void rmsnorm_forward(float *y, float *rstd, float *x, const float *residual, const float *w, int n_rows, int d,
                     float eps) {
    struct norm_job j = {.y = y, .rstd = rstd, .x = x, .residual = residual, .w = w, .d = d, .eps = eps};
    parallel_ranges(n_rows, grain_for(d), rmsnorm_rows, &j);
}

SIMD_CLONES static void rmsnorm_row_backward(float *restrict dx, bool accumulate, float *restrict dw, float *restrict y,
                                             const float *restrict dy, const float *restrict x, float rstd,
                                             const float *restrict w, int d) {
    float lane[SIMD_LANES] = {0};
    int i = 0;
    for (; i + SIMD_LANES <= d; i += SIMD_LANES)
        for (int j = 0; j < SIMD_LANES; j++) lane[j] += dy[i + j] * w[i + j] * (x[i + j] * rstd);
    for (; i < d; i++) lane[0] += dy[i] * w[i] * (x[i] * rstd);
    const float mean = simd_lane_sum(lane) / (float)d;
    for (i = 0; i < d; i++) {
        const float xhat = x[i] * rstd;
        const float g = rstd * (dy[i] * w[i] - xhat * mean);
        dx[i] = accumulate ? dx[i] + g : g;
        dw[i] += dy[i] * xhat;
    }
    if (y)
        for (i = 0; i < d; i++) y[i] = x[i] * rstd * w[i];
}

static void rmsnorm_rows_backward(void *ctx, int begin, int end) {
    const struct norm_job *j = ctx;
    float *dw = j->part + (size_t)(begin / NORM_GRAIN) * (size_t)j->d;
    memset(dw, 0, (size_t)j->d * sizeof *dw);
    for (int t = begin; t < end; t++) {
        const size_t at = (size_t)t * (size_t)j->d;
        rmsnorm_row_backward(j->dx + at, j->accumulate, dw, j->y ? j->y + at : NULL, j->dy + at, j->x_in + at,
                             j->rstd_in[t], j->w, j->d);
    }
}

void rmsnorm_backward(float *dx, bool accumulate, float *dw, float *y, const float *dy, const float *x,
                      const float *rstd, const float *w, int n_rows, int d, float *part) {
    struct norm_job j = {
        .y = y, .dx = dx, .part = part, .dy = dy, .x_in = x, .rstd_in = rstd, .w = w, .d = d, .accumulate = accumulate};
    parallel_ranges(n_rows, NORM_GRAIN, rmsnorm_rows_backward, &j);
    for (int p = 0; p * NORM_GRAIN < n_rows; p++)
        for (int i = 0; i < d; i++) dw[i] += part[(size_t)p * (size_t)d + (size_t)i];
}

size_t rmsnorm_scratch(int n_rows, int d) { return ((size_t)n_rows / NORM_GRAIN + 1) * (size_t)d; }

/* ---- rotary positions ---- */

void rope_table(float *table, int from, int to, int head_dim, float base) {
    const int half = head_dim / 2;
    for (int j = 0; j < half; j++) {
        const float freq =
            1.0f / powf(base, (float)(2 * j) / (float)head_dim); /* f32, as the published models were trained */
        for (int p = from; p < to; p++) {
            const double angle = (double)((float)p * freq);
            float *row = table + (size_t)p * (size_t)head_dim;
            row[j] = (float)cos(angle);
            row[half + j] = (float)sin(angle);
        }
    }
}

struct rope_job {
    float *x;
    const float *table;
    const int *pos;
    int n_rot, head_dim, stride;
    float sign; /* -1 turns back: the transpose of a rotation */
};

SIMD_CLONES static void rope_row(float *restrict x, const float *restrict table, int n_rot, int half, float sign) {
    for (int h = 0; h < n_rot; h++, x += 2 * half)
        for (int j = 0; j < half; j++) {
            const float a = x[j], b = x[half + j], c = table[j], s = sign * table[half + j];
            x[j] = a * c - b * s;
            x[half + j] = b * c + a * s;
        }
}

static void rope_rows(void *ctx, int begin, int end) {
    const struct rope_job *j = ctx;
    for (int t = begin; t < end; t++)
        rope_row(j->x + (size_t)t * (size_t)j->stride, j->table + (size_t)j->pos[t] * (size_t)j->head_dim, j->n_rot,
                 j->head_dim / 2, j->sign);
}

void rope_forward(float *x, const float *table, const int *pos, int n_rows, int n_rot, int head_dim, int stride) {
    struct rope_job j = {
        .x = x, .table = table, .pos = pos, .n_rot = n_rot, .head_dim = head_dim, .stride = stride, .sign = 1};
    parallel_ranges(n_rows, grain_for(n_rot * head_dim), rope_rows, &j);
}

void rope_backward(float *dx, const float *table, const int *pos, int n_rows, int n_rot, int head_dim, int stride) {
    struct rope_job j = {
        .x = dx, .table = table, .pos = pos, .n_rot = n_rot, .head_dim = head_dim, .stride = stride, .sign = -1};
    parallel_ranges(n_rows, grain_for(n_rot * head_dim), rope_rows, &j);
}

/* ---- SwiGLU (Shazeer 2020) ---- */

struct swiglu_job {
    float *h, *d_gate_up;
    const float *dh, *gate_up;
    int ff;
};

SIMD_CLONES static void swiglu_row(float *restrict h, const float *restrict gate, const float *restrict up, int ff) {
    for (int i = 0; i < ff; i++) h[i] = gate[i] * simd_sigmoid(gate[i]) * up[i];
}

static void swiglu_rows(void *ctx, int begin, int end) {
    const struct swiglu_job *j = ctx;
    const size_t ff = (size_t)j->ff;
    for (size_t t = (size_t)begin; t < (size_t)end; t++)
        swiglu_row(j->h + t * ff, j->gate_up + t * 2 * ff, j->gate_up + t * 2 * ff + ff, j->ff);
}

void swiglu_forward(float *h, const float *gate_up, int n_rows, int ff) {
    struct swiglu_job j = {.h = h, .gate_up = gate_up, .ff = ff};
    parallel_ranges(n_rows, grain_for(ff), swiglu_rows, &j);
}

/* d silu(g)/dg = s + g s (1 - s), s = sigmoid(g) */
SIMD_CLONES static void swiglu_row_backward(float *restrict d_gate, float *restrict d_up, float *restrict h,
                                            const float *restrict dh, const float *restrict gate,
                                            const float *restrict up, int ff) {
    for (int i = 0; i < ff; i++) {
        const float g = gate[i], u = up[i], s = simd_sigmoid(g), silu = g * s;
        h[i] = silu * u;
        d_up[i] = dh[i] * silu;
        d_gate[i] = dh[i] * u * (s + silu * (1.0f - s));
    }
}

static void swiglu_rows_backward(void *ctx, int begin, int end) {
    const struct swiglu_job *j = ctx;
    const size_t ff = (size_t)j->ff;
    for (size_t t = (size_t)begin; t < (size_t)end; t++) {
        const size_t at = t * 2 * ff;
        swiglu_row_backward(j->d_gate_up + at, j->d_gate_up + at + ff, j->h + t * ff, j->dh + t * ff, j->gate_up + at,
                            j->gate_up + at + ff, j->ff);
    }
}

void swiglu_backward(float *d_gate_up, float *h, const float *dh, const float *gate_up, int n_rows, int ff) {
    struct swiglu_job j = {.h = h, .d_gate_up = d_gate_up, .dh = dh, .gate_up = gate_up, .ff = ff};
    parallel_ranges(n_rows, grain_for(ff), swiglu_rows_backward, &j);
}

/* ---- softmax pieces ---- */

SIMD_CLONES float row_max(const float *z, int n) {
    float lane[SIMD_LANES];
    for (int j = 0; j < SIMD_LANES; j++) lane[j] = z[0];
    int i = 0;
    for (; i + SIMD_LANES <= n; i += SIMD_LANES)
        for (int j = 0; j < SIMD_LANES; j++) lane[j] = z[i + j] > lane[j] ? z[i + j] : lane[j];
    for (; i < n; i++) lane[0] = z[i] > lane[0] ? z[i] : lane[0];
    float best = lane[0];
    for (int j = 1; j < SIMD_LANES; j++) best = lane[j] > best ? lane[j] : best;
    return best;
}

/* Lanes are emptied into a double every 1024 elements: a vocabulary is long enough for f32 sums to show. */
SIMD_CLONES double row_sum_exp(const float *z, int n, float shift) {
    double sum = 0;
    int i = 0;
    while (i < n) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        float lane[SIMD_LANES] = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++) lane[j] += simd_exp(z[i + j] - shift);
        for (; i < stop; i++) lane[0] += simd_exp(z[i] - shift);
        sum += (double)simd_lane_sum(lane);
    }
    return sum;
}

double row_log_sum_exp(const float *z, int n) {
    const float top = row_max(z, n);
    return (double)top + log(row_sum_exp(z, n, top));
}
