/* One step of the transformer over rows that each continue some sequence, against a cache of keys and values.
 *
 * A row is one token at one position. Its sequence's cache is two runs of cache rows: the prompt's, shared by all
 * samples of the prompt, and its own. Prefill and decoding are the same routine: in prefill the rows are consecutive
 * tokens of prompts (several prompts, or a part of one), in decoding they are the newest token of every live sequence.
 */
#ifndef PBKD_MODEL_KV_CACHE_H
#define PBKD_MODEL_KV_CACHE_H

#include "engine/model/model.h"

/* Rows that one step takes at most: enough for matrix products at full speed, little enough for small buffers. */
#define KV_MAX_ROWS 256

struct kv_cache;

/* n_cached: cache rows (tokens) in all, a sum of kv_cache_run; longest: positions are below it. NULL on error. */
struct kv_cache *kv_cache_new(const struct model *m, size_t n_cached, int longest, struct err *e);
void kv_cache_free(struct kv_cache *c); /* NULL is fine */
/* Cache rows to set aside for a run of n positions; runs start at sums of these. */
size_t kv_cache_run(size_t n);
/* Bytes that one cached token takes over all layers. */
size_t kv_cache_token_bytes(const struct model_config *c);

struct kv_row {
    int32_t token;
    int pos;      /* 0-based position in the sequence */
    int n_shared; /* positions below this live at cache row shared + position, ... */
    size_t shared;
    size_t own; /* ... the others at own + position - n_shared */
};

/* Computes keys and values of the rows and stores them, then hidden[n, d], the final normalised hidden states. Rows
 * attend to all earlier positions of their sequence, which must be stored already or be among the rows; `separate` says
 * that none is among them, as in decoding. n <= KV_MAX_ROWS; tokens and positions in range (the caller's duty). Cannot
 * fail. */
void kv_cache_step(struct kv_cache *c, const struct kv_row *row, int n, bool separate, float *hidden);

#endif
