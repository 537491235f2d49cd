/* AdamW: see adamw.h. One pass for the norm, one for the update. The array is cut into at most N_PARTS pieces whatever
 * the number of threads, and their sums of squares are added in order: the norm is bitwise the same for any thread
 * count. */
#include "engine/math/adamw.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"

enum { N_PARTS = 512, MIN_PART = 8192 };

const struct adamw_config ADAMW_DEFAULTS = {
    .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.0f, .clip_norm = 1.0f};

bool adamw_init(struct adamw *o, size_t n, struct err *e) {
    *o = (struct adamw){.n = n};
    o->m = mem_alloc(n, sizeof *o->m, "optimiser moments", e);
    o->v = o->m ? mem_alloc(n, sizeof *o->v, "optimiser moments", e) : NULL;
    if (o->v) return true;
    adamw_free(o);
    return false;
}

void adamw_free(struct adamw *o) {
    mem_free(o->m);
    mem_free(o->v);
    *o = (struct adamw){0};
}

void adamw_reset(struct adamw *o) {
    memset(o->m, 0, o->n * sizeof *o->m);
    memset(o->v, 0, o->n * sizeof *o->v);
    o->step = 0;
}

struct update {
    float *params, *grads, *m, *v;
    size_t n, part;
    double sum_sq[N_PARTS];
    /* p -= lr * (m' * m_scale / (sqrt(v' * v_scale) + eps) + decay * p) with g' = g * g_scale */
    float lr, beta1, beta2, eps, decay, g_scale, m_scale, v_scale;
};

static size_t part_length(const struct update *u, int i) {
    const size_t begin = (size_t)i * u->part;
    return u->n - begin < u->part ? u->n - begin : u->part;
}

SIMD_CLONES static double sum_of_squares(const float *g, size_t n) {
    double lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) lane[j] += (double)g[i + (size_t)j] * (double)g[i + (size_t)j];
    for (; i < n; i++) lane[0] += (double)g[i] * (double)g[i];
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

static void norm_part(void *ctx, int i) {
    struct update *u = ctx;
    u->sum_sq[i] = sum_of_squares(u->grads + (size_t)i * u->part, part_length(u, i));
}

SIMD_CLONES static void update_span(const struct update *u, float *restrict p, float *restrict g, float *restrict m,
                                    float *restrict v, size_t n) {
    const float b1 = u->beta1, b2 = u->beta2, lr = u->lr, eps = u->eps, decay = u->decay;
    const float gs = u->g_scale, ms = u->m_scale, vs = u->v_scale;
    for (size_t i = 0; i < n; i++) {
        const float gi = g[i] * gs;
        const float mi = b1 * m[i] + (1.0f - b1) * gi;
        const float vi = b2 * v[i] + (1.0f - b2) * gi * gi;
        m[i] = mi;
        v[i] = vi;
        p[i] -= lr * (mi * ms / (__builtin_sqrtf(vi * vs) + eps) + decay * p[i]);
        g[i] = 0.0f;
    }
}

static void update_part(void *ctx, int i) {
    const struct update *u = ctx;
    const size_t at = (size_t)i * u->part;
    update_span(u, u->params + at, u->grads + at, u->m + at, u->v + at, part_length(u, i));
}

bool adamw_step(struct adamw *o, const struct adamw_config *c, float *params, float *grads, double *grad_norm,
                struct err *e) {
    struct update u = {.params = params, .grads = grads, .m = o->m, .v = o->v, .n = o->n};
    if (o->n == 0) return true;
    u.part = (o->n - 1) / N_PARTS + 1;
    if (u.part < MIN_PART) u.part = MIN_PART;
    const int n_parts = (int)((o->n - 1) / u.part + 1);
    parallel_for(n_parts, norm_part, &u);
    double sum = 0;
    for (int i = 0; i < n_parts; i++) sum += u.sum_sq[i];
    const double norm = sqrt(sum);
    o->norm = norm;
    if (grad_norm) *grad_norm = norm;
    if (!isfinite(norm)) {
        memset(grads, 0, o->n * sizeof *grads);
        return err_set(e, "optimiser step %lld: the gradient is not finite", (long long)(o->step + 1));
    }
    o->step++;
    const double clip = c->clip_norm > 0 && norm > (double)c->clip_norm ? (double)c->clip_norm / norm : 1.0;
    u.lr = c->lr;
    u.beta1 = c->beta1;
    u.beta2 = c->beta2;
    u.eps = c->eps;
    u.decay = c->weight_decay;
    u.g_scale = (float)clip;
    u.m_scale = (float)(1.0 / (1.0 - pow((double)c->beta1, (double)o->step)));
    u.v_scale = (float)(1.0 / (1.0 - pow((double)c->beta2, (double)o->step)));
    parallel_for(n_parts, update_part, &u);
    return true;
}
