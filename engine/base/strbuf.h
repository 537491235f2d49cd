/* A growable byte string, always NUL-terminated. `struct strbuf b = {0};` is an empty one; free with strbuf_free. */
#ifndef PBKD_BASE_STRBUF_H
#define PBKD_BASE_STRBUF_H

#include <stddef.h>

struct strbuf {
    char *s; /* NULL while empty and never grown; use strbuf_str for a printable view */
    size_t len, cap;
};

void strbuf_add(struct strbuf *b, const void *data, size_t n);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_clear(struct strbuf *b); /* length 0, memory kept */
void strbuf_free(struct strbuf *b);
const char *strbuf_str(const struct strbuf *b); /* never NULL */
char *strbuf_take(struct strbuf *b);            /* caller frees; b becomes empty */

#endif
