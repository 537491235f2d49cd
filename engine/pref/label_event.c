/* Label events: what a person did, append-only (triggers in the file refuse anything else). The label in force is a
 * fold over the events that were not taken back, so undo needs no second bookkeeping: take the event out and fold
 * again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/pref/dpref_private.h"

static const char *const DECISIONS[N_DECISIONS] = {
    [DECISION_A] = "A",       [DECISION_B] = "B",       [DECISION_TIE] = "tie",
    [DECISION_BAD] = "bad",   [DECISION_SKIP] = "skip", [DECISION_FLAG] = "flag",
    [DECISION_NOTE] = "note", [DECISION_EDIT] = "edit", [DECISION_UNDO] = "undo"};

const char *decision_name(enum decision d) { return DECISIONS[d]; }

static bool decision_parse(const char *name, enum decision *d) {
    for (int i = 0; name && i < N_DECISIONS; i++) {
        if (strcmp(DECISIONS[i], name) != 0) continue;
        *d = (enum decision)i;
        return true;
    }
    return false;
}

/* ---- reading ---- */

static double real_or_nan(sqlite3_stmt *s, int column) {
    return sqlite3_column_type(s, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(s, column);
}

static void copy_text(sqlite3_stmt *s, int column, char *out, size_t size) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(out, size, "%s", text ? text : "");
}

bool event_from_row(struct db *db, sqlite3_stmt *s, struct label_event *ev, struct err *e) {
    *ev = (struct label_event){.seq = sqlite3_column_int64(s, 0)};
    copy_text(s, 1, ev->time, sizeof ev->time);
    copy_text(s, 2, ev->annotator, sizeof ev->annotator);
    ev->pair_id = sqlite3_column_int64(s, 3);
    ev->pair_hash = (uint64_t)sqlite3_column_int64(s, 4);
    ev->left = sqlite3_column_int(s, 5);
    const char *decision = (const char *)sqlite3_column_text(s, 6);
    if (!decision_parse(decision, &ev->decision))
        return err_set(e, "%s: label event %lld: unknown decision \"%.40s\"", db->path, (long long)ev->seq,
                       decision ? decision : "");
    if (ev->left != 0 && ev->left != 1)
        return err_set(e, "%s: label event %lld: \"left\" must be 0 or 1, found %d", db->path, (long long)ev->seq,
                       ev->left);
    ev->strength = sqlite3_column_double(s, 7);
    ev->dwell_ms = sqlite3_column_int64(s, 8);
    ev->seen_a = real_or_nan(s, 9);
    ev->seen_b = real_or_nan(s, 10);
    copy_text(s, 11, ev->sampler, sizeof ev->sampler);
    ev->propensity = real_or_nan(s, 12);
    ev->reward_delta = real_or_nan(s, 13);
    ev->undo_of = sqlite3_column_int64(s, 14);
    const char *text = (const char *)sqlite3_column_text(s, 15);
    ev->text = text ? mem_strdup(text) : NULL;
    return true;
}

bool label_event_read(struct db *db, int64_t seq, struct label_event *ev, struct err *e) {
    *ev = (struct label_event){0};
    sqlite3_stmt *s = db_prepare(db, e, "SELECT " EVENT_COLUMNS " FROM label_event e WHERE e.seq=?", "i", seq);
    bool row = false, ok = s && db_step(db, s, &row, e);
    if (ok && !row) ok = err_set(e, "%s: there is no label event %lld", db->path, (long long)seq);
    ok = ok && event_from_row(db, s, ev, e);
    sqlite3_finalize(s);
    return ok;
}

bool label_event_last(struct db *db, const char *annotator, int64_t *seq, struct err *e) {
    return db_get_int(db, e, seq, 0,
                      "SELECT e.seq FROM label_event e WHERE e.annotator=? AND e.decision<>'undo' AND " EVENT_NOT_UNDONE
                      " ORDER BY e.seq DESC LIMIT 1",
                      "s", annotator);
}

bool label_event_vote(struct db *db, int64_t pair_id, uint64_t pair_hash, int64_t *seq, struct err *e) {
    return db_get_int(db, e, seq, 0,
                      "SELECT max(e.seq) FROM label_event e WHERE e.pair_id=? AND e.pair_hash=? AND e.decision NOT IN "
                      "('undo','note') AND " EVENT_NOT_UNDONE,
                      "ii", pair_id, (int64_t)pair_hash);
}

/* ---- writing ---- */

/* An undo takes pair and hash from the event that it takes back; that must be there, no undo itself, and not taken back
 * yet. */
