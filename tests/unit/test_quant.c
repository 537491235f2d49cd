/* Element types: every decoder against golden values of the format's own Python reader (golden_quant.py makes them
 * from the same generated blocks), the f16 conversions exhaustively against their definition, the encoders against the
 * reference's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/formats/quant.h"

enum { BLOCKS = 64 };

/* As in golden_quant.py: FNV-1a and a linear congruential generator. */
static uint64_t fnv(const void *data, size_t n) {
    uint64_t h = 0xCBF29CE484222325ull;
    for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)data)[i]) * 0x100000001B3ull;
    return h;
}

static uint32_t next(uint32_t *x) { return *x = *x * 1664525u + 1013904223u; }

struct golden {
    uint32_t type;
    uint64_t hash;
    float samples[4]; /* elements 0, 17, 33 and the last */
};

static const struct golden decoded[] = {
    {QUANT_Q4_0, 0x74EE0DC1B8A5E813ull, {-0x1.4fp+1f, 0x1.f68p-1f, 0x1.fecp-4f, -0x1.c6cp-4f}},
    {QUANT_Q4_1, 0x3009FB56ED10A6C6ull, {-0x1.4df8p-11f, -0x1.c81ep-9f, 0x1.8b1cp+2f, 0x1.681cp-4f}},
    {QUANT_Q5_0, 0xD12E15F6E1D612A7ull, {-0x1.5d58p-7f, -0x1.8f4p-10f, -0x1.041p-1f, 0x1.0a8p-11f}},
    {QUANT_Q5_1, 0x0FA1FDB76689E324ull, {-0x1.075p-3f, -0x1.672cp-1f, -0x1.8e8d4p-1f, -0x1.4c6b4p-2f}},
    {QUANT_Q8_0, 0x119525A3B32F8EA5ull, {0x1.787p-10f, -0x1.4bdcp-10f, -0x1.2facp-10f, -0x1.5168p-2f}},
    {QUANT_Q4_K, 0xE6B7D5414DCBE4EFull, {0x1.bf20cp+0f, 0x1.1243cp+0f, 0x1.aded8p-1f, -0x1.97c3ap+5f}},
    {QUANT_Q5_K, 0x19EBE9DD09A4B135ull, {0x1.33ff8p+5f, 0x1.2db3p+4f, 0x1.fdf14p+6f, -0x1.880d6ep+6f}},
    {QUANT_Q6_K, 0x09F84032D5EC40CDull, {0x1.869a6p+6f, -0x1.6d672p+9f, 0x1.3c36c8p+8f, 0x1.67e8p+8f}},
    {QUANT_IQ4_NL, 0xB6A79A0B51CCD1D5ull, {-0x1.d6bep-4f, -0x1.3ea8p-5f, 0x1.1bd7p-1f, -0x1.d136p-7f}},
};

static const struct golden encoded[] = {
    {QUANT_F16, 0xEC82BD63A65A19AAull, {0}},
    {QUANT_BF16, 0x4D2033105A21281Eull, {0}},
    {QUANT_Q8_0, 0x50950EF1E3CE91B4ull, {0}},
};

/* Random blocks whose f16 scales stay below 2, one byte off alignment: files promise none. */
static unsigned char *make_blocks(const struct quant_info *q) {
    unsigned char *b = malloc((size_t)(BLOCKS * q->block_bytes + 1));
    assert_non_null(b);
    uint32_t x = q->type;
    for (int i = 0; i < BLOCKS * q->block_bytes; i++) b[1 + i] = (unsigned char)(next(&x) >> 24);
    const bool two = q->type == QUANT_Q4_1 || q->type == QUANT_Q5_1 || q->type == QUANT_Q4_K || q->type == QUANT_Q5_K;
    for (int i = 0; i < BLOCKS; i++) {
        unsigned char *scales = b + 1 + i * q->block_bytes + (q->type == QUANT_Q6_K ? 208 : 0);
        scales[1] &= 0xBF;
        if (two) scales[3] &= 0xBF;
    }
    return b;
}

static void decoders_match_the_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof decoded / sizeof decoded[0]; i++) {
        const struct quant_info *q = quant_info(decoded[i].type);
        assert_non_null(q);
        const size_t n = (size_t)(BLOCKS * q->block_len);
        unsigned char *b = make_blocks(q);
        float *y = malloc(n * sizeof *y);
        assert_non_null(y);
        q->decode(b + 1, y, BLOCKS);
        const float got[4] = {y[0], y[17], y[33], y[n - 1]};
        for (int k = 0; k < 4; k++)
            if (got[k] != decoded[i].samples[k]) fail_msg("%s sample %d: %a", q->name, k, (double)got[k]);
        if (fnv(y, n * sizeof *y) != decoded[i].hash) fail_msg("%s differs from the reference", q->name);
        free(y);
        free(b);
    }
}

