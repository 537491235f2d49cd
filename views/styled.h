/* Text with roles: built piece by piece, wrapped as a whole, drawn line by line. Details, differences and help are made
 * of it. */
#ifndef PBKD_VIEWS_STYLED_H
#define PBKD_VIEWS_STYLED_H

#include "engine/base/strbuf.h"
#include "views/canvas.h"

struct style_span {
    size_t start, len; /* in text */
    enum role role;
    int attr;
    long source; /* where these bytes come from in the text they show, -1: they were added (marks, headings) */
};

struct styled { /* `struct styled t = {0};` is an empty one */
    struct strbuf text;
    struct style_span *span;
    int n, cap;
};

void styled_add(struct styled *t, enum role role, int attr, const char *text);
void styled_add_n(struct styled *t, enum role role, int attr, const char *text, size_t len, long source);
void styled_printf(struct styled *t, enum role role, int attr, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void styled_free(struct styled *t);

/* Draw lines first.. of t, wrapped to a's width; returns the number of lines there are. seen (may be NULL): one byte
 * per source byte, set to 1 for those that were drawn. */
int styled_draw(struct area a, const struct styled *t, int first, unsigned char *seen);
/* The same from the first line on, for what cannot be scrolled: where lines are left over, the last row ends with an
 * ellipsis. */
int styled_draw_cut(struct area a, const struct styled *t);
/* Lines of t at this width. */
int styled_lines(const struct styled *t, int cols);

#endif
