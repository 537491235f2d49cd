/* The model's parameters: configuration check, layout in the flat array, initialisation, copy, hash. See model.h.
 *
 * The layout keeps wq, wk, wv and w_gate, w_up next to each other: each group is one matrix product in forward.c. */
#include "engine/model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/math/parallel.h"

enum { TENSORS_PER_LAYER = 9 };

/* ---- configuration ---- */

/* Bounds far above any model this program can train, low enough that no int product below overflows. */
static bool check_sizes(const struct model_config *c, struct err *e) {
    const struct {
        const char *name;
        int value, max;
    } size[] = {
        {"n_vocab", c->n_vocab, 1 << 22}, {"d_model", c->d_model, 1 << 16},     {"n_layer", c->n_layer, 1 << 10},
        {"n_head", c->n_head, 1 << 10},   {"n_kv_head", c->n_kv_head, 1 << 10}, {"head_dim", c->head_dim, 1 << 12},
        {"d_ff", c->d_ff, 1 << 20},       {"n_ctx", c->n_ctx, 1 << 22},
    };
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        if (size[i].value < 1 || size[i].value > size[i].max)
            return err_set(e, "model: %s must be 1..%d, found %d", size[i].name, size[i].max, size[i].value);
    return true;
}

static size_t count_params(const struct model_config *c, bool with_value);

bool model_config_check(const struct model_config *c, struct err *e) {
    if (!check_sizes(c, e)) return false;
    if (c->n_head % c->n_kv_head != 0)
        return err_set(e, "model: n_head %d is not a multiple of n_kv_head %d", c->n_head, c->n_kv_head);
    if (c->head_dim % 2 != 0) return err_set(e, "model: head_dim must be even, found %d", c->head_dim);
    if (!isfinite(c->rope_base) || c->rope_base < 1.0f)
        return err_set(e, "model: rope_base must be at least 1, found %g", (double)c->rope_base);
    if (!isfinite(c->rms_eps) || c->rms_eps <= 0.0f || c->rms_eps > 1.0f)
        return err_set(e, "model: rms_eps must be in (0,1], found %g", (double)c->rms_eps);
    if (count_params(c, true) > (size_t)1 << 36)
        return err_set(e, "model: %zu parameters are more than this program can hold", count_params(c, true));
    return true;
}

/* ---- layout ---- */

static size_t take(size_t *at, size_t n) {
    const size_t here = *at;
    *at += n;
    return here;
}

/* Fill offsets of m (layer may be NULL: only count). */
static void lay_out(struct model *m) {
    const struct model_config *c = &m->cfg;
    const size_t d = (size_t)c->d_model, ff = (size_t)c->d_ff, vocab = (size_t)c->n_vocab;
    const size_t q = (size_t)c->n_head * (size_t)c->head_dim, kv = (size_t)c->n_kv_head * (size_t)c->head_dim;
    size_t at = 0;
    m->embed = take(&at, vocab * d);
    for (int l = 0; l < c->n_layer; l++) {
        struct layer_params p;
        p.attn_norm = take(&at, d);
        p.wq = take(&at, q * d);
        p.wk = take(&at, kv * d);
        p.wv = take(&at, kv * d);
        p.wo = take(&at, d * q);
        p.ffn_norm = take(&at, d);
        p.w_gate = take(&at, ff * d);
        p.w_up = take(&at, ff * d);
        p.w_down = take(&at, d * ff);
        if (m->layer) m->layer[l] = p;
    }
    m->out_norm = take(&at, d);
    m->head = c->tied ? m->embed : take(&at, vocab * d);
    m->value = m->with_value ? take(&at, d) : at;
    m->n_params = at;
}

static size_t count_params(const struct model_config *c, bool with_value) {
    struct model m = {.cfg = *c, .with_value = with_value};
    lay_out(&m);
    return m.n_params;
}

int model_n_tensors(const struct model *m) { return 2 + TENSORS_PER_LAYER * m->cfg.n_layer + (m->cfg.tied ? 0 : 1); }

static struct tensor_ref layer_tensor(const struct model *m, int layer, int which) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[layer];
    const int d = c->d_model, q = c->n_head * c->head_dim, kv = c->n_kv_head * c->head_dim;
    const struct {
        const char *name;
        size_t offset;
        int rows, cols;
    } t[TENSORS_PER_LAYER] = {
        {"attn_norm", p->attn_norm, 1, d},
        {"attn_q", p->wq, q, d},
        {"attn_k", p->wk, kv, d},
        {"attn_v", p->wv, kv, d},
        {"attn_output", p->wo, d, q},
        {"ffn_norm", p->ffn_norm, 1, d},
        {"ffn_gate", p->w_gate, c->d_ff, d},
        {"ffn_up", p->w_up, c->d_ff, d},
        {"ffn_down", p->w_down, d, c->d_ff},
    };
    struct tensor_ref r = {.offset = t[which].offset, .rows = t[which].rows, .cols = t[which].cols};
    snprintf(r.name, sizeof r.name, "blk.%d.%s.weight", layer, t[which].name);
    return r;
}

