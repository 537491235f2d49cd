/* D_pref: pairs in run.db and in memory. The file is the truth for texts, tokens and the automatic label; memory adds
 * what people's events made of it. Ids count from 1 without gaps as pairs are made, so the same run gives the same ids.
 */
#include "engine/pref/dpref.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/pref/dpref_private.h"

const char *label_source_name(enum label_source s) {
    static const char *const NAMES[N_LABEL_SOURCES] = {
        [SOURCE_NONE] = "none",
#define LABELLER(id, name, ...) [SOURCE_##id] = name,
#include "engine/option/labellers.def"
    };
    return NAMES[s];
}

const char *answer_origin_name(enum answer_origin o) {
    static const char *const NAMES[N_ANSWER_ORIGINS] = {[ORIGIN_TEACHER] = "teacher",
                                                        [ORIGIN_STUDENT] = "student",
                                                        [ORIGIN_PERSON] = "person",
                                                        [ORIGIN_FILE] = "file",
                                                        [ORIGIN_CANDIDATE] = "candidate"};
    return NAMES[o];
}

bool dpref_is_heldout(uint64_t prompt_hash) { return prompt_hash % 10 == 9; }

/* Large columns come last: a scan over the small ones then leaves the overflow pages alone. Label events refer to pairs
 * without a foreign key, because they outlive pairs that a resume makes again. */
static bool create_tables(struct db *db, struct err *e) {
    return db_exec(
        db,
        "CREATE TABLE IF NOT EXISTS prompt(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL);CREATE "
        "INDEX IF NOT EXISTS prompt_hash ON prompt(hash);CREATE TABLE IF NOT EXISTS pair(id INTEGER PRIMARY KEY, tick "
        "INTEGER NOT NULL, iteration INTEGER NOT NULL, prompt INTEGER NOT NULL REFERENCES prompt(id), pair_hash "
        "INTEGER NOT NULL, heldout INTEGER NOT NULL, source INTEGER NOT NULL, active INTEGER NOT NULL, o REAL NOT "
        "NULL, weight REAL NOT NULL, flip REAL NOT NULL, n_x INTEGER NOT NULL, n_y0 INTEGER NOT NULL, n_y1 INTEGER NOT "
        "NULL, truncated0 INTEGER NOT NULL, truncated1 INTEGER NOT NULL, edit INTEGER NOT NULL, strength REAL NOT "
        "NULL, noise REAL NOT NULL, flipped INTEGER NOT NULL, annotator TEXT, origin0 INTEGER NOT NULL, item0 INTEGER "
        "NOT NULL, origin1 INTEGER NOT NULL, item1 INTEGER NOT NULL, text0 TEXT NOT NULL, text1 TEXT NOT NULL, tokens "
        "BLOB NOT NULL);CREATE INDEX IF NOT EXISTS pair_prompt ON pair(prompt);CREATE TABLE IF NOT EXISTS "
        "label_event(seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, annotator TEXT NOT NULL, pair_id "
        "INTEGER NOT NULL, pair_hash INTEGER NOT NULL, left INTEGER NOT NULL, decision TEXT NOT NULL, strength REAL "
        "NOT NULL, dwell_ms INTEGER NOT NULL, seen_a REAL, seen_b REAL, sampler TEXT NOT NULL, propensity REAL, "
        "reward_delta REAL, undo_of INTEGER NOT NULL, text TEXT);CREATE INDEX IF NOT EXISTS label_event_pair ON "
        "label_event(pair_id);CREATE UNIQUE INDEX IF NOT EXISTS label_event_undo ON label_event(undo_of) WHERE "
        "undo_of<>0;CREATE TRIGGER IF NOT EXISTS label_event_no_update BEFORE UPDATE ON label_event BEGIN SELECT "
        "RAISE(ABORT, 'label events are append-only'); END;CREATE TRIGGER IF NOT EXISTS label_event_no_delete BEFORE "
        "DELETE ON label_event BEGIN SELECT RAISE(ABORT, 'label events are append-only'); END;",
        e);
}

