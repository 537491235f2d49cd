/* Growable string: see strbuf.h. */
#include "engine/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

static void reserve(struct strbuf *b, size_t extra) {
    const size_t need = b->len + extra + 1;
    if (need <= b->cap) return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need) cap *= 2;
    b->s = mem_grow(b->s, cap);
    b->cap = cap;
}

void strbuf_add(struct strbuf *b, const void *data, size_t n) {
    reserve(b, n);
    if (n) memcpy(b->s + b->len, data, n);
    b->len += n;
    b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s) { strbuf_add(b, s, strlen(s)); }

void strbuf_putc(struct strbuf *b, char c) { strbuf_add(b, &c, 1); }

void strbuf_printf(struct strbuf *b, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        reserve(b, (size_t)n);
        vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void strbuf_clear(struct strbuf *b) {
    b->len = 0;
    if (b->s) b->s[0] = '\0';
}

void strbuf_free(struct strbuf *b) {
    free(b->s);
    *b = (struct strbuf){0};
}

const char *strbuf_str(const struct strbuf *b) { return b->s ? b->s : ""; }

char *strbuf_take(struct strbuf *b) {
    char *s = b->s ? b->s : mem_strdup("");
    *b = (struct strbuf){0};
    return s;
}
