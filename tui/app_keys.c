/* What keys do: the open question, the prompt and the help overlay take them first, then the active view, then the
 * global table. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/strbuf.h"
#include "tui/app_private.h"
#include "tui/clipboard.h"
#include "tui/commands.h"
#include "tui/safe_text.h"

#define BETA_FACTOR 1.25

void app_go_to(struct app *app, int view) {
    if (view >= 0 && view < N_VIEWS && view < MAX_VIEWS) app->view = view;
}

void app_open_prompt(struct app *app, enum prompt_kind kind, const char *initial) {
    app->question = ASK_NOTHING;
    prompt_open(app->prompt, kind, initial);
}

static void go_to_digit(struct app *app, int digit) {
    for (int i = 0; i < N_VIEWS; i++)
        if (VIEWS[i]->digit == digit) {
            app_go_to(app, i);
            return;
        }
    app_say(app, ALERT_WARNING, "there is no view %d", digit);
}

static void search(struct app *app, const char *text) {
    const struct view_ops *v = VIEWS[app->view];
    if (!v->search) {
        app_say(app, ALERT_WARNING, "%s has no search", v->title);
        return;
    }
    if (text != app->search) snprintf(app->search, sizeof app->search, "%s", text);
    v->search(app->view_state[app->view], app->search);
}

void app_filter(struct app *app, const char *text) {
    const struct view_ops *v = VIEWS[app->view];
    if (v->filter)
        v->filter(app->view_state[app->view], text);
    else
        app_say(app, ALERT_WARNING, "%s has no filter", v->title);
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

static void toggle_freeze(struct app *app) {
    if (app->frozen) {
        snapshot_release(app->frozen);
        app->frozen = NULL;
        app_say(app, ALERT_INFO, "the display follows the run again");
    } else if (app->newest) {
        app->frozen = snapshot_retain(app->newest);
        app_say(app, ALERT_INFO, "the display is frozen, the run goes on; Z again to follow it");
    }
}

static void toggle_pause(struct app *app) {
    if (!app->newest) return;
    const bool paused = app->newest->state == RUN_PAUSED;
    if (app_send_simple(app, paused ? COMMAND_RESUME : COMMAND_PAUSE, ""))
        app_say(app, ALERT_INFO, paused ? "going on" : "pausing");
}

/* What models wrote goes into the clipboard as it is shown: a control byte pasted into a shell would be obeyed. */
void app_yank(struct app *app) {
    const struct view_ops *v = VIEWS[app->view];
    const struct snapshot *s = app_shown(app);
    char what[80];
    char *text = v->copy && s ? v->copy(app->view_state[app->view], s, what, sizeof what) : NULL;
    if (!text) {
        app_say(app, ALERT_WARNING, "%s: nothing to copy here", v->title);
        return;
    }
    struct err e = {0};
    struct strbuf b = {0};
    safe_text(&b, text, strlen(text), true);
    if (clipboard_copy(strbuf_str(&b), b.len, &e))
        app_say(app, ALERT_INFO, "%s (%zu bytes) sent to the terminal's clipboard", what, b.len);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
    strbuf_free(&b);
    free(text);
}

static void ask_quit(struct app *app) {
    if (app_run_over(app))
        app_leave(app, true);
    else
        app->question = ASK_QUIT;
}

