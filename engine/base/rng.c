/* Counter-based random numbers: see rng.h. The mixer is Philox 4x32 with 10 rounds (Salmon et al., "Parallel random
 * numbers: as easy as 1, 2, 3", 2011): key = seed, counter = (tick, index), the purpose mixed into the key. */
#include "engine/base/rng.h"

#include <math.h>

static void philox_round(uint32_t c[4], const uint32_t k[2]) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k[0];
    const uint32_t n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k[1];
    c[1] = (uint32_t)p1;
    c[3] = (uint32_t)p0;
    c[0] = n0;
    c[2] = n2;
}

static void philox(uint32_t out[4], uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index) {
    out[0] = (uint32_t)index;
    out[1] = (uint32_t)(index >> 32);
    out[2] = (uint32_t)tick;
    out[3] = (uint32_t)(tick >> 32) ^ ((uint32_t)purpose << 24);
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int r = 0; r < 10; r++) {
        philox_round(out, key);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
}

uint64_t rng_u64(uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index) {
    uint32_t v[4];
    philox(v, seed, purpose, tick, index);
    return ((uint64_t)v[1] << 32) | v[0];
}

double rng_uniform(uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index) {
    return (double)(rng_u64(seed, purpose, tick, index) >> 11) * 0x1p-53;
}

double rng_normal(uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index) {
    uint32_t v[4];
    philox(v, seed, purpose, tick, index);
    const double u1 = ((double)((((uint64_t)v[1] << 32) | v[0]) >> 11) + 1.0) * 0x1p-53; /* (0,1]: log is finite */
    const double u2 = (double)((((uint64_t)v[3] << 32) | v[2]) >> 11) * 0x1p-53;
    return sqrt(-2.0 * log(u1)) * cos(6.283185307179586 * u2);
}

uint64_t rng_below(uint64_t n, uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index) {
    const uint64_t v = rng_u64(seed, purpose, tick, index);
    return (uint64_t)(((unsigned __int128)v * n) >> 64); /* Lemire; bias < n/2^64 */
}

void rng_permutation(int *perm, int n, uint64_t seed, enum rng_purpose purpose, uint64_t tick) {
    for (int i = 0; i < n; i++) perm[i] = i;
    for (int i = n - 1; i > 0; i--) {
        const int j = (int)rng_below((uint64_t)i + 1, seed, purpose, tick, (uint64_t)i);
        const int t = perm[i];
        perm[i] = perm[j];
        perm[j] = t;
    }
}
