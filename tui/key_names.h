/* Keys as they are written: "x", "^X", "F2", "PgUp", "Space". */
#ifndef PBKD_TUI_KEY_NAMES_H
#define PBKD_TUI_KEY_NAMES_H

/* The key (as views/view.h names them) of a name, KEY_CODE_NONE when it is none. */
int key_named(const char *name);

#endif
