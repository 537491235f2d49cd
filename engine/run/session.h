/* The only door between the interface and the engine. The interface starts a session, sends commands down and takes
 * snapshots up; the engine runs on a thread of its own and never waits for the interface. All functions here are called
 * from one interface thread (the main thread) and never block on training. */
#ifndef PBKD_RUN_SESSION_H
#define PBKD_RUN_SESSION_H

#include <stdint.h>

#include "engine/base/err.h"
#include "engine/pref/dpref.h"
#include "engine/option/option.h"
#include "engine/run/snapshot.h"

struct session;

struct session_config {
    struct options options;
    const char *run_dir;          /* NULL: a new name under runs/ */
    const char *title;            /* shown in the header: config file's name */
    bool resume;                  /* continue run_dir; options are those stored in it plus `overrides` */
    const char *const *overrides; /* "name=value" on resume: become `set` commands where the earlier session left off */
    int n_overrides;
    bool headless; /* decisions are taken by their configured answer instead of waiting for a person */
};

/* One table of commands: name as journalled and typed after ':', argument, help. */
#define COMMAND_TABLE(X)                                                                                               \
    X(COMMAND_SET, "set", "NAME VALUE", "change an option")                                                            \
    X(COMMAND_PAUSE, "pause", "", "stop before the next micro-step")                                                   \
    X(COMMAND_RESUME, "resume", "", "go on")                                                                           \
    X(COMMAND_STEP, "step", "[N]", "while paused: run N micro-steps (1), then pause again")                            \
    X(COMMAND_CHECKPOINT, "checkpoint", "", "write a checkpoint at the next micro-step")                               \
    X(COMMAND_GATE, "gate", "continue|train|stop", "answer when the reward did not reach the gate")                    \
    X(COMMAND_QUIT, "quit", "save|discard", "end the run; save writes a checkpoint first")

enum command_kind {
#define X(id, name, argument, help) id,
    COMMAND_TABLE(X)
#undef X
        N_COMMANDS
};
struct command_info {
    const char *name, *argument, *help;
};
extern const struct command_info COMMANDS[N_COMMANDS];

struct command {
    enum command_kind kind;
    char name[64];               /* SET: option */
    char value[OPTION_TEXT_MAX]; /* SET: value; STEP: count; GATE, QUIT: word */
};

/* Check the configuration, make or open the run folder, start the engine thread (models load there, with progress).
 * Errors in options, paths and the folder are found here; NULL and e filled. */
struct session *session_start(const struct session_config *c, struct err *e);
/* Queue a command. It is validated at once (option name, type, bounds, whether it can change now): 0 and e filled when
 * it is refused; else its id, which appears in snapshot.ack with the tick at which it took effect. */
uint64_t session_send(struct session *s, const struct command *c, struct err *e);
/* Commit a label durably on the interface's own connection. true = it is on disk and will train: from the next safe
 * point on or, when the run is over or dies before that, once it goes on. ev->seq and time are filled in. */
bool session_label(struct session *s, struct label_event *ev, struct err *e);
/* Take back the newest label of this annotator. *message says what was undone and whether training had used it. */
bool session_undo(struct session *s, const char *annotator, char message[200], struct err *e);
/* Give what session_undo took back last again, as a new label. session_label ends what it remembers. */
bool session_redo(struct session *s, char message[200], struct err *e);
/* Write D_pref as it is on disk to a file, format "trl" or "audit" (dpref_export); *n gets the lines written. Reads on a
 * connection of its own. */
bool session_export(struct session *s, const char *format, const char *path, int64_t *n, struct err *e);
/* The newest snapshot, never NULL, never blocks; release it. */
const struct snapshot *session_snapshot(struct session *s);
/* A descriptor that becomes readable when a newer snapshot exists (poll it beside the keyboard); session_snapshot
 * clears it. */
int session_fd(const struct session *s);
/* Ask the engine to stop at its next safe point, writing a checkpoint (async-signal-safe). */
void session_interrupt(struct session *s);
/* True once the engine thread has ended. */
bool session_ended(const struct session *s);
/* Wait for the thread, close files, free everything (a quit or interrupt must have been sent, or the run be over). *ok:
 * the run ended without failure, e: why not. json (may be NULL) gets the one-line result object, caller frees. */
void session_finish(struct session *s, bool *ok, char **json, struct err *e);

#endif
