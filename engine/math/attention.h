/* Causal grouped-query attention over packed sequences, forward and backward.
 *
 * Blocks of 64 queries meet blocks of 64 keys with an online softmax (FlashAttention, Dao et al. 2022); only the
 * log-sum-exp of every row is kept, and the probabilities are made again in the backward pass: nothing of size tokens x
 * tokens is stored. */
#ifndef PBKD_MATH_ATTENTION_H
#define PBKD_MATH_ATTENTION_H

#include <stddef.h>

struct attention_shape {
    int n_seq;
    const int *start; /* [n_seq + 1]: rows of sequence s are start[s] .. start[s+1] */
    int n_head, n_kv_head, head_dim;
};

/* qkv [n_tokens, (n_head + 2 n_kv_head) * head_dim], rows [q heads | k heads | v heads], already rotated; query head h
 * reads key-value head h / (n_head / n_kv_head). out [n_tokens, n_head * head_dim]; lse [n_head, n_tokens]. */
void attention_forward(float *out, float *lse, const float *qkv, const struct attention_shape *s);
/* dqkv in the layout of qkv, written (not added to). scratch: attention_scratch() floats. */
void attention_backward(float *dqkv, const float *dout, const float *out, const float *lse, const float *qkv,
                        const struct attention_shape *s, float *scratch);
size_t attention_scratch(const struct attention_shape *s);

#endif
