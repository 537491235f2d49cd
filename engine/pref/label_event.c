/* Label events: the append-only record of what people decided. See dpref.h. */
#include <stdlib.h>
#include <math.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/pref/dpref.h"

bool label_event_commit(struct db *db, struct label_event *ev, struct err *e) {
    clock_iso8601(ev->time);
    /* a NaN is stored as NULL by SQLite itself */
    if (!db_run(db, e,
                "INSERT INTO label_event(time,annotator,pair_id,pair_hash,left_side,decision,strength,dwell_ms,seen_a,seen_b,sampler,"
                "propensity,reward_delta,undo_of,text) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                "ssiiiididdsddis", ev->time, ev->annotator, ev->pair_id, (int64_t)ev->pair_hash, (int64_t)ev->left, (int64_t)ev->decision,
                ev->strength, ev->dwell_ms, ev->seen_a, ev->seen_b, ev->sampler, ev->propensity, ev->reward_delta, ev->undo_of, ev->text))
        return err_wrap(e, "the label was NOT saved");
    ev->seq = sqlite3_last_insert_rowid(db->h);
    return true;
}

static void copy_text(char *out, size_t size, const unsigned char *s) {
    const size_t n = s ? strlen((const char *)s) : 0;
    const size_t m = n < size - 1 ? n : size - 1;
    if (m) memcpy(out, s, m);
    out[m] = '\0';
}

bool label_event_read(struct db *db, int64_t seq, struct label_event *ev, struct err *e) {
    *ev = (struct label_event){.seq = seq};
    sqlite3_stmt *q = db_prepare(db, e,
                                 "SELECT time,annotator,pair_id,pair_hash,left_side,decision,strength,dwell_ms,seen_a,seen_b,sampler,"
                                 "propensity,reward_delta,undo_of,text FROM label_event WHERE seq=?", "i", seq);
    bool row = false;
    bool ok = q && db_step(db, q, &row, e) && (row || err_set(e, "%s: label %lld does not exist", db->path, (long long)seq));
    if (ok) {
        copy_text(ev->time, sizeof ev->time, sqlite3_column_text(q, 0));
        copy_text(ev->annotator, sizeof ev->annotator, sqlite3_column_text(q, 1));
        ev->pair_id = sqlite3_column_int64(q, 2);
        ev->pair_hash = (uint64_t)sqlite3_column_int64(q, 3);
        ev->left = sqlite3_column_int(q, 4) != 0;
        const int decision = sqlite3_column_int(q, 5);
        ok = (decision >= 0 && decision < N_DECISIONS) || err_set(e, "%s: label %lld is damaged", db->path, (long long)seq);
        ev->decision = ok ? (enum decision)decision : DECISION_SKIP;
        ev->strength = sqlite3_column_double(q, 6);
        ev->dwell_ms = sqlite3_column_int64(q, 7);
        ev->seen_a = sqlite3_column_double(q, 8);
        ev->seen_b = sqlite3_column_double(q, 9);
        copy_text(ev->sampler, sizeof ev->sampler, sqlite3_column_text(q, 10));
        ev->propensity = sqlite3_column_double(q, 11);
        ev->reward_delta = sqlite3_column_type(q, 12) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, 12);
        ev->undo_of = sqlite3_column_int64(q, 13);
        if (ok && sqlite3_column_text(q, 14)) ev->text = mem_strdup((const char *)sqlite3_column_text(q, 14));
    }
    sqlite3_finalize(q);
    return ok;
}

bool label_event_last(struct db *db, const char *annotator, int64_t *seq, struct err *e) {
    return db_get_int(db, e, seq, 0,
                      "SELECT seq FROM label_event WHERE annotator=? AND decision<>8 AND seq NOT IN"
                      " (SELECT undo_of FROM label_event WHERE decision=8) ORDER BY seq DESC LIMIT 1",
                      "s", annotator);
}
