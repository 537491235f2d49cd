/* The grid of cells: see canvas.h. What text looks like is decided in text_piece.c; here pieces become cells, clipped
 * to an area.
 *
 * Only ASCII reaches the cells of a canvas with GLYPHS_ASCII: views draw the same characters everywhere and need not
 * ask. */
#include "views/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "views/text_piece.h"

enum { MAX_SIDE = 4096 }; /* a terminal that claims more is not one */

static const struct cell BLANK = {.text = " ", .width = 1, .role = ROLE_TEXT};

static int clamp(int x, int lo, int hi) { return x < lo ? lo : x > hi ? hi : x; }

void canvas_init(struct canvas *c, int rows, int cols, enum glyphs glyphs) {
    c->rows = clamp(rows, 1, MAX_SIDE);
    c->cols = clamp(cols, 1, MAX_SIDE);
    c->glyphs = glyphs;
    c->cell = mem_small((size_t)c->rows * (size_t)c->cols * sizeof *c->cell);
    canvas_clear(c);
}

void canvas_free(struct canvas *c) {
    free(c->cell);
    *c = (struct canvas){0};
}

void canvas_clear(struct canvas *c) {
    for (size_t i = 0; i < (size_t)c->rows * (size_t)c->cols; i++) c->cell[i] = BLANK;
}

struct area canvas_area(struct canvas *c) {
    return (struct area){c, 0, 0, c->rows, c->cols};
}

struct area area_sub(struct area a, int row, int col, int rows, int cols) {
    const int top = clamp(row, 0, a.rows), left = clamp(col, 0, a.cols);
    return (struct area){a.canvas, a.row + top, a.col + left, clamp(row + rows, top, a.rows) - top,
                         clamp(col + cols, left, a.cols) - left};
}

static struct cell *cell_at(struct area a, int row, int col) {
    return &a.canvas->cell[(size_t)(a.row + row) * (size_t)a.canvas->cols + (size_t)(a.col + col)];
}

/* Overwriting one half of a wide character leaves a blank in the other. */
static void free_halves(struct area a, int row, int col, int width) {
    struct cell *first = cell_at(a, row, col), *last = cell_at(a, row, col + width - 1);
    if (first->width == 0 && a.col + col > 0) first[-1] = BLANK;
    if (last->width == 2 && a.col + col + width < a.canvas->cols) last[1] = BLANK;
}

static void put_cell(struct area a, int row, int col, const char *text, size_t len, int width, enum role role,
                     int attr) {
    free_halves(a, row, col, width);
    struct cell *c = cell_at(a, row, col);
    *c = (struct cell){.width = (unsigned char)width, .role = (unsigned char)role, .attr = (unsigned char)attr};
    memcpy(c->text, text, len);
    if (width == 2) c[1] = (struct cell){.width = 0, .role = (unsigned char)role, .attr = (unsigned char)attr};
}

static size_t utf8_length(unsigned char first) { return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4; }

/* p fits at (row, col). */
static void put_piece(struct area a, int row, int col, struct piece *p, enum role role, int attr) {
    if (a.canvas->glyphs == GLYPHS_ASCII) piece_to_ascii(p);
    if (!p->mark) {
        put_cell(a, row, col, p->text, strlen(p->text), p->width, role, attr);
        return;
    }
    const char *s = p->text;
    for (int i = 0; i < p->width && *s; i++) {
        const size_t k = utf8_length((unsigned char)*s);
        put_cell(a, row, col + i, s, k, 1, role, attr);
        s += k;
    }
}

/* Cells of text[0..len), counted no further than beyond `enough`. */
static int cells_of(const char *text, size_t len, int enough) {
    int n = 0;
    struct piece p;
    for (size_t i = 0; i < len && n <= enough;) {
        i += text_piece(text + i, len - i, &p);
        n += p.width;
    }
    return n;
}

int text_cells(const char *text) { return cells_of(text, strlen(text), 1 << 30); }

int area_text_n(struct area a, int row, int col, int max_cols, enum role role, int attr, const char *text, size_t len) {
    if (row < 0 || row >= a.rows || col < 0 || col >= a.cols) return 0;
    const int room = clamp(max_cols, 0, a.cols - col);
    if (room == 0) return 0;
    const bool cut = cells_of(text, len, room) > room;
    const int stop = cut ? room - 1 : room;
    int n = 0;
    struct piece p;
    for (size_t i = 0; i < len;) {
        i += text_piece(text + i, len - i, &p);
        if (n + p.width > stop) break;
        put_piece(a, row, col + n, &p, role, attr);
        n += p.width;
    }
    if (cut) {
        text_piece("…", strlen("…"), &p);
        put_piece(a, row, col + n, &p, role, attr);
        n++;
    }
    return n;
}

int area_text(struct area a, int row, int col, int max_cols, enum role role, int attr, const char *text) {
    return area_text_n(a, row, col, max_cols, role, attr, text, strlen(text));
}

int area_printf(struct area a, int row, int col, enum role role, int attr, const char *fmt, ...) {
    char buffer[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buffer, sizeof buffer, fmt, ap);
    va_end(ap);
    return area_text(a, row, col, a.cols - col, role, attr, buffer);
}

