/* The table of global keys, what each does, and bindings on top of it: see keys.h. Movement keys belong to the views
 * (views/scroll.h). What a key shares with a typed command is in actions.h. */
#include "tui/keys.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tui/actions.h"
#include "tui/app_state.h"
#include "tui/key_names.h"
#include "tui/labels.h"
#include "views/scroll.h"
#include "views/views.h"

#define BETA_FACTOR 1.25

/* ---- what they do ---- */

static void go_to_digit(struct app *app, int key) {
    for (int i = 0; i < N_VIEWS; i++)
        if (VIEWS[i]->digit == key - '0') {
            action_go_to(app, i);
            return;
        }
    app_say(app, ALERT_WARNING, "there is no view %d", key - '0');
}

static void next_view(struct app *app, int key) {
    (void)key;
    action_go_to(app, (app->view + 1) % N_VIEWS);
}

static void previous_view(struct app *app, int key) {
    (void)key;
    action_go_to(app, (app->view + N_VIEWS - 1) % N_VIEWS);
}

static void show_help(struct app *app, int key) {
    (void)key;
    action_help(app, NULL);
}

static void open_command(struct app *app, int key) {
    (void)key;
    app_open_prompt(app, PROMPT_COMMAND, NULL);
}

static void open_search(struct app *app, int key) {
    (void)key;
    app_open_prompt(app, PROMPT_SEARCH, NULL);
}

static void search_next(struct app *app, int key) {
    (void)key;
    if (app->search[0]) action_search(app, app->search);
}

static void open_filter(struct app *app, int key) {
    (void)key;
    app_open_prompt(app, PROMPT_FILTER, NULL);
}

static void toggle_pause(struct app *app, int key) {
    (void)key;
    if (app->newest) action_pause(app, app->newest->state != RUN_PAUSED);
}

static void step(struct app *app, int key) {
    (void)key;
    app_send_simple(app, COMMAND_STEP, "1");
}

static void toggle_freeze(struct app *app, int key) {
    (void)key;
    if (app->frozen) {
        snapshot_release(app->frozen);
        app->frozen = NULL;
        app_say(app, ALERT_INFO, "the display follows the run again");
    } else if (app->newest) {
        app->frozen = snapshot_retain(app->newest);
        app_say(app, ALERT_INFO, "the display is frozen, the run goes on; Z again to follow it");
    }
}

/* Presses add up: each starts from what was asked for last, not from what is in force. */
static void scale_beta(struct app *app, double factor) {
    if (!app->newest) return;
    const double now = app->newest->metric[METRIC_BETA], from = app->beta_wanted > 0 ? app->beta_wanted : now;
    if (from <= 0) {
        app_say(app, ALERT_WARNING, "beta is 0: set it with :set beta VALUE");
        return;
    }
    struct command c = {.kind = COMMAND_SET, .name = "beta"};
    snprintf(c.value, sizeof c.value, "%.6g", from * factor);
    const double wanted = strtod(c.value, NULL);
    if (!app_send(app, &c)) return;
    app->beta_wanted = wanted;
    app_say(app, ALERT_INFO, "beta %.6g -> %.6g (%.3gx) at the next step", now, wanted, wanted / now);
}

static void beta_down(struct app *app, int key) {
    (void)key;
    scale_beta(app, 1.0 / BETA_FACTOR);
}

static void beta_up(struct app *app, int key) {
    (void)key;
    scale_beta(app, BETA_FACTOR);
}

static void undo(struct app *app, int key) {
    (void)key;
    app_undo(app);
}

static void redo(struct app *app, int key) {
    (void)key;
    app_redo(app);
}

static void yank(struct app *app, int key) {
    (void)key;
    action_yank(app);
}

static void checkpoint(struct app *app, int key) {
    (void)key;
    action_checkpoint(app);
}

static void toggle_mouse(struct app *app, int key) {
    (void)key;
    app->mouse = !app->mouse;
    terminal_mouse(app->terminal, app->mouse);
    app_say(app, ALERT_INFO, app->mouse ? "mouse on: the wheel moves; M again for text selection" : "mouse off");
}

static void redraw(struct app *app, int key) {
    (void)key;
    terminal_redraw(app->terminal);
}

static void suspend(struct app *app, int key) {
    (void)key;
    app_suspend(app);
}

