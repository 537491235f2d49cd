/* From a checkpoint to a model file: see run_export.h. The tables are those of engine/run/rundir.h. */
#include "engine/eval/run_export.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/eval/run_read.h"
#include "engine/formats/safetensors.h"
#include "engine/model/model_io.h"

/* "... has no checkpoint of tick 5, only 20, 10" */
static void say_what_there_is(struct db *db, const char *folder, int64_t tick, struct err *e) {
    struct strbuf list = {0};
    int n = 0;
    sqlite3_stmt *q = db_prepare(db, e, "SELECT tick FROM checkpoint ORDER BY tick DESC", "");
    bool row = false, ok = q != NULL;
    while (ok && (ok = db_step(db, q, &row, e)) && row && n++ < 20)
        strbuf_printf(&list, "%s%lld", list.len ? ", " : "", (long long)sqlite3_column_int64(q, 0));
    sqlite3_finalize(q);
    if (ok && list.len == 0)
        err_set(e, "%s: has no checkpoint yet", folder);
    else if (ok)
        err_set(e, "%s: has no checkpoint of tick %lld, only %s%s", folder, (long long)tick, list.s,
                n > 20 ? " ..." : "");
    strbuf_free(&list);
}

/* The student's file in the folder that a checkpoint's row names; NULL with e filled. */
static struct st_file *open_weights(struct db *db, const char *folder, const char *name, struct err *e) {
    char path[4400];
    if (!name || !name[0] || name[0] == '.' || strchr(name, '/')) {
        err_set(e, "%s: a checkpoint's row is damaged", db->path);
        return NULL;
    }
    if ((size_t)snprintf(path, sizeof path, "%s/checkpoints/%s/student.safetensors", folder, name) >= sizeof path) {
        err_set(e, "%.80s...: the path is too long", folder);
        return NULL;
    }
    return st_open(path, e);
}

/* The weights of the checkpoint at the tick, or of the newest that is whole: as resume does, one whose file is missing
 * or cut is passed over for the one before it. */
static struct st_file *find_weights(struct db *db, const char *folder, int64_t tick, int64_t *at, struct err *e) {
    struct st_file *f = NULL;
    bool row = false, any = false, ok;
    sqlite3_stmt *q = db_prepare(db, e, "SELECT tick,folder FROM checkpoint WHERE ?<0 OR tick=? ORDER BY tick DESC",
                                 "ii", tick, tick);
    if (!q) return NULL;
    while (!f && (ok = db_step(db, q, &row, e)) && row) {
        struct err ignored, *told = any ? &ignored : e; /* the newest's trouble */
        *at = sqlite3_column_int64(q, 0);
        f = open_weights(db, folder, (const char *)sqlite3_column_text(q, 1), told);
        any = true;
    }
    sqlite3_finalize(q);
    if (!f && ok && !any) say_what_there_is(db, folder, tick, e);
    return f;
}

/* The file is open before the model is read, which takes its time: a run that goes on may remove the checkpoint. */
bool run_export_student(const char *folder, int64_t tick, const char *out, uint32_t type, int64_t *at, struct err *e) {
    struct db db;
    struct options o;
    if (!run_read_open(&db, folder, e)) return false;
    struct st_file *f = run_read_options(&db, &o, e) ? find_weights(&db, folder, tick, at, e) : NULL;
    db_close(&db);
    if (!f) return false;
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    const bool ok = (model_open(o.student_model, &m, &t, e) || err_wrap(e, "shape and vocabulary of the student")) &&
                    st_read_f32(f, "params", m->params, m->n_params, e) && model_save(m, t, out, type, e);
    st_close(f);
    model_free(m);
    tokenizer_free(t);
    return ok;
}
