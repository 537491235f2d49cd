/* Fuzzing the GGUF reader: any bytes are either refused with a message or give a file whose every accessor stays
 * inside them. */
#include <stdlib.h>
#include <string.h>

#include "engine/formats/gguf.h"
#include "engine/formats/quant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool touch(void *ctx, size_t i, const char *s, size_t len, struct err *e) {
    (void)i, (void)e;
    for (size_t k = 0; k < len; k++) *(unsigned *)ctx += (unsigned char)s[k];
    return true;
}

static void read_key(const struct gguf *g, size_t i, unsigned *sum) {
    const char *key = gguf_key(g, i), *s;
    char text[64];
    uint32_t u;
    float f;
    bool b;
    size_t n;
    enum gguf_value_type elem;
    struct err e;
    gguf_describe_value(g, i, text, sizeof text);
    gguf_get_u32(g, key, &u, &e);
    gguf_get_f32(g, key, &f, &e);
    gguf_get_bool(g, key, &b, &e);
    if (gguf_get_string(g, key, &s, &n, &e)) touch(sum, 0, s, n, &e);
    gguf_each_string(g, key, touch, sum, &e);
    if (!gguf_array_len(g, key, &elem, &n, &e) || (elem != GGUF_I32 && elem != GGUF_U32 && elem != GGUF_F32)) return;
    void *copy = malloc(4 * n + 1);
    if (!copy) return;
    gguf_copy_i32(g, key, copy, n, &e);
    free(copy);
}

static void read_tensor(const struct gguf *g, size_t i) {
    const struct gguf_tensor *t = gguf_tensor_at(g, i);
    const struct quant_info *q = quant_info(t->type);
    if (gguf_find(g, t->name) != t) abort();
    float *x = q->decode ? malloc(t->n_elements * sizeof *x) : NULL;
    if (x) q->decode(t->data, x, t->n_elements / (uint64_t)q->block_len);
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct err e = {""};
    unsigned sum = 0;
    struct gguf *g = gguf_open_memory("fuzz.gguf", data, size, &e);
    if (!g) {
        if (!e.msg[0]) abort(); /* refused without a reason */
        return 0;
    }
    for (size_t i = 0; i < gguf_n_keys(g); i++) read_key(g, i, &sum);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) read_tensor(g, i);
    gguf_close(g);
    return 0;
}
