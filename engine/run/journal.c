/* The journal: what people did and at which tick it took effect; with config, files and seed it makes a run repeatable. See rundir.h. */
#include <stdlib.h>
#include <stdio.h>

#include "engine/base/mem.h"
#include "engine/run/rundir.h"

bool journal_add(struct rundir *r, int64_t tick, const char *kind, const char *payload, struct err *e) {
    return db_run(&r->db, e, "INSERT INTO journal(tick,kind,payload) VALUES(?,?,?)", "iss", tick, kind, payload);
}

bool journal_load(struct rundir *r, int64_t after, struct journal_list *l, struct err *e) {
    *l = (struct journal_list){0};
    sqlite3_stmt *q = db_prepare(&r->db, e, "SELECT seq,tick,kind,payload FROM journal WHERE tick > ? ORDER BY tick, seq", "i", after);
    bool ok = q != NULL, row = false;
    int cap = 0;
    while (ok && (ok = db_step(&r->db, q, &row, e)) && row) {
        if (l->n == cap) {
            cap = cap ? cap * 2 : 64;
            l->entry = mem_grow(l->entry, (size_t)cap * sizeof *l->entry);
        }
        struct journal_entry *j = &l->entry[l->n++];
        *j = (struct journal_entry){.seq = sqlite3_column_int64(q, 0), .tick = sqlite3_column_int64(q, 1)};
        snprintf(j->kind, sizeof j->kind, "%s", (const char *)sqlite3_column_text(q, 2));
        j->payload = mem_strdup((const char *)sqlite3_column_text(q, 3));
    }
    sqlite3_finalize(q);
    if (!ok) journal_list_free(l);
    return ok;
}

void journal_list_free(struct journal_list *l) {
    for (int i = 0; i < l->n; i++) free(l->entry[i].payload);
    free(l->entry);
    *l = (struct journal_list){0};
}
