/* Merging one piece with a heap over adjacent pairs. The symbols form a doubly linked list in arrays, so a merge is
 * O(log n) and a piece of a megabyte costs no more per byte than a word. */
#include "engine/text/bpe.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/text/heap.h"

struct bpe_scratch {
    struct heap heap;
    int32_t *prev, *next; /* neighbours of each symbol, -1 = none */
    size_t cap;
};

static uint64_t pair_key(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

static size_t pair_slot(uint64_t key, size_t n_slot) {
    key ^= key >> 29;
    key *= 0xBF58476D1CE4E5B9ull;
    key ^= key >> 32;
    return (size_t)key & (n_slot - 1);
}

bool bpe_table_init(struct bpe_table *t, size_t cap, struct err *e) {
    *t = (struct bpe_table){.cap = cap, .n_slot = 16};
    while (t->n_slot < cap * 2) t->n_slot *= 2;
    t->rule = mem_alloc(cap, sizeof *t->rule, "merge rules", e);
    t->slot = t->rule ? mem_alloc(t->n_slot, sizeof *t->slot, "merge rule index", e) : NULL;
    if (!t->slot) {
        bpe_table_free(t);
        return false;
    }
    for (size_t i = 0; i < t->n_slot; i++) t->slot[i] = -1;
    return true;
}

void bpe_table_free(struct bpe_table *t) {
    mem_free(t->rule);
    mem_free(t->slot);
    *t = (struct bpe_table){0};
}

/* The slot that holds the pair, or the free one where it would go. */
static size_t find_slot(const struct bpe_table *t, int32_t left, int32_t right) {
    size_t i = pair_slot(pair_key(left, right), t->n_slot);
    while (t->slot[i] >= 0 && (t->rule[t->slot[i]].left != left || t->rule[t->slot[i]].right != right))
        i = (i + 1) & (t->n_slot - 1);
    return i;
}

bool bpe_table_add(struct bpe_table *t, int32_t left, int32_t right, int32_t out) {
    size_t i = find_slot(t, left, right);
    if (t->slot[i] >= 0 || t->n == t->cap) return false;
    t->slot[i] = (int32_t)t->n;
    t->rule[t->n++] = (struct bpe_rule){left, right, out};
    return true;
}

int32_t bpe_table_find(const struct bpe_table *t, int32_t left, int32_t right) {
    return t->slot[find_slot(t, left, right)];
}

struct bpe_scratch *bpe_scratch_new(void) {
    return mem_small(sizeof(struct bpe_scratch));
}

void bpe_scratch_free(struct bpe_scratch *s) {
    if (!s) return;
    heap_free(&s->heap);
    free(s->prev);
    free(s->next);
    free(s);
}

static void push_pair(const struct bpe_table *t, struct bpe_scratch *s, const int32_t *ids, int32_t left) {
    int32_t right = left >= 0 ? s->next[left] : -1;
    if (right < 0) return;
    int32_t rank = bpe_table_find(t, ids[left], ids[right]);
    if (rank >= 0) heap_push(&s->heap, (uint64_t)rank << 32 | (uint32_t)left, pair_key(ids[left], ids[right]));
}

size_t bpe_merge(const struct bpe_table *t, struct bpe_scratch *s, int32_t *ids, size_t n) {
    if (n < 2) return n;
    if (s->cap < n) {
        s->cap = n * 2;
        s->prev = mem_grow(s->prev, s->cap * sizeof *s->prev);
        s->next = mem_grow(s->next, s->cap * sizeof *s->next);
    }
    for (size_t i = 0; i < n; i++) {
        s->prev[i] = (int32_t)i - 1;
        s->next[i] = i + 1 < n ? (int32_t)i + 1 : -1;
    }
    s->heap.n = 0;
    for (size_t i = 0; i + 1 < n; i++) push_pair(t, s, ids, (int32_t)i);
    for (struct heap_entry top; heap_pop(&s->heap, &top);) {
        int32_t left = (int32_t)(uint32_t)top.key, right = s->next[left];
        /* Swallowed symbols have id -1, so their entries never match; neither do entries whose neighbour has changed.
         */
        if (ids[left] < 0 || right < 0 || pair_key(ids[left], ids[right]) != top.tag) continue;
        ids[left] = t->rule[top.key >> 32].out;
        ids[right] = -1;
        s->next[left] = s->next[right];
        if (s->next[right] >= 0) s->prev[s->next[right]] = left;
        push_pair(t, s, ids, s->prev[left]);
        push_pair(t, s, ids, left);
    }
    size_t out = 0;
    for (int32_t i = 0; i >= 0; i = s->next[i]) ids[out++] = ids[i];
    return out;
}
