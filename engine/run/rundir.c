/* The run's folder, its lock and run.db: see rundir.h. */
#include "engine/run/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/mem.h"

static const char SCHEMA[] =
    "CREATE TABLE run(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY AUTOINCREMENT, tick INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL);"
    "CREATE TABLE metric(tick INTEGER NOT NULL, iteration INTEGER NOT NULL, name TEXT NOT NULL, value REAL);"
    "CREATE INDEX metric_tick ON metric(tick);"
    "CREATE TABLE log(tick INTEGER NOT NULL, time TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE checkpoint(tick INTEGER PRIMARY KEY, state TEXT NOT NULL);";

/* One writer: an exclusive flock on `lock`, which holds the writer's process number for the message. */
static bool take_lock(struct rundir *r, const char *path, struct err *e) {
    char name[4200], pid[32] = "";
    snprintf(name, sizeof name, "%s/lock", path);
    r->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (r->lock_fd < 0) return err_errno(e, "%s: cannot open the lock", name);
    if (flock(r->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        const ssize_t n = read(r->lock_fd, pid, sizeof pid - 1);
        if (n > 0) pid[strcspn(pid, "\n")] = '\0';
        close(r->lock_fd);
        r->lock_fd = -1;
        return err_set(e, "%s: in use by process %s", path, pid[0] ? pid : "(unknown)");
    }
    const int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(r->lock_fd, 0) != 0 || pwrite(r->lock_fd, pid, (size_t)n, 0) != n) return err_errno(e, "%s: cannot write the lock", name);
    return true;
}

static void default_name(char *path, size_t size) {
    char stamp[32];
    const time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
    snprintf(path, size, "runs/%s", stamp);
    for (int i = 2; file_exists(path) && i < 1000; i++) snprintf(path, size, "runs/%s-%d", stamp, i);
}

static bool make_parent(const char *path, struct err *e) {
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent) return true;
    *slash = '\0';
    return dir_make(parent, e);
}

static bool fill_new(const char *folder, const struct options *o, const char *title, struct err *e) {
    char name[4200];
    struct db db;
    snprintf(name, sizeof name, "%s/run.db", folder);
    if (!db_open(&db, name, DB_CREATE, true, e)) return false;
    char *json = options_to_json(o, false);
    char now[32];
    clock_iso8601(now);
    const bool ok = db_begin(&db, e) && db_exec(&db, SCHEMA, e) &&
                    db_run(&db, e, "INSERT INTO run VALUES('options',?),('title',?),('started',?),('format','1')", "sss", json,
                           title ? title : "", now) &&
                    db_commit(&db, e);
    free(json);
    db_close(&db);
    return ok;
}

bool rundir_create(struct rundir *r, const char *path, const struct options *o, const char *title, struct err *e) {
    *r = (struct rundir){.lock_fd = -1};
    if (path) snprintf(r->path, sizeof r->path, "%s", path);
    else default_name(r->path, sizeof r->path);
    char db_name[4200], tmp[4200];
    snprintf(db_name, sizeof db_name, "%s/run.db", r->path);
    snprintf(tmp, sizeof tmp, "%s.tmp-%ld", r->path, (long)getpid());
    if (file_exists(db_name)) return err_set(e, "%s: holds a run already (continue it with --resume --run-dir %s)", r->path, r->path);
    if (!make_parent(r->path, e) || !dir_make(tmp, e)) return false;
    bool ok = fill_new(tmp, o, title, e) && take_lock(r, tmp, e);
    if (ok && rename(tmp, r->path) != 0) ok = err_errno(e, "%s: cannot make the run folder", r->path);
    if (ok) ok = db_open(&r->db, db_name, DB_WRITE, false, e);
    if (!ok) {
        if (r->lock_fd >= 0) close(r->lock_fd);
        r->lock_fd = -1;
        dir_remove_tree(tmp, NULL);
    }
    return ok;
}