struct tensor_ref model_tensor(const struct model *m, int i) {
    const int d = m->cfg.d_model, vocab = m->cfg.n_vocab, last_layer = TENSORS_PER_LAYER * m->cfg.n_layer;
    if (i == 0) return (struct tensor_ref){.name = "token_embd.weight", .offset = m->embed, .rows = vocab, .cols = d};
    if (i <= last_layer) return layer_tensor(m, (i - 1) / TENSORS_PER_LAYER, (i - 1) % TENSORS_PER_LAYER);
    if (i == last_layer + 1)
        return (struct tensor_ref){.name = "output_norm.weight", .offset = m->out_norm, .rows = 1, .cols = d};
    return (struct tensor_ref){.name = "output.weight", .offset = m->head, .rows = vocab, .cols = d};
}

/* ---- life ---- */

static void fill(float *p, size_t n, float value) {
    for (size_t i = 0; i < n; i++) p[i] = value;
}

struct model *model_new(const struct model_config *c, bool with_value, struct err *e) {
    if (!model_config_check(c, e)) return NULL;
    struct model *m = mem_small(sizeof *m);
    m->cfg = *c;
    m->with_value = with_value;
    m->layer = mem_small((size_t)c->n_layer * sizeof *m->layer);
    lay_out(m);
    m->params = mem_alloc(m->n_params, sizeof *m->params, "model weights", e);
    if (!m->params) {
        model_free(m);
        return NULL;
    }
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        if (t.rows == 1 && strstr(t.name, "norm")) fill(m->params + t.offset, (size_t)t.cols, 1.0f);
    }
    return m;
}

void model_free(struct model *m) {
    if (!m) return;
    mem_free(m->params);
    free(m->layer);
    free(m);
}

struct init_job {
    float *w;
    size_t cols;
    uint64_t seed, tick;
    double deviation;
};

static void init_rows(void *ctx, int begin, int end) {
    const struct init_job *j = ctx;
    for (size_t i = (size_t)begin * j->cols; i < (size_t)end * j->cols; i++)
        j->w[i] = (float)(j->deviation * rng_normal(j->seed, RNG_INIT, j->tick, i));
}

void model_init(struct model *m, uint64_t seed) {
    const double residual = 0.02 / sqrt(2.0 * m->cfg.n_layer); /* GPT-2: keeps the residual stream's size with depth */
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        float *w = m->params + t.offset;
        if (strstr(t.name, "norm")) {
            fill(w, (size_t)t.cols, 1.0f);
            continue;
        }
        const bool to_residual = strstr(t.name, "attn_output") || strstr(t.name, "ffn_down");
        struct init_job j = {.w = w,
                             .cols = (size_t)t.cols,
                             .seed = seed,
                             .tick = (uint64_t)i,
                             .deviation = to_residual ? residual : 0.02};
        parallel_ranges(t.rows, 16, init_rows, &j);
    }
    if (m->with_value) fill(m->params + m->value, (size_t)m->cfg.d_model, 0.0f);
}

struct model *model_copy(const struct model *m, bool with_value, struct err *e) {
    struct model *copy = model_new(&m->cfg, with_value, e);
    if (!copy) return NULL;
    /* The value vector comes last, so what both have is one prefix. */
    const size_t shared = copy->n_params < m->n_params ? copy->n_params : m->n_params;
    memcpy(copy->params, m->params, shared * sizeof *copy->params);
    return copy;
}

uint64_t model_hash(const struct model *m) {
    const struct model_config *c = &m->cfg;
    const int32_t sizes[] = {c->n_vocab,  c->d_model, c->n_layer, c->n_head, c->n_kv_head,
                             c->head_dim, c->d_ff,    c->n_ctx,   c->tied,   m->with_value};
    const float reals[] = {c->rope_base, c->rms_eps};
    uint64_t h = hash_bytes(HASH_START, sizes, sizeof sizes);
    h = hash_bytes(h, reals, sizeof reals);
    return hash_bytes(h, m->params, m->n_params * sizeof *m->params);
}
