/* Labels on their way to the run, and what the message row says of them. */
#ifndef PBKD_TUI_LABELS_H
#define PBKD_TUI_LABELS_H

#include "tui/app_state.h"

/* Save a label (seq and time are filled in), take the newest back, give again what was taken back; each says what came
 * of it. */
bool app_label(struct app *app, struct label_event *ev);
void app_undo(struct app *app);
void app_redo(struct app *app);

#endif
