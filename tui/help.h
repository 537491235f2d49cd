/* The help overlay: what the keys of the active view, the global keys and the commands do, generated from their tables;
 * searchable, and Enter runs the selected line. */
#ifndef PBKD_TUI_HELP_H
#define PBKD_TUI_HELP_H

#include "tui/keys.h"
#include "views/view.h"

struct help_line {
    const char *label, *text; /* text NULL: a heading */
    int key;                  /* what Enter presses, 0 none */
    const char *command;      /* what Enter types after ':', NULL none */
};

struct help {
    bool open;
    struct help_line *line;
    int n, cap, selected, top;
    char filter[64];
    bool typing; /* letters go to the filter */
};

/* view NULL: the start screen's help. topic (may be NULL) is the first filter. The bindings must outlive the
 * overlay. */
void help_open(struct help *h, const struct view_ops *view, const struct key_bindings *b, const char *topic);
void help_close(struct help *h);
void help_draw(struct help *h, struct area a);

enum help_result { HELP_STAYS, HELP_CLOSED, HELP_RUN_KEY, HELP_RUN_COMMAND };
/* RUN_KEY and RUN_COMMAND say what the selected line holds in *line; the overlay is closed then. */
enum help_result help_key(struct help *h, int key, struct help_line *line);

#endif
