/* GGUF files (versions 2 and 3): reading hostile ones safely, writing exact ones.
 *
 * gguf_open maps the file and checks everything the header claims against the bytes that are there before anything is
 * allocated from it: counts, string and array lengths, types, duplicate names, dimensions, products, block multiples,
 * offsets, alignment. After a successful open every accessor below is safe without further checks. */
#ifndef PBKD_FORMATS_GGUF_H
#define PBKD_FORMATS_GGUF_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"

/* clang-format off */
enum gguf_value_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64,
    GGUF_I64, GGUF_F64, GGUF_N_VALUE_TYPES
};
/* clang-format on */

struct gguf; /* an open file; immutable, may be read from several threads */

struct gguf *gguf_open(const char *path, struct err *e);
/* The same over len bytes already in memory, borrowed until gguf_close; `name` stands for the path in messages. */
struct gguf *gguf_open_memory(const char *name, const void *data, size_t len, struct err *e);
void gguf_close(struct gguf *g); /* NULL is fine */
const char *gguf_path(const struct gguf *g);
uint32_t gguf_version(const struct gguf *g);
uint64_t gguf_file_size(const struct gguf *g);

/* Metadata. The typed getters return false with e filled when the key is missing or has another type ("m.gguf: key
 * "llama.block_count" is missing" / "... must be u32, found string"). Integers accept any integer type that holds the
 * value. */
size_t gguf_n_keys(const struct gguf *g);
const char *gguf_key(const struct gguf *g, size_t i);
bool gguf_has(const struct gguf *g, const char *key);
bool gguf_get_u32(const struct gguf *g, const char *key, uint32_t *out, struct err *e);
bool gguf_get_f32(const struct gguf *g, const char *key, float *out, struct err *e);
bool gguf_get_bool(const struct gguf *g, const char *key, bool *out, struct err *e);
/* Not NUL-terminated, points into the file. */
bool gguf_get_string(const struct gguf *g, const char *key, const char **s, size_t *len, struct err *e);
bool gguf_array_len(const struct gguf *g, const char *key, enum gguf_value_type *elem, size_t *n, struct err *e);
/* Visit a string array in order (strings have no random access in the file). */
bool gguf_each_string(const struct gguf *g, const char *key,
                      bool (*fn)(void *ctx, size_t i, const char *s, size_t len, struct err *e), void *ctx,
                      struct err *e);
/* Copy an i32 or u32 array of exactly n elements. */
bool gguf_copy_i32(const struct gguf *g, const char *key, int32_t *out, size_t n, struct err *e);
/* One line for people: value, or "[string x 49152]" for arrays; writes at most size bytes. */
void gguf_describe_value(const struct gguf *g, size_t i, char *out, size_t size);

/* Tensors. ne[0] is the fastest dimension (columns), unused dimensions are 1. */
struct gguf_tensor {
    const char *name;
    int n_dims;
    int64_t ne[4];
    uint32_t type; /* enum quant_type of quant.h; always a type that quant.h can decode or at least measure */
    uint64_t n_elements, n_bytes;
    const unsigned char *data;
};
size_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i);
const struct gguf_tensor *gguf_find(const struct gguf *g, const char *name); /* NULL when absent; binary search */

/* Writing: collect, then write everything atomically (temporary name, fsync, rename). The writer owns copies of keys
 * and values; tensor data is borrowed until gguf_write returns. */
struct gguf_writer *gguf_writer_new(void);
void gguf_writer_free(struct gguf_writer *w);
void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t v);
void gguf_put_f32(struct gguf_writer *w, const char *key, float v);
void gguf_put_bool(struct gguf_writer *w, const char *key, bool v);
void gguf_put_string(struct gguf_writer *w, const char *key, const char *s);
void gguf_put_strings(struct gguf_writer *w, const char *key, const char *const *s, const size_t *len, size_t n);
void gguf_put_i32s(struct gguf_writer *w, const char *key, const int32_t *v, size_t n);
/* f32 source data of ne[0] x ne[1] (ne1 = 1 for vectors), stored as type (F32, F16, BF16 or Q8_0). */
void gguf_put_tensor(struct gguf_writer *w, const char *name, const float *data, int64_t ne0, int64_t ne1,
                     uint32_t type);
/* Copy all keys of an open file except general.alignment (the writer aligns to 32) and those that start with one of the
 * prefixes (a NULL-terminated list, or NULL). */
void gguf_put_keys_from(struct gguf_writer *w, const struct gguf *g, const char *const *except_prefixes);
/* What cannot be written is refused here, naming it: a key or tensor put twice, a bad name, rows that are no multiple
 * of the type's block, NaN or infinity, or a value that becomes infinite in F16 (all types but F32, which stores
 * anything). */
bool gguf_write(struct gguf_writer *w, const char *path, struct err *e);

#endif
