/* The workbench's state: see app_state.h. */
#include "tui/app_state.h"

#include <stdarg.h>
#include <stdio.h>

#include "tui/signals.h"

void app_say(struct app *app, enum alert_level level, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(app->message, sizeof app->message, fmt, ap);
    va_end(ap);
    app->message_level = level;
    app->dirty = true;
}

const struct snapshot *app_shown(const struct app *app) { return app->frozen ? app->frozen : app->newest; }

bool app_run_over(const struct app *app) {
    return !app->session || !app->newest || app->newest->state == RUN_DONE || app->newest->state == RUN_FAILED ||
           session_ended(app->session);
}

bool app_send(struct app *app, const struct command *c) {
    struct err e = {0};
    if (!app->session) {
        app_say(app, ALERT_ERROR, "there is no run: start one with :demo or :run CONFIG.json");
        return false;
    }
    const uint64_t id = session_send(app->session, c, &e);
    if (!id) {
        app_say(app, ALERT_ERROR, "%s", e.msg);
        return false;
    }
    app->sent_id = id;
    return true;
}

bool app_send_simple(struct app *app, enum command_kind kind, const char *value) {
    struct command c = {.kind = kind};
    snprintf(c.value, sizeof c.value, "%s", value);
    return app_send(app, &c);
}

void app_open_prompt(struct app *app, enum prompt_kind kind, const char *initial) {
    app->question = ASK_NOTHING;
    prompt_open(app->prompt, kind, initial);
}

/* ---- snapshots ---- */

static void show_acknowledgement(struct app *app) {
    const struct snapshot *s = app->newest;
    for (int i = 0; i < s->n_acks && app->sent_id; i++) {
        if (s->ack[i].id != app->sent_id) continue;
        app->sent_id = 0;
        app->beta_wanted = 0;
        if (!app->message[0] || app->message_level != ALERT_ERROR)
            app_say(app, s->ack[i].applied ? ALERT_INFO : ALERT_WARNING, "%s", s->ack[i].text);
    }
}

void app_take_snapshot(struct app *app) {
    const struct snapshot *s = session_snapshot(app->session);
    if (app->newest && s->version == app->newest->version) {
        snapshot_release(s);
        return;
    }
    snapshot_release(app->newest);
    app->newest = s;
    snprintf(app->run_path, sizeof app->run_path, "%s", s->run_path);
    show_acknowledgement(app);
    /* A frozen picture does not change, but its message row may. */
    if (!app->frozen) app->dirty = true;
}

bool app_start_session(struct app *app, const struct session_config *c, struct err *e) {
    signals_block(true);
    app->session = session_start(c, e);
    signals_block(false);
    if (!app->session) return false;
    app_take_snapshot(app);
    return true;
}

/* ---- leaving ---- */

void app_leave(struct app *app, bool save) {
    app->question = ASK_NOTHING;
    if (app_run_over(app)) {
        app->left = true;
        return;
    }
    app->discard = !save;
    if (!app_send_simple(app, COMMAND_QUIT, save ? "save" : "discard")) return;
    app->leaving = true;
    app_say(app, ALERT_INFO, save ? "writing a checkpoint before leaving (^C: leave without)" : "ending the run");
}

void app_stop(struct app *app, int sig) {
    if (!app->stop_signal) app->stop_signal = sig;
    app->question = ASK_NOTHING;
    if (app->prompt) prompt_cancel(app->prompt); /* its row says what happens now */
    if (app_run_over(app)) {
        app->left = true;
        return;
    }
    session_interrupt(app->session);
    app->leaving = true;
    app_say(app, ALERT_INFO, "writing a checkpoint before leaving (^C: leave without)");
}

void app_suspend(struct app *app) {
    terminal_suspend(app->terminal);
    signals_stop_self();
    terminal_resume(app->terminal);
    app_resize(app);
}

void app_resize(struct app *app) {
    int rows, cols;
    terminal_resize(app->terminal);
    terminal_size(app->terminal, &rows, &cols);
    app->dirty = true;
    if (rows == app->canvas.rows && cols == app->canvas.cols) return;
    canvas_free(&app->canvas);
    canvas_init(&app->canvas, rows, cols, terminal_glyphs(app->terminal));
}
