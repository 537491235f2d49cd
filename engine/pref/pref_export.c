/* Counts and exports of D_pref from the file alone: any process may ask while the engine writes. One read transaction
 * gives one moment; lines are streamed, so a million pairs need the memory of one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/json_string.h"
#include "engine/pref/dpref_private.h"

/* ---- counts ---- */

/* Pairs of an answer that its writer took back are in the file for the record only. */
#define PAIR_STANDS "(p.edit=0 OR NOT EXISTS(SELECT 1 FROM label_event u WHERE u.undo_of=p.edit))"

/* Pairs by the source of the label in force: a person's, where a decision stands, else the automatic one. */
#define COUNT_BY_SOURCE                                                                                                \
    "SELECT CASE WHEN EXISTS(SELECT 1 FROM label_event e WHERE e.pair_id=p.id AND e.pair_hash=p.pair_hash"             \
    " AND e.decision IN ('A','B','tie','bad') AND " EVENT_NOT_UNDONE ") THEN 2 ELSE p.source END, count(*)"            \
    " FROM pair p WHERE " PAIR_STANDS " GROUP BY 1"
_Static_assert(SOURCE_HUMAN == 2, "the query above names the source by its number");

static bool count_by_source(struct db *db, int64_t count[N_LABEL_SOURCES], struct err *e) {
    sqlite3_stmt *s = db_prepare(db, e, COUNT_BY_SOURCE, "");
    if (!s) return false;
    bool row = false, ok;
    while ((ok = db_step(db, s, &row, e)) && row) {
        const int source = sqlite3_column_int(s, 0);
        if (!(ok = (source >= 0 && source < N_LABEL_SOURCES) ||
                   err_set(e, "%s: unknown label source %d", db->path, source)))
            break;
        count[source] = sqlite3_column_int64(s, 1);
    }
    sqlite3_finalize(s);
    return ok;
}

static bool count_all(struct db *db, struct strbuf *b, struct err *e) {
    int64_t by_source[N_LABEL_SOURCES] = {0}, records = 0, events, heldout, iterations;
    if (!count_by_source(db, by_source, e) || !db_get_int(db, e, &events, 0, "SELECT count(*) FROM label_event", "") ||
        !db_get_int(db, e, &heldout, 0, "SELECT count(*) FROM pair p WHERE p.heldout AND " PAIR_STANDS, "") ||
        !db_get_int(db, e, &iterations, 0, "SELECT max(iteration) FROM pair", ""))
        return false;
    for (int i = 0; i < N_LABEL_SOURCES; i++) records += by_source[i];
    strbuf_printf(b, "{\"records\":%" PRId64 ",\"by_source\":{", records);
    for (int i = 0; i < N_LABEL_SOURCES; i++)
        strbuf_printf(b, "%s\"%s\":%" PRId64, i ? "," : "", label_source_name((enum label_source)i), by_source[i]);
    strbuf_printf(b, "},\"events\":%" PRId64 ",\"heldout\":%" PRId64 ",\"iterations\":%" PRId64 "}", events, heldout,
                  iterations);
    return true;
}

/* A read transaction, so that all queries see the same moment. It has nothing to lose: ending it cannot fail us. */
static bool begin_reading(struct db *db, struct err *e) { return pair_check_columns(db, e) && db_exec(db, "BEGIN", e); }

char *dpref_stats_json(struct db *db, struct err *e) {
    if (!begin_reading(db, e)) return NULL;
    struct strbuf b = {0};
    const bool ok = count_all(db, &b, e);
    db_rollback(db);
    if (ok) return strbuf_take(&b);
    strbuf_free(&b);
    return NULL;
}

/* ---- one line each ---- */

struct export {
    struct db *db;
    sqlite3_stmt *events; /* EVENTS_IN_FORCE */
    struct strbuf line;
    FILE *f;
    int64_t n;
};

