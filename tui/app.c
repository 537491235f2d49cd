/* The workbench's loop: see app.h.
 *
 * Everything waits in one poll: keys, newer snapshots, signals. Keys are drawn at once; snapshots no more often than 30
 * times a second, and less when a frame is dear, so that the display takes about a hundredth of one core whatever the
 * views draw. */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "tui/app_private.h"
#include "tui/commands.h"
#include "tui/safe_text.h"
#include "tui/signals.h"
#include "tui/verbs.h"

#define FRAME_SECONDS (1.0 / 30.0)
#define DISPLAY_SHARE 0.01 /* of one core's time, for frames that no key asked for */

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

/* ---- what views may ask for ---- */

static bool act_label(void *ctx, struct label_event *ev) { return app_label(ctx, ev); }

static void act_message(void *ctx, enum alert_level level, const char *text) { app_say(ctx, level, "%s", text); }

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

static void take_snapshot(struct app *app) {
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
    take_snapshot(app);
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

/* ---- the loop ---- */

static void take_signals(struct app *app) {
    const struct signal_news news = signals_read();
    if (news.resized) app_resize(app);
    if (news.suspend) app_suspend(app);
    if (news.resumed) {
        terminal_resume(app->terminal);
        app_resize(app);
    }
    if (news.stop && !app->stop_signal) app_stop(app, news.stop);
    if (news.n_stops > 1 && app->leaving) {
        terminal_close(app->terminal);
        _exit(128 + news.stop);
    }
}

static void terminal_gone(struct app *app) {
    app->gone = true;
    app_stop(app, SIGHUP);
}

static void take_keys(struct app *app, int revents) {
    int key = terminal_key(app->terminal), n = 0;
    /* Readable without a byte to read is the end of the terminal. */
    if (key == KEY_CODE_NONE && (revents & (POLLHUP | POLLERR | POLLNVAL))) {
        terminal_gone(app);
        return;
    }
    if (key == KEY_CODE_NONE) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        int bytes = 0;
        if (poll(&p, 1, 0) == 1 && ioctl(STDIN_FILENO, FIONREAD, &bytes) == 0 && bytes == 0) terminal_gone(app);
        return;
    }
    for (; key != KEY_CODE_NONE && n < 1000 && !app->left; n++) {
        const int next = terminal_key(app->terminal);
        app->actions.now = clock_seconds();
        app_key(app, key, next);
        key = next;
    }
    app->dirty = true;
    app->drawn_at = 0; /* keys are answered by the very next frame */
}

/* Milliseconds until the next frame may be drawn; 0 = now, -1 = nothing to draw. */
static int frame_wait(const struct app *app) {
    if (!app->dirty) return app->leaving ? 100 : -1;
    double every = app->draw_cost / DISPLAY_SHARE;
    if (every < FRAME_SECONDS) every = FRAME_SECONDS;
    if (every > 1.0) every = 1.0;
    const double left = app->drawn_at + every - clock_seconds();
    return left <= 0 ? 0 : (int)(left * 1000.0) + 1;
}

static void draw_frame(struct app *app) {
    const double start = clock_seconds();
    app->actions.now = start;
    app_draw(app);
    app->dirty = false;
    app->drawn_at = clock_seconds();
    app->draw_cost += 0.2 * (app->drawn_at - start - app->draw_cost);
}

static void loop(struct app *app) {
    while (!app->left) {
        if (app->leaving && session_ended(app->session)) break;
        int wait = frame_wait(app);
        if (wait == 0 && !app->gone) {
            draw_frame(app);
            wait = frame_wait(app);
        }
        if (app->gone && app->dirty) wait = 100;
        struct pollfd fds[3] = {{.fd = app->gone ? -1 : STDIN_FILENO, .events = POLLIN},
                                {.fd = signals_fd(), .events = POLLIN},
                                {.fd = app->session ? session_fd(app->session) : -1, .events = POLLIN}};
        if (poll(fds, 3, wait) < 0 && errno != EINTR) break;
        if (fds[1].revents) take_signals(app);
        if (fds[0].revents) take_keys(app, fds[0].revents);
        if (fds[2].revents) take_snapshot(app);
    }
}

/* ---- start and end ---- */

static void set_annotator(struct app *app) {
    const char *user = getenv("USER");
    const struct passwd *pw = user && user[0] ? NULL : getpwuid(getuid());
    snprintf(app->annotator, sizeof app->annotator, "%s", user && user[0] ? user : pw ? pw->pw_name : "person");
    app->actions =
        (struct actions){.ctx = app, .label = act_label, .message = act_message, .annotator = app->annotator};
}

static void views_init(struct app *app) {
    for (int i = 0; i < N_VIEWS && i < MAX_VIEWS; i++) {
        app->view_state[i] = mem_small(VIEWS[i]->state_size ? VIEWS[i]->state_size : 1);
        if (VIEWS[i]->init) VIEWS[i]->init(app->view_state[i]);
    }
}

static void views_destroy(struct app *app) {
    for (int i = 0; i < N_VIEWS && i < MAX_VIEWS; i++) {
        if (VIEWS[i]->destroy) VIEWS[i]->destroy(app->view_state[i]);
        free(app->view_state[i]);
    }
}

/* After the terminal is back: how the run ended, and the exit code. */
static int finish(struct app *app) {
    bool ok = true;
    struct err e = {0};
    if (app->session) {
        if (!app->leaving) session_interrupt(app->session); /* over: nothing left to save */
        session_finish(app->session, &ok, NULL, &e);
    }
    if (!ok)
        verb_fail(&e);
    else if (app->session && app->leaving && !app->discard)
        safe_printf(stderr, "pbkd: stopped; go on with: pbkd run --resume --run-dir %s\n", app->run_path);
    else if (app->session && !app->discard)
        safe_printf(stderr, "pbkd: the run is in %s\n", app->run_path);
    if (app->stop_signal) return 128 + app->stop_signal;
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int app_run(const struct session_config *c, bool ascii) {
    struct err e = {0};
    struct app *app = mem_small(sizeof *app);
    set_annotator(app);
    if (c && !app_start_session(app, c, &e)) {
        free(app);
        return verb_fail(&e);
    }
    app->terminal = terminal_open(ascii, &e);
    int code;
    if (!app->terminal) {
        code = verb_fail(&e);
        if (app->session) app_stop(app, SIGHUP);
    } else {
        char history[4096];
        const bool has_history = prompt_history_path(history, sizeof history);
        views_init(app);
        app_resize(app);
        draw_frame(app); /* before anything slower than it */
        app->prompt = prompt_new(has_history ? history : NULL, command_complete, app);
        if (app->session) app_read_rc(app);
        loop(app);
        terminal_close(app->terminal);
        code = EXIT_DONE;
    }
    const int end = finish(app);
    if (app->terminal) views_destroy(app);
    prompt_free(app->prompt);
    help_close(&app->help);
    snapshot_release(app->frozen);
    snapshot_release(app->newest);
    canvas_free(&app->canvas);
    free(app->actions.editor_text);
    free(app);
    return code ? code : end;
}
