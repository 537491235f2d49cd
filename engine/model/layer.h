/* One layer of the transformer, forward and backward (layout after llm.c). Private to engine/model.
 *
 * Training, scoring and decoding run the same function: it works on rows, one a token, and does not know to which
 * sequences they belong. That is known to attention alone, so attention comes as a function (`struct attention_source`):
 * over packed sequences in forward.c, over a cache of keys and values in kv_cache.c. The other difference is what is
 * kept: the buffers of `struct layer_io` are all apart for a backward pass; without one, layers share them, and decoding
 * gives one buffer for x, x_mid and x_out, so that the residual stream is added to in place. */
#ifndef PBKD_MODEL_LAYER_H
#define PBKD_MODEL_LAYER_H

#include "engine/math/attention.h"
#include "engine/model/model.h"

/* What a layer reads and writes for T rows: d = d_model, Q = n_head*head_dim, W = (n_head + 2 n_kv_head)*head_dim. */
struct layer_io {
    int T;
    const float *rope; /* see rope_table; for all positions in pos */
    const int *pos;    /* [T] */

    float *x;         /* [T, d] residual stream at the layer's entry */
    float *qkv;       /* [T, W] rotated q, k; v */
    float *att;       /* [T, Q] attention output */
    float *lse;       /* [n_head, T] of attention; of packed sequences only */
    float *x_mid;     /* [T, d] residual stream after attention; x: in place */
    float *rstd_attn; /* [T] 1/rms of x, or NULL */
    float *rstd_ffn;  /* [T] 1/rms of x_mid, or NULL */
    float *gate_up;   /* [T, 2 d_ff] */
    float *x_out;     /* [T, d] residual stream after the feed-forward part; x_mid: in place */

    float *xn; /* [T, d] scratch: normalised input of the layer on entry, of its feed-forward part later */
    float *h;  /* [T, d_ff] scratch: activation(gate) * up */
};

/* How rows attend: att [T, Q] from the layer's rotated qkv [T, W]. */
struct attention_source {
    void (*attend)(void *ctx, int layer, const struct layer_io *io);
    void *ctx;
};

/* The norm behind the layer, into which its last residual addition is folded: the next layer's, or the final one. */
struct next_norm {
    const float *weight; /* [d] */
    float *rstd;         /* [T] or NULL */
    float *out;          /* [T, d], normalised x_out; may be xn */
};

/* Layer l: from x and xn to x_out and next->out. Allocates nothing and cannot fail. */
void layer_forward(const struct model *m, int l, const struct layer_io *io, const struct attention_source *attention,
                   const struct next_norm *next);

/* Scratch of the backward pass, shared by all layers. */
struct layer_grads {
    float *dx;             /* [T, d] gradient at the residual stream: at x_out on entry, at x on return */
    float *dxn;            /* [T, d] */
    float *dh, *d_gate_up; /* [T, d_ff], [T, 2 d_ff] */
    float *datt, *dqkv;    /* [T, Q], [T, W] */
    float *norm_part;      /* rmsnorm_scratch(T, d) */
    float *att_scratch;    /* attention_scratch(shape) */
};

/* The gradient of layer l over packed sequences, whose forward pass left io as it is (xn and h are made again). Adds to
 * the layer's part of grads [n_params]. */
void layer_backward(const struct model *m, int l, const struct layer_io *io, const struct attention_shape *shape,
                    const struct layer_grads *g, float *grads);

#endif
