/* Attention: see attention.h. One chunk of work is one head of one sequence, so chunks never share an output: where
 * several query heads share a key-value head, each writes its own dk and dv to scratch and these are added in order of
 * heads afterwards. The products inside are small matmul_block calls on blocks that fit the first-level cache.
 */
#include "engine/math/attention.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "engine/math/kernels.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"

enum { BLOCK = 64 };

struct attention_job {
    const struct attention_shape *s;
    const float *qkv, *dout, *out_in, *lse_in;
    float *out, *lse, *dqkv, *scratch;
    int n_tokens, stride, group;
    float scale;
};

/* What one chunk works on: its rows and where its head's q, k, v start. */
struct head_view {
    int first, len, head;
    size_t q, k, v; /* offsets into qkv */
};

static struct head_view view_of(const struct attention_job *j, int i) {
    const struct attention_shape *s = j->s;
    const int seq = i / s->n_head, head = i % s->n_head, kv = head / j->group;
    struct head_view v = {.first = s->start[seq], .len = s->start[seq + 1] - s->start[seq], .head = head};
    const size_t row = (size_t)v.first * (size_t)j->stride, hd = (size_t)s->head_dim;
    v.q = row + (size_t)head * hd;
    v.k = row + (size_t)(s->n_head + kv) * hd;
    v.v = row + (size_t)(s->n_head + s->n_kv_head + kv) * hd;
    return v;
}

static int block_len(int len, int at) { return len - at < BLOCK ? len - at : BLOCK; }

static struct attention_job job_for(const struct attention_shape *s) {
    return (struct attention_job){.s = s,
                                  .n_tokens = s->start[s->n_seq],
                                  .stride = (s->n_head + 2 * s->n_kv_head) * s->head_dim,
                                  .group = s->n_head / s->n_kv_head,
                                  .scale = 1.0f / sqrtf((float)s->head_dim)};
}

/* p[0..n) = exp(p - shift), rest of the block row 0; returns the sum. */
SIMD_CLONES static float exp_row(float *p, int n, int width, float shift) {
    float lane[SIMD_LANES] = {0};
    int i = 0;
    for (; i + SIMD_LANES <= n; i += SIMD_LANES)
        for (int j = 0; j < SIMD_LANES; j++) {
            p[i + j] = simd_exp(p[i + j] - shift);
            lane[j] += p[i + j];
        }
    for (; i < n; i++) {
        p[i] = simd_exp(p[i] - shift);
        lane[0] += p[i];
    }
    for (; i < width; i++) p[i] = 0.0f;
    return simd_lane_sum(lane);
}

SIMD_CLONES static void scale_row(float *x, int n, float by) {
    for (int i = 0; i < n; i++) x[i] *= by;
}

/* One block of queries of one head: o[rows, hd] and lse[rows]. */
static void forward_block(const struct attention_job *j, const struct head_view *v, int qb) {
    const int hd = j->s->head_dim, ldo = j->s->n_head * hd, rows = block_len(v->len, qb);
    const float *q = j->qkv + v->q + (size_t)qb * (size_t)j->stride;
    float *o = j->out + (size_t)(v->first + qb) * (size_t)ldo + (size_t)(v->head * hd);
    float *lse = j->lse + (size_t)v->head * (size_t)j->n_tokens + (size_t)(v->first + qb);
    float p[BLOCK * BLOCK], top[BLOCK], sum[BLOCK];
    for (int kb = 0; kb <= qb; kb += BLOCK) {
        const int cols = block_len(v->len, kb);
        const float *k = j->qkv + v->k + (size_t)kb * (size_t)j->stride,
                    *val = j->qkv + v->v + (size_t)kb * (size_t)j->stride;
        matmul_block(false, true, rows, cols, hd, j->scale, q, j->stride, k, j->stride, false, p, BLOCK);
        for (int r = 0; r < rows; r++) {
            const int n = kb == qb ? r + 1 : cols; /* causal: keys up to the query's own position */
            float *row = p + r * BLOCK;
            float m = row_max(row, n);
            if (kb > 0 && top[r] > m) m = top[r];
            const float add = exp_row(row, n, cols, m);
            if (kb > 0) {
                const float keep = simd_exp(top[r] - m);
                sum[r] = sum[r] * keep + add;
                if (keep != 1.0f) scale_row(o + (size_t)r * (size_t)ldo, hd, keep);
            } else {
                sum[r] = add;
            }
            top[r] = m;
        }
        matmul_block(false, false, rows, hd, cols, 1.0f, p, BLOCK, val, j->stride, kb > 0, o, ldo);
    }
    for (int r = 0; r < rows; r++) {
        scale_row(o + (size_t)r * (size_t)ldo, hd, 1.0f / sum[r]);
        lse[r] = top[r] + logf(sum[r]);
    }
}

