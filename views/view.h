/* What a view is: a const table of functions over its own state. A view draws a snapshot on an area and turns keys into
 * reactions; it never touches the terminal, never calls another view, and changes the run only through the actions it
 * is handed.
 *
 * The list VIEWS is the only place that knows all views: digits, help, hints, `:goto` completion and the manual come
 * from it. */
#ifndef PBKD_VIEWS_VIEW_H
#define PBKD_VIEWS_VIEW_H

#include "engine/run/session.h"
#include "views/canvas.h"

/* Keys as views see them: a Unicode code point, or one of these. */
/* clang-format off */
enum { KEY_CODE_NONE = 0, KEY_CODE_BASE = 0x110000, KEY_UP_, KEY_DOWN_, KEY_LEFT_, KEY_RIGHT_, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME_, KEY_END_,
       KEY_TAB, KEY_BACK_TAB, KEY_ENTER_, KEY_ESCAPE, KEY_BACKSPACE_, KEY_DELETE_, KEY_F1_, KEY_F12_ = KEY_F1_ + 11 };
/* clang-format on */
#define KEY_CTRL(c) ((c)&0x1f)

/* What a key did; several may be or-ed. */
enum reaction {
    REACT_NONE = 0,
    REACT_REDRAW = 1,    /* draw the view again */
    REACT_UNHANDLED = 2, /* the key is not the view's: try the global table */
    REACT_PROMPT = 4,    /* open the ':' line with actions->prompt_text */
    REACT_EDITOR = 8     /* run $EDITOR on actions->editor_text; result comes back through ops->edited */
};

/* What a view may ask for. Filled in by the interface; tests fill in their own. */
struct actions {
    void *ctx;
    bool (*label)(void *ctx, struct label_event *ev); /* durable; shows "saved" or the error */
    void (*message)(void *ctx, enum alert_level level, const char *text);
    double now; /* monotonic seconds, for dwell times and the 250 ms guard */
    const char *annotator;
    char prompt_text[256];
    char *editor_text; /* malloc'ed */
};

struct view_key { /* a row of the view's key table: hints, help and the manual come from it */
    int key;
    const char *label;      /* "a / b" */
    const char *short_help; /* hint line, one or two words; NULL: not in the hint line */
    const char *help;
};

struct view_ops {
    int digit;
    const char *name, *title, *help; /* name for :goto; help: one sentence for the manual */
    size_t state_size;
    void (*init)(void *state);
    void (*destroy)(void *state);
    void (*draw)(void *state, struct area a, const struct snapshot *s, const struct actions *act);
    int (*key)(void *state, int key, const struct snapshot *s, struct actions *act); /* returns reactions */
    void (*edited)(void *state, const char *text, const struct snapshot *s, struct actions *act); /* may be NULL */
    /* Give the view its search text (`/`); NULL function: the view has no search. */
    void (*search)(void *state, const char *text);
    void (*filter)(void *state, const char *text);
    /* The selected thing as text for the clipboard (caller frees; NULL: nothing is selected); what says what it is
     * ("pair 12: prompt and both answers"). NULL function: the view selects nothing. */
    char *(*copy)(void *state, const struct snapshot *s, char *what, size_t size);
    const struct view_key *keys; /* ends with key 0 */
};

extern const struct view_ops *const VIEWS[];
extern const int N_VIEWS;

/* Shared chrome (header, hints), drawn by the interface around the active view. */
void draw_header(struct area a, const struct snapshot *s, bool frozen);
void draw_hints(struct area a, const struct view_ops *v);

/* Movement keys shared by every scrolling view: j k arrows, g G, ^D ^U, PgUp PgDn; returns true when it was one. */
bool scroll_key(int key, int *top, int page, int n);

#endif
