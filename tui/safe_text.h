/* Text from models on its way out: valid UTF-8 for files, no control bytes for terminals. */
#ifndef PBKD_TUI_SAFE_TEXT_H
#define PBKD_TUI_SAFE_TEXT_H

#include <stdbool.h>

#include "engine/base/strbuf.h"

/* Append text with every invalid byte replaced by U+FFFD. for_terminal also shows control characters (C0 but newline
 * and tab, DEL, C1) as ^X or <9B>, so that a model cannot drive the terminal. */
void safe_text(struct strbuf *out, const char *text, size_t len, bool for_terminal);

#endif