static bool check_undo(struct db *db, struct label_event *ev, struct err *e) {
    struct label_event old;
    if (!label_event_read(db, ev->undo_of, &old, e)) return false;
    free(old.text);
    if (old.decision == DECISION_UNDO)
        return err_set(e, "label event %lld is an undo itself (to redo, label again)", (long long)old.seq);
    int64_t by;
    if (!db_get_int(db, e, &by, 0, "SELECT seq FROM label_event WHERE undo_of=?", "i", old.seq)) return false;
    if (by) return err_set(e, "label event %lld was already undone by event %lld", (long long)old.seq, (long long)by);
    ev->pair_id = old.pair_id;
    ev->pair_hash = old.pair_hash;
    ev->left = old.left;
    return true;
}

static bool check_pair(struct db *db, const struct label_event *ev, struct err *e) {
    sqlite3_stmt *s = db_prepare(db, e, "SELECT pair_hash FROM pair WHERE id=?", "i", ev->pair_id);
    bool row = false, ok = s && db_step(db, s, &row, e);
    if (ok && !row)
        ok = err_set(e, "%s: there is no pair %lld to label", db->path, (long long)ev->pair_id);
    else if (ok && (uint64_t)sqlite3_column_int64(s, 0) != ev->pair_hash)
        ok = err_set(e, "%s: pair %lld holds other texts than the ones that were shown", db->path,
                     (long long)ev->pair_id);
    sqlite3_finalize(s);
    return ok;
}

static bool check_event(struct db *db, struct label_event *ev, struct err *e) {
    if ((int)ev->decision < 0 || ev->decision >= N_DECISIONS)
        return err_set(e, "label event: unknown decision %d", (int)ev->decision);
    if (ev->left != 0 && ev->left != 1) return err_set(e, "label event: left must be 0 or 1, found %d", ev->left);
    if (!isfinite(ev->strength)) return err_set(e, "label event: the strength must be finite");
    if (ev->decision == DECISION_UNDO) return check_undo(db, ev, e);
    ev->undo_of = 0;
    return check_pair(db, ev, e);
}

static bool insert_event(struct db *db, struct label_event *ev, struct err *e) {
    clock_iso8601(ev->time);
    if (!db_run(
            db, e,
            "INSERT INTO label_event(time,annotator,pair_id,pair_hash,left,decision,strength,dwell_ms,seen_a,seen_b,"
            "sampler,propensity,reward_delta,undo_of,text) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            "ssiiisdiddsddis", ev->time, ev->annotator, ev->pair_id, (int64_t)ev->pair_hash, (int64_t)ev->left,
            decision_name(ev->decision), ev->strength, ev->dwell_ms, ev->seen_a, ev->seen_b, ev->sampler,
            ev->propensity, ev->reward_delta, ev->undo_of, ev->text))
        return false;
    ev->seq = sqlite3_last_insert_rowid(db->h);
    return true;
}

bool label_event_commit(struct db *db, struct label_event *ev, struct err *e) {
    ev->seq = 0;
    if (!db_begin(db, e)) return false;
    if (check_event(db, ev, e) && insert_event(db, ev, e)) return db_commit(db, e);
    db_rollback(db);
    return false;
}

/* ---- the label in force ---- */

void label_withdraw(struct pref_pair *p, int64_t undo) {
    p->withdrawn = p->event = undo;
    p->active = false;
}

static void fold(struct pref_pair *p, const struct label_event *ev, double human_flip, double human_weight) {
    switch (ev->decision) {
    case DECISION_A: p->o = ev->left == 0 ? 1.0 : 0.0; break;
    case DECISION_B: p->o = ev->left == 0 ? 0.0 : 1.0; break;
    case DECISION_TIE:
    case DECISION_BAD: p->o = 0.5; break;
    case DECISION_FLAG:
        p->active = false;
        p->event = ev->seq;
        return;
    case DECISION_SKIP:
    case DECISION_NOTE:
    case DECISION_EDIT:
    case DECISION_UNDO:
    case N_DECISIONS: return;
    }
    p->source = SOURCE_HUMAN;
    p->active = ev->decision != DECISION_BAD;
    p->weight = ev->strength >= 2.0 ? 2.0 * human_weight : human_weight;
    p->flip = human_flip;
    p->strength = fmax(ev->strength, 0.0);
    p->noise = 0;
    p->flipped = false;
    p->event = ev->seq;
}

void label_fold(struct pref_pair *p, const struct label_event *ev, double human_flip, double human_weight) {
    fold(p, ev, human_flip, human_weight);
    if (p->withdrawn) label_withdraw(p, p->withdrawn);
}

bool label_fold_all(struct db *db, sqlite3_stmt *events, int64_t seq, struct pref_pair *p, double human_flip,
                    double human_weight, struct err *e) {
    if (!db_bind(db, events, e, "iii", p->id, (int64_t)p->pair_hash, seq)) return false;
    bool row = false, ok;
    while ((ok = db_step(db, events, &row, e)) && row) {
        struct label_event ev;
        if (!(ok = event_from_row(db, events, &ev, e))) break;
        label_fold(p, &ev, human_flip, human_weight);
        free(ev.text);
    }
    sqlite3_reset(events);
    return ok;
}
