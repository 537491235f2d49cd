/* The forward pass of packed sequences, for training and scoring: see model.h. What a layer does: layer.c. */
#include "engine/base/mem.h"
#include "engine/math/kernels.h"
#include "engine/model/activations.h"

static bool check_batch(const struct model *m, const struct batch *b, struct err *e) {
    if (b->n_seq < 1 || b->start[0] != 0) return err_set(e, "batch: at least one sequence, starting at 0, is expected");
    for (int s = 0; s < b->n_seq; s++) {
        const long len = (long)b->start[s + 1] - b->start[s];
        if (len < 1 || len > m->cfg.n_ctx)
            return err_set(e, "batch: sequence %d has %ld tokens, expected 1..%d", s, len, m->cfg.n_ctx);
    }
    for (int t = 0; t < b->start[b->n_seq]; t++)
        if (b->token[t] < 0 || b->token[t] >= m->cfg.n_vocab)
            return err_set(e, "batch: token id %d at %d is outside the vocabulary of %d", b->token[t], t,
                           m->cfg.n_vocab);
    return true;
}

static bool reserve(const struct model *m, struct activations *a, size_t n_tokens, bool keep, struct err *e) {
    const struct model_config *c = &m->cfg;
    const size_t T = (n_tokens + 63) / 64 * 64; /* a little slack saves growing for every slightly longer batch */
    const size_t d = (size_t)c->d_model, ff = (size_t)c->d_ff, heads = (size_t)c->n_head,
                 layers = keep ? (size_t)c->n_layer : 1;
    const size_t Q = heads * (size_t)c->head_dim, W = Q + 2 * (size_t)c->n_kv_head * (size_t)c->head_dim;
    const char *what = "activations";
    return buffer_reserve(&a->x, (layers + 1) * T * d, what, e) && buffer_reserve(&a->x_mid, layers * T * d, what, e) &&
           buffer_reserve(&a->qkv, layers * T * W, what, e) && buffer_reserve(&a->att, layers * T * Q, what, e) &&
           buffer_reserve(&a->lse, layers * T * heads, what, e) &&
           buffer_reserve(&a->gate_up, layers * T * 2 * ff, what, e) &&
           buffer_reserve(&a->rstd, (2 * layers + 1) * T, what, e) && buffer_reserve(&a->xn, T * d, what, e) &&
           buffer_reserve(&a->h, T * ff, what, e) && buffer_reserve(&a->hidden, T * d, what, e);
}

/* Positions of the tokens, and rotations for the longest sequence. */
static bool set_positions(const struct model *m, struct activations *a, const struct batch *b, struct err *e) {
    const struct model_config *c = &m->cfg;
    const size_t n = (size_t)b->start[b->n_seq];
    if (n > a->pos_cap) {
        mem_free(a->pos);
        a->pos_cap = 0;
        a->pos = mem_alloc(n, sizeof *a->pos, "token positions", e);
        if (!a->pos) return false;
        a->pos_cap = n;
    }
    int longest = 0;
    for (int s = 0; s < b->n_seq; s++) {
        const int len = b->start[s + 1] - b->start[s];
        for (int i = 0; i < len; i++) a->pos[b->start[s] + i] = i;
        if (len > longest) longest = len;
    }
    if (longest <= a->rope_len && a->rope_head_dim == c->head_dim && a->rope_base == c->rope_base) return true;
    a->rope_len = 0;
    const int len = longest + longest / 4 + 64;
    if (!buffer_reserve(&a->rope, (size_t)len * (size_t)c->head_dim, "rotary table", e)) return false;
    rope_table(a->rope.p, 0, len, c->head_dim, c->rope_base);
    a->rope_len = len;
    a->rope_head_dim = c->head_dim;
    a->rope_base = c->rope_base;
    return true;
}

/* Packed sequences attend within themselves. */
static void attend_packed(void *ctx, int layer, const struct layer_io *io) {
    (void)layer;
    attention_forward(io->att, io->lse, io->qkv, ctx);
}

bool model_forward(const struct model *m, struct activations *a, const struct batch *b, bool keep, const float **hidden,
                   struct err *e) {
    const struct model_config *c = &m->cfg;
    a->n_tokens = 0;
    a->kept_for = NULL;
    if (!check_batch(m, b, e)) return false;
    const int T = b->start[b->n_seq];
    if (!reserve(m, a, (size_t)T, keep, e) || !set_positions(m, a, b, e)) return false;
    a->n_tokens = T;
    struct attention_shape shape = {
        .n_seq = b->n_seq, .start = b->start, .n_head = c->n_head, .n_kv_head = c->n_kv_head, .head_dim = c->head_dim};
    const struct attention_source packed = {attend_packed, &shape};
    const struct activations_pass pass = {m, a, keep};
    const struct layer_buffers buffers = {activations_layer, &pass};
    layers_forward(m, b->token, &buffers, &packed, a->hidden.p);
    if (keep) a->kept_for = m;
    *hidden = a->hidden.p;
    return true;
}
