/* The layers: see layer.h. Each half, attention and feed-forward, has its forward and its backward function beside each
 * other. wq, wk, wv (and their biases) and w_gate, w_up lie next to each other in the parameters, so each group is one
 * matrix product.
 *
 * A residual addition is folded into the norm that follows it. Where the stream is one buffer the matrix product adds
 * to it instead: the same sum without a second buffer. */
#include "engine/model/layer.h"

#include "engine/math/kernels.h"
#include "engine/math/matmul.h"
#include "engine/model/architecture.h"

static int q_width(const struct model_config *c) { return c->n_head * c->head_dim; }
static int qkv_width(const struct model_config *c) { return (c->n_head + 2 * c->n_kv_head) * c->head_dim; }
static bool has_part(const struct model *m, enum layer_part part) { return m->cfg.arch->parts & part; }

/* The norm behind a residual addition, which is folded into it. */
struct next_norm {
    const float *weight; /* [d] */
    float *rstd;         /* [T] or NULL */
    float *out;          /* [T, d] */
};

/* stream_out = stream_in + y w^T, then out = its norm. y [T, n], w [d, n], stream_in, stream_out, out [T, d]. */
static void add_and_norm(const struct model_config *c, int T, float *stream_out, const float *stream_in, const float *y,
                         const float *w, int n, const struct next_norm *norm) {
    const bool in_place = stream_out == stream_in;
    matmul_nt(stream_out, y, w, T, c->d_model, n, in_place);
    rmsnorm_forward(norm->out, norm->rstd, stream_out, in_place ? NULL : stream_in, norm->weight, T, c->d_model,
                    c->rms_eps);
}

/* ---- attention ---- */

/* x_mid = x + wo attention(rotate(wqkv xn + bqkv)), then xn = norm(x_mid). */
static void attention_half_forward(const struct model *m, int l, const struct layer_io *io,
                                   const struct attention_source *attention) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[l];
    const float *w = m->params;
    const int T = io->T, d = c->d_model, Q = q_width(c), W = qkv_width(c);
    const struct next_norm ffn_norm = {w + p->ffn_norm, io->rstd_ffn, io->xn};

    matmul_nt(io->qkv, io->xn, w + p->wq, T, W, d, false); /* [T, W] = [T, d] [W, d]^T */
    if (has_part(m, PART_QKV_BIAS)) bias_forward(io->qkv, w + p->bq, T, W);
    rope_forward(io->qkv, io->rope, io->pos, T, c->n_head + c->n_kv_head, c->head_dim, W);
    attention->attend(attention->ctx, l, io);                               /* att [T, Q] */
    add_and_norm(c, T, io->x_mid, io->x, io->att, w + p->wo, Q, &ffn_norm); /* [T, d] = [T, Q] [d, Q]^T */
}

/* dx: gradient at x_mid in, at x out. */
static void attention_half_backward(const struct model *m, int l, const struct layer_io *io,
                                    const struct attention_shape *shape, const struct layer_grads *g, float *grads) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[l];
    const float *w = m->params;
    const int T = io->T, d = c->d_model, Q = q_width(c), W = qkv_width(c);

    matmul_nn(g->datt, g->dx, w + p->wo, T, Q, d, false); /* [T, Q] = [T, d] [d, Q] */
    matmul_tn(grads + p->wo, g->dx, io->att, d, Q, T);    /* [d, Q] += [T, d]^T [T, Q] */
    attention_backward(g->dqkv, g->datt, io->att, io->lse, io->qkv, shape, g->att_scratch);
    rope_backward(g->dqkv, io->rope, io->pos, T, c->n_head + c->n_kv_head, c->head_dim, W);
    if (has_part(m, PART_QKV_BIAS)) bias_backward(grads + p->bq, g->dqkv, T, W);
    matmul_nn(g->dxn, g->dqkv, w + p->wq, T, d, W, false); /* [T, d] = [T, W] [W, d] */
    rmsnorm_backward(g->dx, true, grads + p->attn_norm, io->xn, g->dxn, io->x, io->rstd_attn, w + p->attn_norm, T, d,
                     g->norm_part);
    matmul_tn(grads + p->wq, g->dqkv, io->xn, W, d, T); /* [W, d] += [T, W]^T [T, d] */
}

