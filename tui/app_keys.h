/* Where a key goes: the open question, the typed line and the help take it first, then the active view, then the table
 * of global keys. */
#ifndef PBKD_TUI_APP_KEYS_H
#define PBKD_TUI_APP_KEYS_H

#include "tui/app_state.h"

/* next: the key that came right behind, or KEY_CODE_NONE. */
void app_key(struct app *app, int key, int next);

#endif
