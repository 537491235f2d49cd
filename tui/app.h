/* The workbench: one loop that waits for keys, snapshots and signals, and draws. */
#ifndef PBKD_TUI_APP_H
#define PBKD_TUI_APP_H

#include "engine/run/session.h"

/* Run the workbench; c = NULL opens the start screen. Returns the exit code; errors before the first frame go to
 * standard error. */
int app_run(const struct session_config *c, bool ascii);

#endif
