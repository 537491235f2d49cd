/* Access to an open GGUF file's metadata and tensors. gguf_read.c has checked every length already, so the bytes can
 * be read without further bounds; what is checked here is that a value is of the type the caller asks for. */
#include <stdio.h>
#include <string.h>

#include "engine/formats/gguf_internal.h"

const char *gguf_path(const struct gguf *g) { return g->path; }
uint32_t gguf_version(const struct gguf *g) { return g->version; }
uint64_t gguf_file_size(const struct gguf *g) { return g->len; }
size_t gguf_n_keys(const struct gguf *g) { return g->n_kv; }
const char *gguf_key(const struct gguf *g, size_t i) { return g->kv[i].key; }
bool gguf_has(const struct gguf *g, const char *key) { return gguf_kv_find(g, key) != NULL; }
size_t gguf_n_tensors(const struct gguf *g) { return g->n_tensors; }
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i) { return &g->tensors[i]; }

const struct gguf_kv *gguf_kv_find(const struct gguf *g, const char *key) {
    const struct name_entry *x = names_find(&g->by_key, key);
    return x ? &g->kv[x->pos] : NULL;
}

const struct gguf_tensor *gguf_find(const struct gguf *g, const char *name) {
    const struct name_entry *x = names_find(&g->by_tensor, name);
    return x ? &g->tensors[x->pos] : NULL;
}

static const struct gguf_kv *need(const struct gguf *g, const char *key, struct err *e) {
    const struct gguf_kv *kv = gguf_kv_find(g, key);
    if (!kv) err_set(e, "%s: key \"%s\" is missing", g->path, key);
    return kv;
}

static bool wrong_type(const struct gguf *g, const struct gguf_kv *kv, const char *want, struct err *e) {
    if (kv->type == GGUF_ARRAY)
        return err_set(e, "%s: key \"%s\" must be %s, found an array of %s", g->path, kv->key, want,
                       gguf_type_name(kv->elem));
    return err_set(e, "%s: key \"%s\" must be %s, found %s", g->path, kv->key, want, gguf_type_name(kv->type));
}

/* An integer of any width; *negative: *v holds the two's complement of a negative one. False for other types. */
static bool load_integer(enum gguf_value_type type, const unsigned char *p, uint64_t *v, bool *negative) {
    int64_t s = 0;
    *v = 0;
    switch (type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        memcpy(v, p, gguf_type_size(type));
        *negative = false;
        return true;
    case GGUF_I8: s = (int8_t)p[0]; break;
    case GGUF_I16: {
        int16_t x;
        memcpy(&x, p, 2);
        s = x;
        break;
    }
    case GGUF_I32: {
        int32_t x;
        memcpy(&x, p, 4);
        s = x;
        break;
    }
    case GGUF_I64: memcpy(&s, p, 8); break;
    default: return false;
    }
    *v = (uint64_t)s;
    *negative = s < 0;
    return true;
}

bool gguf_get_u32(const struct gguf *g, const char *key, uint32_t *out, struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    uint64_t v;
    bool negative;
    if (!load_integer(kv->type, kv->items, &v, &negative)) return wrong_type(g, kv, "u32", e);
    if (negative || v > UINT32_MAX)
        return err_set(e, "%s: key \"%s\" must be 0 to 4294967295, found %lld", g->path, key, (long long)v);
    *out = (uint32_t)v;
    return true;
}

bool gguf_get_f32(const struct gguf *g, const char *key, float *out, struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    if (kv->type == GGUF_F32) {
        memcpy(out, kv->items, 4);
    } else if (kv->type == GGUF_F64) {
        double d;
        memcpy(&d, kv->items, 8);
        *out = (float)d;
    } else {
        return wrong_type(g, kv, "f32", e);
    }
    return true;
}

bool gguf_get_bool(const struct gguf *g, const char *key, bool *out, struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    if (kv->type != GGUF_BOOL) return wrong_type(g, kv, "bool", e);
    *out = kv->items[0] != 0;
    return true;
}

