/* Buffers that grow on demand: see activations.h. */
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
