/* safetensors: see safetensors.h. A file is u64 header length, a JSON header (name -> dtype, shape, data_offsets),
 * then the data. The reader accepts exactly what the format's own reader accepts: ranges that tile the data without
 * hole or overlap. */
#include "engine/formats/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/names.h"
#include "engine/base/strbuf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is read in place and is little-endian");

enum { MAX_HEADER = 100000000 }; /* the format's own limit */

struct entry {
    const char *name; /* in the parsed header */
    bool f32;
    uint64_t n, begin, end;
};

struct st_file {
    char *path;
    struct file_map map;       /* zero when the bytes are borrowed */
    const unsigned char *data; /* after the header */
    uint64_t data_len;
    cJSON *header;
    struct entry *entries;
    size_t n_entries;
    struct name_index by_name;
};

static const struct {
    const char *name;
    uint64_t size;
} dtypes[] = {{"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4}, {"I16", 2},
              {"I8", 1},  {"U8", 1},  {"U16", 2}, {"U32", 4},  {"U64", 8}, {"BOOL", 1}};

/* cJSON keeps numbers as doubles: beyond 2^53 they would be silently another number. */
static bool whole_number(const cJSON *v, uint64_t *out) {
    if (!cJSON_IsNumber(v)) return false;
    const double d = v->valuedouble;
    if (!(d >= 0.0 && d < 0x1.0p53) || floor(d) != d) return false;
    *out = (uint64_t)d;
    return true;
}

static bool read_shape(const cJSON *shape, uint64_t *n) {
    if (!cJSON_IsArray(shape)) return false;
    *n = 1;
    for (const cJSON *c = shape->child; c; c = c->next) {
        uint64_t dim;
        if (!whole_number(c, &dim) || __builtin_mul_overflow(*n, dim, n)) return false;
    }
    return true;
}

static bool read_entry(const struct st_file *f, const cJSON *item, struct entry *x, struct err *e) {
    const char *dtype, *name = item->string;
    struct err inner;
    if (!json_get_string(item, "dtype", name, &dtype, &inner)) return err_set(e, "%s: %s", f->path, inner.msg);
    uint64_t size = 0, bytes;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtype, dtypes[i].name) == 0) size = dtypes[i].size;
    if (!size) return err_set(e, "%s: tensor \"%s\": dtype \"%s\" is not known", f->path, name, dtype);
    if (!read_shape(cJSON_GetObjectItemCaseSensitive(item, "shape"), &x->n) ||
        __builtin_mul_overflow(x->n, size, &bytes))
        return err_set(e, "%s: tensor \"%s\": \"shape\" must be an array of sizes", f->path, name);
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    if (!cJSON_IsArray(range) || cJSON_GetArraySize(range) != 2 || !whole_number(range->child, &x->begin) ||
        !whole_number(range->child->next, &x->end))
        return err_set(e, "%s: tensor \"%s\": \"data_offsets\" must be two sizes", f->path, name);
    if (x->end < x->begin || x->end > f->data_len || x->end - x->begin != bytes)
        return err_set(e, "%s: tensor \"%s\": data_offsets %llu to %llu must hold %llu bytes within %llu", f->path,
                       name, (unsigned long long)x->begin, (unsigned long long)x->end, (unsigned long long)bytes,
                       (unsigned long long)f->data_len);
    x->name = name;
    x->f32 = strcmp(dtype, "F32") == 0;
    return true;
}

static bool check_metadata(const struct st_file *f, const cJSON *meta, struct err *e) {
    bool ok = cJSON_IsObject(meta);
    for (const cJSON *c = ok ? meta->child : NULL; ok && c; c = c->next) ok = cJSON_IsString(c);
    return ok || err_set(e, "%s: \"__metadata__\" must map strings to strings", f->path);
}

