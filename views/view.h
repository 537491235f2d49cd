/* What a view is: a const table of functions over its own state. A view draws a snapshot on an area and turns keys into
 * reactions; it never touches the terminal, never calls another view, and changes the run only through the actions it
 * is handed. Its keys are a table: what a key does, the hint line, help and the manual come from one row. */
#ifndef PBKD_VIEWS_VIEW_H
#define PBKD_VIEWS_VIEW_H

#include "engine/run/snapshot.h"
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

/* A vote of the Label view: what `:label` calls it and what it stores. */
struct label_vote {
    const char *word;
    enum decision decision;
    double strength;
    const char *said; /* "you preferred A", of the pair before */
};

enum { VIEW_KEYS_A_ROW = 4 };
struct view_key {             /* a row of the view's key table */
    int key[VIEW_KEYS_A_ROW]; /* what they share is the row; unused ones are 0. Enter in the help presses the first */
    const char *label;        /* "a / b"; NULL: in no hint line, help or manual */
    const char *short_help;   /* hint line, one or two words; NULL: not in the hint line */
    const char *help;
    /* Returns reactions. NULL: a key of every view or a movement, which the row only explains. */
    int (*press)(void *state, int key, const struct snapshot *s, struct actions *act);
    const struct label_vote *vote; /* of the row's first, second ... key; NULL: not a vote */
};

struct view_ops {
    int digit;
    const char *name, *title, *help; /* name for :goto; help: one sentence for the manual */
    size_t state_size;
    void (*init)(void *state);
    void (*destroy)(void *state);
    void (*draw)(void *state, struct area a, const struct snapshot *s, const struct actions *act);
    /* The keys that the table leaves, movements mostly; returns reactions. NULL: none. */
    int (*other_key)(void *state, int key, const struct snapshot *s, struct actions *act);
    void (*edited)(void *state, const char *text, const struct snapshot *s, struct actions *act); /* may be NULL */
    /* Give the view its search text (`/`); NULL function: the view has no search. */
    void (*search)(void *state, const char *text);
    void (*filter)(void *state, const char *text);
    /* The selected thing as text for the clipboard (caller frees; NULL: nothing is selected); what says what it is
     * ("pair 12: prompt and both answers"). NULL function: the view selects nothing. */
    char *(*copy)(void *state, const struct snapshot *s, char *what, size_t size);
    const struct view_key *keys; /* ends with a row without keys */
};

/* The row of a key, NULL when the table has none. */
const struct view_key *view_key_find(const struct view_ops *v, int key);
/* What a key does in a view; returns reactions. */
int view_press(const struct view_ops *v, void *state, int key, const struct snapshot *s, struct actions *act);
/* The vote behind a key of a row, NULL when it is none. */
const struct label_vote *view_key_vote(const struct view_key *k, int key);

#endif
