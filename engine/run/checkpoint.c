/* Checkpoints. The row in run.db is what makes a checkpoint exist: it is committed, durably, when all files are on disk
 * under their final name, and it lists them with their sizes. A row whose files do not match is passed over.
 *
 * A folder without a row is litter, from a write that was cut off or a checkpoint that is no longer kept, and is swept
 * away by the next write. The folder of checkpoints may be a link to a place that others use too, so run.db also
 * records the litter that is ours: every folder whose row goes and, behind a link, every one before it is made. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/run/own_files.h"
#include "engine/run/rundir.h"

enum { PATH_SIZE = 4400 };

static void checkpoints_path(const struct rundir *r, const char *name, char out[PATH_SIZE]) {
    snprintf(out, PATH_SIZE, "%s/checkpoints%s%s", r->path, *name ? "/" : "", name);
}

/* One folder of ours, under both of its names. */
static bool remove_folder(const struct rundir *r, const char *name, bool mixed, struct err *e) {
    char path[PATH_SIZE], tmp[PATH_SIZE];
    if (!own_checkpoint_name(name)) return true; /* a damaged row */
    checkpoints_path(r, name, path);
    snprintf(tmp, sizeof tmp, "%.*s.tmp", PATH_SIZE - 8, path);
    return own_checkpoint_remove(path, mixed, e) && own_checkpoint_remove(tmp, mixed, e);
}

/* Remove what is recorded as ours. */
static bool sweep_recorded(struct rundir *r, struct err *e) {
    sqlite3_stmt *s = db_prepare(&r->db, e, "SELECT folder FROM litter", "");
    if (!s) return false;
    bool row = false, any = false, ok;
    for (; (ok = db_step(&r->db, s, &row, e)) && row; any = true) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        if (!(ok = !name || remove_folder(r, name, true, e))) break;
    }
    sqlite3_finalize(s);
    return ok && (!any || db_exec(&r->db, "DELETE FROM litter", e)); /* where the disk is full, nothing is written */
}

static bool has_row(struct rundir *r, const char *folder, bool *yes, struct err *e) {
    int64_t n = 0;
    if (!db_get_int(&r->db, e, &n, 0, "SELECT count(*) FROM checkpoint WHERE folder=?", "s", folder)) return false;
    *yes = n > 0;
    return true;
}

