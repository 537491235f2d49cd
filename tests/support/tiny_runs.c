/* Runs on tiny random models: see tiny_runs.h. */
#include "tests/support/tiny_runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/db.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/model/model_io.h"

static char folder[64]; /* holds teacher.gguf, student.gguf, foreign.gguf (another vocabulary), prompts.jsonl, recorded.jsonl */

const char *tiny_path(const char *name) {
    static char path[4][160];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void make_model(const char *name, const struct tokenizer *t, int d, uint64_t seed) {
    struct err e = {0};
    const struct model_config c = {.n_vocab = tokenizer_n_vocab(t), .d_model = d, .n_layer = 1, .n_head = 2, .n_kv_head = 1, .head_dim = d / 2,
                                   .d_ff = 2 * d, .n_ctx = 64, .rope_base = 10000, .rms_eps = 1e-5f, .tied = true};
    struct model *m = model_new(&c, false, &e);
    assert_non_null(m);
    model_init(m, seed);
    for (size_t i = 0; i < m->n_params; i++) m->params[i] *= 3; /* opinions, or all models would say the same */
    if (!model_save(m, t, tiny_path(name), QUANT_F32, &e)) fail_msg("%s", e.msg);
    model_free(m);
}

int tiny_folder(void **state) {
    (void)state;
    struct err e = {0};
    strcpy(folder, "/tmp/pbkd-algorithms-XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct strbuf b = {0}, recorded = {0};
    static char text[80][32];
    const char *texts[80];
    for (int i = 0; i < 80; i++) {
        snprintf(text[i], sizeof text[i], "what is %d plus %d?", i, 80 - i);
        texts[i] = text[i];
        strbuf_printf(&b, "{\"prompt\": \"%s\", \"answer\": \"80\"}\n", text[i]);
        strbuf_printf(&recorded, "{\"prompt\": \"%s\", \"response\": \"80\"}\n", text[i]);
    }
    assert_true(atomic_write(tiny_path("prompts.jsonl"), b.s, b.len, &e));
    assert_true(atomic_write(tiny_path("recorded.jsonl"), recorded.s, recorded.len, &e));
    strbuf_free(&b);
    strbuf_free(&recorded);
    struct tokenizer *t = tokenizer_train(texts, 80, 280, &e), *other = tokenizer_train(texts, 80, 262, &e);
    assert_true(t && other);
    make_model("teacher.gguf", t, 16, 1);
    make_model("student.gguf", t, 12, 2);
    make_model("foreign.gguf", other, 16, 3);
    tokenizer_free(t);
    tokenizer_free(other);
    return 0;
}

int tiny_remove(void **state) {
    (void)state;
    dir_remove_tree(folder, NULL);
    return 0;
}

/* "a=b c=d"; words in capitals stand for files. */
static void set_all(struct options *o, const char *assignments) {
    static const char *const FILES[][2] = {{"FOREIGN", "foreign.gguf"}, {"TEACHER", "teacher.gguf"}, {"PROMPTS", "prompts.jsonl"}};
    struct strbuf b = {0};
    struct err e = {0};
    for (const char *c = assignments; *c; c++) {
        size_t i = 0;
        while (i < 3 && strncmp(c, FILES[i][0], 7) != 0) i++;
        if (i == 3) {
            strbuf_putc(&b, *c);
            continue;
        }
        strbuf_puts(&b, tiny_path(FILES[i][1]));
        c += 6;
    }
    for (char *rest, *one = strtok_r(b.s, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
        if (!option_set_assignment(o, one, &e)) fail_msg("%s", e.msg);
    strbuf_free(&b);
}

struct options tiny_options(const char *assignments) {
    struct options o;
    options_default(&o);
    set_all(&o, "iterations=2 threads=1 prompts.per_iteration=12 samples_per_prompt=2 max_new_tokens=6 game.rounds=2 game.policy_steps=2"
                " game.policy_batch=4 game.reward_batch=4 game.warmup=0 reward.steps=2 reward.batch=6 reward.gate=0 eval.prompts=6"
                " eval.gap_prompts=4 eval.bootstrap=100 prompts.checker=number");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", tiny_path("teacher.gguf"));
    snprintf(o.student_model, sizeof o.student_model, "%s", tiny_path("student.gguf"));
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", tiny_path("prompts.jsonl"));
    snprintf(o.prompts_recorded, sizeof o.prompts_recorded, "%s", tiny_path("recorded.jsonl")); /* random models seldom end an answer */
    set_all(&o, assignments);
    return o;
}

struct session *tiny_start(const char *name, const struct options *o, bool resume, bool headless) {
    struct err e = {0};
    const struct session_config c = {.options = *o, .run_dir = tiny_path(name), .title = "test", .resume = resume, .headless = headless};
    struct session *s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    return s;
}

void tiny_finish(const char *what, struct session *s, char hash[32]) {
    bool ok;
    char *json = NULL;
    struct err e = {0};
    session_finish(s, &ok, &json, &e);
    if (!ok) fail_msg("%s: %s", what, e.msg);
    const char *at = strstr(json, "\"weights_hash\":\"");
    assert_non_null(at);
    snprintf(hash, 32, "%.16s", at + strlen("\"weights_hash\":\""));
    free(json);
}

double tiny_number(const char *name, const char *sql) {
    char path[200];
    struct db db;
    struct err e = {0};
    bool row = false;
    snprintf(path, sizeof path, "%s/run.db", tiny_path(name));
    if (!db_open(&db, path, DB_READ, false, &e)) fail_msg("%s", e.msg);
    sqlite3_stmt *q = db_prepare(&db, &e, sql, "");
    if (!q || !db_step(&db, q, &row, &e) || !row) fail_msg("%s: %s %s", name, sql, e.msg);
    const double x = sqlite3_column_type(q, 0) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, 0);
    sqlite3_finalize(q);
    db_close(&db);
    return x;
}

/* Mean of a metric over the first and the last ten of its values. */
void tiny_first_and_last(const char *run, const char *metric, double *first, double *last) {
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT avg(value) FROM (SELECT value FROM metric WHERE name='%s' ORDER BY tick LIMIT 10)", metric);
    *first = tiny_number(run, sql);
    snprintf(sql, sizeof sql, "SELECT avg(value) FROM (SELECT value FROM metric WHERE name='%s' ORDER BY tick DESC LIMIT 10)", metric);
    *last = tiny_number(run, sql);
}
