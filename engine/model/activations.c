/* Buffers that grow on demand, and what a layer sees of them: see activations.h. */
#include "engine/model/activations.h"

#include <stdlib.h>

#include "engine/base/mem.h"

bool buffer_reserve(struct buffer *b, size_t n, const char *what, struct err *e) {
    if (n <= b->cap) return true;
    /* Batches of a run differ by a few tokens: an eighth of room, or every slightly longer one would touch all its
     * memory for the first time. */
    const size_t roomy = n + n / 8;
    buffer_free(b); /* first, so that old and new are never held together */
    b->p = mem_alloc(roomy, sizeof *b->p, what, e);
    b->cap = b->p ? roomy : 0;
    return b->p != NULL;
}

void buffer_free(struct buffer *b) {
    mem_free(b->p);
    *b = (struct buffer){0};
}

struct layer_io activations_layer(const void *pass, int l) {
    const struct activations_pass *p = pass;
    const struct activations *a = p->a;
    const struct model_config *c = &p->m->cfg;
    const int d = c->d_model, Q = c->n_head * c->head_dim, W = Q + 2 * c->n_kv_head * c->head_dim;
    const int slot = p->kept ? l : 0, next = p->kept ? l + 1 : 0;
    return (struct layer_io){.T = a->n_tokens,
                             .rope = a->rope.p,
                             .pos = a->pos,
                             .x = a->x.p + plane(a, slot, d),
                             .qkv = a->qkv.p + plane(a, slot, W),
                             .att = a->att.p + plane(a, slot, Q),
                             .lse = a->lse.p + plane(a, slot, c->n_head),
                             .x_mid = a->x_mid.p + plane(a, slot, d),
                             .rstd_attn = a->rstd.p + plane(a, 2 * slot, 1),
                             .rstd_ffn = a->rstd.p + plane(a, 2 * slot + 1, 1),
                             .gate_up = a->gate_up.p + plane(a, slot, 2 * c->d_ff),
                             .x_out = a->x.p + plane(a, next, d),
                             .xn = a->xn.p,
                             .h = a->h.p};
}

struct activations *activations_new(void) {
    return mem_small(sizeof(struct activations));
}

void activations_free(struct activations *a) {
    if (!a) return;
    struct buffer *all[] = {&a->x,    &a->x_mid, &a->qkv,       &a->att,         &a->lse, &a->gate_up, &a->rstd,
                            &a->xn,   &a->h,     &a->hidden,    &a->dx,          &a->dxn, &a->dh,      &a->d_gate_up,
                            &a->datt, &a->dqkv,  &a->norm_part, &a->att_scratch, &a->rope};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buffer_free(all[i]);
    mem_free(a->pos);
    free(a);
}
