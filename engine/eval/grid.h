/* A table of short texts, printed in columns that line up. What is wider than the page goes on in a further block, with
 * the first column repeated. */
#ifndef PBKD_EVAL_GRID_H
#define PBKD_EVAL_GRID_H

#include "engine/base/strbuf.h"

struct grid {
    int rows, cols; /* row 0: titles */
    char **cell;    /* [rows*cols], owned; NULL: empty */
};

void grid_init(struct grid *g, int rows, int cols);
void grid_free(struct grid *g);
void grid_set(struct grid *g, int row, int col, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* At most `columns` cells wide, unless a single column is wider. The first column is left-aligned, the others right. */
void grid_print(const struct grid *g, int columns, struct strbuf *out);

#endif
