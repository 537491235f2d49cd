/* What gguf_read.c (opening and checking), gguf_values.c (metadata access) and gguf_write.c share; nobody else
 * includes it. */
#ifndef PBKD_FORMATS_GGUF_INTERNAL_H
#define PBKD_FORMATS_GGUF_INTERNAL_H

#include "engine/base/file.h"
#include "engine/base/names.h"
#include "engine/formats/gguf.h"

enum {
    GGUF_MAX_NAME = 64,   /* tensor names, with the NUL the reference adds */
    GGUF_MAX_KEY = 65535, /* the format's own limit */
    GGUF_DEFAULT_ALIGN = 32,
    GGUF_MAX_ALIGN = 1 << 20,
    GGUF_MAX_RUN = 64 << 20 /* longest string in bytes, longest array in elements */
};

struct gguf_kv {
    const char *key;          /* NUL-terminated, in gguf.names */
    const unsigned char *raw; /* the value as stored: for arrays from the element type on */
    size_t raw_len;
    enum gguf_value_type type, elem; /* elem of arrays */
    size_t n;                        /* array length, else 1 */
    const unsigned char *items;      /* array elements, or the value itself */
};

struct gguf {
    char *path;
    struct file_map map; /* zero when the bytes are borrowed */
    const unsigned char *data;
    size_t len;
    uint32_t version;
    size_t n_kv, n_tensors;
    struct gguf_kv *kv;
    struct gguf_tensor *tensors;
    char *names; /* copies of keys and tensor names, since the file does not NUL-terminate them */
    struct name_index by_key, by_tensor;
};

/* Bytes of one value of a fixed-size type, 0 for strings, arrays and unknown types. */
size_t gguf_type_size(uint32_t type);
const char *gguf_type_name(uint32_t type);
const struct gguf_kv *gguf_kv_find(const struct gguf *g, const char *key);

#endif
