/* Text into pieces that a terminal can show: the one place that decides how many cells something takes and what hostile
 * bytes look like. Measuring, wrapping and drawing all go through it, so they cannot disagree. */
#ifndef PBKD_VIEWS_TEXT_PIECE_H
#define PBKD_VIEWS_TEXT_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct piece {
    char text[24]; /* what is drawn: one grapheme, or a mark of several one-cell characters */
    int width;     /* cells */
    bool mark;     /* text is a mark (^[, <9B>, a tab): draw it character by character */
};

/* The next piece of s[0..len), len >= 1; returns the bytes it covers (>= 1). */
size_t text_piece(const char *s, size_t len, struct piece *p);
/* What stands for p where only ASCII can be shown: same width, so that layouts are the same in both. */
void piece_to_ascii(struct piece *p);

#endif
