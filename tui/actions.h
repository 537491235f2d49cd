/* What keys and typed commands have in common: the handlers of both tables (keys.h, commands.h) call these. */
#ifndef PBKD_TUI_ACTIONS_H
#define PBKD_TUI_ACTIONS_H

#include "tui/app_state.h"

void action_go_to(struct app *app, int view);
void action_search(struct app *app, const char *text);
void action_filter(struct app *app, const char *text);
void action_yank(struct app *app);
void action_pause(struct app *app, bool pause);
void action_checkpoint(struct app *app);
void action_help(struct app *app, const char *topic);
void action_ask_quit(struct app *app);
/* Offer a key to the active view (or the start screen); returns whether it took it. */
bool action_view_key(struct app *app, int key);

#endif
