/* Text on its way out: see safe_text.h. */
#include "tui/safe_text.h"

#include <stdarg.h>
#include <string.h>
#include <utf8proc.h>

#include "engine/base/mem.h"
#include "views/text_piece.h"

enum { LIVE_CELLS = 79 };

/* The next piece as text: its mark, or its own bytes (which may hold joiners that text_piece leaves out). */
static size_t next_piece(const char *text, size_t len, bool keep_lines, struct strbuf *out, int *cells) {
    struct piece p;
    const size_t n = text_piece(text, len, &p);
    if (*text == '\n' || *text == '\t') { /* their marks are for the screen: arrows, and a tab of four cells */
        if (keep_lines)
            strbuf_putc(out, *text);
        else
            strbuf_puts(out, *text == '\n' ? "^J" : "^I");
        *cells += keep_lines ? 0 : 2;
        return n;
    }
    if (p.mark)
        strbuf_puts(out, p.text);
    else
        strbuf_add(out, text, n);
    *cells += p.width;
    return n;
}

int safe_text(struct strbuf *out, const char *text, size_t len, bool keep_lines) {
    int cells = 0;
    for (size_t i = 0; i < len;) i += next_piece(text + i, len - i, keep_lines, out, &cells);
    return cells;
}

static void put_code_unit(struct strbuf *out, int32_t unit) { strbuf_printf(out, "\\u%04x", (unsigned)unit); }

static void put_escape(struct strbuf *out, int32_t code) {
    if (code < 0x10000) {
        put_code_unit(out, code);
        return;
    }
    put_code_unit(out, 0xD800 + ((code - 0x10000) >> 10)); /* JSON writes what is beyond 16 bits as two surrogates */
    put_code_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

void safe_json_text(struct strbuf *out, const char *json) {
    const size_t len = strlen(json);
    for (size_t i = 0; i < len;) {
        struct piece p;
        const size_t n = text_piece(json + i, len - i, &p);
        utf8proc_int32_t code;
        if (!p.mark || (unsigned char)json[i] < 0x20) /* below 0x20 only blanks between values can stand there */
            strbuf_add(out, json + i, n);
        else if (utf8proc_iterate((const utf8proc_uint8_t *)json + i, (utf8proc_ssize_t)n, &code) > 0)
            put_escape(out, code);
        else
            put_escape(out, 0xFFFD);
        i += n;
    }
}

void valid_text(struct strbuf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t code;
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &code);
        if (n > 0)
            strbuf_add(out, text + i, (size_t)n);
        else
            strbuf_puts(out, "\xEF\xBF\xBD");
        i += n > 0 ? (size_t)n : 1;
    }
}

static size_t newlines_at_end(const char *fmt) {
    const size_t len = strlen(fmt);
    size_t n = 0;
    while (n < len && fmt[len - 1 - n] == '\n') n++;
    return n;
}

void safe_printf(FILE *out, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = mem_small((size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    const size_t before = strspn(fmt, "\n"), after = before < strlen(fmt) ? newlines_at_end(fmt) : 0;
    struct strbuf b = {0};
    strbuf_add(&b, text, before);
    safe_text(&b, text + before, (size_t)n - before - after, false);
    strbuf_add(&b, text + (size_t)n - after, after);
    fwrite(b.s, 1, b.len, out);
    strbuf_free(&b);
    free(text);
}

void safe_lines(FILE *out, const char *text) {
    struct strbuf b = {0};
    safe_text(&b, text, strlen(text), true);
    fwrite(strbuf_str(&b), 1, b.len, out);
    strbuf_free(&b);
}

void safe_json(FILE *out, const char *json) {
    struct strbuf b = {0};
    safe_json_text(&b, json);
    strbuf_putc(&b, '\n');
    fwrite(b.s, 1, b.len, out);
    strbuf_free(&b);
}

void safe_live_line(FILE *out, const char *text) {
    struct strbuf b = {0};
    const size_t len = strlen(text);
    int cells = 0;
    for (size_t i = 0, kept = 0; i < len;) {
        i += next_piece(text + i, len - i, false, &b, &cells);
        if (cells <= LIVE_CELLS - 3) kept = b.len;
        if (cells <= LIVE_CELLS) continue;
        b.len = kept;
        b.s[kept] = '\0';
        strbuf_puts(&b, "...");
        break;
    }
    fprintf(out, "\r%s\033[K", strbuf_str(&b));
    fflush(out);
    strbuf_free(&b);
}

void safe_clear_line(FILE *out) { fputs("\r\033[K", out); }
