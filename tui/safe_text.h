/* All text that leaves for a terminal passes here. Names, option values, prompts and error messages come from files and
 * from the command line and may hold anything: an escape sequence that clears the screen or sets its title, a C1
 * control, a bidi override that turns a name round, bytes that are no UTF-8. They are shown as the screen shows them
 * (views/text_piece.h: ^[, <9B>, <U+202E>) and never passed through. Nothing else under tui/ writes to a stream, so that
 * no caller can forget it; tests/pty/test_text.py holds the sources to that. The screen itself is drawn by curses from
 * the same pieces. */
#ifndef PBKD_TUI_SAFE_TEXT_H
#define PBKD_TUI_SAFE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "engine/base/strbuf.h"

/* Append text as a terminal may show it; returns the cells it takes. keep_lines: newlines and tabs are the text's own
 * (an answer, a table); else they are shown too (^J, ^I), because a name that holds them could fake a line. */
int safe_text(struct strbuf *out, const char *text, size_t len, bool keep_lines);
/* Append JSON in which such characters are \u escapes: the same values, harmless to look at. */
void safe_json_text(struct strbuf *out, const char *json);
/* Append text for a file: what is no UTF-8 becomes U+FFFD, nothing else is touched. */
void valid_text(struct strbuf *out, const char *text, size_t len);

/* Write one message. Newlines at the start and the end of `fmt` are kept; whatever else the arguments bring is shown. */
void safe_printf(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Write text of many lines, as it is made elsewhere. */
void safe_lines(FILE *out, const char *text);
/* Write JSON and a newline. */
void safe_json(FILE *out, const char *json);

/* A line on a terminal that is written again and again, cut at 79 cells because a wrapped line could not be. */
void safe_live_line(FILE *out, const char *text);
void safe_clear_line(FILE *out);

#endif
