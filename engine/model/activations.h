/* The buffers of one forward pass and of its backward pass. Private to engine/model (forward.c, backward.c, the head).
 *
 * What backward needs is kept per layer; normalised inputs and the product of SwiGLU are cheap to make again and are
 * not kept. Without `keep` all layers share one layer's buffers. Buffers only grow, so a steady training loop allocates
 * nothing. */
#ifndef PBKD_MODEL_ACTIVATIONS_H
#define PBKD_MODEL_ACTIVATIONS_H

#include "engine/model/layer.h"

struct buffer {
    float *p;
    size_t cap; /* floats */
};
/* Room for n floats; the contents are lost when it grows. */
bool buffer_reserve(struct buffer *b, size_t n, const char *what, struct err *e);
void buffer_free(struct buffer *b);

struct activations {
    /* T tokens, Q = n_head*head_dim, W = (n_head + 2 n_kv_head)*head_dim; n_layer planes when kept, else 1 */
    struct buffer x;       /* [n_layer + 1][T, d] residual stream at the entry of each layer, and at the end */
    struct buffer x_mid;   /* [n_layer][T, d] after attention */
    struct buffer qkv;     /* [n_layer][T, W] rotated */
    struct buffer att;     /* [n_layer][T, Q] attention output */
    struct buffer lse;     /* [n_layer][n_head, T] */
    struct buffer gate_up; /* [n_layer][T, 2 d_ff] */
    struct buffer rstd;    /* [2 n_layer + 1][T]: attention norms, feed-forward norms, final norm */
    struct buffer xn;      /* [T, d] scratch: normalised input */
    struct buffer h;       /* [T, d_ff] scratch */
    struct buffer hidden;  /* [T, d] the result */
    /* backward */
    struct buffer dx, dxn;       /* [T, d] */
    struct buffer dh, d_gate_up; /* [T, d_ff], [T, 2 d_ff] */
    struct buffer datt, dqkv;    /* [T, Q], [T, W] */
    struct buffer norm_part, att_scratch;

    struct buffer rope; /* [rope_len, head_dim] for the base and head_dim below */
    int rope_len, rope_head_dim;
    float rope_base;
    int *pos; /* [pos_cap] position of every token in its sequence */
    size_t pos_cap;

    int n_tokens; /* of the last forward pass; 0: none that backward could use */
    const struct model *kept_for;
};

/* Where plane l of planes of width w starts. */
static inline size_t plane(const struct activations *a, int l, int width) {
    return (size_t)l * (size_t)a->n_tokens * (size_t)width;
}

/* A forward pass as layer_buffers see it: {activations_layer, &pass}. */
struct activations_pass {
    const struct model *m;
    const struct activations *a;
    bool kept; /* every layer has planes of its own */
};
struct layer_io activations_layer(const void *pass, int l);

#endif
