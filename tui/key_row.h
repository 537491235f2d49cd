/* What a key of every view is, and what a person bound on top; the table itself is keys.h. */
#ifndef PBKD_TUI_KEY_ROW_H
#define PBKD_TUI_KEY_ROW_H

#include <stdbool.h>

struct app;

enum key_scope {
    SCOPE_UNLESS_TAKEN,  /* a view is asked first, a binding may change it */
    SCOPE_VIEWS,         /* no view may take it, no binding may change it */
    SCOPE_UNLESS_TYPING, /* nor a question that is open, or the help */
    SCOPE_EVERYWHERE     /* nor a line that is typed */
};

struct global_key {
    int first, last; /* a range of keys; one key: last = first */
    int other;       /* another key for the same, or 0 */
    enum key_scope scope;
    bool needs_run;                          /* does nothing on the start screen */
    void (*press)(struct app *app, int key); /* key: the one pressed, which a binding may have put here */
    const char *name;                        /* for :bind; NULL: an action that needs its own key (a view's digit) */
    const char *label, *help;
};

enum { MAX_BINDINGS = 64 };
struct key_bindings { /* zeroed: none */
    int n;
    struct key_binding {
        int key;
        char label[16];               /* the key as it was typed */
        const struct global_key *row; /* what it does; NULL: nothing */
    } at[MAX_BINDINGS];
};

#endif
