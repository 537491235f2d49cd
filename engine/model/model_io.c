/* Models from and to GGUF: see model_io.h. Which tensors there are, and of which shape, says architecture.h; the keys
 * are in config_io.c.
 *
 * A file is untrusted: every tensor must have exactly the shape that the configuration implies, and what would change
 * the computation in a way that the forward pass does not know is refused by name instead of ignored.
 *
 * Some architectures store the rows of q and k permuted for a rotation of adjacent pairs (POSITION_ROTARY_PAIRS), while
 * the model inside rotates halves: within each head of D rows, file row 2i is our row i and file row 2i+1 is our row i +
 * D/2. */
#include "engine/model/model_io.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/formats/quant.h"
#include "engine/math/parallel.h"
#include "engine/model/architecture.h"
#include "engine/model/config_io.h"

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

static bool is_permuted(const struct model *m, const struct tensor_ref *t) {
    return t->spec->rotated && m->cfg.arch->position == POSITION_ROTARY_PAIRS;
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
                           .head_dim = is_permuted(m, &ref) ? m->cfg.head_dim : 0};
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
    if (!config_read(g, &c, e)) return NULL;
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

/* Copies of all permuted matrices in the file's row order; they must stay alive until the file is written. *copies is
 * NULL where there are none. */
static bool permuted_copies(const struct model *m, float **copies, struct err *e) {
    const size_t d = (size_t)m->cfg.d_model;
    size_t rows = 0;
    *copies = NULL;
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        if (is_permuted(m, &t)) rows += (size_t)t.rows;
    }
    if (rows == 0) return true;
    if (!(*copies = mem_alloc(rows, d * sizeof(float), "rotary permutation", e))) return false;
    float *out = *copies;
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        if (!is_permuted(m, &t)) continue;
        for (int r = 0; r < t.rows; r++, out += d)
            memcpy(out, m->params + t.offset + (size_t)unpermuted_row(r, m->cfg.head_dim) * d, d * sizeof(float));
    }
    return true;
}

static bool put_tensors(struct gguf_writer *w, const struct model *m, const float *permuted, uint32_t type,
                        struct err *e) {
    int block = quant_info(type)->block_len;
    for (int i = 0; i < model_n_tensors(m); i++) {
        struct tensor_ref t = model_tensor(m, i);
        if (t.rows == 1) { /* norms and biases */
            gguf_put_tensor(w, t.name, m->params + t.offset, t.cols, 1, QUANT_F32);
            continue;
        }
        if (t.cols % block != 0)
            return err_set(e, "tensor \"%s\" has %d columns, %s needs a multiple of %d", t.name, t.cols,
                           quant_info(type)->name, block);
        const float *data = m->params + t.offset;
        if (is_permuted(m, &t)) {
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
    float *permuted;
    if (!permuted_copies(m, &permuted, e)) return false;
    struct gguf_writer *w = gguf_writer_new();
    config_write(w, &m->cfg, type);
    if (t) tokenizer_to_gguf(t, w);
    bool ok = put_tensors(w, m, permuted, type, e);
    if (!ok) err_wrap(e, "%s", path);
    ok = ok && gguf_write(w, path, e);
    gguf_writer_free(w);
    mem_free(permuted);
    return ok;
}
