/* Quantised blocks: see quant.h. Every field is read with memcpy, since blocks of 18 or 34 bytes leave their neighbours
 * unaligned, and products are taken in the reference's order so that decoded values equal its own bit for bit.
 *
 *   type     block bytes  layout                                              element
 *   F32 F16 BF16  1       the number; BF16 = upper half of f32
 *   Q4_0      32   18     f16 d, 16 nibbles                                   d*(q-8)
 *   Q4_1      32   20     f16 d, f16 m, 16 nibbles                            d*q + m
 *   Q5_0      32   22     f16 d, u32 high bits, 16 nibbles                    d*(q-16)
 *   Q5_1      32   24     f16 d, f16 m, u32 high bits, 16 nibbles             d*q + m
 *   Q8_0      32   34     f16 d, 32 i8                                        d*q
 *   IQ4_NL    32   18     f16 d, 16 nibbles                                   d*table[q]
 *   Q4_K     256  144     f16 d, f16 dmin, 12 bytes of 6-bit pairs, 128 nibbles        d*sc*q - dmin*mn
 *   Q5_K     256  176     f16 d, f16 dmin, 12 bytes, 32 bytes of 5th bits, 128 nibbles d*sc*q - dmin*mn
 *   Q6_K     256  210     128 nibbles, 64 bytes of 2-bit highs, 16 i8 scales, f16 d    d*sc*(q-32)
 * In blocks of 32 the low nibble of byte j is element j, the high nibble element j+16.
 *
 * The other rows of the table only let a file be measured: their decode is NULL. */
#include "engine/formats/quant.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the formats are read in place and are little-endian");

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

/* Branch-free after M. Dukhan's FP16 library, so that long rows vectorise: normal numbers by an exponent shift and an
 * exact multiplication, subnormal ones by a subtraction of two floats. */
float quant_f16_to_f32(uint16_t h) {
    const uint32_t w = (uint32_t)h << 16, sign = w & 0x80000000u, two_w = w + w;
    const float normal = float_of((two_w >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
    const float subnormal = float_of((two_w >> 17) | (126u << 23)) - 0.5f;
    return float_of(sign | (two_w < (1u << 27) ? bits_of(subnormal) : bits_of(normal)));
}

uint16_t quant_f32_to_f16(float f) {
    const uint32_t w = bits_of(f), sign = w & 0x80000000u, two_w = w + w;
    if (two_w > 0xFF000000u) return (uint16_t)((sign >> 16) | 0x7E00u); /* NaN */
    float base = (fabsf(f) * 0x1.0p+112f) * 0x1.0p-110f;                /* overflow becomes infinity here */
    uint32_t bias = two_w & 0xFF000000u;
    if (bias < 0x71000000u) bias = 0x71000000u;
    base = float_of((bias >> 1) + 0x07800000u) + base; /* the addition rounds to nearest even at the f16 place */
    const uint32_t bits = bits_of(base);
    return (uint16_t)((sign >> 16) | (((bits >> 13) & 0x7C00u) + (bits & 0x0FFFu)));
}

static uint16_t bf16_of(float f) {
    const uint32_t u = bits_of(f);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)((u >> 16) | 64); /* keep a NaN one, and quiet */
    return (uint16_t)((u + (0x7FFFu + ((u >> 16) & 1))) >> 16);
}

static float f16_at(const unsigned char *p) {
    uint16_t h;
    memcpy(&h, p, 2);
    return quant_f16_to_f32(h);
}

static void decode_f32(const void *blocks, float *out, size_t n) { memcpy(out, blocks, n * 4); }

static void decode_f16(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (size_t i = 0; i < n; i++) out[i] = f16_at(b + 2 * i);
}

static void decode_bf16(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, b + 2 * i, 2);
        out[i] = float_of((uint32_t)h << 16);
    }
}

static void decode_q4_0(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 18, out += 32) {
        const float d = f16_at(b);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)((b[2 + j] & 15) - 8);
            out[j + 16] = d * (float)((b[2 + j] >> 4) - 8);
        }
    }
}

