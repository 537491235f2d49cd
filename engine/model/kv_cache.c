/* Incremental forward pass: see kv_cache.h.
 *
 * Everything but attention is layers_forward, as in training. Attention differs: each row has its own keys, in up to two runs (the prompt's, its own), so a row is one task and passes over its keys in blocks with an
 * online softmax; the query heads of a group take a block of keys one after the other while it is near. Keys are stored
 * in tiles, transposed, so that the scores of a tile's positions are the lanes of one vector and need no sums across.
 */
#include "engine/model/kv_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/math/kernels.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/layer.h"

#define KEY_BLOCK 64

struct kv_cache {
    const struct model *m;
    size_t n_cached;
    float *keys;        /* [n_layer][n_cached / lanes][n_kv_head * head_dim][lanes], lanes = SIMD_LANES */
    float *values;      /* [n_layer][n_cached][n_kv_head * head_dim] */
    float *rope;        /* [longest, head_dim], see rope_table */
    int *pos;           /* [KV_MAX_ROWS] */
    int32_t *token;     /* [KV_MAX_ROWS] */
    float *x, *xn;      /* [KV_MAX_ROWS, d]: residual stream, normalised */
    float *qkv;         /* [KV_MAX_ROWS, q + 2 kv]: q = n_head*head_dim, kv = n_kv_head*head_dim */
    float *att;         /* [KV_MAX_ROWS, q] */
    float *top, *sum;   /* [KV_MAX_ROWS, n_head]: running maximum and sum of the softmax */
    float *gate_up, *h; /* [KV_MAX_ROWS, 2 d_ff], [KV_MAX_ROWS, d_ff] */
    float *block;       /* the one allocation behind the row buffers */
};

static size_t kv_dim(const struct model_config *c) { return (size_t)c->n_kv_head * (size_t)c->head_dim; }

size_t kv_cache_token_bytes(const struct model_config *c) { return (size_t)c->n_layer * kv_dim(c) * 2 * sizeof(float); }

static bool alloc_rows(struct kv_cache *c, struct err *e) {
    const struct model_config *f = &c->m->cfg;
    size_t d = (size_t)f->d_model, q = (size_t)f->n_head * (size_t)f->head_dim, kv = kv_dim(f), ff = (size_t)f->d_ff;
    size_t heads = (size_t)f->n_head;
    struct {
        float **at;
        size_t width;
    } part[] = {{&c->x, d},  {&c->xn, d},      {&c->qkv, q + 2 * kv}, {&c->att, q},
                {&c->h, ff}, {&c->top, heads}, {&c->sum, heads},      {&c->gate_up, 2 * ff}};
    size_t total = 0, used = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) total += part[i].width;
    c->block = mem_alloc(total, KV_MAX_ROWS * sizeof(float), "generation buffers", e);
    if (!c->block) return false;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        *part[i].at = c->block + used;
        used += part[i].width * KV_MAX_ROWS;
    }
    return true;
}

size_t kv_cache_run(size_t n) { return (n + SIMD_LANES - 1) / SIMD_LANES * SIMD_LANES; }

struct kv_cache *kv_cache_new(const struct model *m, size_t n_cached, int longest, struct err *e) {
    struct kv_cache *c = mem_small(sizeof *c);
    size_t bytes = kv_cache_token_bytes(&m->cfg) / 2;
    c->m = m;
    c->n_cached = n_cached;
    c->pos = mem_small(KV_MAX_ROWS * sizeof *c->pos);
    c->token = mem_small(KV_MAX_ROWS * sizeof *c->token);
    c->keys = mem_alloc(n_cached, bytes, "key cache", e);
    c->values = c->keys ? mem_alloc(n_cached, bytes, "value cache", e) : NULL;
    c->rope = c->values ? mem_alloc((size_t)longest * (size_t)m->cfg.head_dim, sizeof(float), "rotary table", e) : NULL;
    if (!c->rope || !alloc_rows(c, e)) {
        kv_cache_free(c);
        return NULL;
    }
    rope_table(c->rope, 0, longest, m->cfg.head_dim, m->cfg.rope_base);
    return c;
}

void kv_cache_free(struct kv_cache *c) {
    if (!c) return;
    mem_free(c->keys);
    mem_free(c->values);
    mem_free(c->rope);
    mem_free(c->block);
    free(c->pos);
    free(c->token);
    free(c);
}

/* ---- attention of one row ---- */

/* SIMD_LANES floats as one value: unlike an array of lanes it is sure to stay in registers across a loop. Loads may be
 * unaligned. */
