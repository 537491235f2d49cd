/* Text with roles: see styled.h. */
#include "views/styled.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

void styled_add_n(struct styled *t, enum role role, int attr, const char *text, size_t len, long source) {
    if (len == 0) return;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->span = mem_grow(t->span, (size_t)t->cap * sizeof *t->span);
    }
    t->span[t->n++] = (struct style_span){t->text.len, len, role, attr, source};
    strbuf_add(&t->text, text, len);
}

void styled_add(struct styled *t, enum role role, int attr, const char *text) {
    styled_add_n(t, role, attr, text, strlen(text), -1);
}

void styled_printf(struct styled *t, enum role role, int attr, const char *fmt, ...) {
    char buffer[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buffer, sizeof buffer, fmt, ap);
    va_end(ap);
    styled_add(t, role, attr, buffer);
}

void styled_free(struct styled *t) {
    strbuf_free(&t->text);
    free(t->span);
    *t = (struct styled){0};
}

/* Draw bytes [from, to) of t on one row; *s is the span that holds `from` or one before it. Returns the cells used. */
static int draw_line(struct area a, int row, const struct styled *t, size_t from, size_t to, int *s,
                     unsigned char *seen) {
    int col = 0;
    while (*s < t->n && t->span[*s].start + t->span[*s].len <= from) ++*s;
    for (int i = *s; i < t->n && t->span[i].start < to; i++) {
        const struct style_span *p = &t->span[i];
        const size_t begin = p->start > from ? p->start : from, end = p->start + p->len < to ? p->start + p->len : to;
        if (begin >= end) continue;
        col += area_text_n(a, row, col, a.cols - col, p->role, p->attr, t->text.s + begin, end - begin);
        if (seen && p->source >= 0) memset(seen + p->source + (begin - p->start), 1, end - begin);
    }
    return col;
}

static int draw_lines(struct area a, const struct styled *t, int first, unsigned char *seen, bool cut) {
    struct wrapped w;
    const char *text = strbuf_str(&t->text);
    wrap_text(&w, text, a.cols);
    int span = 0;
    for (int i = first < 0 ? 0 : first; i < w.n && i - first < a.rows; i++) {
        size_t len = w.len[i];
        while (len && text[w.start[i] + len - 1] == ' ') len--;
        const int row = i - first, used = draw_line(a, row, t, w.start[i], w.start[i] + len, &span, seen);
        if (cut && row == a.rows - 1 && i + 1 < w.n)
            area_text(a, row, used < a.cols ? used : a.cols - 1, 1, ROLE_DIM, 0, "…");
    }
    const int n = w.n;
    wrapped_free(&w);
    return n;
}

int styled_draw(struct area a, const struct styled *t, int first, unsigned char *seen) {
    return draw_lines(a, t, first, seen, false);
}

int styled_draw_cut(struct area a, const struct styled *t) { return draw_lines(a, t, 0, NULL, true); }

int styled_lines(const struct styled *t, int cols) {
    struct wrapped w;
    wrap_text(&w, strbuf_str(&t->text), cols);
    const int n = w.n;
    wrapped_free(&w);
    return n;
}
