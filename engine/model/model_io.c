/* Models from and to GGUF: see model_io.h.
 *
 * A file is untrusted. Its configuration is compared with the number of weights it really holds before anything is
 * allocated from it, every tensor must have exactly the shape that the configuration implies, and whatever would change
 * the computation in a way that the forward pass does not know (rotary scaling, biases, experts, ...) is refused by
 * name instead of ignored.
 *
 * Arch `llama` stores the rows of q and k permuted for a rotation of adjacent pairs, while the model inside rotates
 * halves: within each head of D rows, file row 2i is our row i and file row 2i+1 is our row i + D/2. */
#include "engine/model/model_io.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/formats/quant.h"
#include "engine/math/parallel.h"

#define ROWS_PER_TASK 64

/* Row of our matrix that holds row r of the file's matrix. */
static int unpermuted_row(int r, int head_dim) {
    int in_head = r % head_dim;
    return r - in_head + in_head / 2 + (in_head % 2) * (head_dim / 2);
}

static bool ends_with(const char *s, const char *tail) {
    size_t n = strlen(s), t = strlen(tail);
    return n >= t && strcmp(s + n - t, tail) == 0;
}

static bool is_rotated(const struct tensor_ref *t) {
    return ends_with(t->name, ".attn_q.weight") || ends_with(t->name, ".attn_k.weight");
}

/* ---- reading: configuration ---- */

static bool text_is(const char *s, size_t len, const char *want) {
    return len == strlen(want) && memcmp(s, want, len) == 0;
}

static bool get_int(const struct gguf *g, const char *key, int *out, struct err *e) {
    uint32_t v;
    if (!gguf_get_u32(g, key, &v, e)) return false;
    if (v > INT_MAX) return err_set(e, "%s: key \"%s\" is %u, which is too large", gguf_path(g), key, v);
    *out = (int)v;
    return true;
}

/* A key that may be absent: *out keeps its value then. */
static bool get_int_or_default(const struct gguf *g, const char *key, int *out, struct err *e) {
    return !gguf_has(g, key) || get_int(g, key, out, e);
}

static bool must_be_llama(const struct gguf *g, struct err *e) {
    const char *s;
    size_t len;
    if (!gguf_get_string(g, "general.architecture", &s, &len, e)) return false;
    if (!text_is(s, len, "llama"))
        return err_set(e, "%s: architecture \"%.*s\" is not supported, only \"llama\" is", gguf_path(g),
                       (int)(len < 64 ? len : 64), s);
    return true;
}

/* Numbers that change the computation unless they have their neutral value. */
static bool refuse_if_set(const struct gguf *g, const char *key, double neutral, struct err *e) {
    if (!gguf_has(g, key)) return true;
    float f;
    uint32_t u;
    double v;
    if (gguf_get_f32(g, key, &f, NULL))
        v = (double)f;
    else if (gguf_get_u32(g, key, &u, e))
        v = u;
    else
        return false;
    if (v == 0.0 || v == neutral) return true;
    return err_set(e, "%s: key \"%s\" = %g is not supported", gguf_path(g), key, v);
}

static bool refuse_unsupported(const struct gguf *g, struct err *e) {
    if (gguf_has(g, "llama.rope.scaling.type")) {
        const char *s;
        size_t len;
        if (!gguf_get_string(g, "llama.rope.scaling.type", &s, &len, e)) return false;
        if (!text_is(s, len, "none"))
            return err_set(e, "%s: rotary scaling \"%.*s\" (llama.rope.scaling.type) is not supported", gguf_path(g),
                           (int)(len < 64 ? len : 64), s);
    }
    if (gguf_find(g, "rope_freqs.weight"))
        return err_set(e, "%s: tensor \"rope_freqs.weight\" (rotary scaling of Llama 3.x) is not supported",
                       gguf_path(g));
    static const struct {
        const char *key;
        double neutral;
    } refused[] = {
        {"llama.rope.scale_linear", 1},
        {"llama.rope.scaling.factor", 1},
        {"llama.expert_count", 0},
        {"llama.attention.sliding_window", 0},
        {"llama.logit_scale", 1},
        {"llama.embedding_scale", 1},
        {"llama.residual_scale", 1},
        {"llama.final_logit_softcapping", 0},
        {"llama.attn_logit_softcapping", 0},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!refuse_if_set(g, refused[i].key, refused[i].neutral, e)) return false;
    return true;
}

