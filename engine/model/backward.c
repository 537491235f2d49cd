/* The backward pass: see model.h. What the layers do: layer.c. */
#include "engine/math/kernels.h"
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

bool model_backward(const struct model *m, struct activations *a, const struct batch *b, const float *dhidden,
                    float *grads, struct err *e) {
    const struct model_config *c = &m->cfg;
    if (a->kept_for != m || a->n_tokens != b->start[b->n_seq])
        return err_set(e, "backward: no forward pass of this batch was kept");
    const struct attention_shape shape = {
        .n_seq = b->n_seq, .start = b->start, .n_head = c->n_head, .n_kv_head = c->n_kv_head, .head_dim = c->head_dim};
    if (!reserve(m, a, &shape, e)) return false;
    const struct layer_grads g = {.dx = a->dx.p,
                                  .dxn = a->dxn.p,
                                  .dh = a->dh.p,
                                  .d_gate_up = a->d_gate_up.p,
                                  .datt = a->datt.p,
                                  .dqkv = a->dqkv.p,
                                  .norm_part = a->norm_part.p,
                                  .att_scratch = a->att_scratch.p};
    const struct activations_pass pass = {m, a, true};
    const struct layer_buffers buffers = {activations_layer, &pass};
    layers_backward(m, b->token, &buffers, &shape, &g, dhidden, grads);
    return true;
}
