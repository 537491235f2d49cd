/* What a run writes down as it goes: the journal (with config, files and seed it makes a run repeatable), metrics, log.
 * The journal is on disk when journal_add returns, because it says what a person did; the rest may lose its last
 * moments in a power cut, since a resume makes it again. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/run/rundir.h"

/* ---- journal ---- */

bool journal_add(struct rundir *r, int64_t tick, const char *kind, const char *payload, struct err *e) {
    if (strlen(kind) >= sizeof((struct journal_entry *)0)->kind)
        return err_set(e, "journal: the kind \"%.40s\" is too long", kind);
    if (!db_set_durable(&r->db, true, e)) return false;
    const bool ok = db_run(&r->db, e, "INSERT INTO journal(tick,kind,payload) VALUES(?,?,?)", "iss", tick, kind,
                           payload ? payload : "");
    struct err later;
    return db_set_durable(&r->db, false, ok ? e : &later) && ok;
}

static struct journal_entry *next_entry(struct journal_list *l, int *cap) {
    if (l->n == *cap) {
        *cap = *cap ? 2 * *cap : 64;
        l->entry = mem_grow(l->entry, (size_t)*cap * sizeof *l->entry);
    }
    return &l->entry[l->n++];
}

bool journal_load(struct rundir *r, int64_t after, struct journal_list *l, struct err *e) {
    *l = (struct journal_list){0};
    sqlite3_stmt *s =
        db_prepare(&r->db, e, "SELECT seq,tick,kind,payload FROM journal WHERE tick>? ORDER BY tick,seq", "i", after);
    if (!s) return false;
    bool row = false, ok;
    int cap = 0;
    while ((ok = db_step(&r->db, s, &row, e)) && row) {
        struct journal_entry *j = next_entry(l, &cap);
        *j = (struct journal_entry){.seq = sqlite3_column_int64(s, 0), .tick = sqlite3_column_int64(s, 1)};
        const char *kind = (const char *)sqlite3_column_text(s, 2), *payload = (const char *)sqlite3_column_text(s, 3);
        snprintf(j->kind, sizeof j->kind, "%s", kind ? kind : "");
        j->payload = mem_strdup(payload ? payload : "");
    }
    sqlite3_finalize(s);
    if (!ok) journal_list_free(l);
    return ok;
}

void journal_list_free(struct journal_list *l) {
    for (int i = 0; i < l->n; i++) free(l->entry[i].payload);
    free(l->entry);
    *l = (struct journal_list){0};
}

bool journal_took_effect(const struct journal_entry *j) {
    static const char *const OTHERS[] = {JOURNAL_SET_ASKED, JOURNAL_SET_REFUSED, JOURNAL_LABEL_LOST};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        if (strcmp(j->kind, OTHERS[i]) == 0) return false;
    return true;
}

/* ---- metrics ---- */

bool metric_add(struct rundir *r, int64_t tick, int iteration, const char *name, double value, struct err *e) {
    static const char SQL[] = "INSERT INTO metric VALUES(?,?,?,?)";
    if (!r->add_metric && sqlite3_prepare_v2(r->db.h, SQL, -1, &r->add_metric, NULL) != SQLITE_OK)
        return err_set(e, "%s: %s", r->db.path, sqlite3_errmsg(r->db.h));
    bool row; /* SQLite stores NaN as NULL; infinities are made NaN for that */
    const bool ok = db_bind(&r->db, r->add_metric, e, "iisd", tick, (int64_t)iteration, name,
                            isfinite(value) ? value : (double)NAN) &&
                    db_step(&r->db, r->add_metric, &row, e);
    sqlite3_reset(r->add_metric);
    return ok;
}

bool metric_each(struct rundir *r, bool (*fn)(void *ctx, int64_t tick, int iteration, const char *name, double value),
                 void *ctx, struct err *e) {
    sqlite3_stmt *s = db_prepare(&r->db, e, "SELECT tick,iteration,name,value FROM metric ORDER BY rowid", "");
    if (!s) return false;
    bool row = false, ok;
    while ((ok = db_step(&r->db, s, &row, e)) && row) {
        const char *name = (const char *)sqlite3_column_text(s, 2);
        const double value = sqlite3_column_type(s, 3) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(s, 3);
        if (!fn(ctx, sqlite3_column_int64(s, 0), sqlite3_column_int(s, 1), name ? name : "", value)) break;
    }
    sqlite3_finalize(s);
    return ok;
}

/* ---- log ---- */

bool log_add(struct rundir *r, int64_t tick, const char *level, const char *text, struct err *e) {
    char now[32];
    clock_iso8601(now);
    return db_run(&r->db, e, "INSERT INTO log VALUES(?,?,?,?)", "isss", tick, now, level, text);
}

bool log_each(struct db *db, int newest, bool (*fn)(void *ctx, int64_t tick, const char *level, const char *text),
              void *ctx, struct err *e) {
    sqlite3_stmt *s = db_prepare(db, e,
                                 "SELECT tick,level,text FROM (SELECT rowid AS at,tick,level,text FROM log ORDER BY "
                                 "rowid DESC LIMIT ?) ORDER BY at",
                                 "i", (int64_t)newest);
    if (!s) return false;
    bool row = false, ok;
    while ((ok = db_step(db, s, &row, e)) && row) {
        const char *level = (const char *)sqlite3_column_text(s, 1), *text = (const char *)sqlite3_column_text(s, 2);
        if (!fn(ctx, sqlite3_column_int64(s, 0), level ? level : "", text ? text : "")) break;
    }
    sqlite3_finalize(s);
    return ok;
}

bool rundir_truncate_after(struct rundir *r, int64_t tick, struct err *e) {
    if (!db_begin(&r->db, e)) return false;
    if (db_run(&r->db, e, "DELETE FROM metric WHERE tick>?", "i", tick) &&
        db_run(&r->db, e, "DELETE FROM log WHERE tick>?", "i", tick))
        return db_commit(&r->db, e);
    db_rollback(&r->db);
    return false;
}