static void decode_q4_1(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 20, out += 32) {
        const float d = f16_at(b), m = f16_at(b + 2);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)(b[4 + j] & 15) + m;
            out[j + 16] = d * (float)(b[4 + j] >> 4) + m;
        }
    }
}

/* q of element j (low) and j+16 (high) in a 5-bit block whose nibbles are at q and high bits in h */
static int five_low(const unsigned char *q, uint32_t h, int j) { return (q[j] & 15) | (int)(((h >> j) & 1) << 4); }
static int five_high(const unsigned char *q, uint32_t h, int j) {
    return (q[j] >> 4) | (int)(((h >> (j + 16)) & 1) << 4);
}

static void decode_q5_0(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 22, out += 32) {
        const float d = f16_at(b);
        uint32_t h;
        memcpy(&h, b + 2, 4);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)(five_low(b + 6, h, j) - 16);
            out[j + 16] = d * (float)(five_high(b + 6, h, j) - 16);
        }
    }
}

static void decode_q5_1(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 24, out += 32) {
        const float d = f16_at(b), m = f16_at(b + 2);
        uint32_t h;
        memcpy(&h, b + 4, 4);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)five_low(b + 8, h, j) + m;
            out[j + 16] = d * (float)five_high(b + 8, h, j) + m;
        }
    }
}

static void decode_q8_0(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 34, out += 32) {
        const float d = f16_at(b);
        for (int j = 0; j < 32; j++) out[j] = d * (float)(int8_t)b[2 + j];
    }
}

static void decode_iq4_nl(const void *blocks, float *out, size_t n) {
    static const int8_t table[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 18, out += 32) {
        const float d = f16_at(b);
        for (int j = 0; j < 16; j++) {
            out[j] = d * (float)table[b[2 + j] & 15];
            out[j + 16] = d * (float)table[b[2 + j] >> 4];
        }
    }
}

/* The i-th of eight 6-bit (scale, minimum) pairs packed into 12 bytes. */
static void scale_and_min(const unsigned char *s, int i, int *sc, int *mn) {
    if (i < 4) {
        *sc = s[i] & 63;
        *mn = s[i + 4] & 63;
    } else {
        *sc = (s[i + 4] & 15) | ((s[i - 4] >> 6) << 4);
        *mn = (s[i + 4] >> 4) | ((s[i] >> 6) << 4);
    }
}

/* Sub-blocks 2c and 2c+1 of 32 elements are the low and high nibbles of bytes 32c..32c+31; high (NULL in Q4_K) holds
 * the 5th bits of all eight sub-blocks, sub-block s in bit s. */
static void decode_k45(const unsigned char *b, const unsigned char *high, const unsigned char *q, float *out) {
    const float d = f16_at(b), dmin = f16_at(b + 2);
    for (int s = 0; s < 8; s++) {
        int sc, mn;
        scale_and_min(b + 4, s, &sc, &mn);
        const float scale = d * (float)sc, min = dmin * (float)mn;
        const unsigned char *nib = q + 32 * (s / 2);
        const int shift = 4 * (s & 1);
        for (int l = 0; l < 32; l++) {
            const int v = ((nib[l] >> shift) & 15) + (high ? ((high[l] >> s) & 1) * 16 : 0);
            out[32 * s + l] = scale * (float)v - min;
        }
    }
}

static void decode_q4_k(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 144, out += 256) decode_k45(b, NULL, b + 16, out);
}

static void decode_q5_k(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 176, out += 256) decode_k45(b, b + 16, b + 48, out);
}

static void decode_q6_k(const void *blocks, float *out, size_t n) {
    const unsigned char *b = blocks;
    for (; n > 0; n--, b += 210, out += 256) {
        const float d = f16_at(b + 208);
        for (int pos = 0; pos < 256; pos++) {
            const int half = pos / 128, quarter = pos % 128 / 32, l = pos % 32;
            const int low = b[64 * half + l + 32 * (quarter & 1)] >> (quarter >= 2 ? 4 : 0) & 15;
            const int high = b[128 + 32 * half + l] >> (2 * quarter) & 3;
            const int sc = (int8_t)b[192 + pos / 16];
            out[pos] = d * (float)sc * (float)((low | high << 4) - 32);
        }
    }
}

