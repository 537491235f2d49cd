/* The run's folder: making, locking, opening, finding and removing it. A new run grows under NAME.tmp-PID and gets its
 * name by one rename, so whatever stops us before that leaves no run behind, and nobody ever opens half of one. An
 * existing folder is ours only when its run.db says so: that is read before anything in it is written. */
#include "engine/run/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "engine/run/own_files.h"

#define FORMAT "1" /* of run.db; another one is refused, not guessed at */

enum { PATH_SIZE = 4200, PATH_LIMIT = 3900 /* leaves room for checkpoints/TICK.tmp/NAME.safetensors.tmp-PID */ };

static const char SCHEMA[] =
    "CREATE TABLE run(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY AUTOINCREMENT, tick INTEGER NOT NULL, kind TEXT NOT NULL,"
    " payload TEXT NOT NULL);"
    "CREATE TABLE metric(tick INTEGER NOT NULL, iteration INTEGER NOT NULL, name TEXT NOT NULL, value REAL);"
    "CREATE TABLE log(tick INTEGER NOT NULL, time TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE checkpoint(tick INTEGER PRIMARY KEY, folder TEXT NOT NULL, files TEXT NOT NULL, state TEXT NOT "
    "NULL);";
/* Folders of checkpoints that are this run's and no checkpoint: see checkpoint.c. Runs of older versions lack it. */
static const char LITTER[] = "CREATE TABLE IF NOT EXISTS litter(folder TEXT PRIMARY KEY);";

static void join(char out[PATH_SIZE], const char *folder, const char *name) {
    snprintf(out, PATH_SIZE, "%.*s/%s", PATH_LIMIT, folder, name);
}

static bool is_run(const char *folder) {
    char name[PATH_SIZE];
    struct stat st;
    join(name, folder, "run.db");
    return lstat(name, &st) == 0;
}

/* ---- the lock ---- */

static bool fail_locked(int fd, const char *shown, struct err *e) {
    char pid[24] = "";
    const ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    return pid[0] ? err_set(e, "%s: in use by process %s", shown, pid)
                  : err_set(e, "%s: in use by another process", shown);
}

/* What a run leaves in its lock: nothing, or a process number. Anything else was put there by somebody, and is not
 * overwritten. */
static bool check_lock_is_ours(int fd, const char *name, struct err *e) {
    struct stat st;
    char text[24];
    if (fstat(fd, &st) != 0) return err_errno(e, "%s: cannot examine", name);
    const ssize_t n = S_ISREG(st.st_mode) ? pread(fd, text, sizeof text, 0) : -1;
    size_t digits = 0;
    while (n > 0 && digits < (size_t)n && text[digits] >= '0' && text[digits] <= '9') digits++;
    const bool ours = n >= 0 && n < (ssize_t)sizeof text &&
                      (digits == (size_t)n || (digits + 1 == (size_t)n && digits > 0 && text[digits] == '\n'));
    return ours || err_set(e, "%s: must be empty or hold a process number, found something else; move it away", name);
}

/* flock belongs to the open file: it goes away with the process, however that ends, and moves along with a rename. The
 * process number inside is for the message only. */
static bool take_lock(const char *folder, const char *shown, int *fd, struct err *e) {
    char name[PATH_SIZE], pid[24];
    join(name, folder, "lock");
    /* O_NONBLOCK: a FIFO in its place is refused, not waited for */
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (*fd < 0) return err_errno(e, "%s: cannot open the lock", shown);
    bool ok = check_lock_is_ours(*fd, name, e);
    if (ok && flock(*fd, LOCK_EX | LOCK_NB) != 0)
        ok = errno == EWOULDBLOCK ? fail_locked(*fd, shown, e) : err_errno(e, "%s: cannot lock", shown);
    if (ok) {
        const int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        ok = (ftruncate(*fd, 0) == 0 && pwrite(*fd, pid, (size_t)n, 0) == n) ||
             err_errno(e, "%s: cannot write the lock", shown);
    }
    if (ok) return true;
    close(*fd);
    *fd = -1;
    return false;
}

static void drop_lock(struct rundir *r) {
    if (r->lock_fd < 0) return;
    if (ftruncate(r->lock_fd, 0) != 0) errno = 0; /* a stale number is read only while somebody else holds the lock */
    close(r->lock_fd);
    r->lock_fd = -1;
}

/* True when nobody holds the lock; for messages. */
static bool is_free(const char *folder, struct err *e) {
    char name[PATH_SIZE];
    join(name, folder, "lock");
    const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return true;
    const bool ok = flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK || fail_locked(fd, folder, e);
    close(fd);
    return ok;
}

/* ---- making ---- */

