/* Quantised blocks: the element types of GGUF, decoded to f32, and the few that pbkd writes.
 * Layouts as documented by the format: see the table at the top of quant.c. */
#ifndef PBKD_FORMATS_QUANT_H
#define PBKD_FORMATS_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
enum quant_type {
    QUANT_F32 = 0, QUANT_F16 = 1, QUANT_Q4_0 = 2, QUANT_Q4_1 = 3, QUANT_Q5_0 = 6, QUANT_Q5_1 = 7, QUANT_Q8_0 = 8,
    QUANT_Q4_K = 12, QUANT_Q5_K = 13, QUANT_Q6_K = 14, QUANT_IQ4_NL = 20, QUANT_BF16 = 30
};
/* clang-format on */

/* One row per known type: name ("Q4_0"), elements per block, bytes per block, and the decoder, which is NULL for the
 * types that can only be measured (a model that uses them must be refused). quant_info is NULL for unknown ids. */
struct quant_info {
    const char *name;
    uint32_t type;
    int block_len, block_bytes;
    void (*decode)(const void *blocks, float *out, size_t n_blocks);
};
const struct quant_info *quant_info(uint32_t type);

float quant_f16_to_f32(uint16_t h);
uint16_t quant_f32_to_f16(float f); /* round to nearest even */

/* Encode n elements (a multiple of the block length) as F32, F16, BF16 or Q8_0; returns bytes written, 0 if the type
 * cannot be written. */
size_t quant_encode(uint32_t type, const float *x, size_t n, void *out);

#endif
