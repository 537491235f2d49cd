/* The table of global keys: see keys.h. Movement keys (j k arrows g G ^D ^U PgUp PgDn) belong to the views, which share
 * scroll_key. */
#include "tui/keys.h"

#include <stddef.h>

#include "views/view.h"

#define ONE(key) (key), (key)

const struct global_key KEYS[] = {
    {'1', '9', 0, false, ACTION_VIEW, "1 .. 9", "go to a view by its number"},
    {ONE(KEY_TAB), 0, false, ACTION_NEXT_VIEW, "Tab", "next pane of the view, or the next view"},
    {ONE(KEY_BACK_TAB), 0, false, ACTION_PREVIOUS_VIEW, "S-Tab", "previous pane or view"},
    {ONE('?'), KEY_F1_, true, ACTION_HELP, "? F1", "help for this view; Enter there runs the selected line"},
    {ONE(':'), 0, true, ACTION_COMMAND, ":", "type a command"},
    {ONE('/'), 0, false, ACTION_SEARCH, "/", "search in this view"},
    {ONE('n'), 'N', false, ACTION_SEARCH_NEXT, "n N", "search on with the same text; N backwards where the view can"},
    {ONE('&'), 0, false, ACTION_FILTER, "&", "filter this view (empty: show everything)"},
    {ONE('p'), 0, false, ACTION_PAUSE, "p", "pause the run, or go on"},
    {ONE('.'), 0, false, ACTION_STEP, ".", "one micro-step while paused"},
    {ONE('Z'), 0, false, ACTION_FREEZE, "Z", "freeze the display; the run goes on"},
    {ONE('['), 0, false, ACTION_BETA_DOWN, "[", "beta / 1.25 from the next step"},
    {ONE(']'), 0, false, ACTION_BETA_UP, "]", "beta x 1.25 from the next step"},
    {ONE('u'), KEY_BACKSPACE_, false, ACTION_UNDO, "u BS", "take back my last label"},
    {ONE('C'), 0, false, ACTION_CHECKPOINT, "C", "write a checkpoint now"},
    {ONE('M'), 0, false, ACTION_MOUSE, "M", "mouse wheel on or off (off leaves text selection to the terminal)"},
    {ONE(KEY_CTRL('l')), 0, true, ACTION_REDRAW, "^L", "draw the screen again"},
    {ONE(KEY_CTRL('z')), 0, true, ACTION_SUSPEND, "^Z", "suspend the program, training included"},
    {ONE('q'), 0, false, ACTION_QUIT, "q", "leave: asks for c checkpoint and quit, d discard, Esc stay"},
    {ONE(KEY_CTRL('c')), 0, true, ACTION_INTERRUPT, "^C", "once asks, twice writes a checkpoint and leaves"},
    {ONE(KEY_CTRL('\\')), 0, true, ACTION_ABORT, "^\\", "write a checkpoint and leave at once"},
};
const int N_KEYS = sizeof KEYS / sizeof KEYS[0];

const struct global_key *key_find(int key) {
    for (int i = 0; i < N_KEYS; i++)
        if ((key >= KEYS[i].first && key <= KEYS[i].last) || (KEYS[i].other && key == KEYS[i].other)) return &KEYS[i];
    return NULL;
}
