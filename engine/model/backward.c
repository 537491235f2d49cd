/* The backward pass, layer by layer in reverse: see model.h. dx carries the gradient to the residual stream; normalised
 * inputs and SwiGLU products are made again where the gradient of a weight needs them. */
#include "engine/math/attention.h"
#include "engine/math/kernels.h"
#include "engine/math/matmul.h"
#include "engine/model/activations.h"

static bool reserve(const struct model *m, struct activations *a, const struct attention_shape *shape, struct err *e) {
    const struct model_config *c = &m->cfg;
    const size_t T = (size_t)(a->n_tokens + 63) / 64 * 64;
    const size_t d = (size_t)c->d_model, ff = (size_t)c->d_ff, Q = (size_t)c->n_head * (size_t)c->head_dim;
    const size_t W = Q + 2 * (size_t)c->n_kv_head * (size_t)c->head_dim;
    const char *what = "gradients of activations";
    return buffer_reserve(&a->dx, T * d, what, e) && buffer_reserve(&a->dxn, T * d, what, e) &&
           buffer_reserve(&a->dh, T * ff, what, e) && buffer_reserve(&a->d_gate_up, T * 2 * ff, what, e) &&
           buffer_reserve(&a->datt, T * Q, what, e) && buffer_reserve(&a->dqkv, T * W, what, e) &&
           buffer_reserve(&a->norm_part, rmsnorm_scratch((int)T, c->d_model), what, e) &&
           buffer_reserve(&a->att_scratch, attention_scratch(shape), what, e);
}

/* dx: gradient at the layer's output in, at x_mid out. */
static void feed_forward_backward(const struct model *m, struct activations *a, int l, float *grads) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[l];
    const float *w = m->params;
    const int T = a->n_tokens, d = c->d_model, ff = c->d_ff;
    const float *gate_up = a->gate_up.p + plane(a, l, 2 * ff), *x_mid = a->x_mid.p + plane(a, l, d);
    matmul_nn(a->dh.p, a->dx.p, w + p->w_down, T, ff, d, false);
    swiglu_backward(a->d_gate_up.p, a->h.p, a->dh.p, gate_up, T, ff);
    matmul_tn(grads + p->w_down, a->dx.p, a->h.p, d, ff, T);
    matmul_nn(a->dxn.p, a->d_gate_up.p, w + p->w_gate, T, d, 2 * ff, false);
    rmsnorm_backward(a->dx.p, true, grads + p->ffn_norm, a->xn.p, a->dxn.p, x_mid, a->rstd.p + plane(a, 2 * l + 1, 1),
                     w + p->ffn_norm, T, d, a->norm_part.p);
    matmul_tn(grads + p->w_gate, a->d_gate_up.p, a->xn.p, 2 * ff, d, T);
}

/* dx: gradient at x_mid in, at the layer's input out. */
static void attention_layer_backward(const struct model *m, struct activations *a, const struct attention_shape *shape,
                                     int l, float *grads) {
    const struct model_config *c = &m->cfg;
    const struct layer_params *p = &m->layer[l];
    const float *w = m->params;
    const int T = a->n_tokens, d = c->d_model, hd = c->head_dim, Q = c->n_head * hd, W = Q + 2 * c->n_kv_head * hd;
    const float *att = a->att.p + plane(a, l, Q);
    matmul_nn(a->datt.p, a->dx.p, w + p->wo, T, Q, d, false);
    matmul_tn(grads + p->wo, a->dx.p, att, d, Q, T);
    attention_backward(a->dqkv.p, a->datt.p, att, a->lse.p + plane(a, l, c->n_head), a->qkv.p + plane(a, l, W), shape,
                       a->att_scratch.p);
    rope_backward(a->dqkv.p, a->rope.p, a->pos, T, c->n_head + c->n_kv_head, hd, W);
    matmul_nn(a->dxn.p, a->dqkv.p, w + p->wq, T, d, W, false);
    rmsnorm_backward(a->dx.p, true, grads + p->attn_norm, a->xn.p, a->dxn.p, a->x.p + plane(a, l, d),
                     a->rstd.p + plane(a, 2 * l, 1), w + p->attn_norm, T, d, a->norm_part.p);
    matmul_tn(grads + p->wq, a->dqkv.p, a->xn.p, W, d, T);
}

bool model_backward(const struct model *m, struct activations *a, const struct batch *b, const float *dhidden,
                    float *grads, struct err *e) {
    const struct model_config *c = &m->cfg;
    if (a->kept_for != m || a->n_tokens != b->start[b->n_seq])
        return err_set(e, "backward: no forward pass of this batch was kept");
    const struct attention_shape shape = {
        .n_seq = b->n_seq, .start = b->start, .n_head = c->n_head, .n_kv_head = c->n_kv_head, .head_dim = c->head_dim};
    if (!reserve(m, a, &shape, e)) return false;
    const int T = a->n_tokens, d = c->d_model, L = c->n_layer;
    rmsnorm_backward(a->dx.p, false, grads + m->out_norm, NULL, dhidden, a->x.p + plane(a, L, d),
                     a->rstd.p + plane(a, 2 * L, 1), m->params + m->out_norm, T, d, a->norm_part.p);
    for (int l = L - 1; l >= 0; l--) {
        feed_forward_backward(m, a, l, grads);
        attention_layer_backward(m, a, &shape, l, grads);
    }
    embed_backward(grads + m->embed, a->dx.p, b->token, T, d);
    return true;
}