static bool read_head_dims(const struct gguf *g, struct model_config *c, struct err *e) {
    if (c->n_head < 1) return err_set(e, "%s: key \"llama.attention.head_count\" is 0", gguf_path(g));
    int value_dim, rope_dim;
    c->head_dim = c->d_model / c->n_head;
    if (!get_int_or_default(g, "llama.attention.key_length", &c->head_dim, e)) return false;
    value_dim = rope_dim = c->head_dim;
    if (!get_int_or_default(g, "llama.attention.value_length", &value_dim, e)) return false;
    if (!get_int_or_default(g, "llama.rope.dimension_count", &rope_dim, e)) return false;
    if (value_dim != c->head_dim)
        return err_set(e, "%s: keys of %d and values of %d dimensions per head are not supported", gguf_path(g),
                       c->head_dim, value_dim);
    if (rope_dim != c->head_dim)
        return err_set(e, "%s: rotating %d of %d dimensions per head is not supported", gguf_path(g), rope_dim,
                       c->head_dim);
    return true;
}

static bool read_config(const struct gguf *g, struct model_config *c, struct err *e) {
    *c = (struct model_config){.rope_base = 10000.0f, .tied = !gguf_find(g, "output.weight")};
    if (!get_int(g, "llama.block_count", &c->n_layer, e) || !get_int(g, "llama.context_length", &c->n_ctx, e) ||
        !get_int(g, "llama.embedding_length", &c->d_model, e) ||
        !get_int(g, "llama.feed_forward_length", &c->d_ff, e) ||
        !get_int(g, "llama.attention.head_count", &c->n_head, e) ||
        !gguf_get_f32(g, "llama.attention.layer_norm_rms_epsilon", &c->rms_eps, e))
        return false;
    c->n_kv_head = c->n_head;
    if (!get_int_or_default(g, "llama.attention.head_count_kv", &c->n_kv_head, e)) return false;
    if (gguf_has(g, "llama.rope.freq_base") && !gguf_get_f32(g, "llama.rope.freq_base", &c->rope_base, e)) return false;
    if (!read_head_dims(g, c, e)) return false;

    const struct gguf_tensor *embed = gguf_find(g, "token_embd.weight");
    if (!embed) return err_set(e, "%s: tensor \"token_embd.weight\" is missing", gguf_path(g));
    if (embed->ne[1] > INT_MAX)
        return err_set(e, "%s: a vocabulary of %lld is too large", gguf_path(g), (long long)embed->ne[1]);
    c->n_vocab = (int)embed->ne[1];
    int stated = c->n_vocab;
    if (!get_int_or_default(g, "llama.vocab_size", &stated, e)) return false;
    if (stated != c->n_vocab)
        return err_set(e, "%s: key \"llama.vocab_size\" is %d, \"token_embd.weight\" has %d rows", gguf_path(g), stated,
                       c->n_vocab);
    return model_config_check(c, e) || err_wrap(e, "%s", gguf_path(g));
}

/* A small file must not make us allocate a large model. */
static bool file_holds_config(const struct gguf *g, const struct model_config *c, struct err *e) {
    double have = 0.0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) have += (double)gguf_tensor_at(g, i)->n_elements;
    double d = c->d_model, q = (double)c->n_head * c->head_dim, kv = (double)c->n_kv_head * c->head_dim;
    double layer = 2.0 * d + 2.0 * d * q + 2.0 * d * kv + 3.0 * d * c->d_ff;
    double need = (c->tied ? 1.0 : 2.0) * d * c->n_vocab + d + layer * c->n_layer;
    if (need > have)
        return err_set(e, "%s: the configuration implies %.0f weights, the file holds %.0f", gguf_path(g), need, have);
    return true;
}

/* ---- reading: tensors ---- */

struct decode_job {
    const struct gguf_tensor *src;
    const struct quant_info *type;
    float *dst;
    int rows, cols, head_dim; /* head_dim 0: rows stay where they are */
    atomic_bool not_finite;
};

static void decode_rows(void *ctx, int task) {
    struct decode_job *j = ctx;
    size_t n_blocks = (size_t)(j->cols / j->type->block_len), row_bytes = n_blocks * (size_t)j->type->block_bytes;
    int end = (task + 1) * ROWS_PER_TASK < j->rows ? (task + 1) * ROWS_PER_TASK : j->rows;
    for (int r = task * ROWS_PER_TASK; r < end; r++) {
        int to = j->head_dim ? unpermuted_row(r, j->head_dim) : r;
        float *out = j->dst + (size_t)to * (size_t)j->cols;
        j->type->decode(j->src->data + (size_t)r * row_bytes, out, n_blocks);
        float probe = 0.0f; /* stays 0 only while every value is finite */
        for (int k = 0; k < j->cols; k++) probe += out[k] * 0.0f;
        if (!(probe == 0.0f)) atomic_store(&j->not_finite, true);
    }
}