static void quit(struct app *app, int key) {
    (void)key;
    action_ask_quit(app);
}

static void interrupt(struct app *app, int key) {
    (void)key;
    if (app->leaving) {
        terminal_close(app->terminal);
        _exit(128 +
              SIGINT); /* asked for while the checkpoint is written: files are replaced whole, the last one stays */
    }
    if (app->question == ASK_INTERRUPT)
        app_stop(app, SIGINT);
    else
        app->question = ASK_INTERRUPT;
}

static void abort_run(struct app *app, int key) {
    (void)key;
    app_stop(app, SIGQUIT);
}

/* ---- the table ---- */

#define ONE(key) (key), (key)
const struct global_key KEYS[] = {
    {'1', '9', 0, SCOPE_UNLESS_TAKEN, true, go_to_digit, NULL, "1 .. 9", "go to a view by its number"},
    {ONE(KEY_TAB), 0, SCOPE_UNLESS_TAKEN, true, next_view, "next", "Tab", "next pane of the view, or the next view"},
    {ONE(KEY_BACK_TAB), 0, SCOPE_UNLESS_TAKEN, true, previous_view, "previous", "S-Tab", "previous pane or view"},
    {ONE('?'), KEY_F1_, SCOPE_VIEWS, false, show_help, "help", "? F1",
     "help for this view; Enter there runs the selected line"},
    {ONE(':'), 0, SCOPE_VIEWS, false, open_command, "command", ":", "type a command"},
    {ONE('/'), 0, SCOPE_UNLESS_TAKEN, true, open_search, "search", "/", "search in this view"},
    {ONE('n'), 'N', SCOPE_UNLESS_TAKEN, true, search_next, "search-next", "n N",
     "search on with the same text; N backwards where the view can"},
    {ONE('&'), 0, SCOPE_UNLESS_TAKEN, true, open_filter, "filter", "&", "filter this view (empty: show everything)"},
    {ONE('p'), 0, SCOPE_UNLESS_TAKEN, true, toggle_pause, "pause", "p", "pause the run, or go on"},
    {ONE('.'), 0, SCOPE_UNLESS_TAKEN, true, step, "step", ".", "one micro-step while paused"},
    {ONE('Z'), 0, SCOPE_UNLESS_TAKEN, true, toggle_freeze, "freeze", "Z", "freeze the display; the run goes on"},
    {ONE('['), 0, SCOPE_UNLESS_TAKEN, true, beta_down, "beta-down", "[", "beta / 1.25 from the next step"},
    {ONE(']'), 0, SCOPE_UNLESS_TAKEN, true, beta_up, "beta-up", "]", "beta x 1.25 from the next step"},
    {ONE('u'), KEY_BACKSPACE_, SCOPE_UNLESS_TAKEN, true, undo, "undo", "u BS", "take back my last label"},
    {ONE('U'), 0, SCOPE_UNLESS_TAKEN, true, redo, "redo", "U", "give the label that u took back again"},
    {ONE('y'), 0, SCOPE_UNLESS_TAKEN, true, yank, "yank", "y",
     "copy what is selected to the terminal's clipboard (OSC 52)"},
    {ONE('C'), 0, SCOPE_UNLESS_TAKEN, true, checkpoint, "checkpoint", "C", "write a checkpoint now"},
    {ONE('M'), 0, SCOPE_UNLESS_TAKEN, false, toggle_mouse, "mouse", "M",
     "mouse wheel on or off (off leaves text selection to the terminal)"},
    {ONE(KEY_CTRL('l')), 0, SCOPE_EVERYWHERE, false, redraw, "redraw", "^L", "draw the screen again"},
    {ONE(KEY_CTRL('z')), 0, SCOPE_EVERYWHERE, false, suspend, "suspend", "^Z",
     "suspend the program, training included"},
    {ONE('q'), 0, SCOPE_UNLESS_TAKEN, false, quit, "quit", "q",
     "leave: asks for c checkpoint and quit, d discard, Esc stay"},
    {ONE(KEY_CTRL('c')), 0, SCOPE_UNLESS_TYPING, false, interrupt, "interrupt", "^C",
     "once asks, twice writes a checkpoint and leaves"},
    {ONE(KEY_CTRL('\\')), 0, SCOPE_EVERYWHERE, false, abort_run, "abort", "^\\",
     "write a checkpoint and leave at once"},
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