bool pair_check_columns(struct db *db, struct err *e) {
    static const char *const NEWER[] = {"edit",    "strength", "noise",   "flipped", "annotator",
                                        "origin0", "item0",    "origin1", "item1"};
    for (size_t i = 0; i < sizeof NEWER / sizeof NEWER[0]; i++) {
        int64_t there;
        if (!db_get_int(db, e, &there, 1, "SELECT max(name=?) FROM pragma_table_info('pair')", "s", NEWER[i]))
            return false;
        if (!there)
            return err_set(e,
                           "%s: the table of pairs has no column \"%s\": the run was made by an older version of pbkd",
                           db->path, NEWER[i]);
    }
    return true;
}

bool dpref_create_tables(struct db *db, struct err *e) { return create_tables(db, e) && pair_check_columns(db, e); }

static uint64_t hash_pair(const struct pref_pair *p) {
    uint64_t h = HASH_START;
    h = hash_bytes(h, p->prompt, strlen(p->prompt));
    h = hash_bytes(h, p->text0, strlen(p->text0));
    return hash_bytes(h, p->text1, strlen(p->text1)); /* hash_bytes folds the length in: no text runs into the next */
}

void pair_free(struct pref_pair *p) {
    free(p->tokens);
    free(p->prompt);
    free(p->text0);
    free(p->text1);
    free(p->annotator);
}

static void count(struct dpref *d, const struct pref_pair *p, int by) {
    if (!p->withdrawn) d->n_by_source[p->source] += by;
}

/* Room for one more; the caller fills it in and counts. */
static struct pref_pair *next_slot(struct dpref *d) {
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 256;
        d->pair = mem_grow(d->pair, (size_t)d->cap * sizeof *d->pair);
    }
    return &d->pair[d->n];
}

/* ---- load ---- */

static bool label_is_sane(const struct pref_pair *p) {
    return p->o >= 0.0 && p->o <= 1.0 && p->weight >= 0.0 && isfinite(p->weight) && p->flip >= 0.0 && p->flip < 0.5 &&
           p->strength >= 0.0 && isfinite(p->strength) && p->noise >= 0.0 && p->noise < 0.5;
}

static bool fail_label(const char *where, const struct pref_pair *p, struct err *e) {
    return err_set(e, "%s: a label of %g with weight %g, flip rate %g, strength %g and noise %g cannot be", where, p->o,
                   p->weight, p->flip, p->strength, p->noise);
}

static bool column_by(sqlite3_stmt *s, int column, struct answer_by *by) {
    const int origin = sqlite3_column_int(s, column);
    by->item = sqlite3_column_int(s, column + 1);
    if (origin < 0 || origin >= N_ANSWER_ORIGINS || by->item < 0) return false;
    by->origin = (enum answer_origin)origin;
    return true;
}

static bool column_copy(sqlite3_stmt *s, int column, char **out) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    if (text) *out = mem_strdup(text);
    return text != NULL;
}

/* Copy the tokens when the blob holds exactly as many as the counts say and none is negative. */
static bool column_tokens(sqlite3_stmt *s, int column, struct pref_pair *p) {
    const void *blob = sqlite3_column_blob(s, column);
    const int64_t bytes = sqlite3_column_bytes(s, column);
    const int64_t n = (int64_t)p->n_x + p->n_y0 + p->n_y1;
    if (p->n_x < 0 || p->n_y0 < 0 || p->n_y1 < 0 || bytes != n * (int64_t)sizeof *p->tokens) return false;
    p->tokens = mem_small((size_t)bytes);
    if (n > 0) memcpy(p->tokens, blob, (size_t)bytes);
    for (int64_t i = 0; i < n; i++)
        if (p->tokens[i] < 0) return false;
    return true;
}