static void interrupt(struct app *app) {
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

/* What works without a run. */
static bool works_at_start(enum key_action action) {
    return action == ACTION_HELP || action == ACTION_COMMAND || action == ACTION_MOUSE || action >= ACTION_REDRAW;
}

static void run_action(struct app *app, const struct global_key *k, int key) {
    if (!app->session && !works_at_start(k->action)) return;
    switch (k->action) {
    case ACTION_VIEW: go_to_digit(app, key - '0'); break;
    case ACTION_NEXT_VIEW: app_go_to(app, (app->view + 1) % N_VIEWS); break;
    case ACTION_PREVIOUS_VIEW: app_go_to(app, (app->view + N_VIEWS - 1) % N_VIEWS); break;
    case ACTION_HELP: help_open(&app->help, app->session ? VIEWS[app->view] : NULL, &app->bindings, NULL); break;
    case ACTION_COMMAND: app_open_prompt(app, PROMPT_COMMAND, NULL); break;
    case ACTION_SEARCH: app_open_prompt(app, PROMPT_SEARCH, NULL); break;
    case ACTION_SEARCH_NEXT:
        if (app->search[0]) search(app, app->search);
        break;
    case ACTION_FILTER: app_open_prompt(app, PROMPT_FILTER, NULL); break;
    case ACTION_PAUSE: toggle_pause(app); break;
    case ACTION_STEP: app_send_simple(app, COMMAND_STEP, "1"); break;
    case ACTION_FREEZE: toggle_freeze(app); break;
    case ACTION_BETA_DOWN: scale_beta(app, 1.0 / BETA_FACTOR); break;
    case ACTION_BETA_UP: scale_beta(app, BETA_FACTOR); break;
    case ACTION_UNDO: app_undo(app); break;
    case ACTION_REDO: app_redo(app); break;
    case ACTION_YANK: app_yank(app); break;
    case ACTION_CHECKPOINT:
        if (app_send_simple(app, COMMAND_CHECKPOINT, ""))
            app_say(app, ALERT_INFO, "a checkpoint at the next micro-step");
        break;
    case ACTION_MOUSE:
        app->mouse = !app->mouse;
        terminal_mouse(app->terminal, app->mouse);
        app_say(app, ALERT_INFO, app->mouse ? "mouse on: the wheel moves; M again for text selection" : "mouse off");
        break;
    case ACTION_REDRAW: terminal_redraw(app->terminal); break;
    case ACTION_SUSPEND: app_suspend(app); break;
    case ACTION_QUIT: ask_quit(app); break;
    case ACTION_INTERRUPT: interrupt(app); break;
    case ACTION_ABORT: app_stop(app, SIGQUIT); break;
    case N_ACTIONS: break;
    }
}

static void run_editor(struct app *app) {
    struct err e = {0};
    char *text = app->actions.editor_text;
    app->actions.editor_text = NULL;
    if (!text) text = strdup("");
    const struct view_ops *v = VIEWS[app->view];
    if (!app_edit(app, &text, &e))
        app_say(app, ALERT_ERROR, "%s", e.msg);
    else if (v->edited)
        v->edited(app->view_state[app->view], text, app_shown(app), &app->actions);
    free(text);
}

bool app_view_key(struct app *app, int key) {
    const struct snapshot *s = app_shown(app);
    if (!s) return start_key(app, key);
    const int r = VIEWS[app->view]->key(app->view_state[app->view], key, s, &app->actions);
    if (r & REACT_PROMPT) app_open_prompt(app, PROMPT_COMMAND, app->actions.prompt_text);
    if (r & REACT_EDITOR) run_editor(app);
    if (r & REACT_POP) {
        if (key == 'q') ask_quit(app);
        return true;
    }
    return !(r & REACT_UNHANDLED);
}

static void press(struct app *app, int key) {
    const struct global_key *k = key_find_bound(&app->bindings, key);
    if (k && k->always)
        run_action(app, k, key);
    else if (!app_view_key(app, key) && k)
        run_action(app, k, key);
}

/* The confirming key is never the one that asked. */
static void answer(struct app *app, int key) {
    if (key == KEY_ESCAPE)
        app->question = ASK_NOTHING;
    else if (app->question == ASK_QUIT && key == 'c')
        app_leave(app, true);
    else if (app->question == ASK_QUIT && key == 'd')
        app_leave(app, false);
    else if (key == KEY_CTRL('c') || key == KEY_CTRL('z') || key == KEY_CTRL('l') || key == KEY_CTRL('\\'))
        run_action(app, key_find(key), key);
}

static void prompt_step(struct app *app, int key, int next) {
    if (prompt_key(app->prompt, key, next) != PROMPT_ACCEPTED) return;
    char *line = strdup(prompt_text(app->prompt));
    switch (prompt_kind(app->prompt)) {
    case PROMPT_COMMAND: command_run(app, line); break;
    case PROMPT_SEARCH: search(app, line); break;
    case PROMPT_FILTER: app_filter(app, line); break;
    }
    free(line);
}

static void help_step(struct app *app, int key) {
    struct help_line line;
    const enum help_result r = help_key(&app->help, key, &line);
    if (r == HELP_RUN_KEY) press(app, line.key);
    if (r == HELP_RUN_COMMAND) {
        char text[80];
        snprintf(text, sizeof text, "%s ", line.command);
        app_open_prompt(app, PROMPT_COMMAND, text);
    }
}

void app_key(struct app *app, int key, int next) {
    app->message[0] = '\0';
    if (app->leaving) {
        if (key == KEY_CTRL('c')) interrupt(app);
        app_say(app, ALERT_INFO, "leaving: waiting for the engine (^C: leave without a new checkpoint)");
    } else if (prompt_is_open(app->prompt)) {
        prompt_step(app, key, next);
    } else if (app->question != ASK_NOTHING) {
        answer(app, key);
    } else if (app->help.open && key != KEY_CTRL('c') && key != KEY_CTRL('l') && key != KEY_CTRL('z')) {
        help_step(app, key);
    } else {
        press(app, key);
    }
}
