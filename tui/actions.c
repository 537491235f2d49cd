/* What keys and typed commands have in common: see actions.h. */
#include "tui/actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "tui/clipboard.h"
#include "tui/editor.h"
#include "tui/safe_text.h"
#include "tui/start.h"
#include "views/views.h"

void action_go_to(struct app *app, int view) {
    if (view >= 0 && view < N_VIEWS && view < MAX_VIEWS) app->view = view;
}

void action_search(struct app *app, const char *text) {
    const struct view_ops *v = VIEWS[app->view];
    if (!v->search) {
        app_say(app, ALERT_WARNING, "%s has no search", v->title);
        return;
    }
    if (text != app->search) snprintf(app->search, sizeof app->search, "%s", text);
    v->search(app->view_state[app->view], app->search);
}

void action_filter(struct app *app, const char *text) {
    const struct view_ops *v = VIEWS[app->view];
    if (v->filter)
        v->filter(app->view_state[app->view], text);
    else
        app_say(app, ALERT_WARNING, "%s has no filter", v->title);
}

/* What models wrote goes into the clipboard as it is shown: a control byte pasted into a shell would be obeyed. */
void action_yank(struct app *app) {
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

void action_pause(struct app *app, bool pause) {
    if (app_send_simple(app, pause ? COMMAND_PAUSE : COMMAND_RESUME, ""))
        app_say(app, ALERT_INFO, pause ? "pausing" : "going on");
}

void action_checkpoint(struct app *app) {
    if (app_send_simple(app, COMMAND_CHECKPOINT, "")) app_say(app, ALERT_INFO, "a checkpoint at the next micro-step");
}

void action_help(struct app *app, const char *topic) {
    help_open(&app->help, app->session ? VIEWS[app->view] : NULL, &app->bindings, topic);
}

void action_ask_quit(struct app *app) {
    if (app_run_over(app))
        app_leave(app, true);
    else
        app->question = ASK_QUIT;
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

bool action_view_key(struct app *app, int key) {
    const struct snapshot *s = app_shown(app);
    if (!s) return start_key(app, key);
    const int r = view_press(VIEWS[app->view], app->view_state[app->view], key, s, &app->actions);
    if (r & REACT_PROMPT) app_open_prompt(app, PROMPT_COMMAND, app->actions.prompt_text);
    if (r & REACT_EDITOR) run_editor(app);
    return !(r & REACT_UNHANDLED);
}