bool pair_from_row(struct db *db, sqlite3_stmt *s, int64_t expected, struct pref_pair *p, struct err *e) {
    *p = (struct pref_pair){.id = sqlite3_column_int64(s, 0),
                            .tick = sqlite3_column_int64(s, 1),
                            .iteration = sqlite3_column_int(s, 2),
                            .prompt_hash = (uint64_t)sqlite3_column_int64(s, 3),
                            .pair_hash = (uint64_t)sqlite3_column_int64(s, 4),
                            .heldout = sqlite3_column_int(s, 5) != 0,
                            .active = sqlite3_column_int(s, 7) != 0,
                            .o = sqlite3_column_double(s, 8),
                            .weight = sqlite3_column_double(s, 9),
                            .flip = sqlite3_column_double(s, 10),
                            .n_x = sqlite3_column_int(s, 11),
                            .n_y0 = sqlite3_column_int(s, 12),
                            .n_y1 = sqlite3_column_int(s, 13),
                            .truncated0 = sqlite3_column_int(s, 14) != 0,
                            .truncated1 = sqlite3_column_int(s, 15) != 0,
                            .edit = sqlite3_column_int64(s, 16),
                            .strength = sqlite3_column_double(s, 21),
                            .noise = sqlite3_column_double(s, 22),
                            .flipped = sqlite3_column_int(s, 23) != 0};
    const int source = sqlite3_column_int(s, 6);
    const long long id = p->id;
    if (p->id != expected)
        return err_set(e, "%s: pair %lld found where %lld was expected", db->path, id, (long long)expected);
    if (source < 0 || source >= N_LABEL_SOURCES)
        return err_set(e, "%s: pair %lld: unknown label source %d", db->path, id, source);
    p->source = (enum label_source)source;
    p->event = p->edit;
    if (p->edit < 0 || (p->edit && p->source != SOURCE_HUMAN))
        return err_set(e, "%s: pair %lld: made by event %lld with a label by %s, which cannot be", db->path, id,
                       (long long)p->edit, label_source_name(p->source));
    if (!label_is_sane(p)) {
        char where[300];
        snprintf(where, sizeof where, "%.260s: pair %lld", db->path, id);
        return fail_label(where, p, e);
    }
    if (!column_by(s, 25, &p->by0) || !column_by(s, 27, &p->by1))
        return err_set(e, "%s: pair %lld: an answer by origin %d, item %d and one by %d, %d, which cannot be", db->path,
                       id, sqlite3_column_int(s, 25), sqlite3_column_int(s, 26), sqlite3_column_int(s, 27),
                       sqlite3_column_int(s, 28));
    column_copy(s, 24, &p->annotator);
    if (!column_copy(s, 17, &p->prompt) || !column_copy(s, 18, &p->text0) || !column_copy(s, 19, &p->text1))
        return err_set(e, "%s: pair %lld: a text is missing", db->path, id);
    if (!column_tokens(s, 20, p))
        return err_set(e, "%s: pair %lld: %d bytes of tokens do not fit the counts %d + %d + %d", db->path, id,
                       sqlite3_column_bytes(s, 20), p->n_x, p->n_y0, p->n_y1);
    return true;
}

bool dpref_load(struct dpref *d, struct db *db, struct err *e) {
    *d = (struct dpref){.db = db};
    sqlite3_stmt *s = db_prepare(db, e, PAIRS_IN_ORDER, "");
    if (!s) return false;
    bool row = false, ok;
    while ((ok = db_step(db, s, &row, e)) && row) {
        struct pref_pair *p = next_slot(d);
        if (!(ok = pair_from_row(db, s, d->n + 1, p, e))) {
            pair_free(p);
            break;
        }
        count(d, p, 1);
        d->n++;
        d->n_heldout += p->heldout;
    }
    sqlite3_finalize(s);
    if (!ok) dpref_free(d);
    return ok;
}

void dpref_free(struct dpref *d) {
    for (int i = 0; i < d->n; i++) pair_free(&d->pair[i]);
    free(d->pair);
    sqlite3_finalize(d->insert_pair);
    sqlite3_finalize(d->find_prompt);
    *d = (struct dpref){0};
}

/* ---- add and forget ---- */

/* The row of a prompt's text, made when it is new. Looked up by hash, decided by text. */
static bool prompt_id(struct dpref *d, const struct pref_pair *p, int64_t *id, struct err *e) {
    if (!d->find_prompt && !(d->find_prompt = db_prepare(d->db, e, "SELECT id FROM prompt WHERE hash=?1 AND text=?2",
                                                         "is", (int64_t)0, "")))
        return false;
    bool row = false;
    bool ok = db_bind(d->db, d->find_prompt, e, "is", (int64_t)p->prompt_hash, p->prompt) &&
              db_step(d->db, d->find_prompt, &row, e);
    if (ok && row) *id = sqlite3_column_int64(d->find_prompt, 0);
    sqlite3_reset(d->find_prompt);
    if (!ok || row) return ok;
    ok = db_run(d->db, e, "INSERT INTO prompt(hash,text) VALUES(?,?)", "is", (int64_t)p->prompt_hash, p->prompt);
    if (ok) *id = sqlite3_last_insert_rowid(d->db->h);
    return ok;
}

