/* A grid of cells that views draw on. No terminal here: the interface copies the grid to curses, tests compare it with
 * golden text.
 *
 * Text is UTF-8; a cell holds one grapheme (base + combining marks), wide characters take two cells. Control bytes and
 * invalid bytes are shown as visible marks (^[ or <9B>), never passed through: model output is hostile until shown.
 * Colour is a role, never a number; the theme decides what a role looks like (or that it looks like nothing). */
#ifndef PBKD_VIEWS_CANVAS_H
#define PBKD_VIEWS_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
enum role { ROLE_TEXT, ROLE_DIM, ROLE_TITLE, ROLE_TITLE_FOCUS, ROLE_HEADER, ROLE_HINT_KEY, ROLE_HINT, ROLE_GOOD, ROLE_WARNING, ROLE_ERROR,
            ROLE_A, ROLE_B, ROLE_TEACHER, ROLE_STUDENT, ROLE_SERIES1, ROLE_SERIES2, ROLE_SERIES3, ROLE_SERIES4, ROLE_BAND, ROLE_AXIS, ROLE_MARK,
            ROLE_SELECTED, ROLE_ADDED, ROLE_REMOVED, N_ROLES };
/* clang-format on */
enum attr { ATTR_BOLD = 1, ATTR_REVERSE = 2, ATTR_UNDERLINE = 4 };
enum glyphs { GLYPHS_BRAILLE, GLYPHS_BLOCKS, GLYPHS_ASCII };

struct cell {
    char text[24]; /* NUL-terminated grapheme; "" = right half of a wide character */
    unsigned char width, role, attr;
};

struct canvas {
    int rows, cols;
    enum glyphs glyphs;
    struct cell *cell; /* [rows*cols], owned */
};

/* A window onto a canvas: drawing is clipped to it, coordinates count from its corner. */
struct area {
    struct canvas *canvas;
    int row, col, rows, cols;
};

void canvas_init(struct canvas *c, int rows, int cols, enum glyphs glyphs); /* blank */
void canvas_free(struct canvas *c);
void canvas_clear(struct canvas *c);
struct area canvas_area(struct canvas *c);
struct area area_sub(struct area a, int row, int col, int rows, int cols); /* clipped to a */

/* Draw one line of text at (row, col), at most max_cols cells (cut with '…' or '~'); returns cells used. Newlines show
 * as a mark. */
int area_text(struct area a, int row, int col, int max_cols, enum role role, int attr, const char *text);
int area_text_n(struct area a, int row, int col, int max_cols, enum role role, int attr, const char *text, size_t len);
int area_printf(struct area a, int row, int col, enum role role, int attr, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
void area_fill(struct area a, int row, int col, int n, const char *glyph, enum role role, int attr);
/* Box with a title; returns the inside. Without room for a box (rows < 3 or cols < 8) returns a itself. */
struct area area_box(struct area a, const char *title, bool focus);

/* Wrap text (with newlines) to `cols` cells at word boundaries. Returns the number of lines; line i is text[start[i] ..
 * start[i]+len[i]). */
struct wrapped {
    int n;
    size_t *start, *len;
};
void wrap_text(struct wrapped *w, const char *text, int cols);
void wrapped_free(struct wrapped *w);
/* Draw lines first.. of wrapped text into a; returns the number of lines drawn. */
int area_wrapped(struct area a, const struct wrapped *w, const char *text, int first, enum role role);

/* Cells that a UTF-8 text takes when drawn by area_text. */
int text_cells(const char *text);
/* The canvas as text lines, trailing blanks removed, for tests and :save-screen. Caller frees. with_roles appends a
 * second block with one letter per cell for the roles. */
char *canvas_dump(const struct canvas *c, bool with_roles);

#endif