typedef float lanes __attribute__((vector_size(SIMD_LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

enum { TILES_PER_BLOCK = KEY_BLOCK / SIMD_LANES, VALUE_CHAINS = 4 };

/* p[0 .. n_tiles * lanes) = scale * q . keys of consecutive tiles; n_tiles is a constant at every call. */
SIMD_INLINE void score_tiles(float *p, const float *q, const float *keys, int n_tiles, size_t tile, int dim,
                             float scale) {
    lanes sum[TILES_PER_BLOCK] = {{0}};
    for (int i = 0; i < dim; i++)
        for (int t = 0; t < n_tiles; t++)
            sum[t] += q[i] * *(const lanes *)(keys + (size_t)t * tile + (size_t)i * SIMD_LANES);
    for (int t = 0; t < n_tiles; t++) *(lanes *)(p + t * SIMD_LANES) = sum[t] * scale;
}

/* out[0 .. dim) += sum_j w[j] * values[j], a few chains at a time because each waits for its previous addition. */
SIMD_INLINE void add_values(float *out, const float *w, const float *values, int n, size_t stride, int dim) {
    int i = 0;
    for (; i + SIMD_LANES <= dim; i += SIMD_LANES) {
        lanes sum[VALUE_CHAINS] = {{0}};
        int j = 0;
        for (; j + VALUE_CHAINS <= n; j += VALUE_CHAINS)
            for (int c = 0; c < VALUE_CHAINS; c++)
                sum[c] += w[j + c] * *(const lanes *)(values + (size_t)(j + c) * stride + i);
        for (; j < n; j++) sum[0] += w[j] * *(const lanes *)(values + (size_t)j * stride + i);
        *(lanes *)(out + i) += (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
    for (; i < dim; i++)
        for (int j = 0; j < n; j++) out[i] += w[j] * values[(size_t)j * stride + (size_t)i];
}

/* One query head over n <= KEY_BLOCK keys: out, *top and *sum go on from what they were. Scores behind the n-th are of
 * whatever the last tile holds there and are not used. */
SIMD_CLONES static void attend_block(float *out, float *top, float *sum, const float *q, const float *keys, size_t tile,
                                     const float *values, size_t stride, int n, int dim, float scale) {
    float p[KEY_BLOCK], highest = *top, lane[SIMD_LANES] = {0};
    int n_tiles = (n + SIMD_LANES - 1) / SIMD_LANES, n_whole = n_tiles * SIMD_LANES;
    if (n_tiles == TILES_PER_BLOCK)
        score_tiles(p, q, keys, TILES_PER_BLOCK, tile, dim, scale);
    else
        for (int t = 0; t < n_tiles; t++)
            score_tiles(p + t * SIMD_LANES, q, keys + (size_t)t * tile, 1, tile, dim, scale);
    for (int j = 0; j < n; j++) highest = p[j] > highest ? p[j] : highest;
    for (int j = n; j < n_whole; j++) p[j] = -INFINITY;
    for (int j = 0; j < n_whole; j += SIMD_LANES)
        for (int l = 0; l < SIMD_LANES; l++) lane[l] += p[j + l] = simd_exp(p[j + l] - highest);
    float keep = simd_exp(*top - highest); /* -inf at first: as good as 0, and out is 0 then */
    if (keep != 1.0f)
        for (int i = 0; i < dim; i++) out[i] *= keep;
    add_values(out, p, values, n, stride, dim);
    *sum = *sum * keep + simd_lane_sum(lane);
    *top = highest;
}

struct attend_job {
    struct kv_cache *c;
    const struct kv_row *row;   /* all rows of the step */
    int first;                  /* the first one of this job */
    const float *keys, *values; /* of this layer */
    float scale;
};

static void attend_run(const struct attend_job *j, int row, size_t first, int n) {
    const struct kv_cache *c = j->c;
    const struct model_config *f = &c->m->cfg;
    int dim = f->head_dim, group = f->n_head / f->n_kv_head;
    size_t stride = kv_dim(f), q_dim = (size_t)f->n_head * (size_t)dim;
    const float *q = c->qkv + (size_t)row * (q_dim + 2 * stride);
    for (int at = 0; at < n; at += KEY_BLOCK) {
        int len = n - at < KEY_BLOCK ? n - at : KEY_BLOCK;
        size_t base = (first + (size_t)at) * stride;
        for (int h = 0; h < f->n_head; h++) {
            size_t head = (size_t)row * (size_t)f->n_head + (size_t)h, kv = (size_t)(h / group * dim);
            attend_block(c->att + head * (size_t)dim, &c->top[head], &c->sum[head], q + h * dim,
                         j->keys + base + kv * SIMD_LANES, stride * SIMD_LANES, j->values + base + kv, stride, len, dim,
                         j->scale);
        }
    }
}

static void attend_row(void *ctx, int nth) {
    const struct attend_job *j = ctx;
    struct kv_cache *c = j->c;
    const int row = j->first + nth;
    const struct kv_row *r = &j->row[row];
    int heads = c->m->cfg.n_head, dim = c->m->cfg.head_dim, seen = r->pos + 1;
    int n_shared = seen < r->n_shared ? seen : r->n_shared;
    float *out = c->att + (size_t)row * (size_t)heads * (size_t)dim;
    memset(out, 0, (size_t)heads * (size_t)dim * sizeof *out);
    for (int h = 0; h < heads; h++) {
        c->top[row * heads + h] = -INFINITY;
        c->sum[row * heads + h] = 0.0f;
    }
    attend_run(j, row, r->shared, n_shared);
    attend_run(j, row, r->own, seen - n_shared);
    for (int h = 0; h < heads; h++) {
        float inverse = 1.0f / c->sum[row * heads + h];
        for (int i = 0; i < dim; i++) out[h * dim + i] *= inverse;
    }
}

/* ---- the layers ---- */

static size_t cache_row(const struct kv_row *r) {
    return r->pos < r->n_shared ? r->shared + (size_t)r->pos : r->own + (size_t)(r->pos - r->n_shared);
}

static void store_keys_values(struct kv_cache *c, const struct kv_row *row, int first, int n, float *keys,
                              float *values) {
    const struct model_config *f = &c->m->cfg;
    size_t kv = kv_dim(f), q = (size_t)f->n_head * (size_t)f->head_dim;
    for (int i = first; i < first + n; i++) {
        const float *k = c->qkv + (size_t)i * (q + 2 * kv) + q;
        size_t to = cache_row(&row[i]), lane = to % SIMD_LANES;
        float *tile = keys + (to - lane) * kv + lane;
        for (size_t x = 0; x < kv; x++) tile[x * SIMD_LANES] = k[x];
        memcpy(values + to * kv, k + kv, kv * sizeof *k);
    }
}

/* Rows [first, first + n) of the step, of which io holds the buffers. */
struct step_rows {
    struct kv_cache *c;
    const struct kv_row *row;
    int first, n;
};

static void attend_cached(void *ctx, int l, const struct layer_io *io) {
    (void)io; /* its buffers are the cache's own, from row `first` on */
    const struct step_rows *s = ctx;
    const struct model_config *f = &s->c->m->cfg;
    const size_t plane = (size_t)l * s->c->n_cached * kv_dim(f);
    float *keys = s->c->keys + plane, *values = s->c->values + plane;
    store_keys_values(s->c, s->row, s->first, s->n, keys, values);
    struct attend_job job = {s->c, s->row, s->first, keys, values, 1.0f / sqrtf((float)f->head_dim)};
    parallel_for(s->n, attend_row, &job);
}

/* Of every layer the same: nothing is kept, and the residual stream is one buffer. */
static struct layer_io rows_io(const void *ctx, int l) {
    (void)l;
    const struct step_rows *s = ctx;
    const struct kv_cache *c = s->c;
    const struct model_config *f = &c->m->cfg;
    const size_t at = (size_t)s->first, d = (size_t)f->d_model, q = (size_t)f->n_head * (size_t)f->head_dim;
    float *x = c->x + at * d;
    return (struct layer_io){.T = s->n,
                             .rope = c->rope,
                             .pos = c->pos + s->first,
                             .x = x,
                             .qkv = c->qkv + at * (q + 2 * kv_dim(f)),
                             .att = c->att + at * q,
                             .x_mid = x,
                             .gate_up = c->gate_up + at * 2 * (size_t)f->d_ff,
                             .x_out = x,
                             .xn = c->xn + at * d,
                             .h = c->h + at * (size_t)f->d_ff};
}

static void layers_step(struct kv_cache *c, const struct kv_row *row, int first, int n, float *hidden) {
    struct step_rows rows = {c, row, first, n};
    const struct attention_source cached = {attend_cached, &rows};
    const struct layer_buffers buffers = {rows_io, &rows};
    layers_forward(c->m, c->token + first, &buffers, &cached, hidden + (size_t)first * (size_t)c->m->cfg.d_model);
}

/* A step of few rows through a small model is hundreds of products too small to share out. Its rows are shared out
 * instead, a group of them to a processor for the whole step. A large model stays with one group, whose products read
 * every weight once. */
enum { GROUP_ROWS = 16, GROUP_MAX_PARAMS = 4 << 20 };

static int count_groups(const struct model *m, int n) {
    if (m->n_params > GROUP_MAX_PARAMS || n < 2 * GROUP_ROWS) return 1;
    return n / GROUP_ROWS / 2 * 2; /* an even number divides well among most machines' processors */
}

struct group_job {
    struct kv_cache *c;
    const struct kv_row *row;
    int n, n_groups;
    float *hidden;
};

static void group_step(void *ctx, int i) {
    const struct group_job *j = ctx;
    const int first = j->n * i / j->n_groups, end = j->n * (i + 1) / j->n_groups;
    layers_step(j->c, j->row, first, end - first, j->hidden);
}

void kv_cache_step(struct kv_cache *c, const struct kv_row *row, int n, bool separate, float *hidden) {
    for (int i = 0; i < n; i++) {
        c->token[i] = row[i].token;
        c->pos[i] = row[i].pos;
    }
    struct group_job job = {c, row, n, separate ? count_groups(c->m, n) : 1, hidden};
    parallel_for(job.n_groups, group_step, &job);
}
