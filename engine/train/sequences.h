/* A packed batch of (prompt, response) sequences and the rows that carry loss: how every training and scoring step of
 * the game sees its data. Row h of a response is the state before its token a_h, so prompt tokens never enter a loss or
 * a reward. */
#ifndef PBKD_TRAIN_SEQUENCES_H
#define PBKD_TRAIN_SEQUENCES_H

#include <stdint.h>

#include "engine/model/head.h"
#include "engine/model/model.h"

struct sequences {
    int n_seq, n_tokens, n_rows;
    int *start;      /* [n_seq+1] offsets into token */
    int32_t *token;  /* [n_tokens] */
    int *row_start;  /* [n_seq+1] offsets into row/target: rows of a sequence are contiguous */
    int *row;        /* [n_rows] index into token */
    int32_t *target; /* [n_rows] the response token chosen at that row */
    int cap_seq, cap_tokens, cap_rows;
};

void sequences_clear(struct sequences *s); /* keeps memory */
void sequences_free(struct sequences *s);
/* Append x followed by y (n_x, n_y >= 1). The last response token is an input only when include_last (sequence-level
 * reward reads the hidden state there); otherwise it is a target only. Returns the index of the sequence. */
int sequences_add(struct sequences *s, const int32_t *x, int n_x, const int32_t *y, int n_y, bool include_last);
/* The first n of them, which stay where they are: for reading only, until s changes. */
struct sequences sequences_first(const struct sequences *s, int n);
struct batch sequences_batch(const struct sequences *s);
struct head_rows sequences_rows(const struct sequences *s, const float *hidden);
/* Those of the sequences [from, to) alone. */
struct head_rows sequences_rows_between(const struct sequences *s, const float *hidden, int from, int to);
/* Index into token of the last token of sequence i. */
int sequences_last(const struct sequences *s, int i);

#endif
