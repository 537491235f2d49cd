/* Writing GGUF. Keys are serialised when put; tensors are only noted, measured before the first byte is written (their
 * offsets stand in the header) and encoded in pieces on the way out, so a 500 MB export needs a few hundred kB of its
 * own. put_* return nothing: the first mistake is kept and reported by gguf_write, where the caller has to look
 * anyway. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/formats/gguf_internal.h"
#include "engine/formats/quant.h"

enum { PIECE = 1 << 15 }; /* elements encoded at a time: a multiple of every block length */

struct out_kv {
    char *key;
    uint32_t type;
    unsigned char *value; /* as stored, after the type */
    size_t len;
};

struct out_tensor {
    char *name;
    const float *data;
    int64_t ne[2];
    uint32_t type;
    uint64_t n_bytes, offset; /* set by measure_tensors */
};

struct gguf_writer {
    struct out_kv *kv;
    struct out_tensor *tensors;
    size_t n_kv, n_tensors;
    bool failed;
    struct err err;
};

struct gguf_writer *gguf_writer_new(void) {
    return mem_small(sizeof(struct gguf_writer));
}

void gguf_writer_free(struct gguf_writer *w) {
    if (!w) return;
    for (size_t i = 0; i < w->n_kv; i++) {
        free(w->kv[i].key);
        mem_free(w->kv[i].value);
    }
    for (size_t i = 0; i < w->n_tensors; i++) free(w->tensors[i].name);
    free(w->kv);
    free(w->tensors);
    free(w);
}

/* Room for one more element of an array that doubles at every power of two. */
static void *grown(void *array, size_t n, size_t size) {
    return (n & (n - 1)) == 0 ? mem_grow(array, (n ? 2 * n : 1) * size) : array;
}

/* A new key with len bytes of value to fill in; NULL after a failure, which the writer keeps. */
static unsigned char *add_key(struct gguf_writer *w, const char *key, uint32_t type, size_t len) {
    if (w->failed) return NULL;
    const size_t key_len = strlen(key);
    if (key_len == 0 || key_len > GGUF_MAX_KEY) {
        w->failed = !err_set(&w->err, "key \"%.60s\" must have 1 to %d bytes", key, (int)GGUF_MAX_KEY);
        return NULL;
    }
    unsigned char *value = mem_alloc(len, 1, key, &w->err);
    if (!value) {
        w->failed = true;
        return NULL;
    }
    w->kv = grown(w->kv, w->n_kv, sizeof *w->kv);
    w->kv[w->n_kv++] = (struct out_kv){mem_strdup(key), type, value, len};
    return value;
}

static void put_plain(struct gguf_writer *w, const char *key, uint32_t type, const void *v, size_t len) {
    unsigned char *p = add_key(w, key, type, len);
    if (p) memcpy(p, v, len);
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t v) { put_plain(w, key, GGUF_U32, &v, 4); }
void gguf_put_f32(struct gguf_writer *w, const char *key, float v) { put_plain(w, key, GGUF_F32, &v, 4); }

void gguf_put_bool(struct gguf_writer *w, const char *key, bool v) {
    const uint8_t b = v;
    put_plain(w, key, GGUF_BOOL, &b, 1);
}

static unsigned char *store_string(unsigned char *p, const char *s, size_t len) {
    const uint64_t n = len;
    memcpy(p, &n, 8);
    if (len) memcpy(p + 8, s, len);
    return p + 8 + len;
}

void gguf_put_string(struct gguf_writer *w, const char *key, const char *s) {
    const size_t len = strlen(s);
    unsigned char *p = add_key(w, key, GGUF_STRING, 8 + len);
    if (p) store_string(p, s, len);
}

/* An array's header in a new key; returns where its `bytes` of elements go. */
static unsigned char *add_array(struct gguf_writer *w, const char *key, uint32_t elem, size_t n, size_t bytes) {
    unsigned char *p = add_key(w, key, GGUF_ARRAY, 12 + bytes);
    if (!p) return NULL;
    const uint64_t count = n;
    memcpy(p, &elem, 4);
    memcpy(p + 4, &count, 8);
    return p + 12;
}

