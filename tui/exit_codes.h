/* How the program ends, and what it says when that is an error. */
#ifndef PBKD_TUI_EXIT_CODES_H
#define PBKD_TUI_EXIT_CODES_H

#include "engine/base/err.h"

/* A signal gives 128 + its number. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* `pbkd: message` on standard error; returns the code, so that a verb can `return verb_fail(...)`. */
int verb_fail(const struct err *e);
int verb_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