static void encoders_match_the_reference(void **state) {
    (void)state;
    enum { N = 4096 };
    float x[N];
    uint32_t r = 99;
    for (int i = 0; i < N; i++) {
        const int m = (int)(next(&r) >> 8) - (1 << 23);
        x[i] = ldexpf((float)m, (int)((next(&r) >> 24) % 40) - 30 - 23);
    }
    unsigned char out[4 * N];
    for (size_t i = 0; i < sizeof encoded / sizeof encoded[0]; i++) {
        const struct quant_info *q = quant_info(encoded[i].type);
        const size_t bytes = quant_encode(q->type, x, N, out);
        assert_int_equal(bytes, N / q->block_len * q->block_bytes);
        if (fnv(out, bytes) != encoded[i].hash) fail_msg("%s differs from the reference", q->name);
    }
    assert_int_equal(quant_encode(QUANT_F32, x, N, out), sizeof x);
    assert_memory_equal(out, x, sizeof x);
}

/* IEEE 754 binary16 by definition. */
static double f16_by_definition(unsigned h) {
    const double sign = h >> 15 ? -1.0 : 1.0;
    const int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void f16_is_exact_for_every_value(void **state) {
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        const float f = quant_f16_to_f32((uint16_t)h);
        const double want = f16_by_definition(h);
        if (isnan(want)) {
            assert_true(isnan(f));
            assert_true(isnan(quant_f16_to_f32(quant_f32_to_f16(f))));
        } else {
            if ((double)f != want || !signbit(f) != !signbit(want)) fail_msg("f16 %04x gives %a", h, (double)f);
            assert_int_equal(quant_f32_to_f16(f), h);
        }
    }
}

/* Between neighbours the nearer one is taken, and of two equally near ones the even one. */
static void f16_rounds_to_nearest_even(void **state) {
    (void)state;
    for (unsigned h = 0; h < 0x7BFF; h++) {
        const float a = quant_f16_to_f32((uint16_t)h), b = quant_f16_to_f32((uint16_t)(h + 1)), middle = (a + b) / 2;
        assert_int_equal(quant_f32_to_f16(middle), h & 1 ? h + 1 : h);
        assert_int_equal(quant_f32_to_f16(nextafterf(middle, a)), h);
        assert_int_equal(quant_f32_to_f16(nextafterf(middle, b)), h + 1);
    }
    assert_int_equal(quant_f32_to_f16(65519.99f), 0x7BFF);
    assert_int_equal(quant_f32_to_f16(65520.0f), 0x7C00);
    assert_int_equal(quant_f32_to_f16(-1e30f), 0xFC00);
    assert_int_equal(quant_f32_to_f16(1e-40f), 0);
}

static void bf16_is_the_upper_half(void **state) {
    (void)state;
    const struct quant_info *q = quant_info(QUANT_BF16);
    const float x[] = {1.0f, -2.5f, 0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, INFINITY, 0x1p-149f};
    const float want[] = {1.0f, -2.5f, 1.0f, 0x1.04p0f, 0x1.02p0f, INFINITY, 0.0f};
    uint16_t b[7];
    float y[7];
    assert_int_equal(quant_encode(QUANT_BF16, x, 7, b), 14);
    q->decode(b, y, 7);
    for (int i = 0; i < 7; i++) assert_true(y[i] == want[i]);
    const float nan = NAN;
    quant_encode(QUANT_BF16, &nan, 1, b);
    q->decode(b, y, 1);
    assert_true(isnan(y[0]));
}

static void q8_0_takes_extremes(void **state) {
    (void)state;
    const struct quant_info *q = quant_info(QUANT_Q8_0);
    float x[32] = {0}, y[32];
    unsigned char b[34];
    assert_int_equal(quant_encode(QUANT_Q8_0, x, 32, b), 34); /* all zero */
    q->decode(b, y, 1);
    for (int i = 0; i < 32; i++) assert_true(y[i] == 0.0f);
    x[3] = 0x1p-149f; /* a subnormal scale */
    quant_encode(QUANT_Q8_0, x, 32, b);
    q->decode(b, y, 1);
    assert_true(y[3] == 0.0f);
    x[3] = NAN;
    x[4] = -127.0f;
    x[5] = 0.5f;
    quant_encode(QUANT_Q8_0, x, 32, b);
    q->decode(b, y, 1);
    assert_true(y[3] == 0.0f && y[4] == -127.0f && y[5] == 1.0f); /* half away from zero */
}

static void only_known_types_are_measured(void **state) {
    (void)state;
    assert_null(quant_info(4)); /* removed from the format */
    assert_null(quant_info(0xFFFFFFFFu));
    assert_string_equal(quant_info(QUANT_Q4_1)->name, "Q4_1");
    assert_null(quant_info(10)->decode); /* Q2_K: measured only */
    float x[32] = {0};
    unsigned char out[256];
    assert_int_equal(quant_encode(QUANT_Q4_0, x, 32, out), 0);
    assert_int_equal(quant_encode(QUANT_Q8_0, x, 31, out), 0);
    assert_int_equal(quant_encode(QUANT_F16, x, 0, out), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoders_match_the_reference),  cmocka_unit_test(encoders_match_the_reference),
        cmocka_unit_test(f16_is_exact_for_every_value),  cmocka_unit_test(f16_rounds_to_nearest_even),
        cmocka_unit_test(bf16_is_the_upper_half),        cmocka_unit_test(q8_0_takes_extremes),
        cmocka_unit_test(only_known_types_are_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
