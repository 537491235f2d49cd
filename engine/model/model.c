/* The model's parameters: configuration check, layout in the flat array, initialisation, copy, hash. See model.h.
 *
 * The order of the parameters is that of the list of tensors in architecture.c. */
#include "engine/model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/math/parallel.h"
#include "engine/model/architecture.h"

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

bool model_config_check(const struct model_config *c, struct err *e) {
    if (!check_sizes(c, e)) return false;
    if (c->n_head % c->n_kv_head != 0)
        return err_set(e, "model: n_head %d is not a multiple of n_kv_head %d", c->n_head, c->n_kv_head);
    if (c->head_dim % 2 != 0) return err_set(e, "model: head_dim must be even, found %d", c->head_dim);
    if (!isfinite(c->rope_base) || c->rope_base < 1.0f)
        return err_set(e, "model: rope_base must be at least 1, found %g", (double)c->rope_base);
    if (!isfinite(c->rms_eps) || c->rms_eps <= 0.0f || c->rms_eps > 1.0f)
        return err_set(e, "model: rms_eps must be in (0,1], found %g", (double)c->rms_eps);
    if (!architecture_check(architecture_of(c), e)) return false;
    const size_t n = model_config_params(c) + (size_t)c->d_model; /* with a value vector */
    if (n > (size_t)1 << 36) return err_set(e, "model: %zu parameters are more than this program can hold", n);
    return true;
}

/* ---- layout ---- */

static size_t tensor_size(const struct model_config *c, const struct tensor_spec *t) {
    return (size_t)tensor_dim_size(c, t->rows) * (size_t)tensor_dim_size(c, t->cols);
}

/* The member that keeps a tensor's offset. */
static size_t *slot_of(struct model *m, struct tensor_place p) {
    void *owner = p.layer < 0 ? (void *)m : &m->layer[p.layer];
    return (size_t *)(void *)((char *)owner + p.spec->slot);
}

size_t model_tensor_offset(const struct model *m, const struct tensor_spec *spec, int layer) {
    const void *owner = spec->section == SECTION_LAYER ? (const void *)&m->layer[layer] : m;
    return *(const size_t *)(const void *)((const char *)owner + spec->slot);
}

/* Tensor after tensor; a tied head is the embedding; the value vector comes last. */
static void lay_out(struct model *m) {
    const struct model_config *c = &m->cfg;
    size_t at = 0;
    for (int i = 0; i < architecture_n_tensors(c); i++) {
        const struct tensor_place p = architecture_tensor(c, i);
        *slot_of(m, p) = at;
        at += tensor_size(c, p.spec);
    }
    if (c->tied) m->head = m->embed;
    m->value = at;
    m->n_params = at + (m->with_value ? (size_t)c->d_model : 0);
}

size_t model_config_params(const struct model_config *c) {
    size_t n = 0;
    for (int i = 0; i < architecture_n_tensors(c); i++) n += tensor_size(c, architecture_tensor(c, i).spec);
    return n;
}

int model_n_tensors(const struct model *m) { return architecture_n_tensors(&m->cfg); }

struct tensor_ref model_tensor(const struct model *m, int i) {
    const struct tensor_place p = architecture_tensor(&m->cfg, i);
    struct tensor_ref r = {.offset = model_tensor_offset(m, p.spec, p.layer),
                           .rows = tensor_dim_size(&m->cfg, p.spec->rows),
                           .cols = tensor_dim_size(&m->cfg, p.spec->cols),
                           .layer = p.layer,
                           .spec = p.spec};
    if (p.layer < 0)
        snprintf(r.name, sizeof r.name, "%s", p.spec->name);
    else
        snprintf(r.name, sizeof r.name, "blk.%d.%s", p.layer, p.spec->name);
    return r;
}

/* ---- life ---- */

static void fill(float *p, size_t n, float value) {
    for (size_t i = 0; i < n; i++) p[i] = value;
}

struct model *model_new(const struct model_config *c, bool with_value, struct err *e) {
    if (!model_config_check(c, e)) return NULL;
    struct model *m = mem_small(sizeof *m);
    m->cfg = *c;
    m->cfg.arch = architecture_of(c);
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
        if (t.spec->role == ROLE_NORM) fill(m->params + t.offset, (size_t)t.cols, 1.0f);
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
        if (t.spec->role == ROLE_NORM || t.spec->role == ROLE_BIAS) {
            fill(w, (size_t)t.cols, t.spec->role == ROLE_NORM ? 1.0f : 0.0f);
            continue;
        }
        struct init_job j = {.w = w,
                             .cols = (size_t)t.cols,
                             .seed = seed,
                             .tick = (uint64_t)i,
                             .deviation = t.spec->role == ROLE_TO_RESIDUAL ? residual : 0.02};
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
    /* Models made before there was a choice keep their hash. */
    if (c->arch != architecture_of(&(struct model_config){0})) h = hash_bytes(h, c->arch->name, strlen(c->arch->name));
    return hash_bytes(h, m->params, m->n_params * sizeof *m->params);
}
