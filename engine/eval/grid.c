/* Tables of short texts: see grid.h. */
#include "engine/eval/grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/mem.h"

enum { GAP = 2 };

void grid_init(struct grid *g, int rows, int cols) {
    *g = (struct grid){.rows = rows, .cols = cols};
    g->cell = mem_small((size_t)(rows * cols) * sizeof *g->cell);
}

void grid_free(struct grid *g) {
    for (int i = 0; i < g->rows * g->cols; i++) free(g->cell[i]);
    free(g->cell);
    *g = (struct grid){0};
}

void grid_set(struct grid *g, int row, int col, const char *fmt, ...) {
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct strbuf b = {0};
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20) /* a name may hold a newline; a cell is one line */
            strbuf_printf(&b, "^%c", *p ^ 0x40);
        else
            strbuf_putc(&b, *p);
    free(g->cell[row * g->cols + col]);
    g->cell[row * g->cols + col] = mem_strdup(strbuf_str(&b));
    strbuf_free(&b);
}

static const char *text_at(const struct grid *g, int row, int col) {
    const char *text = g->cell[row * g->cols + col];
    return text ? text : "";
}

/* Characters, not bytes: continuation bytes of UTF-8 take no cell. */
static int cells(const char *text) {
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static int column_width(const struct grid *g, int col) {
    int width = 0;
    for (int r = 0; r < g->rows; r++)
        if (cells(text_at(g, r, col)) > width) width = cells(text_at(g, r, col));
    return width;
}

/* Columns [first, end) after column 0. */
static void print_block(const struct grid *g, int first, int end, struct strbuf *out) {
    for (int r = 0; r < g->rows; r++) {
        const char *label = text_at(g, r, 0);
        strbuf_printf(out, "%s%*s", label, column_width(g, 0) - cells(label), "");
        for (int c = first; c < end; c++) {
            const char *text = text_at(g, r, c);
            strbuf_printf(out, "%*s%s", GAP + column_width(g, c) - cells(text), "", text);
        }
        strbuf_putc(out, '\n');
    }
}

void grid_print(const struct grid *g, int columns, struct strbuf *out) {
    for (int first = 1; first < g->cols;) {
        int end = first, width = column_width(g, 0);
        while (end < g->cols && (end == first || width + GAP + column_width(g, end) <= columns))
            width += GAP + column_width(g, end++);
        if (first > 1) strbuf_putc(out, '\n');
        print_block(g, first, end, out);
        first = end;
    }
}