#define INSERT_PAIR                                                                                                    \
    "INSERT INTO pair(id,tick,iteration,prompt,pair_hash,heldout,source,active,o,weight,flip,n_x,n_y0,n_y1,"           \
    "truncated0,truncated1,edit,strength,noise,flipped,annotator,origin0,item0,origin1,item1,text0,text1,tokens)"      \
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"

static bool insert_pair(struct dpref *d, const struct pref_pair *p, struct err *e) {
    int64_t prompt = 0;
    if (!prompt_id(d, p, &prompt, e)) return false;
    if (!d->insert_pair && sqlite3_prepare_v2(d->db->h, INSERT_PAIR, -1, &d->insert_pair, NULL) != SQLITE_OK)
        return err_set(e, "%s: %s", d->db->path, sqlite3_errmsg(d->db->h));
    const size_t bytes = (size_t)(p->n_x + p->n_y0 + p->n_y1) * sizeof *p->tokens;
    bool row;
    const bool ok =
        db_bind(d->db, d->insert_pair, e, "iiiiiiiidddiiiiiiddisiiiissb", p->id, p->tick, (int64_t)p->iteration, prompt,
                (int64_t)p->pair_hash, (int64_t)p->heldout, (int64_t)p->source, (int64_t)p->active, p->o, p->weight,
                p->flip, (int64_t)p->n_x, (int64_t)p->n_y0, (int64_t)p->n_y1, (int64_t)p->truncated0,
                (int64_t)p->truncated1, p->edit, p->strength, p->noise, (int64_t)p->flipped, p->annotator,
                (int64_t)p->by0.origin, (int64_t)p->by0.item, (int64_t)p->by1.origin, (int64_t)p->by1.item, p->text0,
                p->text1, (const void *)p->tokens, bytes) &&
        db_step(d->db, d->insert_pair, &row, e);
    sqlite3_reset(d->insert_pair);
    sqlite3_clear_bindings(d->insert_pair); /* do not hold copies of the texts until the next pair */
    return ok;
}

bool dpref_add(struct dpref *d, struct pref_pair *p, struct err *e) {
    if (!label_is_sane(p)) return fail_label("new pair", p, e);
    p->id = d->n + 1;
    p->prompt_hash = hash_text(p->prompt);
    p->pair_hash = hash_pair(p);
    p->heldout = dpref_is_heldout(p->prompt_hash);
    p->event = p->edit;
    p->withdrawn = 0;
    if (!insert_pair(d, p, e)) return false;
    *next_slot(d) = *p;
    d->n++;
    d->n_heldout += p->heldout;
    count(d, p, 1);
    return true;
}

static struct pref_pair *find(const struct dpref *d, int64_t id) { /* ids run from 1 without gaps */
    return id >= 1 && id <= d->n ? &d->pair[id - 1] : NULL;
}

const struct pref_pair *dpref_find(const struct dpref *d, int64_t id) { return find(d, id); }

int dpref_find_edit(const struct dpref *d, int64_t edit, int *first) {
    int end = d->n; /* edits are mostly about pairs made lately: from the back */
    while (end > 0 && d->pair[end - 1].edit != edit) end--;
    *first = end;
    while (*first > 0 && d->pair[*first - 1].edit == edit) --*first;
    return end - *first;
}

void dpref_forget(struct dpref *d, int n) {
    while (d->n > n) {
        struct pref_pair *p = &d->pair[--d->n];
        count(d, p, -1);
        d->n_heldout -= p->heldout;
        pair_free(p);
    }
}

