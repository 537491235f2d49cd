/* Signals, turned into things that a poll loop can read. Handlers only set flags and write one byte to a pipe; the
 * crash handlers (SEGV, BUS, FPE, ILL, ABRT) put the terminal back with async-signal-safe calls and let the signal do
 * its work.
 *
 * Signal handlers cannot be handed a context, so the flags and the saved terminal are this file's statics. */
#ifndef PBKD_TUI_SIGNALS_H
#define PBKD_TUI_SIGNALS_H

#include <stdbool.h>
#include <stddef.h>

struct termios;

struct signal_news {
    int stop;     /* TERM, HUP, INT or QUIT since the start: the first of them; 0 none */
    int n_stops;  /* how many of them came: a second one means "now" */
    bool resized; /* WINCH since the last call */
    bool suspend; /* TSTP since the last call */
    bool resumed; /* CONT since the last call */
};

/* Install the handlers for TERM HUP INT QUIT and the crashes, ignore PIPE. Once per process. */
void signals_install(void);
/* WINCH, TSTP and CONT as well; after curses has installed its own. */
void signals_install_terminal(void);
/* Around the start of threads: they inherit the blocked signals, so that the main thread alone gets them (and ^Z stops
 * it at once). */
void signals_block(bool on);
int signals_fd(void); /* readable when there is news */
/* What happened; empties the pipe. */
struct signal_news signals_read(void);
/* Whether a stop signal has come, for callbacks of long computations. */
bool signals_stop(void);

/* "TERM", "INT", ... of the stop signals, "?" of others. */
const char *signal_short_name(int sig);

/* What a crash writes to fd to give the terminal back: control text and line settings. NULL: nothing to restore any
 * more. */
void signals_set_rescue(int fd, const struct termios *settings, const char *text, size_t len);
/* Stop this process group as ^Z does; returns when it is continued. */
void signals_stop_self(void);

#endif
