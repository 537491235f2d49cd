/* Direct-mapped and of fixed size: bounded memory, no eviction policy, and a collision only costs a merge. */
#include "engine/text/piece_cache.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"

#define CACHE_SLOTS 4096
#define CACHE_PIECE 30
#define CACHE_IDS 8

struct cache_slot {
    unsigned char len, n; /* len 0 = free */
    char piece[CACHE_PIECE];
    int32_t id[CACHE_IDS];
};

struct piece_cache {
    struct cache_slot slot[CACHE_SLOTS];
};

struct piece_cache *piece_cache_new(void) {
    return mem_small(sizeof(struct piece_cache));
}

void piece_cache_free(struct piece_cache *c) { free(c); }

static size_t slot_of(const char *piece, size_t len) { return hash_bytes(HASH_START, piece, len) % CACHE_SLOTS; }

const int32_t *piece_cache_find(const struct piece_cache *c, const char *piece, size_t len, size_t *n) {
    if (len == 0 || len > CACHE_PIECE) return NULL;
    const struct cache_slot *s = &c->slot[slot_of(piece, len)];
    if (s->len != len || memcmp(s->piece, piece, len) != 0) return NULL;
    *n = s->n;
    return s->id;
}

void piece_cache_put(struct piece_cache *c, const char *piece, size_t len, const int32_t *id, size_t n) {
    if (len == 0 || len > CACHE_PIECE || n > CACHE_IDS) return;
    struct cache_slot *s = &c->slot[slot_of(piece, len)];
    s->len = (unsigned char)len;
    s->n = (unsigned char)n;
    memcpy(s->piece, piece, len);
    if (n > 0) memcpy(s->id, id, n * sizeof *id);
}