bool dpref_truncate_after(struct dpref *d, int64_t tick, struct err *e) {
    int keep = d->n;
    while (keep > 0 && d->pair[keep - 1].tick > tick) keep--;
    const int64_t last = keep > 0 ? d->pair[keep - 1].id : 0;
    if (!db_begin(d->db, e)) return false;
    if (!db_run(d->db, e, "DELETE FROM pair WHERE id>?", "i", last) ||
        !db_run(d->db, e, "DELETE FROM prompt WHERE id NOT IN (SELECT prompt FROM pair)", "")) {
        db_rollback(d->db);
        return false;
    }
    if (!db_commit(d->db, e)) return false;
    dpref_forget(d, keep);
    return true;
}

/* ---- events ---- */

/* Put back the automatic label, which the file keeps. */
static bool read_automatic(struct db *db, struct pref_pair *p, struct err *e) {
    sqlite3_stmt *s =
        db_prepare(db, e, "SELECT source,active,o,weight,flip,strength,noise,flipped FROM pair WHERE id=?", "i", p->id);
    bool row = false, ok = s && db_step(db, s, &row, e);
    if (ok && !row) ok = err_set(e, "%s: pair %lld is missing", db->path, (long long)p->id);
    if (ok) {
        const int source = sqlite3_column_int(s, 0);
        p->source = source >= 0 && source < N_LABEL_SOURCES ? (enum label_source)source : SOURCE_NONE;
        p->active = sqlite3_column_int(s, 1) != 0;
        p->o = sqlite3_column_double(s, 2);
        p->weight = sqlite3_column_double(s, 3);
        p->flip = sqlite3_column_double(s, 4);
        p->strength = sqlite3_column_double(s, 5);
        p->noise = sqlite3_column_double(s, 6);
        p->flipped = sqlite3_column_int(s, 7) != 0;
        p->event = p->edit;
        if (p->withdrawn) label_withdraw(p, p->withdrawn);
        ok = label_is_sane(p) || err_set(e, "%s: pair %lld: its label cannot be", db->path, (long long)p->id);
    }
    sqlite3_finalize(s);
    return ok;
}

static void withdraw_edit(struct dpref *d, int64_t edit, int64_t undo) {
    int first;
    const int n = dpref_find_edit(d, edit, &first);
    for (int i = first; i < first + n; i++) {
        count(d, &d->pair[i], -1);
        label_withdraw(&d->pair[i], undo);
    }
}

static bool apply_undo(struct dpref *d, const struct label_event *ev, struct pref_pair *p, double flip, double weight,
                       struct err *e) {
    struct label_event old;
    if (!label_event_read(d->db, ev->undo_of, &old, e)) return false;
    free(old.text);
    if (old.pair_id != ev->pair_id)
        return err_set(e, "label event %lld is about pair %lld, but undoes event %lld about pair %lld",
                       (long long)ev->seq, (long long)ev->pair_id, (long long)old.seq, (long long)old.pair_id);
    if (old.decision == DECISION_EDIT) {
        withdraw_edit(d, old.seq, ev->seq);
        return true;
    }
    sqlite3_stmt *events = db_prepare(d->db, e, EVENTS_IN_FORCE, "iii", (int64_t)0, (int64_t)0, (int64_t)0);
    const int64_t last = ev->seq > p->event ? ev->seq : p->event; /* a newer one may be in force */
    const bool ok = events && read_automatic(d->db, p, e) && label_fold_all(d->db, events, last, p, flip, weight, e);
    sqlite3_finalize(events);
    return ok;
}

bool dpref_apply_event(struct dpref *d, const struct label_event *ev, double human_flip, double human_weight,
                       struct err *e) {
    struct pref_pair *p = find(d, ev->pair_id);
    if (!p) return err_set(e, "label event %lld: there is no pair %lld", (long long)ev->seq, (long long)ev->pair_id);
    if (p->pair_hash != ev->pair_hash)
        return err_set(e, "label event %lld: pair %lld holds other texts than the ones that were labelled",
                       (long long)ev->seq, (long long)ev->pair_id);
    struct pref_pair changed = *p;
    if (ev->decision == DECISION_UNDO) {
        if (!apply_undo(d, ev, &changed, human_flip, human_weight, e)) return false;
    } else if (ev->seq > p->event) { /* one that comes late changes nothing */
        label_fold(&changed, ev, human_flip, human_weight);
    }
    count(d, p, -1);
    count(d, &changed, 1);
    *p = changed;
    return true;
}
