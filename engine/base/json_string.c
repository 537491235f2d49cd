/* JSON strings and numbers into a strbuf: see json_string.h. */
#include "engine/base/json_string.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static void append_control(struct strbuf *b, unsigned char c) {
    if (c == '\n')
        strbuf_puts(b, "\\n");
    else if (c == '\t')
        strbuf_puts(b, "\\t");
    else if (c == '\r')
        strbuf_puts(b, "\\r");
    else
        strbuf_printf(b, "\\u%04x", c);
}

void json_append_string(struct strbuf *b, const char *s) {
    if (!s) {
        strbuf_puts(b, "null");
        return;
    }
    strbuf_putc(b, '"');
    for (size_t n = strlen(s); n > 0;) {
        const unsigned char c = (unsigned char)*s;
        size_t used = 1;
        if (c >= 0x80) {
            utf8proc_int32_t cp;
            const utf8proc_ssize_t k =
                utf8proc_iterate((const utf8proc_uint8_t *)s, n > 4 ? 4 : (utf8proc_ssize_t)n, &cp);
            if (k > 0) {
                used = (size_t)k;
                strbuf_add(b, s, used);
            } else {
                strbuf_puts(b, "\xEF\xBF\xBD");
            }
        } else if (c < 0x20) {
            append_control(b, c);
        } else {
            if (c == '"' || c == '\\') strbuf_putc(b, '\\');
            strbuf_putc(b, (char)c);
        }
        s += used;
        n -= used;
    }
    strbuf_putc(b, '"');
}

void json_append_number(struct strbuf *b, double v) {
    if (!isfinite(v)) {
        strbuf_puts(b, "null");
        return;
    }
    char text[40];
    for (int digits = 6; digits <= 17; digits++) { /* %g drops trailing zeros */
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    strbuf_puts(b, text);
}