/* clang-format off */
static const struct quant_info types[] = {
    {"F32", QUANT_F32, 1, 4, decode_f32},        {"F16", QUANT_F16, 1, 2, decode_f16},
    {"BF16", QUANT_BF16, 1, 2, decode_bf16},     {"Q4_0", QUANT_Q4_0, 32, 18, decode_q4_0},
    {"Q4_1", QUANT_Q4_1, 32, 20, decode_q4_1},   {"Q5_0", QUANT_Q5_0, 32, 22, decode_q5_0},
    {"Q5_1", QUANT_Q5_1, 32, 24, decode_q5_1},   {"Q8_0", QUANT_Q8_0, 32, 34, decode_q8_0},
    {"Q4_K", QUANT_Q4_K, 256, 144, decode_q4_k}, {"Q5_K", QUANT_Q5_K, 256, 176, decode_q5_k},
    {"Q6_K", QUANT_Q6_K, 256, 210, decode_q6_k}, {"IQ4_NL", QUANT_IQ4_NL, 32, 18, decode_iq4_nl},
    /* measured only */
    {"Q2_K", 10, 256, 84, NULL},                 {"Q3_K", 11, 256, 110, NULL},
    {"IQ2_XXS", 16, 256, 66, NULL},              {"IQ2_XS", 17, 256, 74, NULL},
    {"IQ3_XXS", 18, 256, 98, NULL},              {"IQ1_S", 19, 256, 50, NULL},
    {"IQ3_S", 21, 256, 110, NULL},               {"IQ2_S", 22, 256, 82, NULL},
    {"IQ4_XS", 23, 256, 136, NULL},              {"I8", 24, 1, 1, NULL},
    {"I16", 25, 1, 2, NULL},                     {"I32", 26, 1, 4, NULL},
    {"I64", 27, 1, 8, NULL},                     {"F64", 28, 1, 8, NULL},
    {"IQ1_M", 29, 256, 56, NULL},                {"TQ1_0", 34, 256, 54, NULL},
    {"TQ2_0", 35, 256, 66, NULL},                {"MXFP4", 39, 32, 17, NULL},
};
/* clang-format on */

const struct quant_info *quant_info(uint32_t type) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].type == type) return &types[i];
    return NULL;
}

/* d = max|x|/127 is used unrounded for q and stored rounded to f16, as the reference does. A subnormal d would have an
 * infinite inverse; it is stored as 0 anyway. Callers refuse non-finite x; NaN becomes 0 here because no integer
 * stands for it. */
static void encode_q8_0(const float *x, unsigned char *out) {
    float most = 0.0f;
    for (int j = 0; j < 32; j++) most = fmaxf(most, fabsf(x[j]));
    const float d = most / 127.0f, inverse = d >= 0x1.0p-126f ? 1.0f / d : 0.0f;
    const uint16_t h = quant_f32_to_f16(d);
    memcpy(out, &h, 2);
    for (int j = 0; j < 32; j++) {
        const float q = roundf(x[j] * inverse);
        out[2 + j] = (unsigned char)(int8_t)(q == q ? q : 0.0f);
    }
}

size_t quant_encode(uint32_t type, const float *x, size_t n, void *out) {
    unsigned char *b = out;
    if (n == 0) return 0;
    switch (type) {
    case QUANT_F32: memcpy(b, x, n * 4); return n * 4;
    case QUANT_F16:
    case QUANT_BF16:
        for (size_t i = 0; i < n; i++) {
            const uint16_t h = type == QUANT_F16 ? quant_f32_to_f16(x[i]) : bf16_of(x[i]);
            memcpy(b + 2 * i, &h, 2);
        }
        return n * 2;
    case QUANT_Q8_0:
        if (n % 32) return 0;
        for (size_t i = 0; i < n / 32; i++) encode_q8_0(x + 32 * i, b + 34 * i);
        return n / 32 * 34;
    default: return 0;
    }
}