/* Copy of path without trailing slashes. */
static bool clean_path(const char *path, char out[4096], struct err *e) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    if (n == 0) return err_set(e, "the run folder needs a name");
    if (n >= PATH_LIMIT) return err_set(e, "%.80s...: the path is too long", path);
    memcpy(out, path, n);
    out[n] = '\0';
    return true;
}

static void default_path(char out[4096]) {
    char stamp[32];
    const time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
    snprintf(out, 4096, "runs/%s", stamp);
    for (int i = 2; file_exists(out); i++) snprintf(out, 4096, "runs/%s-%d", stamp, i);
}

/* Nothing there, or an empty folder. */
static bool check_target(const char *path, struct err *e) {
    if (is_run(path)) {
        if (!is_free(path, e)) return false;
        return err_set(e, "%s: holds a run already (continue it with --resume --run-dir %s)", path, path);
    }
    struct stat st;
    if (lstat(path, &st) != 0) return errno == ENOENT || err_errno(e, "%s: cannot examine", path);
    if (!S_ISDIR(st.st_mode)) return err_set(e, "%s: exists and is not a folder", path);
    DIR *d = opendir(path);
    if (!d) return err_errno(e, "%s: cannot list the folder", path);
    bool empty = true;
    for (const struct dirent *x; empty && (x = readdir(d));)
        empty = strcmp(x->d_name, ".") == 0 || strcmp(x->d_name, "..") == 0;
    closedir(d);
    return empty || err_set(e, "%s: the folder is not empty and holds no run", path);
}

static bool make_parent(const char *path, char parent[PATH_SIZE], struct err *e) {
    snprintf(parent, PATH_SIZE, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!slash) {
        snprintf(parent, PATH_SIZE, ".");
        return true;
    }
    slash[slash == parent] = '\0'; /* the parent of "/x" is "/" */
    return dir_make(parent, e);
}

/* A folder that was not there before; a stale one from an earlier process with our number is left alone. */
static bool make_temporary(const char *path, char tmp[PATH_SIZE], struct err *e) {
    for (int i = 0; i < 1000; i++) {
        const int n = snprintf(tmp, PATH_SIZE, "%.*s.tmp-%ld", PATH_LIMIT, path, (long)getpid());
        if (i > 0) snprintf(tmp + n, (size_t)(PATH_SIZE - n), "-%d", i);
        if (mkdir(tmp, 0777) == 0) return true;
        if (errno != EEXIST) break;
    }
    tmp[0] = '\0';
    return err_errno(e, "%s: cannot make the folder", path);
}

static bool write_database(const char *folder, const struct options *o, const char *title, struct err *e) {
    char name[PATH_SIZE], now[32];
    join(name, folder, "run.db");
    struct db db;
    if (!db_open(&db, name, DB_CREATE, true, e)) return false;
    char *json = options_to_json(o, false);
    clock_iso8601(now);
    bool ok = db_begin(&db, e);
    if (ok) {
        ok = db_exec(&db, SCHEMA, e) && db_exec(&db, LITTER, e) &&
             db_run(&db, e, "INSERT INTO run VALUES('format',?),('options',?),('title',?),('started',?)", "ssss",
                    FORMAT, json, title ? title : "", now);
        if (ok)
            ok = db_commit(&db, e);
        else
            db_rollback(&db);
    }
    free(json);
    db_close(&db); /* opened again after the rename: SQLite remembers the names of its files */
    return ok;
}

static bool fill_temporary(struct rundir *r, const char *tmp, const struct options *o, const char *title,
                           struct err *e) {
    char folder[PATH_SIZE];
    join(folder, tmp, "checkpoints");
    return take_lock(tmp, r->path, &r->lock_fd, e) && dir_make(folder, e) && write_database(tmp, o, title, e) &&
           dir_sync(tmp, e);
}

/* From the finished temporary folder to the run under its name. */
static bool move_in_place(struct rundir *r, const char *tmp, const char *parent, struct err *e) {
    char name[PATH_SIZE];
    if (rename(tmp, r->path) != 0) {
        if (errno == ENOTEMPTY || errno == EEXIST) return check_target(r->path, e); /* somebody was faster: says so */
        return err_errno(e, "%s: cannot put the new run in place", r->path);
    }
    join(name, r->path, "run.db");
    if (dir_sync(parent, e) && db_open(&r->db, name, DB_WRITE, false, e)) return true;
    dir_remove_tree(r->path, NULL);
    return false;
}

static void forget(struct rundir *r) {
    memset(r, 0, sizeof *r);
    r->lock_fd = -1;
}

