/* Errors are values: a function that can fail returns bool (or a pointer) and fills a `struct err`.
 *
 * The message says what was expected, what was found and where, in one line without a newline, ready for a person:
 *     prompts.jsonl:17: "prompt" is missing
 * Callers that have more to say about the place use err_wrap to put a prefix before it. */
#ifndef PBKD_BASE_ERR_H
#define PBKD_BASE_ERR_H

#include <stdbool.h>

struct err {
    char msg[512];
};

/* Fill e with the formatted message; control bytes from hostile input become '?'. Always returns false, so that a
 * failing function can `return err_set(e, ...)`. e may be NULL (the message is dropped). */
bool err_set(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Like err_set with ": strerror(errno)" added. */
bool err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "prefix: " before the message already in e. Always returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A static analyzer sees one file at a time: without this it follows paths on which an error was set and is true. */
#ifdef __clang_analyzer__
static inline bool err_false(void) { return false; }
#define err_set(...) (err_set(__VA_ARGS__), err_false())
#define err_errno(...) (err_errno(__VA_ARGS__), err_false())
#define err_wrap(...) (err_wrap(__VA_ARGS__), err_false())
#endif

#endif
