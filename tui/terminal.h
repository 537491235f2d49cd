/* The terminal: curses from start to end, the grid of cells on its way to the screen, keys on their way in. The only
 * file that includes curses, so that its macros and names stay away from everything else. */
#ifndef PBKD_TUI_TERMINAL_H
#define PBKD_TUI_TERMINAL_H

#include "engine/base/err.h"
#include "views/canvas.h"

struct terminal;

/* Whether TERM names a terminal whose cursor can be moved; needs no open terminal. */
bool terminal_can_draw(void);
/* Take the terminal over (alternate screen, raw keys, no echo) and arm the crash rescue of signals.h. ascii: no other
 * characters. */
struct terminal *terminal_open(bool ascii, struct err *e);
/* Give it back as it was; NULL is fine. */
void terminal_close(struct terminal *t);

void terminal_size(const struct terminal *t, int *rows, int *cols);
enum glyphs terminal_glyphs(const struct terminal *t); /* by locale, terminal and --ascii */
/* After SIGWINCH: ask for the new size; returns whether it changed. */
bool terminal_resize(struct terminal *t);
/* Show the canvas (of the terminal's size); the cursor stands at (row, col) or is hidden when row < 0. Unchanged cells
 * cost nothing. */
void terminal_show(struct terminal *t, const struct canvas *c, int row, int col);
/* The next terminal_show draws every cell again, whatever the terminal shows now. */
void terminal_redraw(struct terminal *t);

/* The next key as views/view.h names them; KEY_CODE_NONE when none waits. Esc comes after 25 ms without more; Alt-x as
 * Esc, then x. */
int terminal_key(struct terminal *t);

/* Leave the screen for another program or a stop, and come back. */
void terminal_suspend(struct terminal *t);
void terminal_resume(struct terminal *t);
/* Mouse reporting: the wheel then moves like the arrow keys. Off at start, because it takes text selection away. */
void terminal_mouse(struct terminal *t, bool on);

#endif
