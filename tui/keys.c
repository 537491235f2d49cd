/* The table of global keys, and bindings on top of it: see keys.h. Movement keys (j k arrows g G ^D ^U PgUp PgDn)
 * belong to the views, which share scroll_key. */
#include "tui/keys.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "views/view.h"

#define ONE(key) (key), (key)

const struct global_key KEYS[] = {
    {'1', '9', 0, SCOPE_UNLESS_TAKEN, ACTION_VIEW, NULL, "1 .. 9", "go to a view by its number"},
    {ONE(KEY_TAB), 0, SCOPE_UNLESS_TAKEN, ACTION_NEXT_VIEW, "next", "Tab", "next pane of the view, or the next view"},
    {ONE(KEY_BACK_TAB), 0, SCOPE_UNLESS_TAKEN, ACTION_PREVIOUS_VIEW, "previous", "S-Tab", "previous pane or view"},
    {ONE('?'), KEY_F1_, SCOPE_VIEWS, ACTION_HELP, "help", "? F1",
     "help for this view; Enter there runs the selected line"},
    {ONE(':'), 0, SCOPE_VIEWS, ACTION_COMMAND, "command", ":", "type a command"},
    {ONE('/'), 0, SCOPE_UNLESS_TAKEN, ACTION_SEARCH, "search", "/", "search in this view"},
    {ONE('n'), 'N', SCOPE_UNLESS_TAKEN, ACTION_SEARCH_NEXT, "search-next", "n N",
     "search on with the same text; N backwards where the view can"},
    {ONE('&'), 0, SCOPE_UNLESS_TAKEN, ACTION_FILTER, "filter", "&", "filter this view (empty: show everything)"},
    {ONE('p'), 0, SCOPE_UNLESS_TAKEN, ACTION_PAUSE, "pause", "p", "pause the run, or go on"},
    {ONE('.'), 0, SCOPE_UNLESS_TAKEN, ACTION_STEP, "step", ".", "one micro-step while paused"},
    {ONE('Z'), 0, SCOPE_UNLESS_TAKEN, ACTION_FREEZE, "freeze", "Z", "freeze the display; the run goes on"},
    {ONE('['), 0, SCOPE_UNLESS_TAKEN, ACTION_BETA_DOWN, "beta-down", "[", "beta / 1.25 from the next step"},
    {ONE(']'), 0, SCOPE_UNLESS_TAKEN, ACTION_BETA_UP, "beta-up", "]", "beta x 1.25 from the next step"},
    {ONE('u'), KEY_BACKSPACE_, SCOPE_UNLESS_TAKEN, ACTION_UNDO, "undo", "u BS", "take back my last label"},
    {ONE('U'), 0, SCOPE_UNLESS_TAKEN, ACTION_REDO, "redo", "U", "give the label that u took back again"},
    {ONE('y'), 0, SCOPE_UNLESS_TAKEN, ACTION_YANK, "yank", "y",
     "copy what is selected to the terminal's clipboard (OSC 52)"},
    {ONE('C'), 0, SCOPE_UNLESS_TAKEN, ACTION_CHECKPOINT, "checkpoint", "C", "write a checkpoint now"},
    {ONE('M'), 0, SCOPE_UNLESS_TAKEN, ACTION_MOUSE, "mouse", "M",
     "mouse wheel on or off (off leaves text selection to the terminal)"},
    {ONE(KEY_CTRL('l')), 0, SCOPE_EVERYWHERE, ACTION_REDRAW, "redraw", "^L", "draw the screen again"},
    {ONE(KEY_CTRL('z')), 0, SCOPE_EVERYWHERE, ACTION_SUSPEND, "suspend", "^Z",
     "suspend the program, training included"},
    {ONE('q'), 0, SCOPE_UNLESS_TAKEN, ACTION_QUIT, "quit", "q",
     "leave: asks for c checkpoint and quit, d discard, Esc stay"},
    {ONE(KEY_CTRL('c')), 0, SCOPE_EVERYWHERE, ACTION_INTERRUPT, "interrupt", "^C",
     "once asks, twice writes a checkpoint and leaves"},
    {ONE(KEY_CTRL('\\')), 0, SCOPE_EVERYWHERE, ACTION_ABORT, "abort", "^\\", "write a checkpoint and leave at once"},
};
const int N_KEYS = sizeof KEYS / sizeof KEYS[0];

