/* From a checked command line to a run: on a screen where there is one, as text where there is none. */
#ifndef PBKD_TUI_LAUNCH_H
#define PBKD_TUI_LAUNCH_H

#include <stddef.h>
#include <stdio.h>

#include "engine/run/session.h"

struct launch {
    struct session_config session;
    bool headless; /* asked for */
    bool ascii;
};

/* Whether a workbench can be drawn: both ends are terminals and the cursor can be moved. *why says what is missing. */
bool launch_has_screen(const char **why);
/* Run to the end; returns the exit code. l = NULL: the workbench's start screen. */
int launch_run(struct launch *l);
int launch_start_screen(bool ascii);
/* What the workbench would show, as text for where there is no screen: the facts of a run, read from its folder (tui/
 * verbs/overview.c), or what can be done when there is none (tui/start.c). Nothing is started. */
bool overview_print(FILE *out, const char *folder, struct err *e);
void start_print(FILE *out);

/* A file of sample_data/, looked for beside the program, in the current folder, beside the program's share/ folder, in
 * the installed share/, then in $PBKD_DATA (which names a folder that holds sample_data's contents). */
bool launch_sample_data(const char *name, char *path, size_t size, struct err *e);

/* A session's configuration for the demo or a config file; run_dir, overrides and seed as the command line has them. */
bool launch_demo(struct launch *l, struct err *e);
bool launch_config(struct launch *l, const char *path, struct err *e);

#endif
