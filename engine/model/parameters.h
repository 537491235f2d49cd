/* What a model is made of: its configuration, and where each tensor stands in the one array of parameters. */
#ifndef PBKD_MODEL_PARAMETERS_H
#define PBKD_MODEL_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>

struct architecture; /* engine/model/architecture.h */

struct model_config {
    int n_vocab, d_model, n_layer, n_head, n_kv_head, head_dim, d_ff, n_ctx;
    float rope_base, rms_eps;
    bool tied;                       /* output head shares the embedding */
    const struct architecture *arch; /* NULL: llama */
};

/* Offsets into the flat parameter array; every weight is [out, in] row-major. What the architecture lacks is 0 and not
 * looked at. */
struct layer_params {
    size_t attn_norm;    /* [d] */
    size_t wq;           /* [n_head*head_dim, d], half-split rotary layout */
    size_t wk, wv;       /* [n_kv_head*head_dim, d] */
    size_t bq, bk, bv;   /* [n_head*head_dim], [n_kv_head*head_dim] twice; of architectures with PART_QKV_BIAS */
    size_t wo;           /* [d, n_head*head_dim] */
    size_t ffn_norm;     /* [d] */
    size_t w_gate, w_up; /* [d_ff, d] */
    size_t w_down;       /* [d, d_ff] */
};

struct model {
    struct model_config cfg; /* arch is never NULL here */
    size_t embed;            /* [n_vocab, d] */
    size_t out_norm;         /* [d] */
    size_t head;             /* [n_vocab, d]; == embed when tied */
    size_t value;            /* [d]: the sequence-level reward's weight; only when with_value, else == n_params */
    bool with_value;
    struct layer_params *layer; /* [n_layer] */
    size_t n_params;
    float *params; /* [n_params] */
};

#endif
