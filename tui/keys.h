/* The keys that work in every view, one table: dispatch, help and the manual come from it. A view is offered a key
 * first, except for the rows marked `always`. */
#ifndef PBKD_TUI_KEYS_H
#define PBKD_TUI_KEYS_H

#include <stdbool.h>

enum key_action {
    ACTION_VIEW,
    ACTION_NEXT_VIEW,
    ACTION_PREVIOUS_VIEW,
    ACTION_HELP,
    ACTION_COMMAND,
    ACTION_SEARCH,
    ACTION_SEARCH_NEXT,
    ACTION_FILTER,
    ACTION_PAUSE,
    ACTION_STEP,
    ACTION_FREEZE,
    ACTION_BETA_DOWN,
    ACTION_BETA_UP,
    ACTION_UNDO,
    ACTION_CHECKPOINT,
    ACTION_MOUSE,
    ACTION_REDRAW,
    ACTION_SUSPEND,
    ACTION_QUIT,
    ACTION_INTERRUPT,
    ACTION_ABORT,
    N_ACTIONS
};

struct global_key {
    int first, last; /* a range of keys; one key: last = first */
    int other;       /* another key for the same, or 0 */
    bool always;     /* no view may take it */
    enum key_action action;
    const char *label, *help;
};
extern const struct global_key KEYS[];
extern const int N_KEYS;

/* The row of a key, NULL when it means nothing everywhere. */
const struct global_key *key_find(int key);

#endif
