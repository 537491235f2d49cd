/* SQLite with the settings that the record of a run needs: WAL, foreign keys, busy timeout, and synchronous=FULL where
 * a person's act is stored. Thin helpers only: bind by format, step, message with the file's name. */
#ifndef PBKD_BASE_DB_H
#define PBKD_BASE_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "engine/base/err.h"

struct db {
    sqlite3 *h;
    char path[4096];
};

enum db_mode { DB_READ, DB_WRITE, DB_CREATE };
/* durable: PRAGMA synchronous=FULL, else NORMAL. One connection belongs to one thread. */
bool db_open(struct db *d, const char *path, enum db_mode mode, bool durable, struct err *e);
void db_close(struct db *d);
bool db_exec(struct db *d, const char *sql, struct err *e);
bool db_begin(struct db *d, struct err *e);  /* IMMEDIATE */
bool db_commit(struct db *d, struct err *e); /* rolls back on failure */
void db_rollback(struct db *d);
/* Switch synchronous between FULL and NORMAL on an open connection, for single acts that must survive a power cut.
 * Inside a transaction, where SQLite cannot switch, nothing happens: the transaction keeps the mode it began with. */
bool db_set_durable(struct db *d, bool durable, struct err *e);

/* Prepare with parameters bound by a format: i = int64_t, d = double, s = const char * (NULL allowed, copied), b =
 * const void *, size_t (blob, copied). Finalise with sqlite3_finalize. NULL on error. */
sqlite3_stmt *db_prepare(struct db *d, struct err *e, const char *sql, const char *format, ...);
/* Reset a statement and bind it anew: for statements that are prepared once and used often. */
bool db_bind(struct db *d, sqlite3_stmt *s, struct err *e, const char *format, ...);
/* One row: true with *row = true when there is one. Errors name the database. */
bool db_step(struct db *d, sqlite3_stmt *s, bool *row, struct err *e);
/* Prepare, bind, run to the end, finalise. */
bool db_run(struct db *d, struct err *e, const char *sql, const char *format, ...);
/* First column of the first row as int64 (fallback when there is no row). */
bool db_get_int(struct db *d, struct err *e, int64_t *out, int64_t fallback, const char *sql, const char *format, ...);

#endif
