/* One frame of the workbench: header, the active view, hints, message row; the help overlay over the view. */
#ifndef PBKD_TUI_APP_DRAW_H
#define PBKD_TUI_APP_DRAW_H

#include "tui/app_state.h"

/* Draw the canvas and show it. */
void app_draw(struct app *app);

#endif