static void field_string(struct strbuf *b, const char *key, const char *value) {
    strbuf_printf(b, ",\"%s\":", key);
    json_append_string(b, value);
}
static void field_number(struct strbuf *b, const char *key, double value) {
    strbuf_printf(b, ",\"%s\":", key);
    json_append_number(b, value);
}
static void field_int(struct strbuf *b, const char *key, int64_t value) {
    strbuf_printf(b, ",\"%s\":%" PRId64, key, value);
}
static void field_bool(struct strbuf *b, const char *key, bool value) {
    strbuf_printf(b, ",\"%s\":%s", key, value ? "true" : "false");
}
/* 64-bit hashes do not survive a reader that keeps numbers as doubles: they are written as text. */
static void field_hash(struct strbuf *b, const char *key, uint64_t value) {
    strbuf_printf(b, ",\"%s\":\"%016" PRIx64 "\"", key, value);
}
static void field_tokens(struct strbuf *b, const char *key, const int32_t *token, int n) {
    strbuf_printf(b, ",\"%s\":[", key);
    for (int i = 0; i < n; i++) strbuf_printf(b, "%s%d", i ? "," : "", (int)token[i]);
    strbuf_putc(b, ']');
}

static void put_line(struct export *x) { /* atomic_commit sees a failed write */
    strbuf_putc(&x->line, '\n');
    fwrite(x->line.s, 1, x->line.len, x->f);
    x->n++;
}

/* {"prompt","chosen","rejected"} when somebody prefers one: no ties, nothing that waits, nothing taken out. */
static void put_trl(struct export *x, const struct pref_pair *p) {
    if (!p->active || p->source == SOURCE_NONE || p->o == 0.5) return;
    const bool first = p->o > 0.5;
    strbuf_clear(&x->line);
    strbuf_puts(&x->line, "{\"prompt\":");
    json_append_string(&x->line, p->prompt);
    field_string(&x->line, "chosen", first ? p->text0 : p->text1);
    field_string(&x->line, "rejected", first ? p->text1 : p->text0);
    strbuf_putc(&x->line, '}');
    put_line(x);
}

static void field_label(struct strbuf *b, const char *key, const struct pref_pair *p) {
    strbuf_printf(b, ",\"%s\":{\"source\":\"%s\"", key, label_source_name(p->source));
    field_bool(b, "active", p->active);
    field_number(b, "o", p->o);
    if (p->event == p->edit) { /* weight and flip rate of a later label are options of the run, not of the label */
        field_number(b, "weight", p->weight);
        field_number(b, "flip", p->flip);
        field_number(b, "noise", p->noise);
        field_bool(b, "flipped", p->flipped);
        field_string(b, "annotator", p->annotator);
    }
    field_number(b, "strength", p->strength);
    field_int(b, "event", p->event);
    strbuf_putc(b, '}');
}

static void field_by(struct strbuf *b, const char *key, const struct answer_by *by) {
    strbuf_printf(b, ",\"%s\":{\"origin\":\"%s\",\"item\":%d}", key, answer_origin_name(by->origin), by->item);
}

static void put_pair(struct export *x, const struct pref_pair *p, const struct pref_pair *automatic) {
    struct strbuf *b = &x->line;
    strbuf_clear(b);
    strbuf_printf(b, "{\"type\":\"pair\",\"id\":%" PRId64, p->id);
    field_int(b, "tick", p->tick);
    field_int(b, "iteration", p->iteration);
    field_int(b, "edit", p->edit);
    field_hash(b, "prompt_hash", p->prompt_hash);
    field_hash(b, "pair_hash", p->pair_hash);
    field_bool(b, "heldout", p->heldout);
    field_string(b, "prompt", p->prompt);
    field_string(b, "text0", p->text0);
    field_string(b, "text1", p->text1);
    field_by(b, "by0", &p->by0);
    field_by(b, "by1", &p->by1);
    field_bool(b, "truncated0", p->truncated0);
    field_bool(b, "truncated1", p->truncated1);
    field_label(b, "automatic", automatic);
    field_label(b, "label", p);
    field_tokens(b, "tokens_x", p->tokens, p->n_x);
    field_tokens(b, "tokens_y0", p->tokens + p->n_x, p->n_y0);
    field_tokens(b, "tokens_y1", p->tokens + p->n_x + p->n_y0, p->n_y1);
    strbuf_putc(b, '}');
    put_line(x);
}

