/* The engine's side of labels: from run.db into training.
 *
 * The interface stores a label and says "saved"; the engine then looks for events that the journal does not know and
 * lets them take effect in the order in which they were given, each at a tick that the journal keeps. So it does not
 * matter how the news of a label gets lost (a crash, a run that had just ended): the next look finds it, if need be
 * that of the next session.
 *
 * After a resume such labels wait until the run has come back to where the earlier session stood: until the journal is
 * replayed and the newest pair that they are about has been made again. Taking effect earlier they would change the
 * student that the answers of later pairs are drawn from, and a label of other texts than the ones a person saw must
 * not count. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/run/session_private.h"

/* ---- one label ---- */

/* In a transaction, because a written answer adds pairs. */
static bool apply(struct session *s, const struct label_event *ev, double flip, double weight, bool again,
                  struct err *e) {
    if (!game_apply_label(&s->game, ev, flip, weight, again, e)) return false;
    char what[48];
    snprintf(what, sizeof what, "label %s", decision_name(ev->decision));
    publisher_mark(s, what);
    publisher_label(s, ev->pair_id);
    int first;
    const int n = ev->decision == DECISION_UNDO ? dpref_find_edit(&s->game.corpus.dpref, ev->undo_of, &first) : 0;
    for (int i = 0; i < n; i++)
        publisher_label(s, s->game.corpus.dpref.pair[first + i].id); /* withdrawn with the answer */
    return true;
}

static bool replay(struct session *s, const struct label_event *ev, double flip, double weight, bool again,
                   struct err *e) {
    const int n_pairs = s->game.corpus.dpref.n;
    if (!db_begin(&s->rd.db, e)) return false;
    if (!apply(s, ev, flip, weight, again, e)) {
        db_rollback(&s->rd.db);
        return false;
    }
    return db_commit(&s->rd.db, e) && game_show_pairs(&s->game, n_pairs, e);
}

bool labels_replay(struct session *s, const struct journal_entry *j, bool again, struct err *e) {
    long long seq;
    double flip, weight;
    struct label_event ev = {0};
    bool ok = sscanf(j->payload, "%lld %la %la", &seq, &flip, &weight) == 3 || err_set(e, "damaged");
    ok = ok && label_event_read(&s->rd.db, seq, &ev, e) && replay(s, &ev, flip, weight, again, e);
    free(ev.text);
    return ok || err_wrap(e, "journal %lld", (long long)j->seq);
}

/* Said, and tried again in the next session (the disk may have been full), unless its pair is gone for good. */
static bool refuse(struct session *s, const struct label_event *ev, const struct err *why, struct err *e) {
    const struct pref_pair *p = dpref_find(&s->game.corpus.dpref, ev->pair_id);
    char seq[24];
    snprintf(seq, sizeof seq, "%lld", (long long)ev->seq);
    publisher_ack(s, 0, false, "label #%s is saved but cannot be used: %s", seq, why->msg);
    session_log(s, ALERT_WARNING, why->msg);
    return (p && p->pair_hash == ev->pair_hash) || session_journal(s, JOURNAL_LABEL_LOST, seq, e);
}

/* Pairs of a written answer and the line in the journal that makes them again reach the disk together or not at all. */
static bool use(struct session *s, const struct label_event *ev, struct err *e) {
    const double flip = s->options.label_flip_human, weight = s->options.label_weight_human;
    const long long seq = ev->seq;
    const int n_pairs = s->game.corpus.dpref.n;
    char payload[120];
    struct err refused = {0};
    snprintf(payload, sizeof payload, "%lld %a %a", seq, flip, weight);
    if (!db_set_durable(&s->rd.db, true, e) || !db_begin(&s->rd.db, e)) return false;
    const bool applied = apply(s, ev, flip, weight, false, &refused);
    const bool ok = !applied || (session_journal(s, JOURNAL_LABEL, payload, e) && db_commit(&s->rd.db, e));
    db_rollback(&s->rd.db); /* of what was refused; nothing after the commit */
    if (!ok || !db_set_durable(&s->rd.db, false, e)) return false;
    if (!applied) return refuse(s, ev, &refused, e);
    publisher_ack(s, 0, true, "label #%lld counts from tick %lld", seq, (long long)s->game.st.tick);
    return game_show_pairs(&s->game, n_pairs, e);
}

static bool take(struct session *s, int64_t seq, struct err *e) {
    struct label_event ev;
    const bool ok = label_event_read(&s->rd.db, seq, &ev, e) && use(s, &ev, e);
    free(ev.text);
    return ok;
}

/* ---- those that wait ---- */

static void add_waiting(struct session *s, int64_t seq, int64_t pair_id) {
    s->label = mem_grow(s->label, (size_t)(s->n_labels + 1) * sizeof *s->label);
    s->label[s->n_labels++] = s->label_seen = seq;
    if (pair_id > s->label_pair) s->label_pair = pair_id;
}

static const char UNKNOWN_EVENTS[] = /* and not taken back by one that is known */
    "WITH known AS (SELECT CAST(payload AS INTEGER) FROM journal WHERE kind IN (?,?)) SELECT e.seq,e.pair_id FROM "
    "label_event e WHERE e.seq>? AND e.seq NOT IN known AND NOT EXISTS(SELECT 1 FROM label_event u WHERE "
    "u.undo_of=e.seq AND u.seq IN known) ORDER BY e.seq";

static bool look(struct session *s, struct err *e) {
    if (!atomic_exchange(&s->labels_given, false)) return true;
    sqlite3_stmt *q = db_prepare(&s->rd.db, e, UNKNOWN_EVENTS, "ssi", JOURNAL_LABEL, JOURNAL_LABEL_LOST, s->label_seen);
    bool row = false, ok = q != NULL;
    while (ok && (ok = db_step(&s->rd.db, q, &row, e)) && row)
        add_waiting(s, sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1));
    sqlite3_finalize(q);
    return ok;
}

/* The run is back where the labels were given. One that stands still makes no more pairs: what waits for one that will
 * never come (somebody changed the run's files) is given up there. */
static bool due(const struct session *s) {
    const bool stands = s->draft->state == RUN_WAITING || s->game.st.phase == PHASE_END;
    return s->replay_at == s->replay.n && (s->game.corpus.dpref.n >= s->label_pair || stands);
}

bool labels_wait(const struct session *s) { return s->n_labels > 0; }

bool labels_take(struct session *s, bool *any, struct err *e) {
    if (!look(s, e)) return false;
    if (!labels_wait(s) || !due(s)) return true;
    for (int i = 0; i < s->n_labels; i++)
        if (!take(s, s->label[i], e)) return false;
    s->n_labels = 0;
    return *any = true;
}
