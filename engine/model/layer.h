/* The layers of the transformer, forward and backward (layout after llm.c). Private to engine/model.
 *
 * Training, scoring and decoding run the same functions: they work on rows, one a token, and do not know to which
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

/* The buffers of layer l, 0 <= l <= n_layer: of n_layer x and rstd_attn are used, the entry of the final norm. What is
 * x_out of a layer is x of the next. */
struct layer_buffers {
    struct layer_io (*of)(const void *ctx, int l);
    const void *ctx;
};

/* All layers: hidden [T, d] gets the final normalised hidden states of the tokens [T]. Allocates nothing and cannot
 * fail. */
void layers_forward(const struct model *m, const int32_t *token, const struct layer_buffers *buffers,
                    const struct attention_source *attention, float *hidden);

/* Scratch of the backward pass, shared by all layers. */
struct layer_grads {
    float *dx;             /* [T, d] gradient at the residual stream */
    float *dxn;            /* [T, d] */
    float *dh, *d_gate_up; /* [T, d_ff], [T, 2 d_ff] */
    float *datt, *dqkv;    /* [T, Q], [T, W] */
    float *norm_part;      /* rmsnorm_scratch(T, d) */
    float *att_scratch;    /* attention_scratch(shape) */
};

/* The gradient of all layers over packed sequences, whose forward pass left the buffers as they are (xn and h are made
 * again), given dhidden [T, d]. Adds to grads [n_params]. Allocates nothing and cannot fail. */
void layers_backward(const struct model *m, const int32_t *token, const struct layer_buffers *buffers,
                     const struct attention_shape *shape, const struct layer_grads *g, const float *dhidden,
                     float *grads);

#endif
