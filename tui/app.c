/* The workbench's loop: see app.h.
 *
 * Everything waits in one poll: keys, newer snapshots, signals. Keys are drawn at once; snapshots no more often than 30
 * times a second, and less when a frame is dear, so that the display takes about a hundredth of one core whatever the
 * views draw. */
#include "tui/app.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "tui/app_draw.h"
#include "tui/app_keys.h"
#include "tui/command_files.h"
#include "tui/command_hints.h"
#include "tui/commands.h"
#include "tui/exit_codes.h"
#include "tui/help_contents.h"
#include "tui/labels.h"
#include "tui/safe_text.h"
#include "tui/signals.h"
#include "views/views.h"

#define FRAME_SECONDS (1.0 / 30.0)
#define DISPLAY_SHARE 0.01 /* of one core's time, for frames that no key asked for */

/* ---- what views may ask for ---- */

static bool act_label(void *ctx, struct label_event *ev) { return app_label(ctx, ev); }

static void act_message(void *ctx, enum alert_level level, const char *text) { app_say(ctx, level, "%s", text); }

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
        if (app->session) command_read_rc(app, command_run); /* once: the start screen may start a run later */
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
        if (fds[2].revents) app_take_snapshot(app);
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
    app->help.contents = help_contents;
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
        app->prompt = prompt_new(has_history ? history : NULL, command_complete, command_hint, app);
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
