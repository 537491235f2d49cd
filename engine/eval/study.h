/* Studies: the same configuration under several variants and seeds, and what that says with intervals (algorithms.md,
 * section 11). A study is variants x seeds jobs. Each job is a run of its own in a child process of this program, so
 * that a failed job costs nothing but itself, a stopped study goes on where it was (runs are resumable), and every run
 * can be looked at afterwards like any other:
 *
 *   OUT/VARIANT-sSEED/      the run         OUT/VARIANT-sSEED.json   its result and what it was made with
 *   OUT/VARIANT-sSEED.log   what it said    OUT/table.{txt,csv,json}, OUT/figure.svg (written by the verb) */
#ifndef PBKD_EVAL_STUDY_H
#define PBKD_EVAL_STUDY_H

#include <cjson/cJSON.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/base/strbuf.h"
#include "engine/option/option.h"

/* One table: id, name, one-line help, what stands on the x-axis, and what a reader of the table must know. The variants
 * of each kind are in study_kinds.c. */
#define STUDY_KINDS(X)                                                                                                 \
    X(SANITY, "sanity", "is the reward right on more than 90 % of held-out pairs before the game?", "configuration",   \
      "")                                                                                                              \
    X(ABLATION, "ablation", "no, one and five online iterations, offline, and cross-entropy alone",                    \
      "online iterations",                                                                                             \
      "all but \"0 iterations\" have the budget of the five: as many teacher outputs and student steps")               \
    X(SCALE, "scale", "the scale of the reward: reward.bound 1, 2, 5, 10", "reward.bound R",                           \
      "what varies is the bound of the reward's values, not the size of its model")                                    \
    X(ROBUSTNESS, "robustness", "beta, zeta and the learning rates halved and doubled, one at a time",                 \
      "what is perturbed",                                                                                             \
      "one option at a time around the configuration's value; zeta trains nothing while beta is fixed in scope full")  \
    X(COVERAGE, "coverage", "how often does the confidence set contain the true reward?", "radius of the set",         \
      "the truth is the checker's: prompts.checker must be set")                                                       \
    X(DATA, "data", "pairs needed: prompts.per_iteration 32, 64, 128, 256", "prompts per iteration", "")               \
    X(NOISE, "noise", "the student's answer preferred with probability 0, 0.1, 0.3", "share of wrong labels", "")      \
    X(LABELLER, "labeller", "labels of the teacher, the oracle and the student itself", "labeller", "")                \
    X(ALGORITHMS, "algorithms", "PbKD online, offline and white-box beside every baseline", "algorithm",               \
      "all have the prompts and student steps of the configuration; the offline ones gather those of all iterations "  \
      "in the first")

enum study_id {
#define X(id, name, help, x_title, note) STUDY_##id,
    STUDY_KINDS(X)
#undef X
        N_STUDY_KINDS
};

/* An assignment is NAME=VALUE, or NAME*FACTOR: the configuration's own value times FACTOR. */
#define STUDY_ASSIGN_MAX 6
struct study_variant { /* a table of these ends with label NULL */
    const char *label;
    const char *assign[STUDY_ASSIGN_MAX];
};
struct study_kind {
    const char *name, *help, *x_title, *note;
    const struct study_variant *variant;
    const char *needs;  /* a key that every result must have, or NULL */
    bool needs_checker; /* prompts.checker must not be none */
};
extern const struct study_kind STUDIES[N_STUDY_KINDS];

const struct study_kind *study_find(const char *name); /* NULL when unknown */

/* Where the settings of one variant lead: o gets the assignments on top of what it holds, and text[i] (STUDY_ASSIGN_MAX
 * of them, caller frees) the NAME=VALUE of each. Errors name the variant and the option: unknown (this program does not
 * have it), not a number, or 0 where a factor would change nothing. */
bool study_resolve(const struct study_variant *v, struct options *o, char *text[STUDY_ASSIGN_MAX], struct err *e);
/* "beta x0.5" as part of a file name: "beta-x0.5". */
void study_slug(const char *label, char *out, size_t size);

enum study_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED };

struct study_job {
    int variant, seed;
    char name[80]; /* VARIANT-sSEED: run folder, result and log are named after it */
    uint64_t fingerprint;
    enum study_state state;
    bool resume;         /* an unfinished run is there */
    bool stopped;        /* the child was stopped by a signal of ours: resumable, not failed */
    cJSON *result;       /* JOB_DONE: the result object, owned */
    struct err why;      /* JOB_FAILED */
    double seconds;      /* of this process's clock, display only */
    double fraction;     /* 0..1 of a running job */
    char at[60];         /* where a running job says it stands */
    struct child *child; /* private to study_run.c */
};

struct study_row_plan { /* a variant with its options worked out */
    const char *label;
    char *set[STUDY_ASSIGN_MAX]; /* NAME=VALUE, NULL after the last */
    struct options options;      /* config, --set and the variant; seed is the first seed */
};

struct study {
    const struct study_kind *kind;
    char *config, *out;
    const char *program;    /* what is run; borrowed */
    const char *const *set; /* --set of the command line, borrowed */
    int n_set;
    int n_variants, n_seeds, first_seed, n_jobs, jobs_at_once, threads; /* threads of each job */
    struct study_row_plan *variant;
    struct study_job *job; /* [n_jobs], seed-major: all variants of the first seed come first */
    int lock_fd;
    bool stopping;
};

struct study_request {
    const char *kind, *config;
    const char *out;        /* NULL: runs/study-KIND-HASH, the hash of options and data */
    const char *variants;   /* labels with commas between them, in any order; NULL: all of the kind */
    const char *program;    /* NULL: the running program */
    const char *const *set; /* NAME=VALUE */
    int n_set, n_seeds, jobs_at_once;
};

/* Work out all jobs and look what is there already: results made with the same options and data are taken, unfinished
 * runs of the same options will be resumed. Refused: unknown kinds, variants, options and choices, --set of an option
 * that the study varies, an OUT whose runs or results were made with other settings, an OUT in use. NULL and e filled.
 * The request's strings must outlive the study. */
struct study *study_plan(const struct study_request *r, struct err *e);
void study_free(struct study *s);
struct study_job *study_job_of(const struct study *s, int variant, int seed_index);
int study_count(const struct study *s, enum study_state state);

/* Hash of everything that a run of these options depends on but its thread count: options and the contents of the files
 * they name. */
bool study_fingerprint(const struct options *o, uint64_t *out, struct err *e);
/* OUT/VARIANT-sSEED and an ending. */
void study_path(const struct study *s, const struct study_job *j, const char *ending, char out[4096]);
/* The result file of a job that is done. */
bool study_store_result(const struct study *s, const struct study_job *j, struct err *e);

struct study_watch {                          /* all may be 0 but fd: -1 when there is nothing to poll */
    int fd;                                   /* polled beside the children */
    void (*turn)(void *ctx, struct study *s); /* at least once a second and whenever fd is readable */
    void (*changed)(void *ctx, const struct study *s, const struct study_job *j); /* started, done, failed or stopped */
    void *ctx;
};
/* Run the waiting jobs, jobs_at_once at a time; returns when all are over, or after study_stop when the children have
 * ended. A job that fails says why and the others go on. */
void study_run(struct study *s, const struct study_watch *w);
/* From `turn`: start no more jobs and ask the running ones to write a checkpoint and leave; a second call makes them
 * leave at once. */
void study_stop(struct study *s);
/* From `turn`, around a stop of this program itself (^Z). */
void study_freeze(struct study *s, bool on);
/* Seconds until all jobs are over, from those that are; NAN while nothing is known. */
double study_eta(const struct study *s);

#endif
