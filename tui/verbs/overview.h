/* What the workbench would show, as text for where there is no screen: the facts of a run, read from its folder. Nothing
 * is started. */
#ifndef PBKD_TUI_VERBS_OVERVIEW_H
#define PBKD_TUI_VERBS_OVERVIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "engine/base/err.h"

bool overview_print(FILE *out, const char *folder, struct err *e);

#endif
