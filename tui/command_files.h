/* The ':' commands that read and write files. argument: as struct ui_command's run has it. */
#ifndef PBKD_TUI_COMMAND_FILES_H
#define PBKD_TUI_COMMAND_FILES_H

#include "tui/app_state.h"

void command_save_screen(struct app *app, const char *argument);
void command_write_config(struct app *app, const char *argument);
void command_export(struct app *app, const char *argument);

/* Runs one typed line; what goes wrong is said on the message line. */
typedef void (*line_runner)(struct app *app, const char *line);
/* Run the commands in a file; the first error ends it and is said as FILE:LINE: message. */
void command_source(struct app *app, const char *argument, line_runner run);
/* Run $XDG_CONFIG_HOME/pbkd/rc (~/.config/pbkd/rc) where there is one; once. */
void command_read_rc(struct app *app, line_runner run);

/* A typed file name with ~/ written out; caller frees. */
char *command_path(const char *text);

#endif
