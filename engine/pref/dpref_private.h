/* What the files of D_pref share: the columns of an event, and how events turn into the label in force. */
#ifndef PBKD_PREF_DPREF_PRIVATE_H
#define PBKD_PREF_DPREF_PRIVATE_H

#include "engine/pref/dpref.h"

/* Columns of label_event in the order that event_from_row reads; e is the table's alias. */
#define EVENT_COLUMNS                                                                                                  \
    "e.seq,e.time,e.annotator,e.pair_id,e.pair_hash,e.left,e.decision,e.strength,e.dwell_ms,e.seen_a,e.seen_b,"        \
    "e.sampler,e.propensity,e.reward_delta,e.undo_of,e.text"
#define EVENT_NOT_UNDONE "NOT EXISTS(SELECT 1 FROM label_event u WHERE u.undo_of=e.seq)"
/* Events of one pair that change its label and were not taken back by an event up to the same seq. Parameters: pair id,
 * pair hash, highest seq. */
#define EVENTS_IN_FORCE                                                                                                \
    "SELECT " EVENT_COLUMNS " FROM label_event e WHERE e.pair_id=?1 AND e.pair_hash=?2 AND e.seq<=?3"                  \
    " AND e.decision IN ('A','B','tie','bad','flag')"                                                                  \
    " AND NOT EXISTS(SELECT 1 FROM label_event u WHERE u.undo_of=e.seq AND u.seq<=?3) ORDER BY e.seq"

/* Pairs as pair_from_row reads them. */
#define PAIRS_IN_ORDER                                                                                                 \
    "SELECT p.id,p.tick,p.iteration,q.hash,p.pair_hash,p.heldout,p.source,p.active,p.o,p.weight,p.flip,p.n_x,p.n_y0,"  \
    "p.n_y1,p.truncated0,p.truncated1,p.edit,q.text,p.text0,p.text1,p.tokens,p.strength,p.noise,p.flipped,p."          \
    "annotator,"                                                                                                       \
    "p.origin0,p.item0,p.origin1,p.item1"                                                                              \
    " FROM pair p LEFT JOIN prompt q ON q.id=p.prompt ORDER BY p.id"

/* Refuse a file whose table of pairs lacks a column that this version reads. */
bool pair_check_columns(struct db *db, struct err *e);
/* The pair in the current row with its automatic label, checked as what a file from elsewhere may hold; its id must be
 * `expected`. pair_free it in any case. */
bool pair_from_row(struct db *db, sqlite3_stmt *s, int64_t expected, struct pref_pair *p, struct err *e);
void pair_free(struct pref_pair *p);

/* The event in the current row; ev->text is allocated (NULL when there is none). False when the file holds nonsense. */
bool event_from_row(struct db *db, sqlite3_stmt *s, struct label_event *ev, struct err *e);

/* Let one event change a pair's label: A, B, tie decide and make it active again, bad decides and makes it inactive,
 * flag makes it inactive and keeps the label; the rest changes nothing. A withdrawn pair stays inactive. */
void label_fold(struct pref_pair *p, const struct label_event *ev, double human_flip, double human_weight);
/* The edit that made the pair was undone by this event. */
void label_withdraw(struct pref_pair *p, int64_t undo);
/* Fold all events in force up to seq into p, which carries its automatic label. `events` is EVENTS_IN_FORCE. */
bool label_fold_all(struct db *db, sqlite3_stmt *events, int64_t seq, struct pref_pair *p, double human_flip,
                    double human_weight, struct err *e);

#endif
