/* SQLite helpers: see db.h. */
#include "engine/base/db.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool fail(struct db *d, struct err *e, const char *what) {
    return err_set(e, "%s: %s: %s", d->path, what, d->h ? sqlite3_errmsg(d->h) : "not open");
}

bool db_open(struct db *d, const char *path, enum db_mode mode, bool durable, struct err *e) {
    *d = (struct db){0};
    if (strlen(path) >= sizeof d->path) return err_set(e, "the path of a database is longer than %zu bytes", sizeof d->path - 1);
    memcpy(d->path, path, strlen(path) + 1);
    const int flags = mode == DB_READ    ? SQLITE_OPEN_READONLY
                      : mode == DB_WRITE ? SQLITE_OPEN_READWRITE
                                         : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path, &d->h, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        fail(d, e, "cannot open");
        db_close(d);
        return false;
    }
    sqlite3_busy_timeout(d->h, 5000);
    bool ok = db_exec(d, "PRAGMA foreign_keys=ON", e);
    if (mode != DB_READ) ok = ok && db_exec(d, "PRAGMA journal_mode=WAL", e) && db_exec(d, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", e);
    if (!ok) db_close(d);
    return ok;
}

void db_close(struct db *d) {
    if (d->h) sqlite3_close_v2(d->h);
    *d = (struct db){0};
}

bool db_exec(struct db *d, const char *sql, struct err *e) {
    return sqlite3_exec(d->h, sql, NULL, NULL, NULL) == SQLITE_OK || fail(d, e, "statement failed");
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

static sqlite3_stmt *prepare(struct db *d, struct err *e, const char *sql, const char *format, va_list ap) {
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(d->h, sql, -1, &s, NULL) != SQLITE_OK) {
        fail(d, e, "cannot prepare a statement");
        return NULL;
    }
    int i = 1, rc = SQLITE_OK;
    for (const char *f = format; *f && rc == SQLITE_OK; f++, i++) {
        if (*f == 'i') rc = sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
        else if (*f == 'd') rc = sqlite3_bind_double(s, i, va_arg(ap, double));
        else if (*f == 's') {
            const char *text = va_arg(ap, const char *);
            rc = text ? sqlite3_bind_text(s, i, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(s, i);
        } else {
            const void *blob = va_arg(ap, const void *);
            const size_t n = va_arg(ap, size_t);
            rc = sqlite3_bind_blob64(s, i, blob, n, SQLITE_TRANSIENT);
        }
    }
    if (rc == SQLITE_OK) return s;
    fail(d, e, "cannot bind a value");
    sqlite3_finalize(s);
    return NULL;
}

sqlite3_stmt *db_prepare(struct db *d, struct err *e, const char *sql, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *s = prepare(d, e, sql, format, ap);
    va_end(ap);
    return s;
}

bool db_step(struct db *d, sqlite3_stmt *s, bool *row, struct err *e) {
    const int rc = sqlite3_step(s);
    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE || fail(d, e, "cannot read or write");
}

bool db_run(struct db *d, struct err *e, const char *sql, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *s = prepare(d, e, sql, format, ap);
    va_end(ap);
    bool ok = s != NULL, row = true;
    while (ok && row) ok = db_step(d, s, &row, e);
    sqlite3_finalize(s);
    return ok;
}

bool db_get_int(struct db *d, struct err *e, int64_t *out, int64_t fallback, const char *sql, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    sqlite3_stmt *s = prepare(d, e, sql, format, ap);
    va_end(ap);
    bool row = false;
    const bool ok = s && db_step(d, s, &row, e);
    *out = row ? sqlite3_column_int64(s, 0) : fallback;
    sqlite3_finalize(s);
    return ok;
}