static void put_event(struct export *x, const struct label_event *ev) {
    struct strbuf *b = &x->line;
    strbuf_clear(b);
    strbuf_printf(b, "{\"type\":\"event\",\"seq\":%" PRId64, ev->seq);
    field_string(b, "time", ev->time);
    field_string(b, "annotator", ev->annotator);
    field_int(b, "pair", ev->pair_id);
    field_hash(b, "pair_hash", ev->pair_hash);
    field_int(b, "left", ev->left);
    field_string(b, "decision", decision_name(ev->decision));
    field_number(b, "strength", ev->strength);
    field_int(b, "dwell_ms", ev->dwell_ms);
    field_number(b, "seen_a", ev->seen_a);
    field_number(b, "seen_b", ev->seen_b);
    field_string(b, "sampler", ev->sampler);
    field_number(b, "propensity", ev->propensity);
    field_number(b, "reward_delta", ev->reward_delta);
    field_int(b, "undo_of", ev->undo_of);
    field_string(b, "text", ev->text);
    strbuf_putc(b, '}');
    put_line(x);
}

/* ---- all lines ---- */

static bool export_pair(struct export *x, struct pref_pair *p, bool audit, struct err *e) {
    const struct pref_pair automatic = *p;
    int64_t undo = 0;
    if (p->edit && !db_get_int(x->db, e, &undo, 0, "SELECT seq FROM label_event WHERE undo_of=?", "i", p->edit))
        return false;
    if (undo) label_withdraw(p, undo);
    /* Weight and flip rate are not exported for a person's label; any value does here. */
    if (!label_fold_all(x->db, x->events, INT64_MAX, p, 0.0, 1.0, e)) return false;
    if (audit)
        put_pair(x, p, &automatic);
    else
        put_trl(x, p);
    return true;
}

static bool export_pairs(struct export *x, bool audit, struct err *e) {
    sqlite3_stmt *s = db_prepare(x->db, e, PAIRS_IN_ORDER, "");
    if (!s) return false;
    bool row = false, ok;
    for (int64_t id = 1; (ok = db_step(x->db, s, &row, e)) && row; id++) {
        struct pref_pair p;
        ok = pair_from_row(x->db, s, id, &p, e) && export_pair(x, &p, audit, e);
        pair_free(&p);
        if (!ok) break;
    }
    sqlite3_finalize(s);
    return ok;
}

static bool export_events(struct export *x, struct err *e) {
    sqlite3_stmt *s = db_prepare(x->db, e, "SELECT " EVENT_COLUMNS " FROM label_event e ORDER BY e.seq", "");
    if (!s) return false;
    bool row = false, ok;
    while ((ok = db_step(x->db, s, &row, e)) && row) {
        struct label_event ev;
        if (!(ok = event_from_row(x->db, s, &ev, e))) break;
        put_event(x, &ev);
        free(ev.text);
    }
    sqlite3_finalize(s);
    return ok;
}

static bool export_all(struct export *x, bool audit, struct err *e) {
    if (!begin_reading(x->db, e)) return false;
    x->events = db_prepare(x->db, e, EVENTS_IN_FORCE, "iii", (int64_t)0, (int64_t)0, (int64_t)0);
    const bool ok = x->events && export_pairs(x, audit, e) && (!audit || export_events(x, e));
    sqlite3_finalize(x->events);
    db_rollback(x->db);
    return ok;
}

bool dpref_export(struct db *db, const char *format, const char *path, int64_t *n, struct err *e) {
    const bool audit = strcmp(format, "audit") == 0;
    if (!audit && strcmp(format, "trl") != 0)
        return err_set(e, "export format: must be one of trl, audit, found \"%.40s\"", format);
    struct atomic_file a;
    if (!atomic_begin(&a, path, e)) return false;
    struct export x = {.db = db, .f = a.f};
    const bool ok = export_all(&x, audit, e);
    strbuf_free(&x.line);
    if (!ok) {
        atomic_abort(&a);
        return false;
    }
    *n = x.n;
    return atomic_commit(&a, e);
}
