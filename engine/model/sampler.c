/* Sampling: see sampler.h.
 *
 * A row of logits is read twice: once for the maximum, once for the sums of exp over blocks of ids. A draw walks the
 * block sums, then the ids of the one block it falls into, whose exponentials are recomputed: bitwise the same numbers,
 * no row of probabilities to store, and many draws from one row (samples of one prompt) cost next to nothing. Sums are
 * in double and in the order of the ids, one row per task, so the thread count changes nothing. */
#include "engine/model/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/math/kernels.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"

#define BLOCK 256
#define LOGITS_MAX ((size_t)8 << 20) /* floats in the logits buffer: 32 MiB */

struct sampler {
    const struct model *m;
    struct sampler_config cfg;
    int chunk, n_blocks;
    float *logits;     /* [chunk, n_valid] */
    double *block_sum; /* [chunk, n_blocks] */
    bool *finite;      /* [chunk] */
};

struct sampler *sampler_new(const struct model *m, const struct sampler_config *c, int max_rows, struct err *e) {
    struct sampler *s = mem_small(sizeof *s);
    size_t rows = LOGITS_MAX / (size_t)c->n_valid;
    s->m = m;
    s->cfg = *c;
    s->chunk = rows < 1 ? 1 : rows < (size_t)max_rows ? (int)rows : max_rows;
    s->n_blocks = (c->n_valid + BLOCK - 1) / BLOCK;
    s->logits = mem_alloc((size_t)s->chunk * (size_t)c->n_valid, sizeof(float), "logits", e);
    s->block_sum =
        s->logits ? mem_alloc((size_t)s->chunk * (size_t)s->n_blocks, sizeof(double), "sampling sums", e) : NULL;
    s->finite = s->block_sum ? mem_alloc((size_t)s->chunk, sizeof(bool), "sampling flags", e) : NULL;
    if (s->finite) return s;
    sampler_free(s);
    return NULL;
}

void sampler_free(struct sampler *s) {
    if (!s) return;
    mem_free(s->logits);
    mem_free(s->block_sum);
    mem_free(s->finite);
    free(s);
}

/* p[j] = exp((z[j] - top) / temperature), not normalised; returns their sum. */
SIMD_CLONES static float block_weights(float *restrict p, const float *restrict z, int n, float top,
                                       float temperature) {
    float lane[SIMD_LANES] = {0};
    int i = 0;
    for (; i + SIMD_LANES <= n; i += SIMD_LANES)
        for (int j = 0; j < SIMD_LANES; j++) {
            p[i + j] = simd_exp((z[i + j] - top) / temperature);
            lane[j] += p[i + j];
        }
    for (; i < n; i++) {
        p[i] = simd_exp((z[i] - top) / temperature);
        lane[0] += p[i];
    }
    return simd_lane_sum(lane);
}

static int block_len(const struct sampler *s, int b) {
    int left = s->cfg.n_valid - b * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

/* The lowest id of the highest logit. */
static int argmax(const float *z, int n) {
    float top = row_max(z, n);
    for (int j = 0; j < n; j++)
        if (z[j] == top) return j;
    return 0; /* not a number: the caller finds out */
}

/* The id at which the running sum first exceeds `target`. Rounding can leave the sum a hair short of it: the last id of
 * the last block reached is taken then. */
static int inverse_cdf(const struct sampler *s, const float *z, const double *sum, double target, float top,
                       float temperature) {
    double below = 0.0;
    int block = 0, pick = 0;
    while (block < s->n_blocks - 1 && below + sum[block] <= target) below += sum[block++];
    float p[BLOCK];
    int n = block_len(s, block);
    block_weights(p, z + block * BLOCK, n, top, temperature);
    while (pick < n - 1 && (below += (double)p[pick]) <= target) pick++;
    return block * BLOCK + pick;
}

struct draw_job {
    struct sampler *s;
    const int *start; /* of the chunk's first row */
    struct draw *draw;
};

static void draw_row(void *ctx, int row) {
    struct draw_job *j = ctx;
    struct sampler *s = j->s;
    int n = s->cfg.n_valid;
    const float *z = s->logits + (size_t)row * (size_t)n;
    double *sum = s->block_sum + (size_t)row * (size_t)s->n_blocks, total = 0.0;
    bool greedy = s->cfg.temperature <= 0.0f;
    float temperature = greedy ? 1.0f : s->cfg.temperature, p[BLOCK];
    int best = argmax(z, n);
    for (int b = 0; b < s->n_blocks; b++) {
        sum[b] = (double)block_weights(p, z + b * BLOCK, block_len(s, b), z[best], temperature);
        total += sum[b];
    }
    s->finite[row] = isfinite(z[best]) && isfinite(total);
    if (!s->finite[row]) return;
    for (int i = j->start[row]; i < j->start[row + 1]; i++) {
        struct draw *d = &j->draw[i];
        double u = rng_uniform(s->cfg.seed, RNG_SAMPLE, s->cfg.tick, d->index);
        d->token = greedy ? best : inverse_cdf(s, z, sum, u * total, z[best], temperature);
        d->log_prob = (float)((double)(z[d->token] - z[best]) / (double)temperature - log(total));
    }
}

bool sampler_run(struct sampler *s, const float *hidden, int n_rows, const int *start, struct draw *draw,
                 struct err *e) {
    int d = s->m->cfg.d_model;
    for (int at = 0; at < n_rows; at += s->chunk) {
        int n = n_rows - at < s->chunk ? n_rows - at : s->chunk;
        struct draw_job job = {s, start + at, draw};
        matmul_nt(s->logits, hidden + (size_t)at * (size_t)d, s->m->params + s->m->head, n, s->cfg.n_valid, d, false);
        parallel_for(n, draw_row, &job);
        for (int i = 0; i < n; i++)
            if (!s->finite[i]) return err_set(e, "generation: the model's logits are not finite");
    }
    return true;
}
