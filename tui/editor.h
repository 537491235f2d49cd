/* A text in the person's own editor. */
#ifndef PBKD_TUI_EDITOR_H
#define PBKD_TUI_EDITOR_H

#include "tui/app_state.h"

/* Run $VISUAL or $EDITOR on a text; *text (malloced) is replaced. */
bool app_edit(struct app *app, char **text, struct err *e);

#endif
