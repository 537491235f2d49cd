/* A run without a screen: the same facts as text. */
#ifndef PBKD_TUI_HEADLESS_H
#define PBKD_TUI_HEADLESS_H

#include "engine/run/session.h"

/* Run a session to its end. Standard output gets log lines and phases, and the result object as its last line; a
 * terminal on standard error gets a progress line that is rewritten in place, anything else a status line twice a
 * minute. Returns the exit code: 0, 1, or 128 + signal when a signal ended the run (a checkpoint is written first). */
int headless_run(const struct session_config *c);

#endif
