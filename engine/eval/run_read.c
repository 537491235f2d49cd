/* Reading a run's record: see run_read.h. The tables are those of engine/run/rundir.h. */
#include "engine/eval/run_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"

bool run_read_open(struct db *db, const char *folder, struct err *e) {
    char path[4096];
    db->h = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s/run.db", folder) >= sizeof path)
        return err_set(e, "%.80s...: the path is too long", folder);
    if (!file_exists(path)) return err_set(e, "%s: holds no run (run.db is missing)", folder);
    return db_open(db, path, DB_READ, false, e);
}

char *run_read_text(struct db *db, const char *key, struct err *e) {
    sqlite3_stmt *q = db_prepare(db, e, "SELECT value FROM run WHERE key=?", "s", key);
    bool row = false;
    const bool ok = q && db_step(db, q, &row, e);
    const char *text = ok && row ? (const char *)sqlite3_column_text(q, 0) : NULL;
    char *copy = text ? mem_strdup(text) : NULL;
    if (ok && !copy) err_set(e, "%s: \"%s\" is missing", db->path, key);
    sqlite3_finalize(q);
    return copy;
}

bool run_read_options(struct db *db, struct options *o, struct err *e) {
    char *json = run_read_text(db, "options", e);
    if (!json) return false;
    options_default(o);
    const bool ok = options_from_json(o, json, db->path, e);
    free(json);
    return ok;
}

bool run_read_options_now(struct db *db, struct options *o, struct err *e) {
    if (!run_read_options(db, o, e)) return false;
    sqlite3_stmt *q = db_prepare(db, e, "SELECT payload FROM journal WHERE kind='set' ORDER BY seq", "");
    bool row = false, ok = q != NULL;
    while (ok && (ok = db_step(db, q, &row, e)) && row) {
        const char *payload = (const char *)sqlite3_column_text(q, 0);
        ok = option_set_assignment(o, payload ? payload : "", e) || err_wrap(e, "%s: journal", db->path);
    }
    sqlite3_finalize(q);
    return ok;
}

bool run_read_metric(struct db *db, const char *name, bool last, double *out, struct err *e) {
    static const char *const SQL[] = {
        "SELECT value FROM metric WHERE name=? AND value IS NOT NULL ORDER BY tick, rowid LIMIT 1",
        "SELECT value FROM metric WHERE name=? AND value IS NOT NULL ORDER BY tick DESC, rowid DESC LIMIT 1"};
    sqlite3_stmt *q = db_prepare(db, e, SQL[last], "s", name);
    bool row = false;
    const bool ok = q && db_step(db, q, &row, e);
    *out = ok && row ? sqlite3_column_double(q, 0) : (double)NAN;
    sqlite3_finalize(q);
    return ok;
}

bool run_read_state(struct db *db, cJSON **state, struct err *e) {
    *state = NULL;
    sqlite3_stmt *q = db_prepare(db, e, "SELECT state FROM checkpoint ORDER BY tick DESC LIMIT 1", "");
    bool row = false, ok = q && db_step(db, q, &row, e);
    if (ok && row) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        cJSON *root = json_parse(text ? text : "", text ? strlen(text) : 0, "checkpoint", e);
        *state = cJSON_DetachItemFromObjectCaseSensitive(root, "game");
        ok = root ? *state != NULL || err_set(e, "%s: checkpoint: \"game\" is missing", db->path)
                  : err_wrap(e, "%s", db->path);
        cJSON_Delete(root);
    }
    sqlite3_finalize(q);
    return ok;
}
