/* A binary min-heap of 64-bit keys with a 64-bit tag, shared by merging and by training. Both use it lazily: entries
 * that no longer describe the present state are recognised by their tag and skipped, which is simpler than deleting
 * them. */
#ifndef PBKD_TEXT_HEAP_H
#define PBKD_TEXT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/mem.h"

struct heap_entry {
    uint64_t key, tag;
};

struct heap {
    struct heap_entry *at;
    size_t n, cap;
};

static inline void heap_free(struct heap *h) {
    free(h->at);
    *h = (struct heap){0};
}

static inline void heap_push(struct heap *h, uint64_t key, uint64_t tag) {
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->at = mem_grow(h->at, h->cap * sizeof *h->at);
    }
    size_t i = h->n++;
    while (i > 0 && h->at[(i - 1) / 2].key > key) {
        h->at[i] = h->at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->at[i] = (struct heap_entry){key, tag};
}

/* Take the entry of smallest key; false when empty. */
static inline bool heap_pop(struct heap *h, struct heap_entry *out) {
    if (h->n == 0) return false;
    *out = h->at[0];
    const struct heap_entry last = h->at[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->at[child + 1].key < h->at[child].key) child++;
        if (h->at[child].key >= last.key) break;
        h->at[i] = h->at[child];
    }
    if (h->n > 0) h->at[i] = last;
    return true;
}

#endif
