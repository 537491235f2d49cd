/* Opening GGUF: one pass with a cursor that never moves past the mapped bytes, so a count or a length is believed only
 * after it was compared with what remains (`n <= len - pos`, which cannot wrap). Values stay in the mapping; only
 * fixed-size records are allocated, in proportion to bytes that are really there. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/formats/gguf_internal.h"
#include "engine/formats/quant.h"

enum {
    MIN_KV_BYTES = 8 + 1 + 4 + 1,        /* key length, key, type, value */
    MIN_TENSOR_BYTES = 8 + 1 + 4 + 4 + 8 /* name length, name, n_dims, type, offset */
};

struct cursor {
    const unsigned char *data;
    size_t len, pos;
    const char *path;
    struct err *e;
};

static bool truncated(const struct cursor *c, const char *what) {
    err_set(c->e, "%s: the file ends inside %s (at byte %zu of %zu)", c->path, what, c->pos, c->len);
    return false;
}

static bool take(struct cursor *c, void *out, size_t n, const char *what) {
    if (n > c->len - c->pos) return truncated(c, what);
    memcpy(out, c->data + c->pos, n);
    c->pos += n;
    return true;
}

static bool skip(struct cursor *c, uint64_t n, const char *what) {
    if (n > c->len - c->pos) return truncated(c, what);
    c->pos += (size_t)n;
    return true;
}

/* A string's bytes, length-checked, left in place. */
static bool take_string(struct cursor *c, const unsigned char **s, size_t *n, const char *what) {
    uint64_t len;
    if (!take(c, &len, 8, what)) return false;
    if (len > GGUF_MAX_RUN)
        return err_set(c->e, "%s: %s: a string of %llu bytes is too long", c->path, what, (unsigned long long)len);
    *s = c->data + c->pos;
    *n = (size_t)len;
    return skip(c, len, what);
}

/* A key or tensor name: 1..max-1 bytes without NUL. */
static bool take_name(struct cursor *c, const unsigned char **s, size_t *n, size_t max, const char *what) {
    if (!take_string(c, s, n, what)) return false;
    if (*n == 0 || *n >= max || memchr(*s, 0, *n))
        return err_set(c->e, "%s: %s must have 1 to %zu bytes and no NUL, found %zu", c->path, what, max - 1, *n);
    return true;
}

static const struct {
    const char *name;
    size_t size;
} value_types[GGUF_N_VALUE_TYPES] = {
    [GGUF_U8] = {"u8", 1},   [GGUF_I8] = {"i8", 1},         [GGUF_U16] = {"u16", 2},     [GGUF_I16] = {"i16", 2},
    [GGUF_U32] = {"u32", 4}, [GGUF_I32] = {"i32", 4},       [GGUF_F32] = {"f32", 4},     [GGUF_BOOL] = {"bool", 1},
    [GGUF_U64] = {"u64", 8}, [GGUF_STRING] = {"string", 0}, [GGUF_ARRAY] = {"array", 0}, [GGUF_I64] = {"i64", 8},
    [GGUF_F64] = {"f64", 8},
};

size_t gguf_type_size(uint32_t type) { return type < GGUF_N_VALUE_TYPES ? value_types[type].size : 0; }
const char *gguf_type_name(uint32_t type) { return type < GGUF_N_VALUE_TYPES ? value_types[type].name : "unknown"; }

static bool take_array(struct cursor *c, struct gguf_kv *kv, const char *what) {
    uint32_t elem;
    uint64_t n;
    if (!take(c, &elem, 4, what) || !take(c, &n, 8, what)) return false;
    if (elem >= GGUF_N_VALUE_TYPES || elem == GGUF_ARRAY)
        return err_set(c->e, "%s: %s: arrays of element type %u (%s) are not accepted", c->path, what, elem,
                       gguf_type_name(elem));
    const size_t least = elem == GGUF_STRING ? 8 : gguf_type_size(elem);
    if (n > GGUF_MAX_RUN || n > (c->len - c->pos) / least)
        return err_set(c->e, "%s: %s: an array of %llu elements is longer than the file", c->path, what,
                       (unsigned long long)n);
    kv->elem = elem;
    kv->n = (size_t)n;
    kv->items = c->data + c->pos;
    if (elem != GGUF_STRING) return skip(c, n * least, what);
    for (uint64_t i = 0; i < n; i++) {
        const unsigned char *s;
        size_t len;
        if (!take_string(c, &s, &len, what)) return false;
    }
    return true;
}

static bool take_value(struct cursor *c, struct gguf_kv *kv, const char *what) {
    uint32_t type;
    if (!take(c, &type, 4, what)) return false;
    if (type >= GGUF_N_VALUE_TYPES) return err_set(c->e, "%s: %s has unknown type %u", c->path, what, type);
    kv->type = kv->elem = type;
    kv->n = 1;
    kv->raw = kv->items = c->data + c->pos;
    bool ok;
    if (type == GGUF_ARRAY) {
        ok = take_array(c, kv, what);
    } else if (type == GGUF_STRING) {
        const unsigned char *s;
        size_t n;
        ok = take_string(c, &s, &n, what);
    } else {
        ok = skip(c, gguf_type_size(type), what);
    }
    kv->raw_len = (size_t)(c->data + c->pos - kv->raw);
    return ok;
}

