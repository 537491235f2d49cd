/* Both sides of the door, for session.c and session_label.c (interface side), engine_thread.c, commands.c, settings.c,
 * labels.c and resume.c (engine side), and publisher.c (snapshots). */
#ifndef PBKD_RUN_SESSION_PRIVATE_H
#define PBKD_RUN_SESSION_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/wake.h"
#include "engine/game/game.h"
#include "engine/run/rundir.h"
#include "engine/run/session.h"
#include "engine/run/snapshot_private.h"

#define QUEUE_LENGTH 256
#define UNDO_MEMORY 64

struct queued_command {
    uint64_t id;
    struct command c;
};

struct metric_row { /* collected during a micro-step, written in one short transaction after it */
    int64_t tick;
    int iteration;
    enum metric_id id;
    double value;
};

struct session {
    /* fixed after start */
    char title[128];
    bool headless, resume;
    struct rundir rd;
    struct db label_db; /* the interface's durable connection */
    struct wake news;   /* the interface is to look at a new snapshot */
    struct wake orders; /* the engine is to look at its commands and the interrupt */
    /* the interface's own: labels taken back, newest last, by their number */
    int64_t undone[UNDO_MEMORY];
    size_t n_undone;
    pthread_t thread;

    /* shared, under the mutex */
    pthread_mutex_t mutex;
    struct queued_command queue[QUEUE_LENGTH];
    int head, count;
    uint64_t next_id;
    const struct snapshot *current;

    /* shared, atomic */
    atomic_int interrupt, urgent; /* urgent: queued commands that end a long micro-step early */
    atomic_bool ended;
    atomic_bool labels_given; /* run.db may hold label events that the engine has not looked at */

    /* the engine's own until it has ended */
    struct options options, options_start;
    struct game game;
    bool game_is_open, paused, quit, discard, failed;
    int64_t steps_left;
    struct journal_list replay; /* entries of an earlier session that are still ahead */
    int replay_at;
    int64_t last_journal_seq;
    struct queued_command *pending; /* settings that wait, in the order in which they were asked for */
    int n_pending;
    int64_t *label; /* label events that wait, by number */
    int n_labels;
    int64_t label_seen, label_pair; /* the highest event looked at, and the highest pair that one was about */
    struct command *override;       /* `--resume --set` */
    int n_overrides;
    struct snapshot *draft;
    struct series *series; /* [N_METRICS] */
    bool series_changed[N_METRICS];
    struct series_block *block[N_METRICS];
    struct reward_block *report;    /* of the newest measurement; NULL before */
    double phase_seconds[N_PHASES]; /* of this session: where the time went, for the record and the eta only */
    int64_t phase_steps[N_PHASES];  /* micro-steps of this session */
    double began;                   /* of the stretch that the next checkpoint adds to the run's seconds */
    double published, tokens_before, rate_time, rate_tokens;
    struct metric_row *metric;
    int n_metrics, cap_metrics;
    struct err failure;
};

/* engine_thread.c */
void *engine_thread(void *session);

void session_log(void *ctx, enum alert_level level, const char *text);

/* commands.c: acts of a person take effect. All are called between two micro-steps; false: the run cannot go on
 * (disk). */
bool commands_process(struct session *s, struct err *e);    /* everything that waits in the queue */
void commands_wait(struct session *s);                      /* until a command comes or the interrupt is set */
bool commands_replay_due(struct session *s, struct err *e); /* entries of an earlier session whose tick has come */
bool commands_caught_up(const struct session *s);           /* everything of an earlier session has come back */
bool session_journal(struct session *s, const char *kind, const char *payload, struct err *e); /* at this tick */

/* settings.c: a setting takes effect now or waits; those that waited take effect when they may. `again`: what the
 * journal says happened before the checkpoint whose options are in force. */
bool settings_request(struct session *s, const struct queued_command *set, struct err *e);
bool settings_apply_due(struct session *s, bool *any, struct err *e);
bool settings_replay(struct session *s, const struct journal_entry *j, bool again, struct err *e);

/* labels.c: labels that are on disk take effect, once the run is where they were given; *any: some did. `again`: the
 * label's pairs exist already (see game_apply_label). */
bool labels_take(struct session *s, bool *any, struct err *e);
bool labels_wait(const struct session *s);
bool labels_replay(struct session *s, const struct journal_entry *j, bool again, struct err *e);

/* resume.c */
bool session_write_checkpoint(struct session *s, struct err *e);
bool session_save_student(struct session *s, struct err *e);
/* Open the game at its start or, when resuming, at the newest checkpoint. */
bool session_open_game(struct session *s, const struct game_observer *see, struct err *e);

/* result.c: the one-line JSON object that a run ends with; NULL when no game was opened or memory ran out.
 * Caller frees. */
char *result_json(const struct session *s);

/* publisher.c: the draft of the next snapshot, and publication */
void publisher_init(struct session *s);
void publisher_free(struct session *s);
void publish(struct session *s, bool now); /* at most 15 times a second unless now */
void publisher_state(struct session *s, enum run_state state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void publisher_series(struct session *s, enum metric_id id, int64_t tick, double value);
void publisher_log(struct session *s, enum alert_level level, const char *text);
void publisher_pair(struct session *s, const struct judged_pair *p);
void publisher_label(struct session *s, int64_t pair_id);
void publisher_ack(struct session *s, uint64_t id, bool applied, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void publisher_mark(struct session *s, const char *what);
/* What an earlier session showed: newest pairs (not scored again), log lines, marks of what a person did before
 * `tick`. */
bool publisher_restore(struct session *s, int64_t tick, struct err *e);

#endif