void gguf_put_strings(struct gguf_writer *w, const char *key, const char *const *s, const size_t *len, size_t n) {
    size_t bytes = 8 * n;
    for (size_t i = 0; i < n; i++) bytes += len[i];
    unsigned char *p = add_array(w, key, GGUF_STRING, n, bytes);
    for (size_t i = 0; p && i < n; i++) p = store_string(p, s[i], len[i]);
}

void gguf_put_i32s(struct gguf_writer *w, const char *key, const int32_t *v, size_t n) {
    unsigned char *p = add_array(w, key, GGUF_I32, n, 4 * n);
    if (p && n) memcpy(p, v, 4 * n);
}

void gguf_put_keys_from(struct gguf_writer *w, const struct gguf *g, const char *const *except_prefixes) {
    for (size_t i = 0; i < g->n_kv; i++) {
        const struct gguf_kv *kv = &g->kv[i];
        bool keep = strcmp(kv->key, "general.alignment") != 0;
        for (const char *const *x = except_prefixes; x && *x; x++) keep = keep && strncmp(kv->key, *x, strlen(*x)) != 0;
        if (keep) put_plain(w, kv->key, kv->type, kv->raw, kv->raw_len);
    }
}

void gguf_put_tensor(struct gguf_writer *w, const char *name, const float *data, int64_t ne0, int64_t ne1,
                     uint32_t type) {
    w->tensors = grown(w->tensors, w->n_tensors, sizeof *w->tensors);
    w->tensors[w->n_tensors++] = (struct out_tensor){mem_strdup(name), data, {ne0, ne1}, type, 0, 0};
}

static bool check_names(const struct gguf_writer *w, const char *path, struct err *e) {
    struct name_index keys = {0}, tensors = {0};
    bool ok = names_alloc(&keys, w->n_kv, path, e) && names_alloc(&tensors, w->n_tensors, path, e);
    for (size_t i = 0; ok && i < w->n_kv; i++) keys.entries[i] = (struct name_entry){w->kv[i].key, i};
    for (size_t i = 0; ok && i < w->n_tensors; i++) tensors.entries[i] = (struct name_entry){w->tensors[i].name, i};
    const char *twice = ok ? names_sort(&keys) : NULL;
    if (twice) ok = err_set(e, "%s: key \"%s\" was put twice", path, twice);
    if (ok && names_find(&keys, "general.alignment"))
        ok = err_set(e, "%s: key \"general.alignment\" must not be put: tensors are aligned to 32", path);
    twice = ok ? names_sort(&tensors) : NULL;
    if (twice) ok = err_set(e, "%s: tensor \"%s\" was put twice", path, twice);
    names_free(&keys);
    names_free(&tensors);
    return ok;
}

static uint64_t padding(uint64_t n) { return -n & (GGUF_DEFAULT_ALIGN - 1); }

static bool measure_tensors(struct gguf_writer *w, const char *path, struct err *e) {
    uint64_t offset = 0;
    for (size_t i = 0; i < w->n_tensors; i++) {
        struct out_tensor *t = &w->tensors[i];
        const size_t name_len = strlen(t->name);
        if (name_len == 0 || name_len >= GGUF_MAX_NAME)
            return err_set(e, "%s: tensor name \"%s\" must have 1 to %d bytes", path, t->name, GGUF_MAX_NAME - 1);
        if (t->type != QUANT_F32 && t->type != QUANT_F16 && t->type != QUANT_BF16 && t->type != QUANT_Q8_0)
            return err_set(e, "%s: tensor \"%s\": type %u cannot be written", path, t->name, t->type);
        const struct quant_info *q = quant_info(t->type);
        int64_t n, bytes;
        if (t->ne[0] < 1 || t->ne[1] < 1 || t->ne[0] % q->block_len)
            return err_set(e, "%s: tensor \"%s\": %lld x %lld cannot be stored in blocks of %d", path, t->name,
                           (long long)t->ne[0], (long long)t->ne[1], q->block_len);
        if (__builtin_mul_overflow(t->ne[0], t->ne[1], &n) ||
            __builtin_mul_overflow(n / q->block_len, q->block_bytes, &bytes) || (uint64_t)bytes > (1ull << 60) - offset)
            return err_set(e, "%s: tensor \"%s\" is too large", path, t->name);
        t->n_bytes = (uint64_t)bytes;
        t->offset = offset;
        offset += t->n_bytes + padding(t->n_bytes);
    }
    return true;
}

