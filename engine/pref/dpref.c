/* D_pref in memory and in run.db: see dpref.h. Pairs are stored with their tokens as they were sampled, because decoding and encoding again need
 * not give the same tokens. */
#include "engine/pref/dpref.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"

const char *label_source_name(enum label_source s) {
    static const char *const NAMES[N_LABEL_SOURCES] = {"none", "teacher", "human", "import"};
    return NAMES[s];
}

const char *decision_name(enum decision d) {
    static const char *const NAMES[N_DECISIONS] = {"a", "b", "tie", "bad", "skip", "flag", "note", "edit", "undo"};
    return NAMES[d];
}

bool dpref_create_tables(struct db *db, struct err *e) {
    return db_exec(db,
                   "CREATE TABLE IF NOT EXISTS pair(id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, iteration INTEGER NOT NULL,"
                   " prompt_hash INTEGER NOT NULL, pair_hash INTEGER NOT NULL, heldout INTEGER NOT NULL, prompt TEXT NOT NULL,"
                   " text0 TEXT NOT NULL, text1 TEXT NOT NULL, tokens BLOB NOT NULL, n_x INTEGER NOT NULL, n_y0 INTEGER NOT NULL,"
                   " n_y1 INTEGER NOT NULL, truncated0 INTEGER NOT NULL, truncated1 INTEGER NOT NULL, source INTEGER NOT NULL,"
                   " active INTEGER NOT NULL, o REAL NOT NULL, weight REAL NOT NULL, flip REAL NOT NULL);"
                   "CREATE TABLE IF NOT EXISTS label_event(seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, annotator TEXT NOT NULL,"
                   " pair_id INTEGER NOT NULL, pair_hash INTEGER NOT NULL, left_side INTEGER NOT NULL, decision INTEGER NOT NULL,"
                   " strength REAL NOT NULL, dwell_ms INTEGER NOT NULL, seen_a REAL NOT NULL, seen_b REAL NOT NULL, sampler TEXT NOT NULL,"
                   " propensity REAL NOT NULL, reward_delta REAL, undo_of INTEGER NOT NULL, text TEXT);",
                   e);
}

bool dpref_is_heldout(uint64_t prompt_hash) { return prompt_hash % 10 == 9; }

static void append(struct dpref *d, const struct pref_pair *p) {
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 1024;
        d->pair = mem_grow(d->pair, (size_t)d->cap * sizeof *d->pair);
    }
    d->pair[d->n++] = *p;
    d->n_by_source[p->source]++;
}

static void free_pair(struct pref_pair *p) {
    free(p->tokens);
    free(p->prompt);
    free(p->text0);
    free(p->text1);
}

static bool read_pair(sqlite3_stmt *q, struct pref_pair *p, const char *path, struct err *e) {
    *p = (struct pref_pair){.id = sqlite3_column_int64(q, 0), .tick = sqlite3_column_int64(q, 1), .iteration = sqlite3_column_int(q, 2),
                            .prompt_hash = (uint64_t)sqlite3_column_int64(q, 3), .pair_hash = (uint64_t)sqlite3_column_int64(q, 4),
                            .heldout = sqlite3_column_int(q, 5) != 0, .n_x = sqlite3_column_int(q, 10), .n_y0 = sqlite3_column_int(q, 11),
                            .n_y1 = sqlite3_column_int(q, 12), .truncated0 = sqlite3_column_int(q, 13) != 0,
                            .truncated1 = sqlite3_column_int(q, 14) != 0, .active = sqlite3_column_int(q, 16) != 0,
                            .o = sqlite3_column_double(q, 17), .weight = sqlite3_column_double(q, 18), .flip = sqlite3_column_double(q, 19)};
    const int source = sqlite3_column_int(q, 15), bytes = sqlite3_column_bytes(q, 9);
    const int64_t n = (int64_t)p->n_x + p->n_y0 + p->n_y1;
    if (source < 0 || source >= N_LABEL_SOURCES || p->n_x < 1 || p->n_y0 < 1 || p->n_y1 < 1 || bytes != n * (int64_t)sizeof(int32_t))
        return err_set(e, "%s: pair %lld is damaged", path, (long long)p->id);
    p->source = (enum label_source)source;
    p->tokens = mem_small((size_t)bytes);
    memcpy(p->tokens, sqlite3_column_blob(q, 9), (size_t)bytes);
    p->prompt = mem_strdup((const char *)sqlite3_column_text(q, 6));
    p->text0 = mem_strdup((const char *)sqlite3_column_text(q, 7));
    p->text1 = mem_strdup((const char *)sqlite3_column_text(q, 8));
    return true;
}

bool dpref_load(struct dpref *d, struct db *db, struct err *e) {
    *d = (struct dpref){.db = db};
    sqlite3_stmt *q = db_prepare(db, e,
                                 "SELECT id,tick,iteration,prompt_hash,pair_hash,heldout,prompt,text0,text1,tokens,n_x,n_y0,n_y1,"
                                 "truncated0,truncated1,source,active,o,weight,flip FROM pair ORDER BY id", "");
    if (!q) return false;
    bool ok, row = false;
    while ((ok = db_step(db, q, &row, e)) && row) {
        struct pref_pair p;
        if (!(ok = read_pair(q, &p, db->path, e))) break;
        append(d, &p);
    }
    sqlite3_finalize(q);
    if (!ok) dpref_free(d);
    return ok;
}

void dpref_free(struct dpref *d) {
    for (int i = 0; i < d->n; i++) free_pair(&d->pair[i]);
    free(d->pair);
    *d = (struct dpref){0};
}