static bool load_tensor(const struct gguf *g, struct model *m, int i, struct err *e) {
    struct tensor_ref ref = model_tensor(m, i);
    const struct gguf_tensor *t = gguf_find(g, ref.name);
    if (!t) return err_set(e, "%s: tensor \"%s\" is missing", gguf_path(g), ref.name);
    if (t->ne[0] != ref.cols || t->ne[1] != ref.rows || t->ne[2] != 1 || t->ne[3] != 1)
        return err_set(e, "%s: tensor \"%s\" is %lld x %lld x %lld x %lld, the configuration implies %d x %d",
                       gguf_path(g), ref.name, (long long)t->ne[0], (long long)t->ne[1], (long long)t->ne[2],
                       (long long)t->ne[3], ref.cols, ref.rows);
    struct decode_job j = {.src = t,
                           .type = quant_info(t->type),
                           .dst = m->params + ref.offset,
                           .rows = ref.rows,
                           .cols = ref.cols,
                           .head_dim = is_rotated(&ref) ? m->cfg.head_dim : 0};
    if (!j.type || !j.type->decode)
        return err_set(e, "%s: tensor \"%s\" has type %s, which cannot be decoded", gguf_path(g), ref.name,
                       j.type ? j.type->name : "unknown");
    if (ref.cols % j.type->block_len != 0)
        return err_set(e, "%s: tensor \"%s\": %d columns are not whole %s blocks", gguf_path(g), ref.name, ref.cols,
                       j.type->name);
    parallel_for((ref.rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, decode_rows, &j);
    if (atomic_load(&j.not_finite))
        return err_set(e, "%s: tensor \"%s\" holds a value that is not finite", gguf_path(g), ref.name);
    return true;
}

/* All tensors of the model are in the file; anything more would have changed the result. */
static bool no_tensor_left_over(const struct gguf *g, const struct model *m, struct err *e) {
    int n = model_n_tensors(m);
    if (gguf_n_tensors(g) == (size_t)n) return true;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const char *name = gguf_tensor_at(g, i)->name;
        bool known = false;
        for (int k = 0; k < n && !known; k++) known = strcmp(model_tensor(m, k).name, name) == 0;
        if (!known)
            return err_set(e, "%s: tensor \"%s\" is not supported%s", gguf_path(g), name,
                           ends_with(name, ".bias") ? " (biases are not)" : "");
    }
    return true;
}

struct model *model_load(const struct gguf *g, void (*progress)(void *ctx, double done), void *ctx, struct err *e) {
    struct model_config c;
    if (!must_be_llama(g, e) || !refuse_unsupported(g, e) || !read_config(g, &c, e) || !file_holds_config(g, &c, e))
        return NULL;
    struct model *m = model_new(&c, false, e);
    if (!m) {
        err_wrap(e, "%s", gguf_path(g));
        return NULL;
    }
    int n = model_n_tensors(m);
    bool ok = true;
    for (int i = 0; ok && i < n; i++) {
        ok = load_tensor(g, m, i, e);
        if (progress) progress(ctx, (double)(i + 1) / n);
    }
    if (ok && no_tensor_left_over(g, m, e)) return m;
    model_free(m);
    return NULL;
}

bool model_open(const char *path, struct model **m, struct tokenizer **t, struct err *e) {
    struct tokenizer *tok = NULL;
    *m = NULL;
    if (t) *t = NULL;
    struct gguf *g = gguf_open(path, e);
    if (!g) return false;
    if (t && !(tok = tokenizer_from_gguf(g, e))) goto fail;
    if (!(*m = model_load(g, NULL, NULL, e))) goto fail;
    if (t && tokenizer_n_vocab(tok) != (*m)->cfg.n_vocab) {
        err_set(e, "%s: the embedding has %d rows, the tokenizer %d entries", path, (*m)->cfg.n_vocab,
                tokenizer_n_vocab(tok));
        goto fail;
    }
    if (t) *t = tok;
    gguf_close(g);
    return true;
fail:
    tokenizer_free(tok);
    model_free(*m);
    *m = NULL;
    gguf_close(g);
    return false;
}

/* ---- writing ---- */

