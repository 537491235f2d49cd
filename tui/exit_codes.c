/* Exit codes: see exit_codes.h. */
#include "tui/exit_codes.h"

#include <stdarg.h>
#include <stdio.h>

#include "tui/safe_text.h"

int verb_fail(const struct err *e) {
    safe_printf(stderr, "pbkd: %s\n", e->msg);
    return EXIT_FAILED;
}

int verb_usage(const char *verb, const char *fmt, ...) {
    char text[sizeof((struct err *)0)->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    safe_printf(stderr, "pbkd: %s\n", text);
    safe_printf(stderr, "Try `pbkd%s%s --help`.\n", verb[0] ? " " : "", verb);
    return EXIT_USAGE;
}
