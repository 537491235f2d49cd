/* The piece cache of a tokenizer: the same words come again and again, and merging them is the dear part of encoding. */
#ifndef PBKD_TEXT_PIECE_CACHE_H
#define PBKD_TEXT_PIECE_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct piece_cache;

struct piece_cache *piece_cache_new(void);
void piece_cache_free(struct piece_cache *c); /* NULL is fine */

/* The ids of a piece that was put before, *n of them, owned by the cache until the next put; NULL: it is not there. */
const int32_t *piece_cache_find(const struct piece_cache *c, const char *piece, size_t len, size_t *n);
/* Keep the ids of a piece. One that is too long is not kept. */
void piece_cache_put(struct piece_cache *c, const char *piece, size_t len, const int32_t *id, size_t n);

#endif