static void put_config(struct gguf_writer *w, const struct model_config *c, uint32_t type) {
    uint32_t file_type = type == QUANT_F16 ? 1 : type == QUANT_Q8_0 ? 7 : type == QUANT_BF16 ? 32 : 0;
    gguf_put_string(w, "general.architecture", "llama");
    gguf_put_string(w, "general.type", "model");
    gguf_put_u32(w, "general.file_type", file_type);
    gguf_put_u32(w, "general.quantization_version", 2);
    gguf_put_u32(w, "llama.block_count", (uint32_t)c->n_layer);
    gguf_put_u32(w, "llama.context_length", (uint32_t)c->n_ctx);
    gguf_put_u32(w, "llama.embedding_length", (uint32_t)c->d_model);
    gguf_put_u32(w, "llama.feed_forward_length", (uint32_t)c->d_ff);
    gguf_put_u32(w, "llama.attention.head_count", (uint32_t)c->n_head);
    gguf_put_u32(w, "llama.attention.head_count_kv", (uint32_t)c->n_kv_head);
    gguf_put_u32(w, "llama.attention.key_length", (uint32_t)c->head_dim);
    gguf_put_u32(w, "llama.attention.value_length", (uint32_t)c->head_dim);
    gguf_put_u32(w, "llama.rope.dimension_count", (uint32_t)c->head_dim);
    gguf_put_f32(w, "llama.rope.freq_base", c->rope_base);
    gguf_put_f32(w, "llama.attention.layer_norm_rms_epsilon", c->rms_eps);
    gguf_put_u32(w, "llama.vocab_size", (uint32_t)c->n_vocab);
}

/* Copies of all q and k matrices in the file's row order; they must stay alive until the file is written. */
static float *permuted_copies(const struct model *m, struct err *e) {
    size_t n_layer = (size_t)m->cfg.n_layer, d = (size_t)m->cfg.d_model;
    size_t rows = (size_t)(m->cfg.n_head + m->cfg.n_kv_head) * (size_t)m->cfg.head_dim;
    float *buf = mem_alloc(n_layer * rows, d * sizeof(float), "rotary permutation", e);
    float *out = buf;
    for (int i = 0; buf && i < model_n_tensors(m); i++) {
        struct tensor_ref t = model_tensor(m, i);
        if (!is_rotated(&t)) continue;
        for (int r = 0; r < t.rows; r++, out += d)
            memcpy(out, m->params + t.offset + (size_t)unpermuted_row(r, m->cfg.head_dim) * d, d * sizeof(float));
    }
    return buf;
}

static bool put_tensors(struct gguf_writer *w, const struct model *m, const float *permuted, uint32_t type,
                        struct err *e) {
    int block = quant_info(type)->block_len;
    for (int i = 0; i < model_n_tensors(m); i++) {
        struct tensor_ref t = model_tensor(m, i);
        if (t.rows == 1) { /* norms */
            gguf_put_tensor(w, t.name, m->params + t.offset, t.cols, 1, QUANT_F32);
            continue;
        }
        if (t.cols % block != 0)
            return err_set(e, "tensor \"%s\" has %d columns, %s needs a multiple of %d", t.name, t.cols,
                           quant_info(type)->name, block);
        const float *data = m->params + t.offset;
        if (is_rotated(&t)) {
            data = permuted;
            permuted += (size_t)t.rows * (size_t)t.cols;
        }
        gguf_put_tensor(w, t.name, data, t.cols, t.rows, type);
    }
    return true;
}

bool model_save(const struct model *m, const struct tokenizer *t, const char *path, uint32_t type, struct err *e) {
    if (type != QUANT_F32 && type != QUANT_F16 && type != QUANT_BF16 && type != QUANT_Q8_0)
        return err_set(e, "%s: a model cannot be written as type %u", path, type);
    if (m->with_value) return err_set(e, "%s: GGUF has no place for the value vector of a sequence-level reward", path);
    if (t && tokenizer_n_vocab(t) != m->cfg.n_vocab)
        return err_set(e, "%s: the embedding has %d rows, the tokenizer %d entries", path, m->cfg.n_vocab,
                       tokenizer_n_vocab(t));
    float *permuted = permuted_copies(m, e);
    if (!permuted) return false;
    struct gguf_writer *w = gguf_writer_new();
    put_config(w, &m->cfg, type);
    if (t) tokenizer_to_gguf(t, w);
    bool ok = put_tensors(w, m, permuted, type, e);
    if (!ok) err_wrap(e, "%s", path);
    ok = ok && gguf_write(w, path, e);
    gguf_writer_free(w);
    mem_free(permuted);
    return ok;
}
