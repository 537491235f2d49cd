/* Checkpoints: a folder of weights that exists completely or not at all, then a row in run.db that makes it count. See rundir.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/run/rundir.h"

static void folder_of(const struct rundir *r, int64_t tick, const char *suffix, char *out, size_t size) {
    snprintf(out, size, "%s/checkpoints/%lld%s", r->path, (long long)tick, suffix);
}

/* Rows beyond the newest `keep` go first, then their folders: a row never points at nothing. */
static bool remove_old(struct rundir *r, int keep, struct err *e) {
    sqlite3_stmt *q = db_prepare(&r->db, e, "SELECT tick FROM checkpoint ORDER BY tick DESC LIMIT -1 OFFSET ?", "i", (int64_t)keep);
    int64_t old[64];
    int n = 0;
    bool ok = q != NULL, row = false;
    while (ok && n < 64 && (ok = db_step(&r->db, q, &row, e)) && row) old[n++] = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    for (int i = 0; ok && i < n; i++) {
        char folder[4300];
        folder_of(r, old[i], "", folder, sizeof folder);
        ok = db_run(&r->db, e, "DELETE FROM checkpoint WHERE tick=?", "i", old[i]) && dir_remove_tree(folder, e);
    }
    return ok;
}

bool checkpoint_write(struct rundir *r, int64_t tick, const struct checkpoint_file *files, int n_files, const char *state_json, int keep,
                      struct err *e) {
    char folder[4300], tmp[4300], parent[4300], name[4400];
    folder_of(r, tick, "", folder, sizeof folder);
    folder_of(r, tick, ".tmp", tmp, sizeof tmp);
    snprintf(parent, sizeof parent, "%s/checkpoints", r->path);
    bool ok = dir_make(parent, e) && dir_remove_tree(tmp, e) && dir_make(tmp, e);
    for (int i = 0; ok && i < n_files; i++) {
        snprintf(name, sizeof name, "%s/%s.safetensors", tmp, files[i].name);
        ok = st_write(name, files[i].arrays, (size_t)files[i].n_arrays, e);
    }
    ok = ok && dir_sync(tmp, e) && dir_remove_tree(folder, e);
    if (ok && rename(tmp, folder) != 0) ok = err_errno(e, "%s: cannot put the checkpoint in place", folder);
    ok = ok && dir_sync(parent, e) && db_run(&r->db, e, "INSERT OR REPLACE INTO checkpoint VALUES(?,?)", "is", tick, state_json);
    if (!ok) {
        dir_remove_tree(tmp, NULL);
        return err_wrap(e, "checkpoint at tick %lld", (long long)tick);
    }
    return remove_old(r, keep, e);
}

bool checkpoint_newest(struct rundir *r, bool *found, int64_t *tick, char *folder, size_t size, char **state_json, struct err *e) {
    *found = false;
    sqlite3_stmt *q = db_prepare(&r->db, e, "SELECT tick,state FROM checkpoint ORDER BY tick DESC", "");
    bool ok = q != NULL, row = false;
    while (ok && !*found && (ok = db_step(&r->db, q, &row, e)) && row) {
        *tick = sqlite3_column_int64(q, 0);
        folder_of(r, *tick, "", folder, size);
        *found = file_exists(folder);
        if (*found) *state_json = mem_strdup((const char *)sqlite3_column_text(q, 1));
    }
    sqlite3_finalize(q);
    return ok;
}
