/* Signals: see signals.h. */
#include "tui/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "engine/base/wake.h"

static volatile sig_atomic_t first_stop, n_stops, got_winch, got_tstp, got_cont;
static struct wake news = {{-1, -1}};

/* The rescue: filled in before `rescue_on` becomes 1, so that a handler sees all or nothing. */
static volatile sig_atomic_t rescue_on;
static int rescue_fd;
static struct termios rescue_settings;
static char rescue_text[512];
static size_t rescue_len;

static void on_stop(int sig) {
    if (!first_stop) first_stop = sig;
    n_stops++;
    wake_set(&news);
}

static void on_news(int sig) {
    if (sig == SIGWINCH) got_winch = 1;
    if (sig == SIGTSTP) got_tstp = 1;
    if (sig == SIGCONT) got_cont = 1;
    wake_set(&news);
}

static void on_crash(int sig) {
    if (rescue_on) {
        rescue_on = 0;
        for (size_t at = 0; at < rescue_len;) {
            const ssize_t n = write(rescue_fd, rescue_text + at, rescue_len - at);
            if (n <= 0) break;
            at += (size_t)n;
        }
        tcsetattr(rescue_fd, TCSANOW, &rescue_settings);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static void handle(int sig, void (*fn)(int), int flags) {
    struct sigaction a = {.sa_handler = fn, .sa_flags = flags};
    sigemptyset(&a.sa_mask);
    sigaction(sig, &a, NULL);
}

void signals_install(void) {
    if (wake_fd(&news) >= 0) return;
    if (!wake_init(&news, NULL)) abort(); /* no descriptors left at the very start */
    /* A stack of its own, so that an overflowed main stack still ends in a sane terminal. */
    static char crash_stack[65536];
    const stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};
    sigaltstack(&stack, NULL);
    static const int stops[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT},
                     crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        struct sigaction old;
        /* nohup and background shells hand down "ignored", and mean it. */
        if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;
        handle(stops[i], on_stop, SA_RESTART);
    }
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) handle(crashes[i], on_crash, SA_ONSTACK);
    handle(SIGPIPE, SIG_IGN, 0);
}

void signals_install_terminal(void) {
    handle(SIGWINCH, on_news, SA_RESTART);
    handle(SIGTSTP, on_news, SA_RESTART);
    handle(SIGCONT, on_news, SA_RESTART);
}

void signals_block(bool on) {
    static const int all[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) sigaddset(&set, all[i]);
    pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

int signals_fd(void) { return wake_fd(&news); }
bool signals_stop(void) { return first_stop != 0; }

struct signal_news signals_read(void) {
    wake_clear(&news);
    struct signal_news seen = {.stop = first_stop, .n_stops = n_stops};
    if (got_winch) got_winch = 0, seen.resized = true;
    if (got_tstp) got_tstp = 0, seen.suspend = true;
    if (got_cont) got_cont = 0, seen.resumed = true;
    return seen;
}

const char *signal_short_name(int sig) {
    switch (sig) {
    case SIGTERM: return "TERM";
    case SIGHUP: return "HUP";
    case SIGINT: return "INT";
    case SIGQUIT: return "QUIT";
    default: return "?";
    }
}

void signals_set_rescue(int fd, const struct termios *settings, const char *text, size_t len) {
    rescue_on = 0;
    if (!settings) return;
    rescue_fd = fd;
    rescue_settings = *settings;
    rescue_len = len < sizeof rescue_text ? len : sizeof rescue_text;
    memcpy(rescue_text, text, rescue_len);
    rescue_on = 1;
}

void signals_stop_self(void) {
    handle(SIGTSTP, SIG_DFL, 0);
    kill(0, SIGTSTP); /* the whole job, as the terminal's own ^Z would */
    handle(SIGTSTP, on_news, SA_RESTART);
}