bool dpref_add(struct dpref *d, struct pref_pair *p, struct err *e) {
    p->id = d->n ? d->pair[d->n - 1].id + 1 : 1;
    p->prompt_hash = hash_text(p->prompt);
    p->pair_hash = hash_bytes(hash_bytes(p->prompt_hash, p->text0, strlen(p->text0)), p->text1, strlen(p->text1));
    p->heldout = dpref_is_heldout(p->prompt_hash);
    const size_t bytes = (size_t)(p->n_x + p->n_y0 + p->n_y1) * sizeof *p->tokens;
    if (!db_run(d->db, e, "INSERT INTO pair VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "iiiiiisssbiiiiiiiddd", p->id, p->tick,
                (int64_t)p->iteration, (int64_t)p->prompt_hash, (int64_t)p->pair_hash, (int64_t)p->heldout, p->prompt, p->text0, p->text1,
                (const void *)p->tokens, bytes, (int64_t)p->n_x, (int64_t)p->n_y0, (int64_t)p->n_y1, (int64_t)p->truncated0,
                (int64_t)p->truncated1, (int64_t)p->source, (int64_t)p->active, p->o, p->weight, p->flip))
        return false;
    append(d, p);
    return true;
}

/* Ids grow by one in order of creation, so a pair's place is known. */
static struct pref_pair *find(const struct dpref *d, int64_t id) {
    if (d->n == 0) return NULL;
    const int64_t at = id - d->pair[0].id;
    return at >= 0 && at < d->n && d->pair[at].id == id ? &d->pair[at] : NULL;
}

const struct pref_pair *dpref_find(const struct dpref *d, int64_t id) { return find(d, id); }

bool dpref_truncate_after(struct dpref *d, int64_t tick, struct err *e) {
    if (!db_run(d->db, e, "DELETE FROM pair WHERE tick > ?", "i", tick)) return false;
    while (d->n > 0 && d->pair[d->n - 1].tick > tick) {
        d->n_by_source[d->pair[d->n - 1].source]--;
        free_pair(&d->pair[--d->n]);
    }
    return true;
}

static void relabel(struct dpref *d, struct pref_pair *p, enum label_source source, bool active, double o, double weight, double flip,
                    int64_t event) {
    d->n_by_source[p->source]--;
    d->n_by_source[source]++;
    p->source = source, p->active = active, p->o = o, p->weight = weight, p->flip = flip, p->event = event;
}

/* Back to the automatic label, which run.db keeps. */
static bool restore_automatic(struct dpref *d, struct pref_pair *p, struct err *e) {
    sqlite3_stmt *q = db_prepare(d->db, e, "SELECT source,active,o,weight,flip FROM pair WHERE id=?", "i", p->id);
    bool row = false;
    const bool ok = q && db_step(d->db, q, &row, e) && (row || err_set(e, "pair %lld is not in the database", (long long)p->id));
    if (ok)
        relabel(d, p, (enum label_source)sqlite3_column_int(q, 0), sqlite3_column_int(q, 1) != 0, sqlite3_column_double(q, 2),
                sqlite3_column_double(q, 3), sqlite3_column_double(q, 4), 0);
    sqlite3_finalize(q);
    return ok;
}

/* Undo: the newest earlier event of the pair that still stands comes into force again, or the automatic label. */
static bool undo(struct dpref *d, struct pref_pair *p, const struct label_event *ev, double flip, double weight, struct err *e) {
    int64_t before;
    if (!db_get_int(d->db, e, &before, 0,
                    "SELECT seq FROM label_event WHERE pair_id=?1 AND seq<?2 AND seq<>?3 AND decision IN (0,1,2,3,5) AND seq NOT IN "
                    "(SELECT undo_of FROM label_event WHERE decision=8 AND seq<=?2) ORDER BY seq DESC LIMIT 1",
                    "iii", p->id, ev->seq, ev->undo_of))
        return false;
    if (!restore_automatic(d, p, e) || before == 0) return before == 0 && p->event == 0;
    struct label_event old;
    if (!label_event_read(d->db, before, &old, e)) return false;
    const bool ok = dpref_apply_event(d, &old, flip, weight, e);
    free(old.text);
    return ok;
}

bool dpref_apply_event(struct dpref *d, const struct label_event *ev, double human_flip, double human_weight, struct err *e) {
    struct pref_pair *p = find(d, ev->pair_id);
    if (!p) return err_set(e, "label %lld: pair %lld does not exist", (long long)ev->seq, (long long)ev->pair_id);
    const double a = ev->left == 0 ? 1.0 : 0.0; /* P(y0 preferred) when A wins */
    const double w = human_weight * ev->strength;
    switch (ev->decision) {
    case DECISION_A: relabel(d, p, SOURCE_HUMAN, true, a, w, human_flip, ev->seq); return true;
    case DECISION_B: relabel(d, p, SOURCE_HUMAN, true, 1.0 - a, w, human_flip, ev->seq); return true;
    case DECISION_TIE: relabel(d, p, SOURCE_HUMAN, true, 0.5, w, human_flip, ev->seq); return true;
    case DECISION_BAD:
    case DECISION_FLAG: relabel(d, p, SOURCE_HUMAN, false, 0.5, w, human_flip, ev->seq); return true;
    case DECISION_UNDO: return undo(d, p, ev, human_flip, human_weight, e);
    default: return true; /* skip, note, edit change no label */
    }
}
