/* The start screen: what can be done when there is no run yet. */
#ifndef PBKD_TUI_START_H
#define PBKD_TUI_START_H

#include <stdio.h>

#include "tui/app_state.h"

void start_draw(struct app *app, struct area a);
void start_draw_hints(struct area a);     /* one row */
bool start_key(struct app *app, int key); /* false: not one of its keys */
void start_demo(struct app *app);
void start_config(struct app *app, const char *path);
/* The same as text, for where there is no screen. */
void start_print(FILE *out);

#endif
