/* What the command line or the start screen asks to be run: a session's configuration, from a file or the demo's. How it
 * is run, on a screen or as text, is run_game.h. */
#ifndef PBKD_TUI_LAUNCH_H
#define PBKD_TUI_LAUNCH_H

#include "engine/run/session.h"

struct launch {
    struct session_config session;
    bool headless; /* asked for */
    bool ascii;
};

/* A session's configuration for the demo or a config file; run_dir, overrides and seed as the command line has them. The
 * demo's files are looked for beside the program, in the current folder, beside the program's share/ folder, in the
 * installed share/, then in $PBKD_DATA (which names a folder that holds sample_data's contents). */
bool launch_demo(struct launch *l, struct err *e);
bool launch_config(struct launch *l, const char *path, struct err *e);

#endif
