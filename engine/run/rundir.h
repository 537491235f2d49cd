/* A run on disk: the folder, its lock, run.db with config, journal, metrics and the list of checkpoints.
 *
 *   runs/NAME/run.db  runs/NAME/lock  runs/NAME/checkpoints/TICK/{student,reward,fitted,...}.safetensors
 *
 * One writer at a time (flock on `lock`); readers open run.db read-only. A new run is made under a temporary name and
 * renamed when it is complete, so a failed start leaves nothing behind. */
#ifndef PBKD_RUN_RUNDIR_H
#define PBKD_RUN_RUNDIR_H

#include <stdint.h>

#include "engine/base/db.h"
#include "engine/formats/safetensors.h"
#include "engine/option/option.h"

struct rundir {
    char path[4096];
    struct db db; /* the engine's connection */
    int lock_fd;
    sqlite3_stmt *add_metric; /* private: prepared at the first use */
};

/* Make a new run: the folder must not hold a run yet (error names it and proposes --resume). path NULL:
 * runs/YYYYMMDD-HHMMSS, made unique. Stores the options. "in use by process N" when locked. */
bool rundir_create(struct rundir *r, const char *path, const struct options *o, const char *title, struct err *e);
/* Open an existing run for writing (takes the lock). Reads the options stored at the start into *o. A folder in which
 * links or other things stand in place of a run's files is refused before anything in it is written; the checkpoints
 * folder alone may be a link, so that it can lie on another disk. */
bool rundir_open(struct rundir *r, const char *path, struct options *o, struct err *e);
/* r->path stays. Twice is fine; a struct that was never opened needs lock_fd = -1. */
void rundir_close(struct rundir *r);
/* Remove the whole run (after rundir_close): "discard". What a person put there stays, and the folder with it; that is
 * then the error. Checkpoints that were moved elsewhere and linked are removed there, the link stays. */
bool rundir_remove(const char *path, struct err *e);
/* Newest run under `root` that holds a run.db; false with an empty message when there is none. */
bool rundir_newest(const char *root, char *path, size_t size, struct err *e);

/* ---- journal: what people did that shapes the run, with the tick at which it took effect ---- */
#define JOURNAL_SET "set"                 /* NAME=VALUE is in force from here */
#define JOURNAL_SET_ASKED "set-asked"     /* it was asked for here and waits; followed by one of the two others: */
#define JOURNAL_SET_REFUSED "set-refused" /* it did not fit any more when its turn came */
#define JOURNAL_LABEL "label"             /* SEQ FLIP WEIGHT: a label event counts from here */
#define JOURNAL_LABEL_LOST "label-lost"   /* SEQ: the pair that it is about is gone, so it can never count */
#define JOURNAL_GATE "gate"               /* the answer at the gate */
struct journal_entry {
    int64_t seq, tick;
    char kind[24];
    char *payload; /* owned by the list */
};
struct journal_list {
    struct journal_entry *entry;
    int n;
};
bool journal_add(struct rundir *r, int64_t tick, const char *kind, const char *payload, struct err *e);
/* Entries with tick > after, in order. */
bool journal_load(struct rundir *r, int64_t after, struct journal_list *l, struct err *e);
void journal_list_free(struct journal_list *l);
/* Whether the entry changed the run at its tick: not what was asked for or refused. */
bool journal_took_effect(const struct journal_entry *j);

/* ---- metrics: (tick, iteration, name, value); non-finite values are stored as NULL ---- */
bool metric_add(struct rundir *r, int64_t tick, int iteration, const char *name, double value, struct err *e);
/* Stops early, without an error, when fn returns false. */
bool metric_each(struct rundir *r, bool (*fn)(void *ctx, int64_t tick, int iteration, const char *name, double value),
                 void *ctx, struct err *e);
/* ---- log lines for the Log view ---- */
bool log_add(struct rundir *r, int64_t tick, const char *level, const char *text, struct err *e);
/* The newest lines of an open run.db, oldest of them first. Stops early, without an error, when fn returns false. */
bool log_each(struct db *db, int newest, bool (*fn)(void *ctx, int64_t tick, const char *level, const char *text),
              void *ctx, struct err *e);

/* Forget metrics and log lines after tick (resume). */
bool rundir_truncate_after(struct rundir *r, int64_t tick, struct err *e);

/* ---- checkpoints ---- */
struct checkpoint_file { /* one safetensors file */
    const char *name;    /* "student" */
    const struct st_array *arrays;
    int n_arrays;
};
/* Write all files into checkpoints/TICK.tmp (TICK-2.tmp ... beside an earlier checkpoint of the same tick), fsync,
 * rename, fsync the folder, then the row with state_json in run.db; then remove all but the newest `keep`. On failure
 * nothing new is left. */
bool checkpoint_write(struct rundir *r, int64_t tick, const struct checkpoint_file *files, int n_files,
                      const char *state_json, int keep, struct err *e);
/* Forget and remove all checkpoints. */
bool checkpoint_remove_all(struct rundir *r, struct err *e);
/* The newest complete checkpoint: its folder and state; one whose files are missing or cut is passed over for the one
 * before it. found = false when none was ever made; an error when some were made and none is complete. state_json is
 * the caller's to free. */
bool checkpoint_newest(struct rundir *r, bool *found, int64_t *tick, char *folder, size_t size, char **state_json,
                       struct err *e);

#endif
