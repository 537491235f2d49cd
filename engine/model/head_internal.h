/* What the three parts of the head share (head.c, head_reward.c, head_exact.c): chunks of rows, their logits, and the
 * way from a gradient with respect to logits to the gradients of hidden states and weights. Private to engine/model. */
#ifndef PBKD_MODEL_HEAD_INTERNAL_H
#define PBKD_MODEL_HEAD_INTERNAL_H

#include "engine/model/activations.h"
#include "engine/model/head.h"

enum { HEAD_MAX_ROWS = 256, HEAD_SIDES = 3 };

struct head_space {
    struct buffer x[HEAD_SIDES];      /* [rows, d] hidden states of the chunk */
    struct buffer logits[HEAD_SIDES]; /* [rows, n_vocab] */
    struct buffer dx;                 /* [rows, d] */
};

/* Rows a chunk for a vocabulary: about 32 MiB of logits. Depends on the vocabulary alone. */
int head_chunk_rows(int n_vocab);
/* Indices not negative, targets (when wanted) inside the vocabulary. */
bool head_check_rows(const struct model *m, const struct head_rows *r, bool targets, struct err *e);
/* logits[side] = hidden rows [first, first + n) times the head. NULL with e filled when memory is short. */
float *head_logits(const struct model *m, const struct head_rows *r, int first, int n, struct head_space *s, int side,
                   struct err *e);
/* dlogits [n, n_vocab] of the rows that head_logits made last on side 0: adds to dhidden and to the head's part of
 * grads. */
bool head_push_gradient(const struct model *m, const struct head_rows *r, int first, int n, const float *dlogits,
                        struct head_space *s, float *dhidden, float *grads, struct err *e);
/* Rows a piece of parallel work over [n, n_vocab]. */
int head_grain(int n_vocab);

#endif