static bool is_linked(const struct rundir *r) {
    char path[PATH_SIZE];
    struct stat st;
    checkpoints_path(r, "", path);
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Remove what looks like litter in the run's own folder, where nobody else writes while we hold the lock. */
static bool sweep_unrecorded(struct rundir *r, struct err *e) {
    char path[PATH_SIZE];
    if (is_linked(r)) return true;
    checkpoints_path(r, "", path);
    DIR *d = opendir(path);
    if (!d) return errno == ENOENT || err_errno(e, "%s: cannot list the folder", path);
    bool ok = true;
    for (const struct dirent *x; ok && (x = readdir(d));) {
        bool known;
        if (!own_checkpoint_name(x->d_name)) continue;
        ok = has_row(r, x->d_name, &known, e);
        checkpoints_path(r, x->d_name, path);
        if (ok && !known) ok = own_checkpoint_remove(path, false, e);
    }
    closedir(d);
    return ok;
}

static bool sweep(struct rundir *r, struct err *e) { return sweep_unrecorded(r, e) && sweep_recorded(r, e); }

static bool is_taken(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

/* "TICK", or "TICK-2" ... while a checkpoint of the same tick is there: the old one stays whole until the new one
 * counts. */
static void choose_folder(const struct rundir *r, int64_t tick, char out[64], char final[PATH_SIZE],
                          char tmp[PATH_SIZE]) {
    for (int i = 1; i == 1 || is_taken(final) || is_taken(tmp); i++) {
        snprintf(out, 64, i > 1 ? "%" PRId64 "-%d" : "%" PRId64, tick, i);
        checkpoints_path(r, out, final);
        snprintf(tmp, PATH_SIZE, "%.*s.tmp", PATH_SIZE - 8, final);
    }
}

static bool file_size(const char *path, int64_t *size) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    *size = (int64_t)st.st_size;
    return true;
}

/* Write every file into the folder tmp; `list` gets "NAME SIZE" lines. */
static bool write_files(const char *tmp, const struct checkpoint_file *files, int n_files, struct strbuf *list,
                        struct err *e) {
    for (int i = 0; i < n_files; i++) {
        char path[PATH_SIZE + 300];
        int64_t size;
        if (!files[i].name[0] || strpbrk(files[i].name, "/ \n"))
            return err_set(e, "checkpoint: \"%.80s\" cannot be the name of a file", files[i].name);
        snprintf(path, sizeof path, "%s/%.200s.safetensors", tmp, files[i].name);
        if (!st_write(path, files[i].arrays, (size_t)files[i].n_arrays, e)) return false;
        if (!file_size(path, &size)) return err_errno(e, "%s: cannot examine", path);
        strbuf_printf(list, "%.200s %" PRId64 "\n", files[i].name, size);
    }
    return dir_sync(tmp, e);
}

static const char ALL_ARE_LITTER[] = "INSERT OR IGNORE INTO litter SELECT folder FROM checkpoint";

/* The row of the new checkpoint and the end of the old ones, in one durable transaction. Rows of later ticks belong to
 * a future that a resume gave up: they must neither come first nor push this one out. */
static bool write_row(struct rundir *r, int64_t tick, const char *folder, const char *files, const char *state,
                      int keep, struct err *e) {
    if (!db_set_durable(&r->db, true, e)) return false;
    bool ok = db_begin(&r->db, e);
    if (ok) {
        ok = db_exec(&r->db, ALL_ARE_LITTER, e) &&
             db_run(&r->db, e, "INSERT OR REPLACE INTO checkpoint VALUES(?,?,?,?)", "isss", tick, folder, files,
                    state) &&
             db_run(&r->db, e, "DELETE FROM checkpoint WHERE tick>?", "i", tick) &&
             db_run(&r->db, e,
                    "DELETE FROM checkpoint WHERE tick NOT IN (SELECT tick FROM checkpoint ORDER BY tick DESC LIMIT ?)",
                    "i", (int64_t)(keep > 0 ? keep : 1)) &&
             db_exec(&r->db, "DELETE FROM litter WHERE folder IN (SELECT folder FROM checkpoint)", e);
        if (ok)
            ok = db_commit(&r->db, e);
        else
            db_rollback(&r->db);
    }
    struct err later;
    return db_set_durable(&r->db, false, ok ? e : &later) && ok;
}

static bool make_folder(const char *path, struct err *e) {
    return mkdir(path, 0777) == 0 || err_errno(e, "%s: cannot make the folder", path);
}

static bool write_checkpoint(struct rundir *r, int64_t tick, const struct checkpoint_file *files, int n_files,
                             const char *state, int keep, struct err *e) {
    char folder[64], parent[PATH_SIZE], tmp[PATH_SIZE], final[PATH_SIZE];
    checkpoints_path(r, "", parent);
    if (!own_files_held(r->path, r->lock_fd, e) || !dir_make(parent, e) || !sweep(r, e)) return false;
    choose_folder(r, tick, folder, final, tmp);
    struct strbuf list = {0};
    bool ok = (!is_linked(r) || db_run(&r->db, e, "INSERT INTO litter VALUES(?)", "s", folder)) &&
              make_folder(tmp, e) && write_files(tmp, files, n_files, &list, e);
    if (ok && rename(tmp, final) != 0) ok = err_errno(e, "%s: cannot put the checkpoint in place", final);
    ok = ok && dir_sync(parent, e) && write_row(r, tick, folder, strbuf_str(&list), state, keep, e);
    strbuf_free(&list);
    return ok;
}

bool checkpoint_write(struct rundir *r, int64_t tick, const struct checkpoint_file *files, int n_files,
                      const char *state_json, int keep, struct err *e) {
    const bool ok = write_checkpoint(r, tick, files, n_files, state_json, keep, e);
    /* Old folders after success, the new one after failure. What cannot be removed now is litter until the next. */
    struct err ignored;
    sweep(r, &ignored);
    return ok || err_wrap(e, "checkpoint at tick %lld", (long long)tick);
}

bool checkpoint_remove_all(struct rundir *r, struct err *e) {
    return db_exec(&r->db, ALL_ARE_LITTER, e) && db_exec(&r->db, "DELETE FROM checkpoint", e) && sweep(r, e);
}

/* ---- reading ---- */

/* Do all files of the list lie in the folder with the sizes they had? What is wrong goes into e. */
static bool is_complete(const char *folder, const char *list, struct err *e) {
    while (*list) {
        char name[208], path[PATH_SIZE + 300];
        int64_t wanted, size;
        int used = 0;
        if (sscanf(list, "%200s %" SCNd64 "\n%n", name, &wanted, &used) != 2 || used == 0 || strchr(name, '/'))
            return err_set(e, "%s: the list of its files is damaged", folder);
        snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
        if (!file_size(path, &size)) return err_set(e, "%s: is missing", path);
        if (size != wanted)
            return err_set(e, "%s: must have %lld bytes, found %lld", path, (long long)wanted, (long long)size);
        list += used;
    }
    return true;
}

static bool read_row(struct rundir *r, sqlite3_stmt *s, bool *found, int64_t *tick, char *folder, size_t size,
                     char **state, struct err *problem) {
    const char *name = (const char *)sqlite3_column_text(s, 1), *list = (const char *)sqlite3_column_text(s, 2);
    const char *text = (const char *)sqlite3_column_text(s, 3);
    char path[PATH_SIZE];
    if (!name || !list || !text || strchr(name, '/'))
        return err_set(problem, "%s: a checkpoint's row is damaged", r->db.path);
    checkpoints_path(r, name, path);
    if (!is_complete(path, list, problem)) return true; /* try an older one */
    if (snprintf(folder, size, "%s", path) >= (int)size) return err_set(problem, "%s: the path is too long", path);
    *tick = sqlite3_column_int64(s, 0);
    *state = mem_strdup(text);
    *found = true;
    return true;
}

bool checkpoint_newest(struct rundir *r, bool *found, int64_t *tick, char *folder, size_t size, char **state_json,
                       struct err *e) {
    *found = false;
    sqlite3_stmt *s = db_prepare(&r->db, e, "SELECT tick,folder,files,state FROM checkpoint ORDER BY tick DESC", "");
    if (!s) return false;
    struct err problem = {""};
    bool row = false, ok;
    while ((ok = db_step(&r->db, s, &row, e)) && row && !*found) {
        struct err here = {""};
        if (!read_row(r, s, found, tick, folder, size, state_json, &here) || here.msg[0]) {
            if (!problem.msg[0]) problem = here; /* of the newest one */
        }
    }
    sqlite3_finalize(s);
    /* Checkpoints were made and none is whole: starting anew would throw the run away, so somebody has to decide. */
    if (ok && !*found && problem.msg[0]) return err_set(e, "no checkpoint is complete: %s", problem.msg);
    return ok;
}
