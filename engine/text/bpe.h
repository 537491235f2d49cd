/* Byte-pair merging: the rule table (pair of ids -> rank and merged id) and its application to one piece. */
#ifndef PBKD_TEXT_BPE_H
#define PBKD_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"

struct bpe_rule {
    int32_t left, right, out;
};

struct bpe_table {
    struct bpe_rule *rule; /* by rank */
    size_t n, cap;
    int32_t *slot; /* open addressing on (left, right); -1 = free; n_slot is a power of two */
    size_t n_slot;
};

struct bpe_scratch; /* working memory, grown to the longest piece seen */

/* An empty table with room for cap rules. */
bool bpe_table_init(struct bpe_table *t, size_t cap, struct err *e);
void bpe_table_free(struct bpe_table *t);
/* Append the rule of the next rank; false when the pair has one already (the earlier one stays) or the table is full.
 */
bool bpe_table_add(struct bpe_table *t, int32_t left, int32_t right, int32_t out);
/* Rank of a pair, -1 when there is no rule. */
int32_t bpe_table_find(const struct bpe_table *t, int32_t left, int32_t right);

struct bpe_scratch *bpe_scratch_new(void);
void bpe_scratch_free(struct bpe_scratch *s);
/* Apply the rules to ids[0..n) in place, lowest rank first, ties leftmost; returns the new length. n < 2^31.
 * O(n log n) time, O(n) memory. */
size_t bpe_merge(const struct bpe_table *t, struct bpe_scratch *s, int32_t *ids, size_t n);

#endif