static void forward_chunk(void *ctx, int i) {
    const struct attention_job *j = ctx;
    const struct head_view v = view_of(j, i);
    for (int qb = 0; qb < v.len; qb += BLOCK) forward_block(j, &v, qb);
}

void attention_forward(float *out, float *lse, const float *qkv, const struct attention_shape *s) {
    struct attention_job j = job_for(s);
    j.out = out;
    j.lse = lse;
    j.qkv = qkv;
    parallel_for(s->n_seq * s->n_head, forward_chunk, &j);
}

/* ds = p * (dp - delta) */
SIMD_CLONES static void softmax_row_backward(float *restrict ds, const float *restrict p, int n, float delta) {
    for (int i = 0; i < n; i++) ds[i] = p[i] * (ds[i] - delta);
}

SIMD_CLONES static float dot(const float *a, const float *b, int n) {
    float lane[SIMD_LANES] = {0};
    int i = 0;
    for (; i + SIMD_LANES <= n; i += SIMD_LANES)
        for (int j = 0; j < SIMD_LANES; j++) lane[j] += a[i + j] * b[i + j];
    for (; i < n; i++) lane[0] += a[i] * b[i];
    return simd_lane_sum(lane);
}

/* Where a chunk puts dk and dv: into dqkv itself when no other head shares them, else into scratch [n_head][k,
 * v][n_tokens, hd]. */
struct kv_target {
    float *dk, *dv;
    int ld;
};

static struct kv_target target_of(const struct attention_job *j, const struct head_view *v) {
    if (j->group == 1) return (struct kv_target){.dk = j->dqkv + v->k, .dv = j->dqkv + v->v, .ld = j->stride};
    const size_t hd = (size_t)j->s->head_dim, plane = (size_t)j->n_tokens * hd;
    float *dk = j->scratch + (size_t)v->head * 2 * plane + (size_t)v->first * hd;
    return (struct kv_target){.dk = dk, .dv = dk + plane, .ld = j->s->head_dim};
}

/* With p = exp(s - lse), delta_r = sum_d do*o: dv += p^T do, dp = do v^T, ds = p * (dp - delta), dq += ds k, dk += ds^T
 * q. */