static int by_range(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static bool check_tiling(const struct st_file *f, struct err *e) {
    uint64_t at = 0;
    for (size_t i = 0; i < f->n_entries; i++) {
        const struct entry *x = &f->entries[i];
        if (x->begin != at)
            return err_set(e, "%s: tensor \"%s\" must start at offset %llu, found %llu", f->path, x->name,
                           (unsigned long long)at, (unsigned long long)x->begin);
        at = x->end;
    }
    return at == f->data_len || err_set(e, "%s: the tensors cover %llu of %llu data bytes", f->path,
                                        (unsigned long long)at, (unsigned long long)f->data_len);
}

static bool read_entries(struct st_file *f, struct err *e) {
    const size_t most = (size_t)cJSON_GetArraySize(f->header);
    if (!(f->entries = mem_alloc(most, sizeof *f->entries, f->path, e))) return false;
    for (const cJSON *c = f->header->child; c; c = c->next) {
        if (strcmp(c->string, "__metadata__") == 0) {
            if (!check_metadata(f, c, e)) return false;
        } else if (!read_entry(f, c, &f->entries[f->n_entries++], e)) {
            return false;
        }
    }
    qsort(f->entries, f->n_entries, sizeof *f->entries, by_range);
    if (!check_tiling(f, e) || !names_alloc(&f->by_name, f->n_entries, f->path, e)) return false;
    for (size_t i = 0; i < f->n_entries; i++) f->by_name.entries[i] = (struct name_entry){f->entries[i].name, i};
    /* json_parse has refused duplicates already; this guards the lookup all the same */
    const char *twice = names_sort(&f->by_name);
    return !twice || err_set(e, "%s: tensor \"%s\" occurs twice", f->path, twice);
}

static bool parse(struct st_file *f, const unsigned char *bytes, size_t len, struct err *e) {
    uint64_t n;
    if (len < 8) return err_set(e, "%s: not a safetensors file (%zu bytes)", f->path, len);
    memcpy(&n, bytes, 8);
    if (n > MAX_HEADER || n > len - 8)
        return err_set(e, "%s: a header of %llu bytes does not fit (file of %zu)", f->path, (unsigned long long)n, len);
    if (n < 2 || bytes[8] != '{') return err_set(e, "%s: the header must start with '{'", f->path);
    f->data = bytes + 8 + n;
    f->data_len = len - 8 - n;
    f->header = json_parse((const char *)bytes + 8, (size_t)n, f->path, e);
    return f->header && read_entries(f, e);
}

struct st_file *st_open_memory(const char *name, const void *data, size_t len, struct err *e) {
    struct st_file *f = mem_small(sizeof *f);
    f->path = mem_strdup(name);
    if (parse(f, data, len, e)) return f;
    st_close(f);
    return NULL;
}

struct st_file *st_open(const char *path, struct err *e) {
    struct file_map m;
    if (!file_map(path, &m, e)) return NULL;
    struct st_file *f = st_open_memory(path, m.data, m.len, e);
    if (f)
        f->map = m;
    else
        file_unmap(&m);
    return f;
}

void st_close(struct st_file *f) {
    if (!f) return;
    names_free(&f->by_name);
    mem_free(f->entries);
    cJSON_Delete(f->header);
    file_unmap(&f->map);
    free(f->path);
    free(f);
}

bool st_read_f32(const struct st_file *f, const char *name, float *out, size_t n, struct err *e) {
    const struct name_entry *found = names_find(&f->by_name, name);
    if (!found) return err_set(e, "%s: tensor \"%s\" is missing", f->path, name);
    const struct entry *x = &f->entries[found->pos];
    if (!x->f32) return err_set(e, "%s: tensor \"%s\" must be F32", f->path, name);
    if (x->n != n)
        return err_set(e, "%s: tensor \"%s\" must have %zu elements, found %llu", f->path, name, n,
                       (unsigned long long)x->n);
    if (n) memcpy(out, f->data + x->begin, 4 * n);
    return true;
}

/* The reference writes tensors by falling size of dtype, then by name: all are F32 here. */
static bool sort_by_name(const struct st_array *arrays, size_t n, struct name_index *order, const char *path,
                         struct err *e) {
    if (!names_alloc(order, n, path, e)) return false;
    for (size_t i = 0; i < n; i++) {
        if (!*arrays[i].name || strcmp(arrays[i].name, "__metadata__") == 0)
            return err_set(e, "%s: a tensor cannot be named \"%s\"", path, arrays[i].name);
        order->entries[i] = (struct name_entry){arrays[i].name, i};
    }
    const char *twice = names_sort(order);
    return !twice || err_set(e, "%s: tensor \"%s\" is given twice", path, twice);
}

/* Header text, padded with spaces so that the data starts at a multiple of 8. */
static bool build_header(const struct st_array *arrays, const struct name_index *order, struct strbuf *h,
                         const char *path, struct err *e) {
    uint64_t at = 0;
    strbuf_puts(h, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < order->n; i++) {
        const struct st_array *a = &arrays[order->entries[i].pos];
        if (a->n > ((1ull << 53) - 1 - at) / 4) return err_set(e, "%s: tensor \"%s\" is too large", path, a->name);
        cJSON *name = cJSON_CreateString(a->name);
        char *quoted = name ? cJSON_PrintUnformatted(name) : NULL;
        cJSON_Delete(name);
        if (!quoted) return err_set(e, "%s: cannot allocate the header", path);
        strbuf_printf(h, ",%s:{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[%llu,%llu]}", quoted, a->n,
                      (unsigned long long)at, (unsigned long long)(at + 4 * a->n));
        cJSON_free(quoted);
        at += 4 * a->n;
    }
    strbuf_putc(h, '}');
    while (h->len % 8) strbuf_putc(h, ' ');
    if (h->len > MAX_HEADER) return err_set(e, "%s: the header is too long", path);
    return true;
}

static bool write_all(FILE *f, const void *data, size_t n, const char *path, struct err *e) {
    return n == 0 || fwrite(data, 1, n, f) == n || err_errno(e, "%s: writing failed", path);
}

bool st_write(const char *path, const struct st_array *arrays, size_t n_arrays, struct err *e) {
    struct name_index order = {0};
    struct strbuf header = {0};
    struct atomic_file a;
    bool ok = sort_by_name(arrays, n_arrays, &order, path, e) && build_header(arrays, &order, &header, path, e) &&
              atomic_begin(&a, path, e);
    if (ok) {
        const uint64_t len = header.len;
        ok = write_all(a.f, &len, 8, path, e) && write_all(a.f, header.s, header.len, path, e);
        for (size_t i = 0; ok && i < order.n; i++) {
            const struct st_array *x = &arrays[order.entries[i].pos];
            ok = write_all(a.f, x->data, 4 * x->n, path, e);
        }
        if (ok)
            ok = atomic_commit(&a, e);
        else
            atomic_abort(&a);
    }
    names_free(&order);
    strbuf_free(&header);
    return ok;
}
