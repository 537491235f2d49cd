/* Packed sequences: see sequences.h. Buffers only grow, so a step at steady state allocates nothing. */
#include "engine/train/sequences.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

void sequences_clear(struct sequences *s) { s->n_seq = s->n_tokens = s->n_rows = 0; }

void sequences_free(struct sequences *s) {
    free(s->start);
    free(s->token);
    free(s->row_start);
    free(s->row);
    free(s->target);
    *s = (struct sequences){0};
}

static int grown(int cap, int need) {
    int n = cap ? cap : 64;
    while (n < need) n *= 2;
    return n;
}

static void reserve(struct sequences *s, int tokens, int rows) {
    if (s->n_seq + 2 > s->cap_seq) {
        s->cap_seq = grown(s->cap_seq, s->n_seq + 2);
        s->start = mem_grow(s->start, (size_t)s->cap_seq * sizeof *s->start);
        s->row_start = mem_grow(s->row_start, (size_t)s->cap_seq * sizeof *s->row_start);
    }
    if (s->n_tokens + tokens > s->cap_tokens) {
        s->cap_tokens = grown(s->cap_tokens, s->n_tokens + tokens);
        s->token = mem_grow(s->token, (size_t)s->cap_tokens * sizeof *s->token);
    }
    if (s->n_rows + rows > s->cap_rows) {
        s->cap_rows = grown(s->cap_rows, s->n_rows + rows);
        s->row = mem_grow(s->row, (size_t)s->cap_rows * sizeof *s->row);
        s->target = mem_grow(s->target, (size_t)s->cap_rows * sizeof *s->target);
    }
}

int sequences_add(struct sequences *s, const int32_t *x, int n_x, const int32_t *y, int n_y, bool include_last) {
    const int n_in = n_x + n_y - (include_last ? 0 : 1);
    reserve(s, n_x + n_y, n_y);
    const int at = s->n_tokens;
    memcpy(s->token + at, x, (size_t)n_x * sizeof *x);
    memcpy(s->token + at + n_x, y, (size_t)n_y * sizeof *y);
    for (int h = 0; h < n_y; h++) {
        s->row[s->n_rows + h] = at + n_x - 1 + h;
        s->target[s->n_rows + h] = y[h];
    }
    const int i = s->n_seq++;
    s->start[i] = at;
    s->row_start[i] = s->n_rows;
    s->n_tokens += n_in;
    s->n_rows += n_y;
    s->start[i + 1] = s->n_tokens;
    s->row_start[i + 1] = s->n_rows;
    return i;
}

struct sequences sequences_first(const struct sequences *s, int n) {
    struct sequences first = *s;
    first.n_seq = n;
    first.n_tokens = s->start[n];
    first.n_rows = s->row_start[n];
    return first;
}

struct batch sequences_batch(const struct sequences *s) {
    return (struct batch){.n_seq = s->n_seq, .start = s->start, .token = s->token};
}

struct head_rows sequences_rows(const struct sequences *s, const float *hidden) {
    return (struct head_rows){.hidden = hidden, .row = s->row, .target = s->target, .n = s->n_rows};
}

struct head_rows sequences_rows_between(const struct sequences *s, const float *hidden, int from, int to) {
    const int first = s->row_start[from], end = s->row_start[to];
    return (struct head_rows){.hidden = hidden, .row = s->row + first, .target = s->target + first, .n = end - first};
}

int sequences_last(const struct sequences *s, int i) { return s->start[i + 1] - 1; }
