/* A run without a screen: see headless.h. The loop sleeps in poll on the session and the signals; everything it prints
 * comes from snapshots, as on the screen. */
#include "tui/headless.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/strbuf.h"
#include "tui/exit_codes.h"
#include "tui/safe_text.h"
#include "tui/signals.h"
#include "tui/terminal.h"
#include "views/format.h"

struct headless {
    struct session *session;
    bool live;      /* progress line on a terminal that can rewrite it */
    bool line_open; /* such a line stands there, unfinished */
    double next_status;
    struct log_line last; /* newest log line printed */
    bool any_log;
    int phase, iteration;
    char run_path[1024];
    int stop;    /* signal that was passed on */
    bool broken; /* nobody reads standard output any more */
};

static void clear_line(struct headless *h) {
    if (h->line_open) safe_clear_line(stderr);
    h->line_open = false;
}

static void print_log(struct headless *h, const struct log_line *l) {
    static const char *const mark[] = {"", "warning: ", "error: "};
    clear_line(h);
    safe_printf(stdout, "[%lld] %s%s\n", (long long)l->tick, mark[l->level], l->text);
}

/* Log lines have no numbers: what is new is what stands after the last printed one. */
static void print_new_log(struct headless *h, const struct snapshot *s) {
    int first = 0;
    for (int i = s->n_log - 1; i >= 0 && h->any_log; i--)
        if (s->log[i].tick == h->last.tick && strcmp(s->log[i].text, h->last.text) == 0) {
            first = i + 1;
            break;
        }
    for (int i = first; i < s->n_log; i++) print_log(h, &s->log[i]);
    if (s->n_log > 0) {
        h->last = s->log[s->n_log - 1];
        h->any_log = true;
    }
}

/* Ascent and descent alternate many times a second: as text they are one phase. */
static void print_phase(struct headless *h, const struct snapshot *s) {
    const int phase = s->phase == PHASE_DESCENT ? PHASE_ASCENT : (int)s->phase;
    if (phase == h->phase && s->iteration == h->iteration) return;
    h->phase = phase;
    h->iteration = s->iteration;
    clear_line(h);
    safe_printf(stdout, "[%lld] t %d/%d %s\n", (long long)s->tick, s->iteration, s->options.iterations,
                phase == PHASE_ASCENT ? "game" : run_phase_name(s->phase));
}

static void status_text(struct strbuf *b, const struct snapshot *s) {
    strbuf_printf(b, "%s t %d/%d, %s %s", run_state_name(s->state), s->iteration, s->options.iterations,
                  run_phase_name(s->phase), format_percent(s->phase_done).s);
    if (isfinite(s->metric[METRIC_GAP_WORST]))
        strbuf_printf(b, ", gap %s", format_interval(snapshot_interval(s, METRIC_GAP_WORST)).s);
    if (isfinite(s->metric[METRIC_ACCURACY]))
        strbuf_printf(b, ", accuracy %s", format_percent(s->metric[METRIC_ACCURACY]).s);
    if (isfinite(s->metric[METRIC_RM_HELDOUT]))
        strbuf_printf(b, ", reward %s", format_percent(s->metric[METRIC_RM_HELDOUT]).s);
    strbuf_printf(b, ", beta %s, %d pairs, %d labels (%d waiting)", format_number(s->metric[METRIC_BETA]).s, s->n_pairs,
                  s->labels_human, s->labels_waiting);
    if (isfinite(s->tokens_per_second) && s->tokens_per_second > 0)
        strbuf_printf(b, ", %s tok/s", format_count(s->tokens_per_second).s);
    if (isfinite(s->eta_seconds)) strbuf_printf(b, ", eta %s", format_duration(s->eta_seconds).s);
    if (s->alert_now) strbuf_printf(b, ", %s", s->alert_now);
    if (s->state == RUN_WAITING) strbuf_printf(b, ", %s", s->state_text);
}

static void print_status(struct headless *h, const struct snapshot *s) {
    const double now = clock_seconds();
    if (now < h->next_status) return;
    h->next_status = now + (h->live ? 0.2 : 30.0);
    struct strbuf text = {0};
    status_text(&text, s);
    if (h->live)
        safe_live_line(stderr, strbuf_str(&text));
    else
        safe_printf(stderr, "%s\n", strbuf_str(&text));
    h->line_open = h->live;
    strbuf_free(&text);
}

static void report(struct headless *h) {
    const struct snapshot *s = session_snapshot(h->session);
    snprintf(h->run_path, sizeof h->run_path, "%s", s->run_path);
    print_new_log(h, s);
    print_phase(h, s);
    print_status(h, s);
    snapshot_release(s);
    if (fflush(stdout) != 0 && !h->broken) {
        h->broken = true;
        session_interrupt(h->session);
    }
}

static void take_signals(struct headless *h) {
    const struct signal_news news = signals_read();
    if (!news.stop) return;
    if (news.n_stops > 1) {
        clear_line(h);
        safe_printf(stderr, "pbkd: left without a new checkpoint\n");
        _exit(128 + news.stop);
    }
    if (h->stop) return;
    h->stop = news.stop;
    clear_line(h);
    safe_printf(stderr, "pbkd: SIG%s: writing a checkpoint (once more to leave without)\n",
                signal_short_name(news.stop));
    session_interrupt(h->session);
}

static int end(struct headless *h) {
    bool ok;
    char *json = NULL;
    struct err e = {0};
    session_finish(h->session, &ok, &json, &e);
    clear_line(h);
    if (json) safe_json(stdout, json);
    free(json);
    if (!ok) {
        verb_fail(&e);
        return h->stop ? 128 + h->stop : EXIT_FAILED;
    }
    if (h->stop || h->broken)
        safe_printf(stderr, "pbkd: %s; go on with: pbkd run --resume --run-dir %s\n",
                    h->stop ? "stopped" : "standard output was closed", h->run_path);
    if (h->stop) return 128 + h->stop;
    return h->broken ? 128 + SIGPIPE : EXIT_DONE;
}

int headless_run(const struct session_config *c) {
    struct err e = {0};
    struct headless h = {.live = isatty(STDERR_FILENO) && terminal_can_draw(), .phase = -1};
    signals_block(true);
    h.session = session_start(c, &e);
    signals_block(false);
    if (!h.session) return verb_fail(&e);
    while (!session_ended(h.session)) {
        struct pollfd fds[2] = {{.fd = session_fd(h.session), .events = POLLIN},
                                {.fd = signals_fd(), .events = POLLIN}};
        if (poll(fds, 2, 1000) < 0 && errno != EINTR) session_interrupt(h.session);
        if (fds[1].revents) take_signals(&h);
        report(&h);
        /* The engine may publish hundreds of pictures a second; five are enough for text. */
        if (!h.stop) poll(&fds[1], 1, 200);
    }
    report(&h);
    return end(&h);
}
