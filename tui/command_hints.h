/* What helps while a command is typed: completion and the hint line, both from the tables of commands, options and
 * views. The contracts are those of prompt.h; ctx is the app, NULL for the defaults of options. */
#ifndef PBKD_TUI_COMMAND_HINTS_H
#define PBKD_TUI_COMMAND_HINTS_H

#include <stdbool.h>
#include <stddef.h>

/* Candidates for the next word. */
bool command_complete(void *ctx, const char *line, int start, const char *word,
                      void (*add)(void *to, const char *candidate), void *to);
/* What to show while `line` is typed: the option's value, default and range, the command's usage, or the commands that
 * fit. */
void command_hint(void *ctx, const char *line, char *out, size_t size);

#endif