static bool read_text(struct rundir *r, const char *key, char **out, struct err *e) {
    sqlite3_stmt *q = db_prepare(&r->db, e, "SELECT value FROM run WHERE key=?", "s", key);
    bool row = false;
    const bool ok = q && db_step(&r->db, q, &row, e) && (row || err_set(e, "%s: \"%s\" is missing", r->db.path, key));
    if (ok) *out = mem_strdup((const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return ok;
}

bool rundir_open(struct rundir *r, const char *path, struct options *o, struct err *e) {
    *r = (struct rundir){.lock_fd = -1};
    snprintf(r->path, sizeof r->path, "%s", path);
    char name[4200], *json = NULL;
    snprintf(name, sizeof name, "%s/run.db", path);
    if (!file_exists(name)) return err_set(e, "%s: no run to resume (run.db is missing)", path);
    if (!take_lock(r, path, e)) return false;
    bool ok = db_open(&r->db, name, DB_WRITE, false, e) && read_text(r, "options", &json, e);
    if (ok) {
        options_default(o);
        ok = options_from_json(o, json, name, e);
    }
    free(json);
    if (!ok) rundir_close(r);
    return ok;
}

void rundir_close(struct rundir *r) {
    if (r->db.h) db_close(&r->db);
    if (r->lock_fd >= 0) close(r->lock_fd);
    r->lock_fd = -1;
}

bool rundir_remove(const char *path, struct err *e) {
    char name[4200];
    snprintf(name, sizeof name, "%s/run.db", path);
    if (!file_exists(name)) return err_set(e, "%s: is not a run folder", path);
    return dir_remove_tree(path, e);
}

bool rundir_newest(const char *root, char *path, size_t size, struct err *e) {
    DIR *d = opendir(root);
    if (e) e->msg[0] = '\0';
    if (!d) return false;
    time_t newest = 0;
    bool found = false;
    for (const struct dirent *entry; (entry = readdir(d));) {
        char name[4200];
        struct stat st;
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".tmp-")) continue;
        snprintf(name, sizeof name, "%s/%s/run.db", root, entry->d_name);
        if (stat(name, &st) != 0 || (found && st.st_mtime < newest)) continue;
        newest = st.st_mtime;
        snprintf(path, size, "%s/%s", root, entry->d_name);
        found = true;
    }
    closedir(d);
    return found;
}

bool metric_add(struct rundir *r, int64_t tick, int iteration, const char *name, double value, struct err *e) {
    /* SQLite stores NaN as NULL; infinities are made NULL too */
    return db_run(&r->db, e, "INSERT INTO metric VALUES(?,?,?,?)", "iisd", tick, (int64_t)iteration, name, isfinite(value) ? value : (double)NAN);
}

bool metric_each(struct rundir *r, bool (*fn)(void *ctx, int64_t tick, int iteration, const char *name, double value), void *ctx,
                 struct err *e) {
    sqlite3_stmt *q = db_prepare(&r->db, e, "SELECT tick,iteration,name,value FROM metric ORDER BY rowid", "");
    bool ok = q != NULL, row = false;
    while (ok && (ok = db_step(&r->db, q, &row, e)) && row)
        ok = fn(ctx, sqlite3_column_int64(q, 0), sqlite3_column_int(q, 1), (const char *)sqlite3_column_text(q, 2),
                sqlite3_column_type(q, 3) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, 3));
    sqlite3_finalize(q);
    return ok;
}

bool log_add(struct rundir *r, int64_t tick, const char *level, const char *text, struct err *e) {
    char now[32];
    clock_iso8601(now);
    return db_run(&r->db, e, "INSERT INTO log VALUES(?,?,?,?)", "isss", tick, now, level, text);
}

bool rundir_truncate_after(struct rundir *r, int64_t tick, struct err *e) {
    return db_run(&r->db, e, "DELETE FROM metric WHERE tick > ?", "i", tick) && db_run(&r->db, e, "DELETE FROM log WHERE tick > ?", "i", tick);
}
