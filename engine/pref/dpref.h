/* D_pref: the preference records of a run. On disk in run.db (tables prompt, pair, label_event); in memory as an array
 * of pairs with their tokens, which is what the reward trains on.
 *
 * Pairs are written by the engine only. Label events are written by the interface on its own connection and are
 * append-only: undoing adds an event, nothing is deleted. An event changes training when the engine applies it
 * (dpref_apply_event), at a tick that the journal keeps; the pair then carries the person's label instead of the
 * automatic one. A better answer that a person wrote (DECISION_EDIT) decides nothing about the pair it was written for:
 * the engine makes new pairs of it, which name the event in `edit`, and an undo of the event withdraws them. */
#ifndef PBKD_PREF_DPREF_H
#define PBKD_PREF_DPREF_H

#include <stdint.h>

#include "engine/base/db.h"
#include "engine/base/err.h"

/* Who gave a label: a labeller, by the number of its row (labellers.def), or nobody yet. Stored by number. */
enum label_source {
    SOURCE_NONE, /* no label: waits for a person */
#define LABELLER(id, name, number, ...) SOURCE_##id = number,
#include "engine/option/labellers.def"
};
enum {
    N_LABEL_SOURCES = 1 /* none */
#define LABELLER(id, ...) +1
#include "engine/option/labellers.def"
};
const char *label_source_name(enum label_source s);

/* Who gave an answer. Stored by number: new ones go to the end. */
enum answer_origin {
    ORIGIN_TEACHER,
    ORIGIN_STUDENT,
    ORIGIN_PERSON,    /* wrote it while labelling */
    ORIGIN_FILE,      /* of labels */
    ORIGIN_CANDIDATE, /* another model of an offline D_pref */
    N_ANSWER_ORIGINS
};
const char *answer_origin_name(enum answer_origin o);

struct answer_by {
    enum answer_origin origin;
    int item; /* offline: which item of offline.temperatures (student) or offline.candidates, from 0; else 0 */
};

struct pref_pair {
    int64_t id;           /* 1, 2, 3 ... in the order of creation; deterministic, the same after a resume */
    int64_t tick;         /* when it was made */
    int iteration;        /* 1-based */
    uint64_t prompt_hash; /* hash_text(prompt); decides the held-out tenth */
    uint64_t pair_hash;   /* of prompt and both texts */
    bool heldout;
    int32_t *tokens; /* x, then y0, then y1: one allocation, owned */
    int n_x, n_y0, n_y1;
    bool truncated0, truncated1;
    /* for people; mostly y0 is the teacher's output and y1 the student's, but y0 may be a person's answer, and both may
     * come from other models or a file of labels */
    char *prompt, *text0, *text1;
    struct answer_by by0, by1;
    int64_t edit; /* label_event.seq of the DECISION_EDIT whose text is y0, 0 = the game made the pair */
    /* the label in force */
    enum label_source source;
    bool active;         /* takes part in training */
    double o;            /* P(y0 preferred) */
    double weight, flip; /* flip: the rate that the likelihood assumes */
    double strength;     /* how much better, 1 = better; a tie's means nothing */
    double noise;        /* the automatic label was turned round with this probability ... */
    bool flipped;        /* ... and was */
    char *annotator;     /* who gave the automatic label, where a file names somebody, else NULL; owned */
    int64_t event;       /* label_event.seq in force, 0 = automatic; a pair of an edit starts with the edit's */
    int64_t withdrawn;   /* seq of the event that undid the edit, 0 = stands; never active again */
};

struct dpref {
    struct db *db; /* borrowed; the engine's connection */
    struct pref_pair *pair;
    int n, cap;
    int n_heldout;                           /* of the n */
    int n_by_source[N_LABEL_SOURCES];        /* of the labels in force; withdrawn pairs have none */
    sqlite3_stmt *insert_pair, *find_prompt; /* private: prepared at the first use */
};

/* Create the tables (IF NOT EXISTS). Also called by whoever opens the file for labels only. A file whose pairs were
 * made by an older version, which lack a column, is refused. */
bool dpref_create_tables(struct db *db, struct err *e);
/* Load every pair (d is overwritten) with automatic labels only; events are applied afterwards by the journal's replay.
 */
