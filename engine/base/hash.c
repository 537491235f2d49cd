/* Content hash: eight bytes at a time through a multiply-xorshift mixer (the finaliser of MurmurHash3), see hash.h. */
#include "engine/base/hash.h"

#include <string.h>

static uint64_t mix(uint64_t v) {
    v ^= v >> 33;
    v *= 0xFF51AFD7ED558CCDull;
    v ^= v >> 33;
    v *= 0xC4CEB9FE1A85EC53ull;
    return v ^ (v >> 33);
}

uint64_t hash_bytes(uint64_t h, const void *data, size_t n) {
    const unsigned char *p = data;
    h ^= (uint64_t)n * 0x9E3779B97F4A7C15ull;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ mix(v)) * 0x9FB21C651E98DF25ull;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    memcpy(&tail, p, n);
    return mix(h ^ tail);
}

uint64_t hash_text(const char *s) { return hash_bytes(HASH_START, s, strlen(s)); }
