/* From a checkpoint to a model file: see run_export.h. The tables are those of engine/run/rundir.h. */
#include "engine/eval/run_export.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/eval/run_read.h"
#include "engine/formats/safetensors.h"
#include "engine/model/model_io.h"

/* "... has no checkpoint of tick 5, only 20, 10" */
static bool say_what_there_is(struct db *db, const char *folder, int64_t tick, struct err *e) {
    struct strbuf list = {0};
    sqlite3_stmt *q = db_prepare(db, e, "SELECT tick FROM checkpoint ORDER BY tick DESC LIMIT 20", "");
    bool row = false, ok = q != NULL;
    while (ok && (ok = db_step(db, q, &row, e)) && row)
        strbuf_printf(&list, "%s%lld", list.len ? ", " : "", (long long)sqlite3_column_int64(q, 0));
    sqlite3_finalize(q);
    if (ok && list.len == 0)
        err_set(e, "%s: has no checkpoint yet", folder);
    else if (ok)
        err_set(e, "%s: has no checkpoint of tick %lld, only %s", folder, (long long)tick, list.s);
    strbuf_free(&list);
    return false;
}

/* The folder of the checkpoint at the tick, or of the newest, into path. */
static bool find_checkpoint(struct db *db, const char *folder, int64_t tick, char *path, size_t size, int64_t *at,
                            struct err *e) {
    sqlite3_stmt *q = db_prepare(
        db, e, "SELECT tick,folder FROM checkpoint WHERE ?<0 OR tick=? ORDER BY tick DESC LIMIT 1", "ii", tick, tick);
    bool row = false;
    if (!q || !db_step(db, q, &row, e)) {
        sqlite3_finalize(q);
        return false;
    }
    const char *name = row ? (const char *)sqlite3_column_text(q, 1) : NULL;
    bool ok = name && !strchr(name, '/') && name[0] && name[0] != '.';
    if (ok) {
        *at = sqlite3_column_int64(q, 0);
        ok = (size_t)snprintf(path, size, "%s/checkpoints/%s/student.safetensors", folder, name) < size ||
             err_set(e, "%.80s...: the path is too long", folder);
    } else if (row) {
        err_set(e, "%s: a checkpoint's row is damaged", db->path);
    }
    sqlite3_finalize(q);
    return ok || (!row && say_what_there_is(db, folder, tick, e));
}

static bool read_weights(const char *path, struct model *m, struct err *e) {
    struct st_file *f = st_open(path, e);
    if (!f) return false;
    const bool ok = st_read_f32(f, "params", m->params, m->n_params, e) || err_wrap(e, "%s", path);
    st_close(f);
    return ok;
}

bool run_export_student(const char *folder, int64_t tick, const char *out, uint32_t type, int64_t *at, struct err *e) {
    struct db db;
    struct options o;
    char path[4400];
    if (!run_read_open(&db, folder, e)) return false;
    bool ok = run_read_options(&db, &o, e) && find_checkpoint(&db, folder, tick, path, sizeof path, at, e);
    db_close(&db);
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    ok = ok && (model_open(o.student_model, &m, &t, e) || err_wrap(e, "shape and vocabulary of the student"));
    ok = ok && read_weights(path, m, e) && model_save(m, t, out, type, e);
    model_free(m);
    tokenizer_free(t);
    return ok;
}
