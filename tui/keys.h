/* The keys that work in every view, one table: what they do, help, `:bind` and the manual come from it. A view is offered
 * a key first, unless the row's scope says otherwise. A person may bind further keys to a row, or a row's key to another
 * row; such bindings last for the session. */
#ifndef PBKD_TUI_KEYS_H
#define PBKD_TUI_KEYS_H

#include "engine/base/err.h"
#include "tui/key_row.h"

extern const struct global_key KEYS[];
extern const int N_KEYS;

/* The row of a key, NULL when it means nothing everywhere. */
const struct global_key *key_find(int key);
/* The same with bindings, which go before the table. */
const struct global_key *key_find_bound(const struct key_bindings *b, int key);
/* Bind a key, named as in the manual ("x", "^X", "F2", "PgUp", "Space"), to a row's name, "none" or "default". */
bool key_bind(struct key_bindings *b, const char *name, const char *action, struct err *e);

#endif
