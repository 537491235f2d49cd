/* Copying to the clipboard of the terminal that shows the program, wherever that terminal runs (OSC 52). */
#ifndef PBKD_TUI_CLIPBOARD_H
#define PBKD_TUI_CLIPBOARD_H

#include "engine/base/err.h"
#include "engine/base/strbuf.h"

/* Longest text that is sent: terminals drop sequences of more than 100,000 bytes. */
#define CLIPBOARD_MAX ((size_t)74994)

/* Append the sequence that puts the text into the clipboard: ESC ] 52 ; c ; BASE64 BEL. */
void clipboard_sequence(struct strbuf *out, const char *text, size_t len);
/* Send it to standard output, which is the terminal. Refused: a text too long, and terminals known to have no
 * clipboard; others answer nothing, so success means sent. */
bool clipboard_copy(const char *text, size_t len, struct err *e);

#endif
