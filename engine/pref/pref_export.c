/* What a run's file alone says of its preferences: counts and exports, for any process, read-only. The label in force is the newest deciding event that
 * was not undone, else the automatic one; LABELS is that rule as one query. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/pref/dpref.h"

#define LABELS                                                                                                                      \
    "WITH standing AS (SELECT pair_id, MAX(seq) AS seq FROM label_event WHERE decision IN (0,1,2,3,5) AND seq NOT IN"               \
    " (SELECT undo_of FROM label_event WHERE decision=8) GROUP BY pair_id)"                                                        \
    " SELECT p.id, p.prompt, p.text0, p.text1, p.iteration, p.heldout, p.tick,"                                                    \
    " CASE WHEN l.seq IS NULL THEN p.source ELSE 2 END AS source,"                                                                 \
    " CASE WHEN l.seq IS NULL THEN p.active WHEN l.decision IN (3,5) THEN 0 ELSE 1 END AS active,"                                  \
    " CASE WHEN l.seq IS NULL THEN p.o WHEN l.decision=2 THEN 0.5 WHEN (l.decision=0)=(l.left_side=0) THEN 1.0 ELSE 0.0 END AS o"   \
    " FROM pair p LEFT JOIN standing s ON s.pair_id=p.id LEFT JOIN label_event l ON l.seq=s.seq"

char *dpref_stats_json(struct db *db, struct err *e) {
    sqlite3_stmt *q = db_prepare(db, e, LABELS, "");
    int64_t n = 0, heldout = 0, iterations = 0, events = 0, by[N_LABEL_SOURCES] = {0};
    bool ok = q != NULL, row = false;
    while (ok && (ok = db_step(db, q, &row, e)) && row) {
        const int source = sqlite3_column_int(q, 7);
        n++;
        heldout += sqlite3_column_int(q, 5) != 0;
        if (sqlite3_column_int64(q, 4) > iterations) iterations = sqlite3_column_int64(q, 4);
        if (source >= 0 && source < N_LABEL_SOURCES) by[source]++;
    }
    sqlite3_finalize(q);
    ok = ok && db_get_int(db, e, &events, 0, "SELECT COUNT(*) FROM label_event", "");
    if (!ok) return NULL;
    struct strbuf b = {0};
    strbuf_printf(&b, "{\"records\":%" PRId64 ",\"by_source\":{", n);
    for (int s = SOURCE_TEACHER; s < N_LABEL_SOURCES; s++)
        strbuf_printf(&b, "\"%s\":%" PRId64 ",", label_source_name((enum label_source)s), by[s]);
    strbuf_printf(&b, "\"none\":%" PRId64 "},\"events\":%" PRId64 ",\"heldout\":%" PRId64 ",\"iterations\":%" PRId64 "}", by[SOURCE_NONE],
                  events, heldout, iterations);
    return strbuf_take(&b);
}

static bool write_line(FILE *f, cJSON *obj, int64_t *n) {
    char *text = cJSON_PrintUnformatted(obj);
    cJSON_Delete(obj);
    if (!text) return false;
    fprintf(f, "%s\n", text);
    free(text);
    ++*n;
    return true;
}

static const char *column(sqlite3_stmt *q, int i) {
    const char *s = (const char *)sqlite3_column_text(q, i);
    return s ? s : "";
}

static void export_trl(sqlite3_stmt *q, FILE *f, int64_t *n) {
    const double o = sqlite3_column_double(q, 9);
    if (!sqlite3_column_int(q, 8) || o == 0.5) return;
    cJSON *obj = cJSON_CreateObject();
    cJSON_AddStringToObject(obj, "prompt", column(q, 1));
    cJSON_AddStringToObject(obj, "chosen", column(q, o > 0.5 ? 2 : 3));
    cJSON_AddStringToObject(obj, "rejected", column(q, o > 0.5 ? 3 : 2));
    write_line(f, obj, n);
}

/* A row as an object with the statement's own column names. */
static void export_row(sqlite3_stmt *q, const char *kind, FILE *f, int64_t *n) {
    cJSON *obj = cJSON_CreateObject();
    cJSON_AddStringToObject(obj, "type", kind);
    for (int i = 0; i < sqlite3_column_count(q); i++) {
        const char *name = sqlite3_column_name(q, i);
        switch (sqlite3_column_type(q, i)) {
        case SQLITE_INTEGER: {
            char number[32];
            snprintf(number, sizeof number, "%lld", (long long)sqlite3_column_int64(q, i));
            cJSON_AddRawToObject(obj, name, number);
            break;
        }
        case SQLITE_FLOAT: cJSON_AddNumberToObject(obj, name, sqlite3_column_double(q, i)); break;
        case SQLITE_TEXT: cJSON_AddStringToObject(obj, name, column(q, i)); break;
        default: cJSON_AddNullToObject(obj, name);
        }
    }
    write_line(f, obj, n);
}

static bool export_query(struct db *db, const char *sql, const char *kind, FILE *f, int64_t *n, struct err *e) {
    sqlite3_stmt *q = db_prepare(db, e, sql, "");
    bool ok = q != NULL, row = false;
    while (ok && (ok = db_step(db, q, &row, e)) && row) {
        if (kind) export_row(q, kind, f, n);
        else export_trl(q, f, n);
    }
    sqlite3_finalize(q);
    return ok;
}

bool dpref_export(struct db *db, const char *format, const char *path, int64_t *n, struct err *e) {
    const bool trl = strcmp(format, "trl") == 0;
    if (!trl && strcmp(format, "audit") != 0) return err_set(e, "format: expected trl or audit, found \"%s\"", format);
    struct atomic_file a;
    *n = 0;
    if (!atomic_begin(&a, path, e)) return false;
    bool ok = export_query(db, LABELS " ORDER BY p.id", trl ? NULL : "pair", a.f, n, e);
    if (!trl) ok = ok && export_query(db, "SELECT * FROM label_event ORDER BY seq", "event", a.f, n, e);
    if (ok && atomic_commit(&a, e)) return true;
    atomic_abort(&a);
    return false;
}
