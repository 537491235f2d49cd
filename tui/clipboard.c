/* The terminal's clipboard: see clipboard.h. The sequence moves no cursor and changes no cell, so it may go out between
 * two frames without the screen library knowing. */
#include "tui/clipboard.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_base64(struct strbuf *out, const unsigned char *s, size_t len) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        const size_t n = len - i < 3 ? len - i : 3;
        const uint32_t bits =
            (uint32_t)s[i] << 16 | (uint32_t)(n > 1 ? s[i + 1] : 0) << 8 | (uint32_t)(n > 2 ? s[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) strbuf_putc(out, k > n ? '=' : DIGITS[bits >> (18 - 6 * k) & 63]);
    }
}

void clipboard_sequence(struct strbuf *out, const char *text, size_t len) {
    strbuf_puts(out, "\033]52;c;");
    add_base64(out, (const unsigned char *)text, len);
    strbuf_puts(out, "\a");
}

static bool write_all(const char *s, size_t len, struct err *e) {
    while (len > 0) {
        const ssize_t n = write(STDOUT_FILENO, s, len);
        if (n < 0 && errno != EINTR) return err_errno(e, "writing to the terminal");
        if (n > 0) s += n, len -= (size_t)n;
    }
    return true;
}

bool clipboard_copy(const char *text, size_t len, struct err *e) {
    const char *term = getenv("TERM");
    if (!term || strcmp(term, "linux") == 0 || strncmp(term, "vt", 2) == 0)
        return err_set(e, "the terminal %s has no clipboard", term ? term : "");
    if (len > CLIPBOARD_MAX)
        return err_set(e, "%zu bytes are more than a terminal's clipboard takes (%zu)", len, CLIPBOARD_MAX);
    struct strbuf b = {0};
    clipboard_sequence(&b, text, len);
    const bool ok = write_all(b.s, b.len, e);
    strbuf_free(&b);
    return ok;
}