const struct global_key *key_find(int key) {
    for (int i = 0; i < N_KEYS; i++)
        if ((key >= KEYS[i].first && key <= KEYS[i].last) || (KEYS[i].other && key == KEYS[i].other)) return &KEYS[i];
    return NULL;
}

const struct global_key *key_find_bound(const struct key_bindings *b, int key) {
    for (int i = 0; i < b->n; i++)
        if (b->at[i].key == key) return b->at[i].row;
    return key_find(key);
}

/* ---- bindings ---- */

static const struct {
    const char *name;
    int key;
} NAMES[] = {{"Tab", KEY_TAB},      {"S-Tab", KEY_BACK_TAB}, {"BS", KEY_BACKSPACE_}, {"Del", KEY_DELETE_},
             {"Enter", KEY_ENTER_}, {"Esc", KEY_ESCAPE},     {"Up", KEY_UP_},        {"Down", KEY_DOWN_},
             {"Left", KEY_LEFT_},   {"Right", KEY_RIGHT_},   {"Home", KEY_HOME_},    {"End", KEY_END_},
             {"PgUp", KEY_PAGE_UP}, {"PgDn", KEY_PAGE_DOWN}, {"Space", ' '},         {"F1", KEY_F1_},
             {"F2", KEY_F1_ + 1},   {"F3", KEY_F1_ + 2},     {"F4", KEY_F1_ + 3},    {"F5", KEY_F1_ + 4},
             {"F6", KEY_F1_ + 5},   {"F7", KEY_F1_ + 6},     {"F8", KEY_F1_ + 7},    {"F9", KEY_F1_ + 8},
             {"F10", KEY_F1_ + 9},  {"F11", KEY_F1_ + 10},   {"F12", KEY_F1_ + 11}};

int key_named(const char *name) {
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(NAMES[i].name, name) == 0) return NAMES[i].key;
    if (name[0] == '^' && name[1] && !name[2]) {
        const int c = name[1] >= 'a' && name[1] <= 'z' ? name[1] - 'a' + 'A' : name[1];
        const int key = c > '@' && c <= '_' ? KEY_CTRL(c) : 0;
        /* Terminals send the same byte for these pairs. */
        return key == '\t'                  ? KEY_TAB
               : key == '\r' || key == '\n' ? KEY_ENTER_
               : key == 27                  ? KEY_ESCAPE
               : key == 8                   ? KEY_BACKSPACE_
                                            : key;
    }
    utf8proc_int32_t c;
    const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)name, -1, &c);
    return n > 0 && c > ' ' && c != 127 && name[n] == '\0' ? (int)c : KEY_CODE_NONE;
}

static const struct global_key *row_of(const char *action) {
    for (int i = 0; i < N_KEYS; i++)
        if (KEYS[i].name && strcmp(KEYS[i].name, action) == 0) return &KEYS[i];
    return NULL;
}

static void forget(struct key_bindings *b, int key) {
    for (int i = 0; i < b->n; i++)
        if (b->at[i].key == key) {
            memmove(&b->at[i], &b->at[i + 1], (size_t)(b->n - i - 1) * sizeof b->at[0]);
            b->n--;
            return;
        }
}

bool key_bind(struct key_bindings *b, const char *name, const char *action, struct err *e) {
    const int key = key_named(name);
    int top = 0;
    if (key == KEY_CODE_NONE)
        return err_set(e, "there is no key \"%s\": expected a character, ^X, F1 to F12, Tab, PgUp ...", name);
    const struct global_key *own = key_find(key), *row = row_of(action);
    if (own && own->scope != SCOPE_UNLESS_TAKEN)
        return err_set(e, "%s cannot be bound: it always means %s", name, own->name);
    if (scroll_key(key, &top, 1, 1)) return err_set(e, "%s cannot be bound: views move with it", name);
    if (!row && strcmp(action, "none") != 0 && strcmp(action, "default") != 0)
        return err_set(e, "there is no action \"%s\" (Tab behind :bind KEY shows them)", action);
    forget(b, key);
    if (strcmp(action, "default") == 0) return true;
    if (b->n == MAX_BINDINGS) return err_set(e, "%d keys are bound already", MAX_BINDINGS);
    struct key_binding *at = &b->at[b->n++];
    at->key = key;
    at->row = row;
    snprintf(at->label, sizeof at->label, "%s", name);
    return true;
}
