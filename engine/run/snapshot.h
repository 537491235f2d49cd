/* The picture of a run that the interface draws: immutable once published, reference-counted, complete in itself (no
 * pointer leads back into the engine). The engine builds a new one and swaps it in; readers hold on to theirs as long
 * as they like. */
#ifndef PBKD_RUN_SNAPSHOT_H
#define PBKD_RUN_SNAPSHOT_H

#include <stdint.h>

#include "engine/reward/diagnostics.h"
#include "engine/game/adversary/gap_set.h"
#include "engine/game/phase_table.h"
#include "engine/metric/metric.h"
#include "engine/math/stats.h"
#include "engine/pref/dpref.h"
#include "engine/option/option.h"

enum run_state { RUN_LOADING, RUN_RUNNING, RUN_PAUSED, RUN_WAITING, RUN_DONE, RUN_FAILED };
const char *run_state_name(enum run_state s); /* "LOADING", "RUN", "PAUSED", "WAITING", "DONE", "FAILED" */

/* when full, every second point of the older half is dropped (display only; run.db has all) */
#define SERIES_POINTS 2048
struct series {
    int n;
    int64_t tick[SERIES_POINTS];
    float value[SERIES_POINTS]; /* may be non-finite: a gap in the chart */
};

struct shown_token {
    int end;      /* the byte after its last in the text; as of the token before: a token without text, as the end is */
    float reward; /* white-box: A_Q; they sum up to the answer's reward */
};
struct shown_tokens {          /* an answer token by token, where the reward judges tokens */
    int n;                     /* 0: unknown */
    struct shown_token *token; /* owned by the snapshot */
};

struct shown_pair { /* a pair as a person sees it */
    int64_t id;
    uint64_t pair_hash;
    int iteration;
    bool heldout;
    char *prompt, *teacher, *student; /* owned by the snapshot; the two answers, mostly by those two */
    struct answer_by by0, by1;
    bool truncated0, truncated1;
    double reward_teacher, reward_student; /* NAN until scored */
    struct shown_tokens tokens0, tokens1;
    enum label_source source;
    double o;
    int64_t event; /* label in force, 0 automatic */
    /* newest act by which a person dealt with it, in force yet or not, be it a skip (label_event_vote); 0 none */
    int64_t vote;
    /* label whose written answer stands as `teacher`, beside one of the two that were there before; 0 none */
    int64_t edit;
    bool dropped; /* out of training: both answers bad, flagged, or a written answer that was taken back */
};

struct reward_report { /* the fitted reward as it was measured after its last fit */
    struct diagnostics figures;
    /* the pairs that figures names, rewards and labels as measured */
    struct shown_pair uncertain[DIAG_LISTED], disputed[DIAG_LISTED];
};

struct tick_mark { /* something a person did */
    int64_t tick;
    char what[48]; /* "beta 10 -> 12", "label A" */
};

struct log_line {
    int64_t tick;
    enum alert_level level;
    char text[200];
};

struct shown_alert {           /* a failure signature that stands (engine/signature/signature.h) */
    const char *name, *advice; /* static text */
    enum alert_level level;
    int64_t since_tick;
    char text[192]; /* the measured figures */
};

struct acknowledgement { /* of a command: where it took effect, or why it did not */
    uint64_t id;
    int64_t tick;
    bool applied;
    char text[160]; /* "beta 10 -> 12 at tick 341" */
};

#define SHOWN_PAIRS 64 /* newest pairs */
#define LOG_LINES 512
#define TICK_MARKS 64
#define ACKS 32
#define ALERTS 32

struct snapshot {
    uint64_t version; /* grows with every publication */
    char run_name[128], run_path[1024];
    enum run_state state;
    enum run_phase phase;
    char state_text[200]; /* why it waits, failed or ended; what to do about it */
    int iteration;        /* 1-based; 0 before the first */
    int64_t tick;
    double phase_done;  /* 0..1 */
    double eta_seconds; /* to the end of the run; NAN when unknown */
    double elapsed_seconds;
    double tokens_per_second; /* recent, all models' trained and generated tokens */
    bool headless;
    struct options options;       /* in force */
    struct options options_start; /* as the run started: "source" in Tune */
    /* what the algorithm has: a reward fitted to preferences; one that the student descends on; one that ascends; one that
     * the preferences hold back, so that there is a misfit L - L-hat */
    bool has_reward, has_adversary, has_ascent, holds_adversary;
    int pending_option; /* index of the newest set that has not taken effect, -1 none */
    char pending_value[64];
    /* newest figures */
    double metric[N_METRICS]; /* NAN until measured; beta and zeta: in force, whoever sets them; reward.nll: L-hat */
    struct gap_set gap_set;   /* scope head: what the confidence set allows; else NAN */
    int n_pairs, n_heldout, labels_human, labels_waiting; /* waiting: pairs that wait for a person */
    int n_by_source[N_LABEL_SOURCES];
    const char *alert_now; /* the most serious active alert in words, or NULL; lives as long as this snapshot */
    struct shown_alert alert[ALERTS]; /* the most serious first */
    int n_alerts;
    int n_series_points;                    /* sum over series, to see quickly whether charts changed */
    const struct series *series[N_METRICS]; /* shared between snapshots, immutable; NULL while empty */
    /* shared between snapshots, immutable; NULL before the first fit is measured */
    const struct reward_report *reward;
    struct shown_pair pair[SHOWN_PAIRS]; /* newest first */
    int n_shown;
    struct log_line log[LOG_LINES]; /* oldest first */
    int n_log;
    struct tick_mark mark[TICK_MARKS];
    int n_marks;
    struct acknowledgement ack[ACKS]; /* newest last */
    int n_acks;
    /* private */
    void *owner[N_METRICS], *reward_owner;
    char alert_line[224]; /* what alert_now points to */
    int references;       /* atomic */
};

/* Take and give back a reference; release frees at zero. */
const struct snapshot *snapshot_retain(const struct snapshot *s);
void snapshot_release(const struct snapshot *s); /* NULL is fine */
/* A metric with its _LO and _HI. */
struct interval snapshot_interval(const struct snapshot *s, enum metric_id mean);

#endif
