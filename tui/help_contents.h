/* What the help says: the keys of the active view, the global keys, movements, views and commands, from their tables. */
#ifndef PBKD_TUI_HELP_CONTENTS_H
#define PBKD_TUI_HELP_CONTENTS_H

#include "tui/help.h"

/* For struct help's contents. */
void help_contents(struct help *h, const struct view_ops *view, const struct key_bindings *b);

#endif