/* Product of the dimensions and the bytes they take, each multiplication checked by a division before it is made. */
static bool measure(const struct cursor *c, struct gguf_tensor *t, const char *name) {
    const struct quant_info *q = quant_info(t->type);
    if (!q) return err_set(c->e, "%s: tensor \"%s\" has type %u, which is not known", c->path, name, t->type);
    uint64_t n = 1;
    for (int i = 0; i < 4; i++) {
        if (t->ne[i] < 1)
            return err_set(c->e, "%s: tensor \"%s\": dimension %d is %lld", c->path, name, i, (long long)t->ne[i]);
        if (n > (uint64_t)INT64_MAX / (uint64_t)t->ne[i])
            return err_set(c->e, "%s: tensor \"%s\": the number of elements overflows", c->path, name);
        n *= (uint64_t)t->ne[i];
    }
    if (t->ne[0] % q->block_len)
        return err_set(c->e, "%s: tensor \"%s\": rows of %lld are no multiple of %s's block of %d", c->path, name,
                       (long long)t->ne[0], q->name, q->block_len);
    t->n_elements = n;
    if (n / (uint64_t)q->block_len > (uint64_t)INT64_MAX / (uint64_t)q->block_bytes)
        return err_set(c->e, "%s: tensor \"%s\": the number of bytes overflows", c->path, name);
    t->n_bytes = n / (uint64_t)q->block_len * (uint64_t)q->block_bytes;
    return true;
}

/* Offsets are kept in *offset: where the data starts is known only after the last record. */
static bool take_tensor(struct cursor *c, struct gguf_tensor *t, const unsigned char **name, size_t *name_len,
                        uint64_t *offset, size_t number) {
    char what[GGUF_MAX_NAME + 32];
    snprintf(what, sizeof what, "the name of tensor %zu", number);
    if (!take_name(c, name, name_len, GGUF_MAX_NAME, what)) return false;
    snprintf(what, sizeof what, "tensor \"%.*s\"", (int)*name_len, (const char *)*name);
    uint32_t n_dims;
    if (!take(c, &n_dims, 4, what)) return false;
    if (n_dims > 4) return err_set(c->e, "%s: %s has %u dimensions, at most 4 are accepted", c->path, what, n_dims);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < 4; i++) t->ne[i] = 1;
    if (!take(c, t->ne, 8 * n_dims, what) || !take(c, &t->type, 4, what) || !take(c, offset, 8, what)) return false;
    char plain[GGUF_MAX_NAME];
    snprintf(plain, sizeof plain, "%.*s", (int)*name_len, (const char *)*name);
    return measure(c, t, plain);
}

/* While parsing, names point into the file with their lengths kept here; afterwards they move to one block of C
 * strings. */
struct raw_name {
    const unsigned char *s;
    size_t n;
    uint64_t offset; /* tensors */
};

static bool take_header(struct cursor *c, struct gguf *g) {
    char magic[4];
    uint64_t n_tensors, n_kv;
    if (!take(c, magic, 4, "the header")) return false;
    if (memcmp(magic, "GGUF", 4) != 0) return err_set(c->e, "%s: not a GGUF file (wrong first bytes)", c->path);
    if (!take(c, &g->version, 4, "the header")) return false;
    if (g->version != 0 && (g->version & 0xFFFF) == 0)
        return err_set(c->e, "%s: the file has the wrong byte order (big-endian)", c->path);
    if (g->version != 2 && g->version != 3)
        return err_set(c->e, "%s: GGUF version must be 2 or 3, found %u", c->path, g->version);
    if (!take(c, &n_tensors, 8, "the header") || !take(c, &n_kv, 8, "the header")) return false;
    const uint64_t left = c->len - c->pos;
    if (n_kv > left / MIN_KV_BYTES)
        return err_set(c->e, "%s: %llu keys do not fit into the file", c->path, (unsigned long long)n_kv);
    if (n_tensors > (left - n_kv * MIN_KV_BYTES) / MIN_TENSOR_BYTES)
        return err_set(c->e, "%s: %llu tensors do not fit into the file", c->path, (unsigned long long)n_tensors);
    g->n_kv = (size_t)n_kv;
    g->n_tensors = (size_t)n_tensors;
    return true;
}

static bool take_records(struct cursor *c, struct gguf *g, struct raw_name *names) {
    for (size_t i = 0; i < g->n_kv; i++) {
        char what[96];
        snprintf(what, sizeof what, "key number %zu", i);
        if (!take_name(c, &names[i].s, &names[i].n, GGUF_MAX_KEY + 1, what)) return false;
        snprintf(what, sizeof what, "key \"%.*s\"", names[i].n > 80 ? 80 : (int)names[i].n, (const char *)names[i].s);
        if (!take_value(c, &g->kv[i], what)) return false;
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct raw_name *r = &names[g->n_kv + i];
        if (!take_tensor(c, &g->tensors[i], &r->s, &r->n, &r->offset, i)) return false;
    }
    return true;
}