static void backward_block(const struct attention_job *j, const struct head_view *v, const struct kv_target *t, int qb,
                           int kb, const float *delta) {
    const int hd = j->s->head_dim, ldo = j->s->n_head * hd, rows = block_len(v->len, qb), cols = block_len(v->len, kb);
    const size_t stride = (size_t)j->stride;
    const float *q = j->qkv + v->q + (size_t)qb * stride, *k = j->qkv + v->k + (size_t)kb * stride;
    const float *val = j->qkv + v->v + (size_t)kb * stride;
    const float *dout = j->dout + (size_t)(v->first + qb) * (size_t)ldo + (size_t)(v->head * hd);
    const float *lse = j->lse_in + (size_t)v->head * (size_t)j->n_tokens + (size_t)(v->first + qb);
    float *dq = j->dqkv + v->q + (size_t)qb * stride;
    float *dk = t->dk + (size_t)kb * (size_t)t->ld, *dv = t->dv + (size_t)kb * (size_t)t->ld;
    float p[BLOCK * BLOCK], ds[BLOCK * BLOCK];
    const bool first = qb == kb; /* query blocks ascend, so the diagonal block is the first to reach these keys */
    matmul_block(false, true, rows, cols, hd, j->scale, q, j->stride, k, j->stride, false, p, BLOCK);
    for (int r = 0; r < rows; r++) (void)exp_row(p + r * BLOCK, first ? r + 1 : cols, cols, lse[r]);
    matmul_block(true, false, cols, hd, rows, 1.0f, p, BLOCK, dout, ldo, !first, dv, t->ld);
    matmul_block(false, true, rows, cols, hd, 1.0f, dout, ldo, val, j->stride, false, ds, BLOCK);
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): delta holds a value for each of the rows */
    for (int r = 0; r < rows; r++) softmax_row_backward(ds + r * BLOCK, p + r * BLOCK, cols, delta[r]);
    matmul_block(false, false, rows, hd, cols, j->scale, ds, BLOCK, k, j->stride, kb > 0, dq, j->stride);
    matmul_block(true, false, cols, hd, rows, j->scale, ds, BLOCK, q, j->stride, !first, dk, t->ld);
}

static void backward_chunk(void *ctx, int i) {
    const struct attention_job *j = ctx;
    const struct head_view v = view_of(j, i);
    const struct kv_target t = target_of(j, &v);
    const int hd = j->s->head_dim, ldo = j->s->n_head * hd;
    float delta[BLOCK];
    for (int qb = 0; qb < v.len; qb += BLOCK) {
        const size_t at = (size_t)(v.first + qb) * (size_t)ldo + (size_t)(v.head * hd);
        for (int r = 0; r < block_len(v.len, qb); r++) {
            const size_t row = at + (size_t)r * (size_t)ldo;
            delta[r] = dot(j->dout + row, j->out_in + row, hd);
        }
        for (int kb = 0; kb <= qb; kb += BLOCK) backward_block(j, &v, &t, qb, kb, delta);
    }
}

/* dk and dv of a key-value head = the sum over the query heads that read it. */
static void sum_groups(void *ctx, int begin, int end) {
    const struct attention_job *j = ctx;
    const struct attention_shape *s = j->s;
    const size_t hd = (size_t)s->head_dim, plane = (size_t)j->n_tokens * hd;
    for (int row = begin; row < end; row++)
        for (int kv = 0; kv < s->n_kv_head; kv++)
            for (int part = 0; part < 2; part++) { /* 0: keys, 1: values */
                float *restrict to =
                    j->dqkv + (size_t)row * (size_t)j->stride + (size_t)(s->n_head + part * s->n_kv_head + kv) * hd;
                memset(to, 0, hd * sizeof *to);
                for (int g = 0; g < j->group; g++) {
                    const float *restrict from =
                        j->scratch + ((size_t)(kv * j->group + g) * 2 + (size_t)part) * plane + (size_t)row * hd;
                    for (size_t c = 0; c < hd; c++) to[c] += from[c];
                }
            }
}

size_t attention_scratch(const struct attention_shape *s) {
    if (s->n_head == s->n_kv_head) return 0;
    return (size_t)s->n_head * 2 * (size_t)s->start[s->n_seq] * (size_t)s->head_dim;
}

void attention_backward(float *dqkv, const float *dout, const float *out, const float *lse, const float *qkv,
                        const struct attention_shape *s, float *scratch) {
    struct attention_job j = job_for(s);
    j.dqkv = dqkv;
    j.dout = dout;
    j.out_in = out;
    j.lse_in = lse;
    j.qkv = qkv;
    j.scratch = scratch;
    parallel_for(s->n_seq * s->n_head, backward_chunk, &j);
    if (j.group > 1) parallel_ranges(j.n_tokens, 32, sum_groups, &j);
}
