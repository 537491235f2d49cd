/* Movement keys, shared by every view that scrolls: one table, from which the help takes its rows. */
#ifndef PBKD_VIEWS_SCROLL_H
#define PBKD_VIEWS_SCROLL_H

#include <stdbool.h>

enum scroll_unit { SCROLL_LINE, SCROLL_HALF, SCROLL_PAGE, SCROLL_ALL };

struct scroll_row {
    const char *label, *help;
    struct scroll_move {
        int key, direction; /* -1 towards the start, 1 towards the end */
        enum scroll_unit unit;
    } move[4];
};
extern const struct scroll_row SCROLL_KEYS[];
extern const int N_SCROLL_KEYS;

/* Move the first of n lines that is shown, page of them at a time; returns whether the key is a movement. */
bool scroll_key(int key, int *top, int page, int n);

#endif