void area_fill(struct area a, int row, int col, int n, const char *glyph, enum role role, int attr) {
    if (row < 0 || row >= a.rows || col < 0) return;
    struct piece p;
    text_piece(glyph, strlen(glyph), &p);
    for (int i = 0; i + p.width <= n && col + i + p.width <= a.cols; i += p.width) {
        struct piece copy = p;
        put_piece(a, row, col + i, &copy, role, attr);
    }
}

struct area area_box(struct area a, const char *title, bool focus) {
    if (a.rows < 3 || a.cols < 8) return a;
    const enum role line = focus ? ROLE_TITLE_FOCUS : ROLE_AXIS;
    area_fill(a, 0, 0, a.cols, "─", line, 0);
    area_fill(a, a.rows - 1, 0, a.cols, "─", line, 0);
    for (int i = 1; i < a.rows - 1; i++) {
        area_fill(a, i, 0, 1, "│", line, 0);
        area_fill(a, i, a.cols - 1, 1, "│", line, 0);
    }
    area_fill(a, 0, 0, 1, "┌", line, 0);
    area_fill(a, 0, a.cols - 1, 1, "┐", line, 0);
    area_fill(a, a.rows - 1, 0, 1, "└", line, 0);
    area_fill(a, a.rows - 1, a.cols - 1, 1, "┘", line, 0);
    if (title && *title) {
        const int n =
            area_text(a, 0, 2, a.cols - 5, focus ? ROLE_TITLE_FOCUS : ROLE_TITLE, focus ? ATTR_BOLD : 0, title);
        area_fill(a, 0, 1, 1, " ", line, 0);
        area_fill(a, 0, 2 + n, 1, " ", line, 0);
    }
    return area_sub(a, 1, 1, a.rows - 2, a.cols - 2);
}

/* ---- wrapping ---- */

static void add_line(struct wrapped *w, int *cap, size_t start, size_t len) {
    if (w->n == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        w->start = mem_grow(w->start, (size_t)*cap * sizeof *w->start);
        w->len = mem_grow(w->len, (size_t)*cap * sizeof *w->len);
    }
    w->start[w->n] = start;
    w->len[w->n++] = len;
}

/* One paragraph, text[from..to) without newlines. Breaks at the last blank that fits, else inside the word. */
static void wrap_paragraph(struct wrapped *w, int *cap, const char *text, size_t from, size_t to, int cols) {
    size_t start = from, blank = 0;
    bool have_blank = false;
    int used = 0;
    for (size_t i = from; i < to;) {
        struct piece p;
        const size_t k = text_piece(text + i, to - i, &p);
        if (used + p.width > cols && i > start && !(text[i] == ' ' && used == cols)) {
            const size_t end = have_blank ? blank : i;
            add_line(w, cap, start, end - start);
            start = end;
            while (have_blank && start < to && text[start] == ' ') start++;
            i = start;
            used = 0;
            have_blank = false;
            continue;
        }
        if (text[i] == ' ' && i > start && (i == from || text[i - 1] != ' ')) blank = i, have_blank = true;
        if (!(text[i] == ' ' && used == cols)) used += p.width;
        i += k;
    }
    add_line(w, cap, start, to - start);
}

void wrap_text(struct wrapped *w, const char *text, int cols) {
    *w = (struct wrapped){0};
    int cap = 0;
    for (size_t from = 0;;) {
        const char *newline = strchr(text + from, '\n');
        const size_t to = newline ? (size_t)(newline - text) : from + strlen(text + from);
        wrap_paragraph(w, &cap, text, from, to, cols < 1 ? 1 : cols);
        if (!newline) return;
        from = to + 1;
        if (!text[from]) return; /* a final newline starts no line of its own */
    }
}

void wrapped_free(struct wrapped *w) {
    free(w->start);
    free(w->len);
    *w = (struct wrapped){0};
}

int area_wrapped(struct area a, const struct wrapped *w, const char *text, int first, enum role role) {
    int drawn = 0;
    for (int i = first < 0 ? 0 : first; i < w->n && drawn < a.rows; i++, drawn++) {
        size_t len = w->len[i];
        while (len && text[w->start[i] + len - 1] == ' ') len--;
        area_text_n(a, drawn, 0, a.cols, role, 0, text + w->start[i], len);
    }
    return drawn;
}

/* ---- dumps ---- */

static const char ROLE_LETTERS[] = ".dTFHKhGWEabts1234=xMSAR";
_Static_assert(sizeof ROLE_LETTERS == N_ROLES + 1, "one letter per role");

static void dump_row(const struct canvas *c, int row, bool roles, struct strbuf *out) {
    const size_t start = out->len;
    for (int col = 0; col < c->cols; col++) {
        const struct cell *cell = &c->cell[(size_t)row * (size_t)c->cols + (size_t)col];
        if (roles)
            strbuf_putc(out, cell->role == ROLE_TEXT ? ' ' : ROLE_LETTERS[cell->role]);
        else
            strbuf_puts(out, cell->text);
    }
    while (out->len > start && out->s[out->len - 1] == ' ') out->s[--out->len] = '\0';
    strbuf_putc(out, '\n');
}

char *canvas_dump(const struct canvas *c, bool with_roles) {
    struct strbuf out = {0};
    for (int row = 0; row < c->rows; row++) dump_row(c, row, false, &out);
    for (int row = 0; with_roles && row < c->rows; row++) dump_row(c, row, true, &out);
    return strbuf_take(&out);
}
