/* Elementary functions that vectorise, and run-time choice of the vector width.
 *
 * The functions are inline because the compiler can only vectorise a loop over them when it sees their bodies. They use
 * no fused multiply-add (the build forbids contraction) and sums run over SIMD_LANES explicit lanes, so every vector
 * width gives the same bits. Polynomials: Cephes expf and tanhf (Moshier), relative error below 2e-7. NaN passes
 * through all of them. */
#ifndef PBKD_MATH_SIMD_H
#define PBKD_MATH_SIMD_H

#include <stdint.h>
#include <stdlib.h> /* __GLIBC__ */
#include <string.h>

#define SIMD_LANES 16

/* Put before a hot function: it is compiled for three vector widths and the loader picks one. Only where that is sound:
 * gcc with glibc, and no sanitizer, whose runtime is not ready yet when the loader chooses. clang 14 gives every clone
 * a global name and leaves callers in other files unresolved, so clang builds the plain version: the same results,
 * slower. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12 &&                              \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SIMD_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SIMD_CLONES
#endif

#define SIMD_INLINE static inline __attribute__((always_inline))

/* exp(x) for x clamped to [-87, 88]. */
SIMD_INLINE float simd_exp(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float shifted =
        x * 1.44269504088896341f + 12582912.0f; /* 1.5 * 2^23: the low bits now hold round(x / ln 2) */
    const float n = shifted - 12582912.0f;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3F800000u;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

SIMD_INLINE float simd_tanh(float x) {
    const float a = x < 0.0f ? -x : x;
    const float big = 1.0f - 2.0f / (simd_exp(2.0f * a) + 1.0f);
    const float z = x * x;
    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const float small = p * z * x + x;
    const float signed_big = x < 0.0f ? -big : big;
    return a < 0.625f ? small : signed_big;
}

SIMD_INLINE float simd_sigmoid(float x) { return 1.0f / (1.0f + simd_exp(-x)); }

/* Sum of the lanes, pairwise in a fixed order. */
SIMD_INLINE float simd_lane_sum(const float *lane) {
    float s[SIMD_LANES];
    for (int j = 0; j < SIMD_LANES; j++) s[j] = lane[j];
    for (int w = SIMD_LANES / 2; w > 0; w /= 2)
        for (int j = 0; j < w; j++) s[j] += s[j + w];
    return s[0];
}

#endif
