/* SQLite helpers: see db.h. Every message starts with the database's path and ends with SQLite's own words, so that
 * "disk full", "locked" and "not a database" reach the person as they are. */
#include "engine/base/db.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 10000 }; /* a checkpoint of the WAL or another writer's commit takes far less */

static bool fail(struct db *d, struct err *e) {
    return err_set(e, "%s: %s", d->path, d->h ? sqlite3_errmsg(d->h) : "out of memory");
}

bool db_open(struct db *d, const char *path, enum db_mode mode, bool durable, struct err *e) {
    d->h = NULL;
    if (snprintf(d->path, sizeof d->path, "%s", path) >= (int)sizeof d->path) {
        d->path[0] = '\0';
        return err_set(e, "%.80s...: the path is too long", path);
    }
    const int flags = mode == DB_READ    ? SQLITE_OPEN_READONLY
                      : mode == DB_WRITE ? SQLITE_OPEN_READWRITE
                                         : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    bool ok = sqlite3_open_v2(path, &d->h, flags | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK || fail(d, e);
    ok = ok && (sqlite3_busy_timeout(d->h, BUSY_MS) == SQLITE_OK || fail(d, e));
    /* Triggers and views of a file from elsewhere must not call functions with side effects. */
    ok = ok && db_exec(d, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF", e);
    if (ok && mode != DB_READ) {
        ok = db_exec(d, "PRAGMA journal_mode=WAL", e);
        ok = ok && db_set_durable(d, durable, e);
    }
    /* A file that is no database is noticed at the first read only: read now, where the message is expected. */
    ok = ok && db_exec(d, "SELECT 1 FROM sqlite_master LIMIT 1", e);
    if (!ok) db_close(d);
    return ok;
}

void db_close(struct db *d) {
    if (d->h) sqlite3_close_v2(d->h);
    d->h = NULL;
}

bool db_exec(struct db *d, const char *sql, struct err *e) {
    return sqlite3_exec(d->h, sql, NULL, NULL, NULL) == SQLITE_OK || fail(d, e);
}

bool db_begin(struct db *d, struct err *e) { return db_exec(d, "BEGIN IMMEDIATE", e); }

bool db_commit(struct db *d, struct err *e) {
    if (db_exec(d, "COMMIT", e)) return true;
    db_rollback(d);
    return false;
}

void db_rollback(struct db *d) {
    if (!sqlite3_get_autocommit(d->h)) sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL);
}

bool db_set_durable(struct db *d, bool durable, struct err *e) {
    if (!sqlite3_get_autocommit(d->h)) return true;
    return db_exec(d, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", e);
}

static int bind_one(sqlite3_stmt *s, int index, char kind, va_list *ap) {
    switch (kind) {
    case 'i': return sqlite3_bind_int64(s, index, va_arg(*ap, int64_t));
    case 'd': return sqlite3_bind_double(s, index, va_arg(*ap, double));
    case 's': {
        const char *text = va_arg(*ap, const char *);
        return text ? sqlite3_bind_text(s, index, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(s, index);
    }
    case 'b': {
        const void *data = va_arg(*ap, const void *);
        const size_t n = va_arg(*ap, size_t);
        return sqlite3_bind_blob64(s, index, data ? data : "", n, SQLITE_TRANSIENT);
    }
    default: return SQLITE_MISUSE;
    }
}

static bool bind_all(struct db *d, sqlite3_stmt *s, const char *format, va_list *ap, struct err *e) {
    const int wanted = sqlite3_bind_parameter_count(s), given = (int)strlen(format);
    if (wanted != given) return err_set(e, "%s: a statement has %d parameters, %d were given", d->path, wanted, given);
    for (int i = 0; i < given; i++)
        if (bind_one(s, i + 1, format[i], ap) != SQLITE_OK) return fail(d, e);
    return true;
}

static sqlite3_stmt *prepare(struct db *d, struct err *e, const char *sql, const char *format, va_list *ap) {
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(d->h, sql, -1, &s, NULL) != SQLITE_OK) {
        fail(d, e);
    } else if (bind_all(d, s, format, ap, e)) {
        return s;
    }
    sqlite3_finalize(s);
    return NULL;
}

sqlite3_stmt *db_prepare(struct db *d, struct err *e, const char *sql, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *s = prepare(d, e, sql, format, &ap);
    va_end(ap);
    return s;
}

bool db_bind(struct db *d, sqlite3_stmt *s, struct err *e, const char *format, ...) {
    sqlite3_reset(s);
    va_list ap;
    va_start(ap, format);
    const bool ok = bind_all(d, s, format, &ap, e);
    va_end(ap);
    return ok;
}

bool db_step(struct db *d, sqlite3_stmt *s, bool *row, struct err *e) {
    const int rc = sqlite3_step(s);
    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE || fail(d, e);
}

static bool run_to_end(struct db *d, sqlite3_stmt *s, struct err *e) {
    bool row = true;
    while (row)
        if (!db_step(d, s, &row, e)) return false;
    return true;
}

bool db_run(struct db *d, struct err *e, const char *sql, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *s = prepare(d, e, sql, format, &ap);
    va_end(ap);
    const bool ok = s && run_to_end(d, s, e);
    sqlite3_finalize(s);
    return ok;
}

bool db_get_int(struct db *d, struct err *e, int64_t *out, int64_t fallback, const char *sql, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *s = prepare(d, e, sql, format, &ap);
    va_end(ap);
    bool row = false;
    const bool ok = s && db_step(d, s, &row, e);
    if (ok) *out = row && sqlite3_column_type(s, 0) != SQLITE_NULL ? sqlite3_column_int64(s, 0) : fallback;
    sqlite3_finalize(s);
    return ok;
}
