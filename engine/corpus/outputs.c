/* Teacher outputs: see outputs.h. */
#include "engine/corpus/outputs.h"

#include <stdlib.h>

#include "engine/base/mem.h"

bool outputs_create_table(struct db *db, struct err *e) {
    return db_exec(
        db,
        "CREATE TABLE IF NOT EXISTS teacher_output(id INTEGER PRIMARY KEY, tick INTEGER NOT NULL, kind INTEGER NOT "
        "NULL, prompt INTEGER NOT NULL, iteration INTEGER NOT NULL, text TEXT NOT NULL, truncated INTEGER NOT NULL)",
        e);
}

void output_tokenise(struct tokenizer *tok, enum chat_kind chat, const char *text, int max_tokens, bool *truncated,
                     struct token_list *y) {
    chat_encode_response(tok, chat, text, y);
    if (*truncated && y->n > 1) y->n--; /* a cut response has no end token */
    if (y->n > (size_t)max_tokens) {
        y->n = (size_t)max_tokens;
        *truncated = true;
    }
}

static void append(struct output_store *s, enum output_set set, int prompt, int iteration, const char *text,
                   bool truncated, struct tokenizer *tok, enum chat_kind chat, int max_tokens) {
    struct token_list y = {0};
    output_tokenise(tok, chat, text, max_tokens, &truncated, &y);
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->output = mem_grow(s->output, (size_t)s->cap * sizeof *s->output);
    }
    s->output[s->n++] = (struct teacher_output){set, prompt, iteration, mem_strdup(text), y.id, (int)y.n, truncated};
}

bool outputs_add(struct output_store *s, struct db *db, int64_t tick, enum output_set set, int prompt, int iteration,
                 const char *text, bool truncated, struct tokenizer *tok, enum chat_kind chat, int max_tokens,
                 struct err *e) {
    if (db &&
        !db_run(db, e, "INSERT INTO teacher_output(tick,kind,prompt,iteration,text,truncated) VALUES(?,?,?,?,?,?)",
                "iiiisi", tick, (int64_t)set, (int64_t)prompt, (int64_t)iteration, text, (int64_t)truncated))
        return false;
    append(s, set, prompt, iteration, text, truncated, tok, chat, max_tokens);
    return true;
}

bool outputs_load(struct output_store *s, struct db *db, int64_t after_tick, struct tokenizer *tok, enum chat_kind chat,
                  int max_tokens, struct err *e) {
    if (!db_run(db, e, "DELETE FROM teacher_output WHERE tick > ?", "i", after_tick)) return false;
    sqlite3_stmt *q =
        db_prepare(db, e, "SELECT kind,prompt,iteration,text,truncated FROM teacher_output ORDER BY id", "");
    if (!q) return false;
    bool ok = true, row = false;
    while ((ok = db_step(db, q, &row, e)) && row)
        append(s, (enum output_set)sqlite3_column_int(q, 0), sqlite3_column_int(q, 1), sqlite3_column_int(q, 2),
               (const char *)sqlite3_column_text(q, 3), sqlite3_column_int(q, 4) != 0, tok, chat, max_tokens);
    sqlite3_finalize(q);
    return ok;
}

void outputs_free(struct output_store *s) {
    for (int i = 0; i < s->n; i++) {
        free(s->output[i].text);
        free(s->output[i].token);
    }
    free(s->output);
    *s = (struct output_store){0};
}