/* ---- feed-forward ---- */

/* x_out = x_mid + w_down (silu(w_gate xn) * (w_up xn)), then next->out = norm(x_out). */
static void ffn_half_forward(const struct model *m, int l, const struct layer_io *io, const struct next_norm *next) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[l];
    const float *w = m->params;
    const int T = io->T, d = c->d_model, ff = c->d_ff;

    matmul_nt(io->gate_up, io->xn, w + p->w_gate, T, 2 * ff, d, false);       /* [T, 2 ff] = [T, d] [2 ff, d]^T */
    swiglu_forward(io->h, io->gate_up, T, ff);                                /* [T, ff] */
    add_and_norm(c, T, io->x_out, io->x_mid, io->h, w + p->w_down, ff, next); /* [T, d] = [T, ff] [d, ff]^T */
}

/* dx: gradient at x_out in, at x_mid out. */
static void ffn_half_backward(const struct model *m, int l, const struct layer_io *io, const struct layer_grads *g,
                              float *grads) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[l];
    const float *w = m->params;
    const int T = io->T, d = c->d_model, ff = c->d_ff;

    matmul_nn(g->dh, g->dx, w + p->w_down, T, ff, d, false);             /* [T, ff] = [T, d] [d, ff] */
    swiglu_backward(g->d_gate_up, io->h, g->dh, io->gate_up, T, ff);     /* [T, 2 ff] */
    matmul_tn(grads + p->w_down, g->dx, io->h, d, ff, T);                /* [d, ff] += [T, d]^T [T, ff] */
    matmul_nn(g->dxn, g->d_gate_up, w + p->w_gate, T, d, 2 * ff, false); /* [T, d] = [T, 2 ff] [2 ff, d] */
    rmsnorm_backward(g->dx, true, grads + p->ffn_norm, io->xn, g->dxn, io->x_mid, io->rstd_ffn, w + p->ffn_norm, T, d,
                     g->norm_part);
    matmul_tn(grads + p->w_gate, g->d_gate_up, io->xn, 2 * ff, d, T); /* [2 ff, d] += [T, 2 ff]^T [T, d] */
}

/* ---- all layers ---- */

/* Its last residual addition is folded into the next layer's norm, or into the final one. */
void layers_forward(const struct model *m, const int32_t *token, const struct layer_buffers *buffers,
                    const struct attention_source *attention, float *hidden) {
    const struct model_config *c = &m->cfg;
    const float *w = m->params;
    struct layer_io io = buffers->of(buffers->ctx, 0);
    embed_forward(io.x, w + m->embed, token, io.T, c->d_model);
    rmsnorm_forward(io.xn, io.rstd_attn, io.x, NULL, w + m->layer[0].attn_norm, io.T, c->d_model, c->rms_eps);
    for (int l = 0; l < c->n_layer; l++) {
        const bool last = l + 1 == c->n_layer;
        const struct layer_io following = buffers->of(buffers->ctx, l + 1);
        const struct next_norm next = {.weight = w + (last ? m->out_norm : m->layer[l + 1].attn_norm),
                                       .rstd = following.rstd_attn,
                                       .out = last ? hidden : following.xn};
        attention_half_forward(m, l, &io, attention);
        ffn_half_forward(m, l, &io, &next);
        io = following;
    }
}

void layers_backward(const struct model *m, const int32_t *token, const struct layer_buffers *buffers,
                     const struct attention_shape *shape, const struct layer_grads *g, const float *dhidden,
                     float *grads) {
    const struct model_config *c = &m->cfg;
    const struct layer_io end = buffers->of(buffers->ctx, c->n_layer);
    rmsnorm_backward(g->dx, false, grads + m->out_norm, NULL, dhidden, end.x, end.rstd_attn, m->params + m->out_norm,
                     end.T, c->d_model, g->norm_part);
    for (int l = c->n_layer - 1; l >= 0; l--) {
        const struct layer_io io = buffers->of(buffers->ctx, l);
        ffn_half_backward(m, l, &io, g, grads);
        attention_half_backward(m, l, &io, shape, g, grads);
    }
    embed_backward(grads + m->embed, g->dx, token, end.T, c->d_model);
}
