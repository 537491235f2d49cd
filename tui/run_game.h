/* Run a game to its end: on a screen where there is one, as text where there is none. */
#ifndef PBKD_TUI_RUN_GAME_H
#define PBKD_TUI_RUN_GAME_H

#include "tui/launch.h"

/* Whether a workbench can be drawn: both ends are terminals and the cursor can be moved. *why says what is missing. */
bool launch_has_screen(const char **why);
/* Run to the end; returns the exit code. */
int launch_run(struct launch *l);
/* The workbench without a run. */
int launch_start_screen(bool ascii);

#endif