bool rundir_create(struct rundir *r, const char *path, const struct options *o, const char *title, struct err *e) {
    char parent[PATH_SIZE], tmp[PATH_SIZE];
    forget(r);
    if (!path) default_path(r->path);
    if ((!path || clean_path(path, r->path, e)) && check_target(r->path, e) && make_parent(r->path, parent, e) &&
        make_temporary(r->path, tmp, e)) {
        if (fill_temporary(r, tmp, o, title, e) && move_in_place(r, tmp, parent, e)) return true;
        dir_remove_tree(tmp, NULL);
        drop_lock(r);
    }
    forget(r);
    return false;
}

/* ---- opening ---- */

static bool read_value(struct rundir *r, const char *key, char **out, struct err *e) {
    sqlite3_stmt *s = db_prepare(&r->db, e, "SELECT value FROM run WHERE key=?", "s", key);
    bool row = false, ok = s && db_step(&r->db, s, &row, e);
    const char *text = ok && row ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (text)
        *out = mem_strdup(text);
    else if (ok)
        ok = err_set(e, "%s: \"%s\" is missing", r->db.path, key);
    sqlite3_finalize(s);
    return ok;
}

static bool check_format(struct rundir *r, struct err *e) {
    char *format = NULL;
    bool ok = read_value(r, "format", &format, e);
    if (ok && strcmp(format, FORMAT) != 0)
        ok = err_set(e, "%s: format must be " FORMAT ", found \"%.40s\" (made by another version)", r->db.path, format);
    free(format);
    return ok;
}

static bool read_run(struct rundir *r, struct options *o, struct err *e) {
    char *json = NULL;
    bool ok = check_format(r, e) && read_value(r, "options", &json, e);
    if (ok) {
        options_default(o);
        ok = options_from_json(o, json, r->db.path, e);
    }
    free(json);
    return ok;
}

/* Before anything is written: no link stands in for a file of ours, and run.db is a run's. */
static bool check_is_ours(struct rundir *r, const char *name, struct err *e) {
    if (!own_files_check(r->path, e) || !db_open(&r->db, name, DB_READ, false, e)) return false;
    const bool ok = check_format(r, e);
    db_close(&r->db);
    return ok;
}

bool rundir_open(struct rundir *r, const char *path, struct options *o, struct err *e) {
    char name[PATH_SIZE];
    forget(r);
    if (!clean_path(path, r->path, e)) return false;
    join(name, r->path, "run.db");
    bool ok = is_run(r->path) || (file_exists(r->path) ? err_set(e, "%s: holds no run (run.db is missing)", r->path)
                                                       : err_set(e, "%s: there is no such run", r->path));
    ok = ok && check_is_ours(r, name, e) && take_lock(r->path, r->path, &r->lock_fd, e) &&
         db_open(&r->db, name, DB_WRITE, false, e) && db_exec(&r->db, LITTER, e) && read_run(r, o, e);
    if (ok) return true;
    rundir_close(r);
    forget(r);
    return false;
}

void rundir_close(struct rundir *r) { /* the path stays: the caller may want to remove the run */
    sqlite3_finalize(r->add_metric);
    r->add_metric = NULL;
    db_close(&r->db);
    drop_lock(r);
}

/* ---- removing and finding ---- */

bool rundir_remove(const char *path, struct err *e) {
    struct rundir r;
    struct options o;
    if (!rundir_open(&r, path, &o, e)) return false;
    bool ok = checkpoint_remove_all(&r, e);
    db_close(&r.db);
    ok = ok && own_files_remove(r.path, e);
    rundir_close(&r);
    return ok;
}

static bool is_later(struct timespec a, struct timespec b) {
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

/* The lock is written whenever a run is started or resumed: its time says which run was used last. (run.db does not:
 * its changes stay in the write-ahead log for a while.) */
bool rundir_newest(const char *root, char *path, size_t size, struct err *e) {
    if (e) e->msg[0] = '\0';
    DIR *d = opendir(root);
    if (!d) return errno != ENOENT ? err_errno(e, "%s: cannot list the folder", root) : false;
    struct timespec newest = {0};
    char best[256] = "";
    for (const struct dirent *x; (x = readdir(d));) {
        char folder[PATH_SIZE], name[PATH_SIZE];
        struct stat st;
        if (x->d_name[0] == '.' || strstr(x->d_name, ".tmp-")) continue;
        join(folder, root, x->d_name);
        join(name, folder, "lock");
        if (!is_run(folder) || lstat(name, &st) != 0 || !S_ISREG(st.st_mode)) continue;
        if (best[0] && (is_later(newest, st.st_mtim) || (!is_later(st.st_mtim, newest) && strcmp(x->d_name, best) < 0)))
            continue;
        newest = st.st_mtim;
        snprintf(best, sizeof best, "%s", x->d_name);
    }
    closedir(d);
    if (!best[0]) return false;
    return snprintf(path, size, "%s/%s", root, best) < (int)size || err_set(e, "%s: the path is too long", root);
}