static bool index_names(struct gguf *g, const struct raw_name *names, struct err *e) {
    size_t total = 0;
    for (size_t i = 0; i < g->n_kv + g->n_tensors; i++) total += names[i].n + 1;
    if (!(g->names = mem_alloc(total, 1, g->path, e)) || !names_alloc(&g->by_key, g->n_kv, g->path, e) ||
        !names_alloc(&g->by_tensor, g->n_tensors, g->path, e))
        return false;
    char *at = g->names;
    for (size_t i = 0; i < g->n_kv + g->n_tensors; i++) {
        memcpy(at, names[i].s, names[i].n);
        if (i < g->n_kv) {
            g->kv[i].key = at;
            g->by_key.entries[i] = (struct name_entry){at, i};
        } else {
            g->tensors[i - g->n_kv].name = at;
            g->by_tensor.entries[i - g->n_kv] = (struct name_entry){at, i - g->n_kv};
        }
        at += names[i].n + 1;
    }
    const char *twice = names_sort(&g->by_key);
    if (twice) return err_set(e, "%s: key \"%s\" occurs twice", g->path, twice);
    twice = names_sort(&g->by_tensor);
    return !twice || err_set(e, "%s: tensor \"%s\" occurs twice", g->path, twice);
}

static bool read_alignment(const struct gguf *g, size_t *align, struct err *e) {
    *align = GGUF_DEFAULT_ALIGN;
    const struct gguf_kv *kv = gguf_kv_find(g, "general.alignment");
    if (!kv) return true;
    if (kv->type != GGUF_U32)
        return err_set(e, "%s: key \"general.alignment\" must be u32, found %s", g->path, gguf_type_name(kv->type));
    uint32_t v;
    memcpy(&v, kv->items, 4);
    if (v == 0 || v > GGUF_MAX_ALIGN || (v & (v - 1)))
        return err_set(e, "%s: alignment must be a power of two up to %d, found %u", g->path, (int)GGUF_MAX_ALIGN, v);
    *align = v;
    return true;
}

static uint64_t pad(uint64_t n, uint64_t align) { return (n + align - 1) & ~(align - 1); }

/* The reference demands that every tensor starts where the padded one before it ended, which also excludes overlaps. */
static bool place_tensors(struct gguf *g, size_t header_end, const struct raw_name *names, struct err *e) {
    size_t align;
    if (!read_alignment(g, &align, e)) return false;
    if (g->n_tensors == 0) return true;
    const uint64_t start = pad(header_end, align); /* header_end is at most the file's size: no wrap */
    if (start > g->len) return err_set(e, "%s: the file ends before the tensor data", g->path);
    const uint64_t room = g->len - start;
    uint64_t expected = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        const uint64_t offset = names[g->n_kv + i].offset;
        if (offset != expected)
            return err_set(e, "%s: tensor \"%s\" must start at offset %llu, found %llu", g->path, t->name,
                           (unsigned long long)expected, (unsigned long long)offset);
        if (offset > room || t->n_bytes > room - offset)
            return err_set(e, "%s: the file ends inside the data of tensor \"%s\"", g->path, t->name);
        t->data = g->data + start + offset;
        expected = pad(offset + t->n_bytes, align);
    }
    return true;
}

static bool parse(struct gguf *g, struct err *e) {
    struct cursor c = {g->data, g->len, 0, g->path, e};
    if (!take_header(&c, g)) return false;
    struct raw_name *names = mem_alloc(g->n_kv + g->n_tensors, sizeof *names, g->path, e);
    g->kv = mem_alloc(g->n_kv, sizeof *g->kv, g->path, e);
    g->tensors = mem_alloc(g->n_tensors, sizeof *g->tensors, g->path, e);
    const bool ok = names && g->kv && g->tensors && take_records(&c, g, names) && index_names(g, names, e) &&
                    place_tensors(g, c.pos, names, e);
    mem_free(names);
    return ok;
}

static struct gguf *parse_or_close(struct gguf *g, struct err *e) {
    if (parse(g, e)) return g;
    gguf_close(g);
    return NULL;
}

struct gguf *gguf_open_memory(const char *name, const void *data, size_t len, struct err *e) {
    struct gguf *g = mem_small(sizeof *g);
    g->path = mem_strdup(name);
    g->data = data;
    g->len = len;
    return parse_or_close(g, e);
}

struct gguf *gguf_open(const char *path, struct err *e) {
    struct file_map m;
    if (!file_map(path, &m, e)) return NULL;
    struct gguf *g = mem_small(sizeof *g);
    g->path = mem_strdup(path);
    g->map = m;
    g->data = m.data;
    g->len = m.len;
    return parse_or_close(g, e);
}

void gguf_close(struct gguf *g) {
    if (!g) return;
    names_free(&g->by_key);
    names_free(&g->by_tensor);
    mem_free(g->names);
    mem_free(g->kv);
    mem_free(g->tensors);
    file_unmap(&g->map);
    free(g->path);
    free(g);
}