/* The string at p; returns what follows it. */
static const unsigned char *load_string(const unsigned char *p, const char **s, size_t *len) {
    uint64_t n;
    memcpy(&n, p, 8);
    *s = (const char *)p + 8;
    *len = (size_t)n;
    return p + 8 + n;
}

bool gguf_get_string(const struct gguf *g, const char *key, const char **s, size_t *len, struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    if (kv->type != GGUF_STRING) return wrong_type(g, kv, "string", e);
    load_string(kv->items, s, len);
    return true;
}

bool gguf_array_len(const struct gguf *g, const char *key, enum gguf_value_type *elem, size_t *n, struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    if (kv->type != GGUF_ARRAY) return wrong_type(g, kv, "an array", e);
    *elem = kv->elem;
    *n = kv->n;
    return true;
}

bool gguf_each_string(const struct gguf *g, const char *key,
                      bool (*fn)(void *ctx, size_t i, const char *s, size_t len, struct err *e), void *ctx,
                      struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    if (kv->type != GGUF_ARRAY || kv->elem != GGUF_STRING) return wrong_type(g, kv, "an array of string", e);
    const unsigned char *p = kv->items;
    for (size_t i = 0; i < kv->n; i++) {
        const char *s;
        size_t len;
        p = load_string(p, &s, &len);
        if (!fn(ctx, i, s, len, e)) return false;
    }
    return true;
}

static bool check_length(const struct gguf *g, const struct gguf_kv *kv, size_t n, struct err *e) {
    return kv->n == n || err_set(e, "%s: key \"%s\" must have %zu elements, found %zu", g->path, kv->key, n, kv->n);
}

bool gguf_copy_i32(const struct gguf *g, const char *key, int32_t *out, size_t n, struct err *e) {
    const struct gguf_kv *kv = need(g, key, e);
    if (!kv) return false;
    if (kv->type != GGUF_ARRAY || (kv->elem != GGUF_I32 && kv->elem != GGUF_U32))
        return wrong_type(g, kv, "an array of i32", e);
    if (!check_length(g, kv, n, e)) return false;
    if (n) memcpy(out, kv->items, 4 * n);
    for (size_t i = 0; kv->elem == GGUF_U32 && i < n; i++)
        if (out[i] < 0) return err_set(e, "%s: key \"%s\": element %zu does not fit i32", g->path, key, i);
    return true;
}

static void describe_string(const struct gguf_kv *kv, char *out, size_t size) {
    const char *s;
    size_t len;
    load_string(kv->items, &s, &len);
    size_t n = len < size - 1 ? len : size - 1;
    while (n < len && n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80) n--; /* do not cut a UTF-8 sequence */
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7F ? ' ' : s[i];
    out[n] = '\0';
}

void gguf_describe_value(const struct gguf *g, size_t i, char *out, size_t size) {
    if (size == 0) return;
    const struct gguf_kv *kv = &g->kv[i];
    uint64_t v;
    bool negative;
    float f;
    double d;
    if (load_integer(kv->type, kv->items, &v, &negative)) {
        if (negative)
            snprintf(out, size, "%lld", (long long)v);
        else
            snprintf(out, size, "%llu", (unsigned long long)v);
        return;
    }
    switch (kv->type) {
    case GGUF_STRING: describe_string(kv, out, size); break;
    case GGUF_ARRAY: snprintf(out, size, "[%s x %zu]", gguf_type_name(kv->elem), kv->n); break;
    case GGUF_BOOL: snprintf(out, size, "%s", kv->items[0] ? "true" : "false"); break;
    case GGUF_F32:
        memcpy(&f, kv->items, 4);
        snprintf(out, size, "%.9g", (double)f);
        break;
    default:
        memcpy(&d, kv->items, 8);
        snprintf(out, size, "%.17g", d);
        break;
    }
}