bool dpref_load(struct dpref *d, struct db *db, struct err *e);
void dpref_free(struct dpref *d);
/* Append in O(1) (id, prompt_hash, pair_hash, heldout, event are filled in here; tokens, texts and annotator are taken
 * over on success). The caller holds a transaction; ticks never decrease. heldout = hash of the prompt in the last
 * tenth. */
bool dpref_add(struct dpref *d, struct pref_pair *p, struct err *e);
const struct pref_pair *dpref_find(const struct dpref *d, int64_t id);
/* The pairs made by one edit, which are neighbours: their number, and the index of the first. */
int dpref_find_edit(const struct dpref *d, int64_t edit, int *first);
/* Forget all but the first n pairs in memory only: what dpref_add made in a transaction that was rolled back. */
void dpref_forget(struct dpref *d, int n);
/* Forget pairs made after tick (resume): from memory and from run.db. Label events stay. */
bool dpref_truncate_after(struct dpref *d, int64_t tick, struct err *e);
/* Held-out rule, shared with the prompts: one hash in ten. */
bool dpref_is_heldout(uint64_t prompt_hash);

/* ---- label events ---- */
enum decision {
    DECISION_A,
    DECISION_B,
    DECISION_TIE,
    DECISION_BAD,
    DECISION_SKIP,
    DECISION_FLAG,
    DECISION_NOTE,
    DECISION_EDIT,
    DECISION_UNDO,
    N_DECISIONS
};
const char *decision_name(enum decision d);

struct label_event {
    int64_t seq;   /* assigned on commit */
    char time[32]; /* filled on commit */
    char annotator[64];
    int64_t pair_id;
    uint64_t pair_hash;
    int left; /* which answer was shown as A: 0 or 1 */
    enum decision decision;
    double strength; /* 1 better, 2 much better */
    int64_t dwell_ms;
    double seen_a, seen_b; /* fraction of the text that was on the screen */
    char sampler[32];
    double propensity;
    double reward_delta; /* r(y0) - r(y1) as the reward saw it before the vote */
    int64_t undo_of;     /* seq of the event that DECISION_UNDO takes back, else 0 */
    char *text;          /* note, or better answer; NULL or owned by the caller */
};
/* Insert and commit (the connection must be durable); seq and time are filled in, for an undo also pair and left. On
 * return the label is on disk. Refused: a pair that is not there or holds other texts, an undo of an undo or of
 * something already undone. */
bool label_event_commit(struct db *db, struct label_event *ev, struct err *e);
/* Read one back; free ev->text with free(). */
bool label_event_read(struct db *db, int64_t seq, struct label_event *ev, struct err *e);
/* Newest seq not undone and not itself an undo, made by this annotator; 0 when none. */
bool label_event_last(struct db *db, const char *annotator, int64_t *seq, struct err *e);

/* Newest seq by which a person dealt with this pair, be it by a skip or a written answer (a note is none), and that was
 * not taken back; 0 when none. Whether training uses it yet or not. */
bool label_event_vote(struct db *db, int64_t pair_id, uint64_t pair_hash, int64_t *seq, struct err *e);

/* Apply an event to the pairs in memory: A/B/tie (o = 1, 0 or 1/2 in terms of y0, seen through `left`), bad/flag (pair
 * inactive), skip and note (no change), undo (back to the label before; of an edit: its pairs are withdrawn). The
 * strength is the event's; 2 also doubles the weight. Events of a pair count in the order in which they were given: one
 * that is applied after a newer one changes nothing. human_flip and human_weight come from the options. Events whose
 * pair does not exist (yet) are an error. DECISION_EDIT changes no pair and makes none here (the game tokenises:
 * engine/game/edit.h). */
bool dpref_apply_event(struct dpref *d, const struct label_event *ev, double human_flip, double human_weight,
                       struct err *e);

/* ---- counts and export, from the file alone (any process, read-only) ---- */
/* {"records":N,"by_source":{"teacher":n,"human":n,...},"events":n,"heldout":n,"iterations":n} of labels in force;
 * withdrawn pairs are no records. Caller frees. */
char *dpref_stats_json(struct db *db, struct err *e);
/* format "trl": {"prompt","chosen","rejected"} per decided active pair; "audit": one JSON object per pair and per event
 * with every field. Atomic write. *n gets the number of lines. */
bool dpref_export(struct db *db, const char *format, const char *path, int64_t *n, struct err *e);

#endif
