/* The keys that work in every view, one table: dispatch, help, `:bind` and the manual come from it. A view is offered a
 * key first, unless the row's scope says otherwise. A person may bind further keys to a row's action, or a row's key to
 * another action; such bindings last for the session. */
#ifndef PBKD_TUI_KEYS_H
#define PBKD_TUI_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/err.h"

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
    ACTION_REDO,
    ACTION_YANK,
    ACTION_CHECKPOINT,
    ACTION_MOUSE,
    ACTION_REDRAW,
    ACTION_SUSPEND,
    ACTION_QUIT,
    ACTION_INTERRUPT,
    ACTION_ABORT,
    N_ACTIONS
};

enum key_scope {
    SCOPE_UNLESS_TAKEN, /* a view is asked first, a binding may change it */
    SCOPE_VIEWS,        /* no view may take it, no binding may change it */
    SCOPE_EVERYWHERE    /* nor a line that is typed, a question that is open, or the help */
};

struct global_key {
    int first, last; /* a range of keys; one key: last = first */
    int other;       /* another key for the same, or 0 */
    enum key_scope scope;
    enum key_action action;
    const char *name; /* for :bind; NULL: an action that needs its own key (a view's digit) */
    const char *label, *help;
};
extern const struct global_key KEYS[];
extern const int N_KEYS;

enum { MAX_BINDINGS = 64 };
struct key_bindings { /* zeroed: none */
    int n;
    struct key_binding {
        int key;
        char label[16];               /* the key as it was typed */
        const struct global_key *row; /* what it does; NULL: nothing */
    } at[MAX_BINDINGS];
};

/* The row of a key, NULL when it means nothing everywhere. */
const struct global_key *key_find(int key);
/* The same with bindings, which go before the table. */
const struct global_key *key_find_bound(const struct key_bindings *b, int key);
/* Bind a key, named as in the manual ("x", "^X", "F2", "PgUp", "Space"), to an action's name, "none" or "default".
 * Refused: unknown names, keys marked `always`, keys that views move with. */
bool key_bind(struct key_bindings *b, const char *key, const char *action, struct err *e);
/* The key of a name, KEY_CODE_NONE when there is none. */
int key_named(const char *name);

#endif