/* stdio with a running position; a failed write is remembered by the stream and found by its caller. */
struct sink {
    FILE *f;
    uint64_t pos;
};

static void emit(struct sink *s, const void *data, size_t n) {
    if (n) fwrite(data, 1, n, s->f);
    s->pos += n;
}

static void emit_u32(struct sink *s, uint32_t v) { emit(s, &v, 4); }
static void emit_u64(struct sink *s, uint64_t v) { emit(s, &v, 8); }

static void emit_string(struct sink *s, const char *text) {
    emit_u64(s, strlen(text));
    emit(s, text, strlen(text));
}

static void emit_padding(struct sink *s) {
    static const unsigned char zeros[GGUF_DEFAULT_ALIGN];
    emit(s, zeros, padding(s->pos));
}

static void emit_header(struct sink *s, const struct gguf_writer *w) {
    emit(s, "GGUF", 4);
    emit_u32(s, 3);
    emit_u64(s, w->n_tensors);
    emit_u64(s, w->n_kv);
    for (size_t i = 0; i < w->n_kv; i++) {
        emit_string(s, w->kv[i].key);
        emit_u32(s, w->kv[i].type);
        emit(s, w->kv[i].value, w->kv[i].len);
    }
    for (size_t i = 0; i < w->n_tensors; i++) {
        const struct out_tensor *t = &w->tensors[i];
        const uint32_t n_dims = t->ne[1] > 1 ? 2 : 1;
        emit_string(s, t->name);
        emit_u32(s, n_dims);
        emit(s, t->ne, 8 * n_dims);
        emit_u32(s, t->type);
        emit_u64(s, t->offset);
    }
    emit_padding(s);
}

/* The largest magnitude a type stores as a finite number: F16's own, and 127 times that for Q8_0's scale, each up to
 * where rounding reaches infinity; BF16 likewise. */
static bool storable(uint32_t type, const float *x, size_t n, size_t *bad) {
    const float limit = type == QUANT_F16 ? 65519.0f : type == QUANT_Q8_0 ? 65519.0f * 127.0f : 0x1.FEFFFEp+127f;
    for (*bad = 0; *bad < n; ++*bad)
        if (!(fabsf(x[*bad]) <= limit)) return false;
    return true;
}

static bool emit_tensor(struct sink *s, const struct out_tensor *t, unsigned char *piece, const char *path,
                        struct err *e) {
    const size_t n = (size_t)(t->ne[0] * t->ne[1]);
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t m = n - i < PIECE ? n - i : PIECE;
        size_t bad;
        if (t->type != QUANT_F32 && !storable(t->type, t->data + i, m, &bad))
            return err_set(e, "%s: tensor \"%s\": element %zu (%g) cannot be stored as %s", path, t->name, i + bad,
                           (double)t->data[i + bad], quant_info(t->type)->name);
        emit(s, piece, quant_encode(t->type, t->data + i, m, piece));
        if (ferror(s->f)) return err_errno(e, "%s: writing failed", path);
    }
    emit_padding(s);
    return true;
}

bool gguf_write(struct gguf_writer *w, const char *path, struct err *e) {
    if (w->failed) return err_set(e, "%s: %s", path, w->err.msg);
    if (!check_names(w, path, e) || !measure_tensors(w, path, e)) return false;
    unsigned char *piece = mem_alloc(PIECE, sizeof(float), path, e);
    if (!piece) return false;
    struct atomic_file a;
    bool ok = atomic_begin(&a, path, e);
    if (ok) {
        struct sink s = {a.f, 0};
        emit_header(&s, w);
        for (size_t i = 0; ok && i < w->n_tensors; i++) ok = emit_tensor(&s, &w->tensors[i], piece, path, e);
        if (ok)
            ok = atomic_commit(&a, e);
        else
            atomic_abort(&a);
    }
    mem_free(piece);
    return ok;
}
