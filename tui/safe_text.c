/* Text from models on its way out: see safe_text.h. */
#include "tui/safe_text.h"

#include <utf8proc.h>

void safe_text(struct strbuf *out, const char *text, size_t len, bool for_terminal) {
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t cp;
        const utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(len - i), &cp);
        if (n <= 0) {
            strbuf_puts(out, "\xEF\xBF\xBD");
            i++;
            continue;
        }
        if (for_terminal && (cp < 32 || cp == 127) && cp != '\n' && cp != '\t')
            strbuf_printf(out, "^%c", (char)(cp ^ 64));
        else if (for_terminal && cp >= 0x80 && cp < 0xA0)
            strbuf_printf(out, "<%02X>", (unsigned)cp);
        else
            strbuf_add(out, text + i, (size_t)n);
        i += (size_t)n;
    }
}
