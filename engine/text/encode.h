/* The piece cache of a tokenizer: the same words come again and again, and merging them is the dear part of encoding.
 */
#ifndef PBKD_TEXT_ENCODE_H
#define PBKD_TEXT_ENCODE_H

struct piece_cache;

struct piece_cache *piece_cache_new(void);
void piece_cache_free(struct piece_cache *c);

#endif
