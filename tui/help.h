/* The help overlay: lines that can be searched, of which Enter runs the selected one. What they say comes from
 * help_contents.h: the tables of keys, views and commands lie above whatever can open the help. */
#ifndef PBKD_TUI_HELP_H
#define PBKD_TUI_HELP_H

#include "tui/key_row.h"
#include "views/view.h"

struct help_line {
    char *label;         /* owned */
    const char *text;    /* NULL: a heading */
    int key;             /* what Enter presses, 0 none */
    const char *command; /* what Enter types after ':', NULL none */
};

struct help {
    /* Fills the lines; set once. view NULL: the start screen's help. */
    void (*contents)(struct help *h, const struct view_ops *view, const struct key_bindings *b);
    bool open;
    struct help_line *line;
    int n, cap, selected, top;
    char filter[64];
    bool typing; /* letters go to the filter */
};

/* topic (may be NULL) is the first filter. */
void help_open(struct help *h, const struct view_ops *view, const struct key_bindings *b, const char *topic);
/* For contents: one more line. */
void help_add(struct help *h, const char *label, const char *text, int key, const char *command);
void help_close(struct help *h);
void help_draw(struct help *h, struct area a);

enum help_result { HELP_STAYS, HELP_CLOSED, HELP_RUN_KEY, HELP_RUN_COMMAND };
/* RUN_KEY and RUN_COMMAND say what the selected line holds in *line; the overlay is closed then. */
enum help_result help_key(struct help *h, int key, struct help_line *line);

#endif
