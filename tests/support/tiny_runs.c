/* Runs on tiny random models: see tiny_runs.h. */
#include "tests/support/tiny_runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/db.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/model/model_io.h"

#define OPTIONS_OF_ALL                                                                                                 \
    "iterations=2 threads=1 samples_per_prompt=2 max_new_tokens=6 game.rounds=2 game.policy_steps=2 "                  \
    "game.policy_batch=4"                                                                                              \
    " reward.batch=6 reward.gate=0 eval.gap_prompts=4 eval.bootstrap=100 prompts.checker=number"                       \
    " teacher.model=TEACHER student.model=STUDENT prompts.train=PROMPTS"

/* recorded: random models seldom end an answer */
static const struct kind {
    float weight;
    const char *options;
} SESSIONS = {1, OPTIONS_OF_ALL " prompts.per_iteration=20 reward.steps=3 eval.prompts=8"},
  GAMES = {3, OPTIONS_OF_ALL " prompts.per_iteration=12 reward.steps=2 eval.prompts=6 game.reward_batch=4 "
                             "game.warmup=0 prompts.recorded=RECORDED"};

static char folder[64];
static const struct kind *kind;

const char *tiny_path(const char *name) {
    static char path[8][160];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

/* ---- the folder ---- */

void tiny_write(const char *name, const char *text) {
    struct err e = {0};
    if (!atomic_write(tiny_path(name), text, strlen(text), &e)) fail_msg("%s", e.msg);
}

void tiny_write_prompts(const char *name, int n, int first, const char *fields) {
    struct strbuf b = {0};
    for (int i = 0; i < n; i++)
        strbuf_printf(&b, "{\"prompt\": \"what is %d plus %d?\"%s}\n", first + i, 80 - i, fields);
    tiny_write(name, strbuf_str(&b));
    strbuf_free(&b);
}

struct tokenizer *tiny_tokenizer(int n_vocab) {
    static char text[80][32];
    const char *texts[80];
    struct err e = {0};
    for (int i = 0; i < 80; i++)
        texts[i] = text[i], snprintf(text[i], sizeof text[i], "what is %d plus %d?", i, 80 - i);
    struct tokenizer *t = tokenizer_train(texts, 80, n_vocab, &e);
    if (!t) fail_msg("%s", e.msg);
    return t;
}

static void make_model(const char *name, const struct tokenizer *t, int d, uint64_t seed) {
    struct err e = {0};
    const struct model_config c = {.n_vocab = tokenizer_n_vocab(t),
                                   .d_model = d,
                                   .n_layer = 1,
                                   .n_head = 2,
                                   .n_kv_head = 1,
                                   .head_dim = d / 2,
                                   .d_ff = 2 * d,
                                   .n_ctx = 64,
                                   .rope_base = 10000,
                                   .rms_eps = 1e-5f,
                                   .tied = true};
    struct model *m = model_new(&c, false, &e);
    assert_non_null(m);
    model_init(m, seed);
    for (size_t i = 0; i < m->n_params; i++) m->params[i] *= kind->weight;
    if (!model_save(m, t, tiny_path(name), QUANT_F32, &e)) fail_msg("%s", e.msg);
    model_free(m);
}

static int make_folder(const struct kind *k) {
    kind = k;
    strcpy(folder, "/tmp/pbkd-tiny-runs-XXXXXX");
    assert_non_null(mkdtemp(folder));
    tiny_write_prompts("prompts.jsonl", 80, 0, ", \"answer\": \"80\"");
    tiny_write_prompts("recorded.jsonl", 80, 0, ", \"response\": \"80\"");
    struct tokenizer *t = tiny_tokenizer(280), *other = tiny_tokenizer(262);
    make_model("teacher.gguf", t, 16, 1);
    make_model("student.gguf", t, 12, 2);
    make_model("foreign.gguf", other, 16, 3);
    tokenizer_free(t);
    tokenizer_free(other);
    return 0;
}

int tiny_folder(void **state) {
    (void)state;
    return make_folder(&SESSIONS);
}

int tiny_folder_of_games(void **state) {
    (void)state;
    return make_folder(&GAMES);
}

int tiny_remove(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

/* The words in capitals replaced by paths. */
static void put_files(struct strbuf *b, const char *assignments) {
    static const char *const FILES[][2] = {{"FOREIGN", "foreign.gguf"},
                                           {"TEACHER", "teacher.gguf"},
                                           {"STUDENT", "student.gguf"},
                                           {"PROMPTS", "prompts.jsonl"},
                                           {"RECORDED", "recorded.jsonl"}};
    enum { N_FILES = sizeof FILES / sizeof *FILES };
    while (*assignments) {
        int i = 0;
        while (i < N_FILES && strncmp(assignments, FILES[i][0], strlen(FILES[i][0])) != 0) i++;
        if (i < N_FILES) strbuf_puts(b, tiny_path(FILES[i][1]));
        if (i == N_FILES) strbuf_putc(b, *assignments);
        assignments += i < N_FILES ? strlen(FILES[i][0]) : 1;
    }
}

struct options tiny_options(const char *assignments) {
    struct options o;
    struct strbuf b = {0};
    struct err e = {0};
    options_default(&o);
    put_files(&b, kind->options);
    strbuf_putc(&b, ' ');
    put_files(&b, assignments);
    for (char *rest, *one = strtok_r(b.s, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
        if (!option_set_assignment(&o, one, &e)) fail_msg("%s", e.msg);
    strbuf_free(&b);
    return o;
}

/* ---- runs ---- */

static struct session *try_start(const char *name, const struct options *o, bool resume, bool headless, struct err *e) {
    const struct session_config c = {
        .options = *o, .run_dir = tiny_path(name), .title = "test", .resume = resume, .headless = headless};
    return session_start(&c, e);
}

struct session *tiny_start(const char *name, const struct options *o, bool resume, bool headless) {
    struct err e = {0};
    struct session *s = try_start(name, o, resume, headless, &e);
    if (!s) fail_msg("%s: %s", name, e.msg);
    return s;
}

void tiny_start_fails(const char *name, const struct options *o, bool resume, const char *words) {
    struct err e = {0};
    const bool existed = file_exists(tiny_path(name));
    assert_null(try_start(name, o, resume, true, &e));
    if (!strstr(e.msg, words)) fail_msg("%s: \"%s\" does not say \"%s\"", name, e.msg, words);
    assert_int_equal(file_exists(tiny_path(name)), existed);
}

static void finish(const char *name, struct session *s, char hash[32]) {
    bool ok;
    char *json = NULL;
    struct err e = {0};
    session_finish(s, &ok, &json, &e);
    if (!ok) fail_msg("%s: %s", name, e.msg);
    const char *at = strstr(json, "\"weights_hash\":\"");
    assert_non_null(at);
    if (hash) snprintf(hash, 32, "%.16s", at + strlen("\"weights_hash\":\""));
    free(json);
}

void tiny_finish(struct session *s, char hash[32]) { finish("run", s, hash); }

void tiny_finish_next(struct session *s, char hash[32]) {
    char value[24];
    const struct snapshot *n = session_snapshot(s);
    snprintf(value, sizeof value, "%d", n->iteration + 1);
    snapshot_release(n);
    tiny_send(s, COMMAND_SET, "iterations", value);
    tiny_send(s, COMMAND_RESUME, "", "");
    assert_true(tiny_wait_state(s, RUN_DONE));
    tiny_finish(s, hash);
}

void tiny_play(const char *name, const struct options *o, bool resume, char hash[32]) {
    finish(name, tiny_start(name, o, resume, true), hash);
}

void tiny_play_fails(const char *name, const struct options *o, const char *words) {
    struct err e = {0};
    bool ok = true;
    session_finish(tiny_start(name, o, false, true), &ok, NULL, &e);
    assert_false(ok);
    if (!strstr(e.msg, words)) fail_msg("%s: \"%s\" does not say \"%s\"", name, e.msg, words);
}

void tiny_kill(const char *name, const struct options *o, int tick) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct session *s = tiny_start(name, o, false, true);
        for (;;) {
            const struct snapshot *n = session_snapshot(s);
            if (n->tick >= tick || session_ended(s)) raise(SIGKILL); /* no closing, no flushing */
            snapshot_release(n);
            usleep(500);
        }
    }
    int status;
    char path[200];
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    snprintf(path, sizeof path, "%s/run.db", tiny_path(name));
    assert_true(file_exists(path));
}

/* ---- a run that goes on ---- */

enum { STANDS_LIMIT = 120, WAIT_LIMIT = 600 /* seconds */ };

/* Whether the run had ended is asked before its snapshot is taken: the last one is published before the end. */
static bool waited(struct session *s, bool (*holds)(const struct snapshot *), enum run_state state) {
    const double began = clock_seconds();
    double moved = began;
    int64_t tick = -1;
    for (;;) {
        const bool ended = session_ended(s);
        const struct snapshot *n = session_snapshot(s);
        const bool yes = holds ? holds(n) : n->state == state;
        const double now = clock_seconds();
        if (n->tick != tick) moved = now;
        tick = n->tick;
        snapshot_release(n);
        if (yes || ended || now - moved > STANDS_LIMIT || now - began > WAIT_LIMIT) return yes;
        usleep(5000);
    }
}

bool tiny_wait(struct session *s, bool (*holds)(const struct snapshot *)) { return waited(s, holds, RUN_FAILED); }

bool tiny_wait_state(struct session *s, enum run_state state) { return waited(s, NULL, state); }

static uint64_t try_send(struct session *s, enum command_kind what, const char *name, const char *value,
                         struct err *e) {
    struct command c = {.kind = what};
    snprintf(c.name, sizeof c.name, "%s", name);
    snprintf(c.value, sizeof c.value, "%s", value);
    return session_send(s, &c, e);
}

void tiny_send(struct session *s, enum command_kind what, const char *name, const char *value) {
    struct err e = {0};
    if (!try_send(s, what, name, value, &e)) fail_msg("%s", e.msg);
}

void tiny_pause(struct session *s) {
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
}

/* Taken and made: STEP is acknowledged before its micro-step, the pause comes behind it. */
static void step(struct session *s) {
    const struct snapshot *n = session_snapshot(s);
    const int64_t before = n->tick;
    snapshot_release(n);
    tiny_send(s, COMMAND_STEP, "", "1");
    for (bool made = false; !made; usleep(1000)) {
        assert_true(tiny_wait_state(s, RUN_PAUSED));
        n = session_snapshot(s);
        made = n->tick == before + 1 && n->state == RUN_PAUSED;
        snapshot_release(n);
    }
}

void tiny_step_until(struct session *s, bool (*holds)(const struct snapshot *)) {
    for (int i = 0; i < 1000; i++) {
        const struct snapshot *n = session_snapshot(s);
        const bool yes = holds(n);
        snapshot_release(n);
        if (yes) return;
        step(s);
    }
    fail_msg("1000 micro-steps did not get there");
}

void tiny_set_fails(struct session *s, const char *name, const char *value, const char *words) {
    struct err e = {0};
    assert_int_equal(try_send(s, COMMAND_SET, name, value, &e), 0);
    if (!strstr(e.msg, words)) fail_msg("%s=%s: \"%s\" does not say \"%s\"", name, value, e.msg, words);
}

struct label_event tiny_event(const struct shown_pair *p, enum decision decision) {
    return (struct label_event){.annotator = "tester",
                                .pair_id = p->id,
                                .pair_hash = p->pair_hash,
                                .decision = decision,
                                .strength = 1,
                                .sampler = "newest",
                                .propensity = 1};
}

/* ---- its database ---- */

static struct db open_database(const char *name, bool write) {
    char path[200];
    struct db db;
    struct err e = {0};
    snprintf(path, sizeof path, "%s/run.db", tiny_path(name));
    if (!db_open(&db, path, write ? DB_WRITE : DB_READ, false, &e)) fail_msg("%s", e.msg);
    return db;
}

double tiny_number(const char *name, const char *sql) {
    struct db db = open_database(name, false);
    struct err e = {0};
    bool row = false;
    sqlite3_stmt *q = db_prepare(&db, &e, sql, "");
    if (!q || !db_step(&db, q, &row, &e) || !row) fail_msg("%s: %s %s", name, sql, e.msg);
    const double x = sqlite3_column_type(q, 0) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, 0);
    sqlite3_finalize(q);
    db_close(&db);
    return x;
}

int64_t tiny_count(const char *name, const char *sql) {
    struct db db = open_database(name, false);
    struct err e = {0};
    int64_t x = -1;
    if (!db_get_int(&db, &e, &x, -1, sql, "")) fail_msg("%s: %s %s", name, sql, e.msg);
    db_close(&db);
    return x;
}

char *tiny_rows(const char *name, const char *sql) {
    struct db db = open_database(name, false);
    struct err e = {0};
    struct strbuf b = {0};
    bool row = false;
    sqlite3_stmt *q = db_prepare(&db, &e, sql, "");
    if (!q) fail_msg("%s: %s %s", name, sql, e.msg);
    while (db_step(&db, q, &row, &e) && row) {
        for (int i = 0; i < sqlite3_column_count(q); i++)
            strbuf_printf(&b, "%s ", sqlite3_column_text(q, i) ? (const char *)sqlite3_column_text(q, i) : "-");
        strbuf_putc(&b, '\n');
    }
    sqlite3_finalize(q);
    db_close(&db);
    return strbuf_take(&b);
}

void tiny_write_known(const char *name) {
    const struct options scout =
        tiny_options("algorithm=dpo iterations=1 game.data=offline offline.temperatures=0.01 prompts.per_iteration=80");
    tiny_play("scout", &scout, false, NULL);
    char *prompts = tiny_rows(
        "scout", "SELECT json_object('prompt', p.text, 'answer', a.text1) FROM pair a JOIN prompt p ON p.id=a.prompt"
                 " WHERE a.text1 GLOB '*[0-9A-Za-z]*' AND NOT a.text1 GLOB '*[^' || char(10) || '-~]*'");
    tiny_write(name, prompts);
    free(prompts);
}

void tiny_exec(const char *name, const char *sql) {
    struct db db = open_database(name, true);
    struct err e = {0};
    if (!db_exec(&db, sql, &e)) fail_msg("%s", e.msg);
    db_close(&db);
}

void tiny_first_and_last(const char *run, const char *metric, double *first, double *last) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT avg(value) FROM (SELECT value FROM metric WHERE name='%s' ORDER BY tick LIMIT 10)", metric);
    *first = tiny_number(run, sql);
    snprintf(sql, sizeof sql,
             "SELECT avg(value) FROM (SELECT value FROM metric WHERE name='%s' ORDER BY tick DESC LIMIT 10)", metric);
    *last = tiny_number(run, sql);
}
