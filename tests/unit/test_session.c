/* The engine behind its door, on tiny random models: same seed same bytes, a run cut off and resumed ends at the same bytes, commands and labels
 * take effect and are journalled, and a start that cannot succeed leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/model/model_io.h"
#include "engine/run/session.h"

static char folder[64]; /* holds teacher.gguf, student.gguf, prompts.jsonl */

static void make_model(const char *name, const struct tokenizer *t, int d, uint64_t seed) {
    struct err e = {0};
    const struct model_config c = {.n_vocab = tokenizer_n_vocab(t), .d_model = d, .n_layer = 1, .n_head = 2, .n_kv_head = 1, .head_dim = d / 2,
                                   .d_ff = 2 * d, .n_ctx = 64, .rope_base = 10000, .rms_eps = 1e-5f, .tied = true};
    struct model *m = model_new(&c, false, &e);
    char path[128];
    assert_non_null(m);
    model_init(m, seed);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!model_save(m, t, path, QUANT_F32, &e)) fail_msg("%s", e.msg);
    model_free(m);
}

static int make_folder(void **state) {
    (void)state;
    struct err e = {0};
    strcpy(folder, "/tmp/pbkd-session-XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct strbuf b = {0};
    static char text[80][32];
    const char *texts[80];
    for (int i = 0; i < 80; i++) {
        snprintf(text[i], sizeof text[i], "what is %d plus %d?", i, 80 - i);
        texts[i] = text[i];
        strbuf_printf(&b, "{\"prompt\": \"%s\", \"answer\": \"80\"}\n", text[i]);
    }
    char path[128];
    snprintf(path, sizeof path, "%s/prompts.jsonl", folder);
    assert_true(atomic_write(path, b.s, b.len, &e));
    strbuf_free(&b);
    struct tokenizer *t = tokenizer_train(texts, 80, 280, &e);
    assert_non_null(t);
    make_model("teacher.gguf", t, 16, 1);
    make_model("student.gguf", t, 12, 2);
    tokenizer_free(t);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    dir_remove_tree(folder, NULL);
    return 0;
}

static struct options tiny_options(void) {
    struct options o;
    options_default(&o);
    o.iterations = 2;
    o.threads = 1;
    o.prompts_per_iteration = 20;
    o.samples_per_prompt = 2;
    o.max_new_tokens = 6;
    o.game_rounds = 2;
    o.game_policy_steps = 2;
    o.game_policy_batch = 4;
    o.reward_steps = 3;
    o.reward_batch = 6;
    o.reward_gate = 0;
    o.eval_prompts = 8;
    o.eval_gap_prompts = 4;
    o.eval_bootstrap = 100;
    o.prompts_checker = CHECKER_NUMBER;
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s/teacher.gguf", folder);
    snprintf(o.student_model, sizeof o.student_model, "%s/student.gguf", folder);
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s/prompts.jsonl", folder);
    return o;
}

static void run_path(char out[128], const char *name) { snprintf(out, 128, "%s/%s", folder, name); }

static struct session *start(const char *name, const struct options *o, bool resume, bool headless) {
    char path[128];
    struct err e = {0};
    run_path(path, name);
    const struct session_config c = {.options = *o, .run_dir = path, .title = "test", .resume = resume, .headless = headless};
    struct session *s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    return s;
}

/* Wait until the condition holds on a snapshot (bounded by a count of 20 ms waits, not by a figure that is asserted). */
static bool wait_until(struct session *s, bool (*holds)(const struct snapshot *)) {
    for (int i = 0; i < 3000; i++) {
        const struct snapshot *n = session_snapshot(s);
        const bool yes = holds(n);
        snapshot_release(n);
        if (yes) return true;
        if (session_ended(s) && i > 2) return false;
        usleep(20000);
    }
    return false;
}

static void finish(struct session *s, char hash[32]) {
    bool ok;
    char *json = NULL;
    struct err e = {0};
    session_finish(s, &ok, &json, &e);
    if (!ok) fail_msg("%s", e.msg);
    const char *at = strstr(json, "\"weights_hash\":\"");
    assert_non_null(at);
    snprintf(hash, 32, "%.16s", at + strlen("\"weights_hash\":\""));
    free(json);
}

static void same_seed_same_bytes(void **state) {
    (void)state;
    char a[32], b[32], c[32];
    struct options o = tiny_options();
    finish(start("same1", &o, false, true), a);
    finish(start("same2", &o, false, true), b);
    o.seed = 2;
    finish(start("same3", &o, false, true), c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

/* A child runs and is killed at some tick; the resumed run must end where the uninterrupted one did. */
static void killed_and_resumed(const char *name, int at_tick, const char *expected) {
    struct options o = tiny_options();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct session *s = start(name, &o, false, true);
        for (;;) {
            const struct snapshot *n = session_snapshot(s);
            if (n->tick >= at_tick || session_ended(s)) raise(SIGKILL); /* no closing, no flushing */
            snapshot_release(n);
            usleep(500);
        }
    }
    int status;
    waitpid(child, &status, 0);
    char hash[32], path[160];
    run_path(path, name);
    strcat(path, "/run.db");
    assert_true(file_exists(path));
    finish(start(name, &o, true, true), hash);
    assert_string_equal(hash, expected);
}

static void resumed_run_ends_at_the_same_bytes(void **state) {
    (void)state;
    char expected[32];
    struct options o = tiny_options();
    finish(start("whole", &o, false, true), expected);
    killed_and_resumed("killed-early", 3, expected);
    killed_and_resumed("killed-late", 28, expected);
}

static bool is_over(const struct snapshot *n) { return n->state == RUN_DONE; }

/* A finished run, given two more iterations and another beta: both hold, and the journal brings the same bytes back without a checkpoint. */
static void overrides_of_a_resumed_run_hold(void **state) {
    (void)state;
    char hash[32], again[32], path[160];
    struct options o = tiny_options();
    struct err e = {0};
    struct db db;
    o.iterations = 1;
    finish(start("longer", &o, false, true), hash);
    run_path(path, "longer");
    const char *more[] = {"iterations=2", "beta=7", "threads=2"};
    struct session_config c = {.options = o, .run_dir = path, .resume = true, .headless = true, .overrides = more, .n_overrides = 3};
    struct session *s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    assert_true(wait_until(s, is_over));
    const struct snapshot *n = session_snapshot(s);
    assert_int_equal(n->iteration, 2);
    assert_true(n->options.beta == 7.0);
    snapshot_release(n);
    finish(s, hash);
    strcat(path, "/run.db");
    assert_true(db_open(&db, path, DB_WRITE, false, &e));
    assert_true(db_exec(&db, "DELETE FROM checkpoint", &e));
    db_close(&db);
    finish(start("longer", &o, true, true), again);
    assert_string_equal(hash, again);
    run_path(path, "longer");
    more[0] = "seed=9";
    assert_null(session_start(&c, &e));
    assert_non_null(strstr(e.msg, "seed is fixed when a run starts"));
}

static bool is_paused(const struct snapshot *n) { return n->state == RUN_PAUSED; }
static bool has_pairs(const struct snapshot *n) { return n->n_shown > 0; }
static bool has_human(const struct snapshot *n) { return n->labels_human == 1; }
static bool beta_is_7(const struct snapshot *n) { return n->options.beta == 7.0; }

static void send(struct session *s, enum command_kind kind, const char *name, const char *value) {
    struct err e = {0};
    struct command c = {.kind = kind};
    snprintf(c.name, sizeof c.name, "%s", name);
    snprintf(c.value, sizeof c.value, "%s", value);
    if (!session_send(s, &c, &e)) fail_msg("%s", e.msg);
}

static bool many_iterations(const struct snapshot *n) { return n->iteration >= 4 && !isnan(n->eta_seconds); }
static bool shows_pairs(const struct snapshot *n) { return n->state == RUN_RUNNING && n->n_shown > 0; }

/* What a person saw is there again after a resume: pairs, log, marks; and the eta of a long run is long, checkpoints or not. */
static void resumed_run_shows_its_past(void **state) {
    (void)state;
    char hash[32];
    struct options o = tiny_options();
    o.iterations = 1000;
    struct session *s = start("past", &o, false, false);
    assert_true(wait_until(s, has_pairs));
    send(s, COMMAND_SET, "beta", "7");
    assert_true(wait_until(s, many_iterations));
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->eta_seconds > 10 * n->elapsed_seconds);
    snapshot_release(n);
    session_interrupt(s);
    finish(s, hash);
    s = start("past", &o, true, false);
    assert_true(wait_until(s, shows_pairs));
    n = session_snapshot(s);
    assert_true(n->n_heldout > 0 && n->n_heldout < n->n_pairs);
    assert_true(n->n_marks >= 1);
    assert_non_null(strstr(n->mark[0].what, "beta"));
    assert_true(n->n_log > 3);
    assert_non_null(strstr(n->log[0].text, "held-out accuracy at the start"));
    snapshot_release(n);
    session_interrupt(s);
    finish(s, hash);
}

static void assert_reward_shown(struct session *s) {
    const struct snapshot *n = session_snapshot(s);
    assert_non_null(n->reward);
    const struct diagnostics *d = &n->reward->figures;
    assert_int_equal(d->iteration, 1);
    assert_in_range(d->tick, 1, n->tick);
    assert_true(d->n[DIAG_TRAIN] > 0 && d->nll[DIAG_TRAIN] == n->nll_best);
    assert_true(d->majority == 1.0); /* the teacher labelled */
    assert_int_equal(d->n_uncertain, DIAG_LISTED);
    for (int i = 0; i < d->n_uncertain; i++) {
        const struct shown_pair *p = &n->reward->uncertain[i];
        assert_int_equal(p->id, d->uncertain[i].id);
        assert_int_equal(strncmp(p->prompt, "what is ", 8), 0);
        assert_true(p->reward_teacher == d->uncertain[i].reward0);
    }
    snapshot_release(n);
}

/* The measurement of the reward is shown and said in the result, and a finished run, which fits no more, shows and says it again. */
static void resumed_run_shows_its_reward(void **state) {
    (void)state;
    struct options o = tiny_options();
    o.iterations = 1;
    char *result[2] = {NULL};
    for (int i = 0; i < 2; i++) {
        bool ok;
        struct err e = {0};
        struct session *s = start("measured", &o, i > 0, true);
        assert_true(wait_until(s, is_over));
        assert_reward_shown(s);
        session_finish(s, &ok, &result[i], &e);
        if (!ok) fail_msg("%s", e.msg);
        const char *reward = strstr(result[i], "\"reward\":{"), *end = strchr(reward, '}');
        result[i] = memmove(result[i], reward, (size_t)(end - reward + 1));
        result[i][end - reward + 1] = '\0';
        assert_non_null(strstr(result[i], "\"majority\":1,"));
        assert_non_null(strstr(result[i], "\"length_correlation\":"));
    }
    assert_string_equal(result[0], result[1]);
    free(result[0]);
    free(result[1]);
}

static void commands_and_labels_take_effect(void **state) {
    (void)state;
    struct options o = tiny_options();
    o.iterations = 1000;
    struct session *s = start("live", &o, false, false);
    assert_true(wait_until(s, has_pairs));
    send(s, COMMAND_PAUSE, "", "");
    assert_true(wait_until(s, is_paused));
    struct err e = {0};
    struct command bad = {.kind = COMMAND_SET, .name = "beta", .value = "-1"};
    assert_int_equal(session_send(s, &bad, &e), 0);
    assert_non_null(strstr(e.msg, "between"));
    send(s, COMMAND_SET, "beta", "7");
    assert_true(wait_until(s, beta_is_7));
    const struct snapshot *n = session_snapshot(s);
    struct label_event ev = {.annotator = "tester", .pair_id = n->pair[0].id, .pair_hash = n->pair[0].pair_hash, .left = 1,
                             .decision = DECISION_A, .strength = 1, .sampler = "newest", .propensity = 1};
    snapshot_release(n);
    assert_true(session_label(s, &ev, &e));
    assert_true(ev.seq > 0);
    assert_true(wait_until(s, has_human));
    char message[200];
    assert_true(session_undo(s, "tester", message, &e));
    assert_non_null(strstr(message, "retracted"));
    send(s, COMMAND_SET, "iterations", "1");
    send(s, COMMAND_RESUME, "", "");
    assert_true(wait_until(s, is_over));
    char a[32], b[32];
    finish(s, a);
    /* the same acts at the same ticks come back from the journal */
    char path[160];
    struct db db;
    run_path(path, "live");
    strcat(path, "/run.db");
    assert_true(db_open(&db, path, DB_WRITE, false, &e));
    assert_true(db_exec(&db, "DELETE FROM checkpoint", &e));
    db_close(&db);
    finish(start("live", &o, true, true), b);
    assert_string_equal(a, b);
}

/* A run that was started with paths relative to one folder goes on in another. */
static void run_resumes_from_another_folder(void **state) {
    (void)state;
    char home[4096], hash[32];
    assert_non_null(getcwd(home, sizeof home));
    struct options o = tiny_options();
    strcpy(o.teacher_model, "teacher.gguf");
    strcpy(o.prompts_train, "./prompts.jsonl");
    assert_int_equal(chdir(folder), 0);
    finish(start("moved", &o, false, true), hash);
    assert_int_equal(chdir("/"), 0);
    finish(start("moved", &o, true, true), hash);
    assert_int_equal(chdir(home), 0);
}

/* What would be refused at the start is refused in a run, too: values that do not fit the others in force. */
static void settings_that_do_not_fit_are_refused(void **state) {
    (void)state;
    struct options o = tiny_options();
    struct err e = {0};
    char hash[32];
    o.iterations = 1000;
    o.game_descent = DESCENT_SAMPLED;
    struct session *s = start("unfit", &o, false, false);
    const struct command bad[] = {{COMMAND_SET, "temperature", "0.7"}, {COMMAND_SET, "samples_per_prompt", "1"}, {COMMAND_SET, "labeller", "import"}};
    const char *why[] = {"temperature: must be 1", "samples_per_prompt: must be at least 2", "label.import is empty"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(session_send(s, &bad[i], &e), 0);
        assert_non_null(strstr(e.msg, why[i]));
    }
    session_interrupt(s);
    finish(s, hash);
}

static void failed_start_leaves_nothing(void **state) {
    (void)state;
    struct options o = tiny_options();
    struct err e = {0};
    char path[128];
    run_path(path, "never");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s/absent.gguf", folder);
    const struct session_config c = {.options = o, .run_dir = path, .headless = true};
    assert_null(session_start(&c, &e));
    assert_non_null(strstr(e.msg, "absent.gguf"));
    assert_false(file_exists(path));
}

static void damaged_model_leaves_nothing(void **state) {
    (void)state;
    struct options o = tiny_options();
    struct err e = {0};
    char path[128];
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s/prompts.jsonl", folder); /* no GGUF */
    struct session *s = start("damaged", &o, false, true);
    bool ok = true;
    session_finish(s, &ok, NULL, &e);
    assert_false(ok);
    assert_non_null(strstr(e.msg, "prompts.jsonl"));
    run_path(path, "damaged");
    assert_false(file_exists(path));
}

static void run_in_use_is_refused(void **state) {
    (void)state;
    struct options o = tiny_options();
    o.iterations = 1000;
    struct session *s = start("busy", &o, false, true);
    struct err e = {0};
    char path[128], hash[32];
    run_path(path, "busy");
    const struct session_config c = {.options = o, .run_dir = path, .headless = true, .resume = true};
    assert_null(session_start(&c, &e));
    assert_non_null(strstr(e.msg, "in use by process"));
    session_interrupt(s);
    finish(s, hash);
    const struct session_config again = {.options = o, .run_dir = path, .headless = true};
    assert_null(session_start(&again, &e));
    assert_non_null(strstr(e.msg, "--resume"));
}

/* ---- written answers ---- */

static bool is_waiting(const struct snapshot *n) { return n->state == RUN_WAITING; }
static bool has_two_human(const struct snapshot *n) { return n->labels_human == 2; }
static bool has_no_human(const struct snapshot *n) { return n->labels_human == 0; }

static bool has_training_pair(const struct snapshot *n) {
    for (int i = 0; i < n->n_shown; i++)
        if (!n->pair[i].heldout) return true;
    return false;
}

/* The newest pair that is held out or not: always the same one of a run that stands at the same tick. */
static struct label_event edit_of(struct session *s, bool heldout, char *text) {
    const struct snapshot *n = session_snapshot(s);
    int i = 0;
    while (i < n->n_shown && n->pair[i].heldout != heldout) i++;
    assert_true(i < n->n_shown);
    const struct label_event ev = {.annotator = "tester", .pair_id = n->pair[i].id, .pair_hash = n->pair[i].pair_hash, .left = 1,
                                   .decision = DECISION_EDIT, .strength = 1, .sampler = "newest", .propensity = 1, .text = text};
    snapshot_release(n);
    return ev;
}

/* Wait for the engine's answer to a label; *applied and the words. */
static bool answered(struct session *s, int64_t seq, char text[160]) {
    char label[40];
    snprintf(label, sizeof label, "label #%lld ", (long long)seq);
    for (int tries = 0; tries < 3000; tries++) {
        const struct snapshot *n = session_snapshot(s);
        for (int i = n->n_acks - 1; i >= 0; i--) {
            if (strncmp(n->ack[i].text, label, strlen(label)) != 0) continue;
            const bool applied = n->ack[i].applied;
            snprintf(text, 160, "%s", n->ack[i].text);
            snapshot_release(n);
            return applied;
        }
        snapshot_release(n);
        usleep(5000);
    }
    fail_msg("label %lld was never answered", (long long)seq);
    return false;
}

static int64_t write_answer(struct session *s, bool heldout, char *text) {
    struct err e = {0};
    char words[160];
    struct label_event ev = edit_of(s, heldout, text);
    if (!session_label(s, &ev, &e)) fail_msg("%s", e.msg);
    if (!answered(s, ev.seq, words)) fail_msg("%s", words);
    return ev.seq;
}

static struct session *start_and_pause(const char *name) {
    struct options o = tiny_options();
    o.iterations = 1000;
    struct session *s = start(name, &o, false, false);
    assert_true(wait_until(s, has_training_pair));
    send(s, COMMAND_PAUSE, "", "");
    assert_true(wait_until(s, is_paused));
    return s;
}

/* One more iteration after the one under way. */
static void finish_after_next(struct session *s, char hash[32]) {
    char value[24];
    const struct snapshot *n = session_snapshot(s);
    snprintf(value, sizeof value, "%d", n->iteration + 1);
    snapshot_release(n);
    send(s, COMMAND_SET, "iterations", value);
    send(s, COMMAND_RESUME, "", "");
    assert_true(wait_until(s, is_over));
    finish(s, hash);
}

static void in_database(const char *name, const char *sql) {
    char path[160];
    struct db db;
    struct err e = {0};
    run_path(path, name);
    strcat(path, "/run.db");
    if (!db_open(&db, path, DB_WRITE, false, &e) || !db_exec(&db, sql, &e)) fail_msg("%s", e.msg);
    db_close(&db);
}

static int64_t number_in_database(const char *name, const char *sql) {
    char path[160];
    struct db db;
    struct err e = {0};
    int64_t x = -1;
    run_path(path, name);
    strcat(path, "/run.db");
    if (!db_open(&db, path, DB_READ, false, &e) || !db_get_int(&db, &e, &x, -1, sql, "")) fail_msg("%s", e.msg);
    db_close(&db);
    return x;
}

/* Every pair with its tick, edit and automatic label; caller frees. */
static char *pairs_of(const char *name) {
    char path[160];
    struct db db;
    struct err e = {0};
    struct strbuf b = {0};
    run_path(path, name);
    strcat(path, "/run.db");
    if (!db_open(&db, path, DB_READ, false, &e)) fail_msg("%s", e.msg);
    sqlite3_stmt *q = db_prepare(&db, &e, "SELECT id||' '||tick||' '||edit||' '||source||' '||weight||' '||pair_hash FROM pair ORDER BY id", "");
    assert_non_null(q);
    for (bool row = true; db_step(&db, q, &row, &e) && row;) strbuf_printf(&b, "%s\n", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    db_close(&db);
    return strbuf_take(&b);
}

static void same_pairs(const char *name, const char *expected) {
    char *pairs = pairs_of(name);
    assert_string_equal(pairs, expected);
    free(pairs);
}

static void a_written_answer_trains_and_comes_back(void **state) {
    (void)state;
    char a[32], b[32], text[] = "yes";
    struct options o = tiny_options();
    struct session *s = start_and_pause("written");
    const struct label_event ev = edit_of(s, false, text);
    const int64_t seq = write_answer(s, false, text);
    assert_true(wait_until(s, has_two_human));
    const struct snapshot *n = session_snapshot(s);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(n->pair[i].teacher, "yes");
        assert_true(n->pair[i].source == SOURCE_HUMAN && n->pair[i].event == seq && n->pair[i].o == 1.0 && !n->pair[i].truncated0);
        assert_int_equal(n->pair[i].id, n->n_pairs - i);
        assert_true(n->pair[i].reward_teacher == n->pair[!i].reward_teacher); /* scored: no NAN */
    }
    for (int i = 2; i < n->n_shown; i++) {
        if (n->pair[i].id != ev.pair_id) continue;
        assert_string_equal(n->pair[1].student, n->pair[i].teacher); /* the first new pair is the one against the teacher */
        assert_string_equal(n->pair[0].student, n->pair[i].student);
        assert_true(n->pair[i].source == SOURCE_TEACHER && n->pair[i].event == 0);
    }
    snapshot_release(n);
    finish_after_next(s, a);
    char *pairs = pairs_of("written");
    in_database("written", "DELETE FROM checkpoint");
    finish(start("written", &o, true, true), b);
    assert_string_equal(a, b);
    same_pairs("written", pairs);
    assert_int_equal(number_in_database("written", "SELECT count(*) FROM pair WHERE edit>0"), 2);
    in_database("written", "DELETE FROM checkpoint; DELETE FROM journal WHERE kind='label'");
    finish(start("written", &o, true, true), b);
    assert_string_not_equal(a, b); /* the student did learn from it */
    free(pairs);
}

/* Ways to leave a run at the tick of an edit; the game waits there for labels. */
enum leave { LEAVE_EDITED, LEAVE_CHECKPOINT_EDITED, LEAVE_PAUSED_EDITED_CHECKPOINT, LEAVE_PAUSED_CHECKPOINT_EDITED, N_LEAVES };

static struct options human_options(void) {
    struct options o = tiny_options();
    strcpy(o.labeller, "human");
    o.labeller_min_labels = 1;
    return o;
}

static bool has_checkpoint(const struct snapshot *n) {
    for (int i = 0; i < n->n_acks; i++)
        if (strncmp(n->ack[i].text, "checkpoint", 10) == 0) return true;
    return false;
}

static void checkpoint(struct session *s) {
    send(s, COMMAND_CHECKPOINT, "", "");
    assert_true(wait_until(s, has_checkpoint));
}

/* In a child, whose failed assertions end it with a status. */
static void edit_and_die(const char *name, enum leave how) {
    struct options o = human_options();
    char text[] = "yes";
    struct session *s = start(name, &o, false, false);
    assert_true(wait_until(s, is_waiting));
    if (how >= LEAVE_PAUSED_EDITED_CHECKPOINT) send(s, COMMAND_PAUSE, "", "");
    if (how >= LEAVE_PAUSED_EDITED_CHECKPOINT) assert_true(wait_until(s, is_paused));
    if (how == LEAVE_CHECKPOINT_EDITED || how == LEAVE_PAUSED_CHECKPOINT_EDITED) checkpoint(s);
    write_answer(s, false, text);
    if (how == LEAVE_PAUSED_EDITED_CHECKPOINT) checkpoint(s);
    raise(SIGKILL);
}

static void a_written_answer_survives_death_at_its_tick(void **state) {
    (void)state;
    struct options o = human_options();
    char expected[32], hash[32], text[] = "yes", name[32];
    struct session *s = start("edit-whole", &o, false, false);
    assert_true(wait_until(s, is_waiting));
    const struct snapshot *n = session_snapshot(s);
    const int undecided = n->labels_waiting;
    snapshot_release(n);
    write_answer(s, false, text);
    finish(s, expected);
    assert_true(undecided > 0);
    assert_int_equal(number_in_database("edit-whole", "SELECT count(*) FROM pair WHERE iteration=1 AND source=0"), undecided);
    assert_int_equal(number_in_database("edit-whole", "SELECT count(*) FROM pair WHERE edit>0"), 2);
    char *pairs = pairs_of("edit-whole");
    for (enum leave how = 0; how < N_LEAVES; how++) {
        snprintf(name, sizeof name, "edit-left-%d", (int)how);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) edit_and_die(name, how);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(number_in_database(name, "SELECT count(*) FROM pair WHERE edit>0"), 2);
        finish(start(name, &o, true, false), hash);
        assert_string_equal(hash, expected);
        same_pairs(name, pairs);
    }
    free(pairs);
}

static void a_quit_after_an_answer_ends_at_the_same_bytes(void **state) {
    (void)state;
    struct options o = human_options();
    char expected[32], hash[32], text[] = "yes";
    struct session *s = start("edit-on", &o, false, false);
    assert_true(wait_until(s, is_waiting));
    write_answer(s, false, text);
    finish(s, expected);
    char *pairs = pairs_of("edit-on");
    s = start("edit-quit", &o, false, false);
    assert_true(wait_until(s, is_waiting));
    send(s, COMMAND_PAUSE, "", "");
    write_answer(s, false, text);
    send(s, COMMAND_QUIT, "", "save");
    finish(s, hash);
    assert_string_not_equal(hash, expected);
    finish(start("edit-quit", &o, true, false), hash);
    assert_string_equal(hash, expected);
    same_pairs("edit-quit", pairs);
    free(pairs);
}

static int n_lines_with(const char *name, const char *word) {
    char path[160], run[128];
    struct db db;
    struct err e = {0};
    int64_t n;
    size_t len;
    char *text = NULL;
    run_path(run, name);
    snprintf(path, sizeof path, "%s/run.db", run);
    if (!db_open(&db, path, DB_READ, false, &e)) fail_msg("%s", e.msg);
    snprintf(path, sizeof path, "%s/out.jsonl", run);
    if (!dpref_export(&db, "trl", path, &n, &e) || !file_read_all(path, 1 << 24, &text, &len, &e)) fail_msg("%s", e.msg);
    db_close(&db);
    int found = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) found++;
    mem_free(text);
    return found;
}

static void undo_of_an_answer_holds_after_a_resume(void **state) {
    (void)state;
    char a[32], b[32], text[] = "yes", message[200];
    struct options o = tiny_options();
    struct err e = {0};
    struct session *s = start_and_pause("undone");
    write_answer(s, false, text);
    send(s, COMMAND_QUIT, "", "save");
    finish(s, a);
    assert_int_equal(n_lines_with("undone", "\"chosen\":\"yes\""), 2);
    s = start("undone", &o, true, false);
    assert_true(wait_until(s, has_two_human));
    if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_non_null(strstr(message, "retracted"));
    assert_true(wait_until(s, has_no_human));
    finish_after_next(s, a);
    assert_int_equal(n_lines_with("undone", "\"chosen\":\"yes\""), 0);
    char *pairs = pairs_of("undone");
    for (int i = 0; i < 2; i++) { /* from the last checkpoint, then from the start */
        if (i == 1) in_database("undone", "DELETE FROM checkpoint");
        s = start("undone", &o, true, true);
        assert_true(wait_until(s, is_over));
        const struct snapshot *n = session_snapshot(s);
        assert_int_equal(n->labels_human, 0);
        snapshot_release(n);
        finish(s, b);
        assert_string_equal(a, b);
        same_pairs("undone", pairs);
    }
    free(pairs);
}

static void refused(struct session *s, char *text, const char *why) {
    struct err e = {0};
    char words[160];
    struct label_event ev = edit_of(s, false, text);
    if (!session_label(s, &ev, &e)) fail_msg("%s", e.msg);
    if (answered(s, ev.seq, words) || !strstr(words, "is saved but cannot be used") || !strstr(words, why)) fail_msg("\"%s\"", words);
}

static void answers_that_nobody_can_read_are_refused(void **state) {
    (void)state;
    char empty[] = "", blank[] = " \n\t\xC2\xA0", bytes[] = "yes\xFF", message[200], hash[32], text[] = "yes";
    struct err e = {0};
    struct session *s = start_and_pause("hostile");
    const struct snapshot *n = session_snapshot(s);
    const int n_pairs = n->n_pairs;
    snapshot_release(n);
    refused(s, NULL, "empty");
    refused(s, empty, "empty");
    refused(s, blank, "empty");
    refused(s, bytes, "not valid UTF-8 (byte 4)");
    n = session_snapshot(s);
    assert_int_equal(n->n_pairs, n_pairs);
    assert_int_equal(n->labels_human, 0);
    snapshot_release(n);
    assert_int_equal(number_in_database("hostile", "SELECT count(*) FROM label_event"), 4); /* saved all the same */
    assert_int_equal(number_in_database("hostile", "SELECT count(*) FROM journal WHERE kind='label'"), 0);
    if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_non_null(strstr(message, "training had not used it"));
    const int64_t seq = write_answer(s, false, text); /* the game goes on as if nothing had been */
    if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_true(wait_until(s, has_no_human));
    n = session_snapshot(s);
    for (int i = 0; i < 2; i++) assert_true(n->pair[i].event == seq + 1); /* the undo: such a pair is never asked about */
    snapshot_release(n);
    finish_after_next(s, hash);
}

static void answers_that_are_long_or_held_out(void **state) {
    (void)state;
    char hash[32], text[] = "yes", words[160];
    struct options o = human_options();
    struct err e = {0};
    struct session *s = start("kinds", &o, false, false); /* waits for labels: all pairs of the first iteration are shown */
    assert_true(wait_until(s, is_waiting));
    send(s, COMMAND_PAUSE, "", "");
    struct label_event ev = edit_of(s, true, text);
    char *long_text = mem_small(100001); /* cut inside a character: that is the tokenizer's business */
    for (int i = 0; i < 100000; i += 2) memcpy(long_text + i, "\xC3\xA9", 2);
    write_answer(s, false, long_text);
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->pair[0].truncated0 && n->pair[1].truncated0);
    assert_int_equal(strlen(n->pair[0].teacher), 100000);
    assert_non_null(strstr(n->log[n->n_log - 1].text, "cut at max_new_tokens (6)"));
    snapshot_release(n);
    assert_true(session_label(s, &ev, &e));
    assert_true(answered(s, ev.seq, words));
    n = session_snapshot(s);
    assert_true(n->pair[0].heldout && n->pair[1].heldout && !n->pair[2].heldout);
    snapshot_release(n);
    send(s, COMMAND_RESUME, "", "");
    finish(s, hash);
    assert_int_equal(number_in_database("kinds", "SELECT count(*) FROM pair WHERE edit>0 AND heldout"), 2);
    free(long_text);
}

/* An answer that somebody gave already goes against the other one only. */
static void an_answer_makes_no_pair_against_itself(void **state) {
    (void)state;
    char yes[] = "yes", no[] = "no", words[160], hash[32];
    struct err e = {0};
    struct session *s = start_and_pause("itself");
    write_answer(s, false, yes);
    write_answer(s, false, no); /* for the newest pair, "yes" against the student's: makes "no" against "yes" */
    const struct snapshot *n = session_snapshot(s);
    const struct shown_pair *p = &n->pair[1];
    assert_string_equal(p->teacher, "no");
    assert_string_equal(p->student, "yes");
    for (int k = 0; k < 2; k++) {
        struct label_event ev = {.annotator = "tester", .pair_id = p->id, .pair_hash = p->pair_hash, .decision = DECISION_EDIT, .strength = 1,
                                 .sampler = "newest", .text = k ? yes : no};
        assert_true(session_label(s, &ev, &e));
        if (!answered(s, ev.seq, words)) fail_msg("%s", words);
        const struct snapshot *after = session_snapshot(s);
        assert_int_equal(after->n_pairs, n->n_pairs + k + 1);
        assert_string_equal(after->pair[0].teacher, k ? "yes" : "no");
        assert_string_equal(after->pair[0].student, k ? "no" : "yes");
        snapshot_release(after);
    }
    snapshot_release(n);
    finish_after_next(s, hash);
}

/* The second pair of an edit, then its line in the journal, do not fit on the disk. */
static void an_answer_is_stored_whole_or_not_at_all(void **state) {
    (void)state;
    char hash[32], text[] = "yes", words[160];
    struct options o = tiny_options();
    struct err e = {0};
    bool ok = true;
    struct session *s = start_and_pause("atomic");
    in_database("atomic", "CREATE TRIGGER no_pair BEFORE INSERT ON pair WHEN NEW.edit>0 AND EXISTS(SELECT 1 FROM pair WHERE edit=NEW.edit)"
                          " BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    refused(s, text, "disk full");
    assert_int_equal(number_in_database("atomic", "SELECT count(*) FROM pair WHERE edit>0"), 0);
    const struct snapshot *n = session_snapshot(s);
    assert_int_equal(n->labels_human, 0);
    assert_int_equal(n->n_pairs, number_in_database("atomic", "SELECT count(*) FROM pair"));
    snapshot_release(n);
    in_database("atomic", "DROP TRIGGER no_pair; CREATE TRIGGER no_line BEFORE INSERT ON journal WHEN NEW.kind='label'"
                          " BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    struct label_event ev = edit_of(s, false, text);
    assert_true(session_label(s, &ev, &e));
    session_finish(s, &ok, NULL, &e); /* what a person did cannot be kept: the run stops */
    assert_false(ok);
    assert_non_null(strstr(e.msg, "disk full"));
    assert_int_equal(number_in_database("atomic", "SELECT count(*) FROM pair WHERE edit>0"), 0);
    in_database("atomic", "DROP TRIGGER no_line");
    s = start("atomic", &o, true, false);
    assert_true(wait_until(s, has_training_pair));
    ev = edit_of(s, false, text);
    assert_true(session_label(s, &ev, &e));
    assert_true(answered(s, ev.seq, words));
    finish_after_next(s, hash);
    assert_int_equal(number_in_database("atomic", "SELECT count(*) FROM pair WHERE edit>0"), 2);
}

static void a_run_of_an_older_version_is_refused(void **state) {
    (void)state;
    char hash[32], path[128];
    struct options o = tiny_options();
    struct err e = {0};
    o.iterations = 1;
    finish(start("older", &o, false, true), hash);
    in_database("older", "ALTER TABLE pair DROP COLUMN edit");
    run_path(path, "older");
    const struct session_config c = {.options = o, .run_dir = path, .headless = true, .resume = true};
    assert_null(session_start(&c, &e));
    if (!strstr(e.msg, "older/run.db") || !strstr(e.msg, "made by an older version")) fail_msg("%s", e.msg);
    assert_true(file_exists(path));
}

static bool controls(const struct snapshot *n) { return n->beta != n->options.beta; }
static bool in_force_7(const struct snapshot *n) { return n->options.beta == 7.0 && n->beta == 7.0; }

/* Automatic beta moves from where a person puts it, and the journal brings that back. */
static void a_person_moves_automatic_beta(void **state) {
    (void)state;
    struct options o = tiny_options();
    struct err e = {0};
    char a[32], b[32];
    o.iterations = 1000;
    o.beta_mode = BETA_AUTO;
    struct session *s = start("auto", &o, false, false);
    assert_true(wait_until(s, controls));
    send(s, COMMAND_PAUSE, "", "");
    assert_true(wait_until(s, is_paused));
    send(s, COMMAND_SET, "beta", "7");
    assert_true(wait_until(s, in_force_7));
    finish_after_next(s, a);
    in_database("auto", "DELETE FROM checkpoint");
    finish(start("auto", &o, true, true), b);
    assert_string_equal(a, b);
    in_database("auto", "DELETE FROM checkpoint; DELETE FROM journal WHERE payload LIKE 'beta=%'");
    finish(start("auto", &o, true, true), b);
    assert_string_not_equal(a, b);
    struct command bad = {.kind = COMMAND_SET, .name = "beta.mode", .value = "sometimes"};
    s = start("auto", &o, true, false);
    assert_int_equal(session_send(s, &bad, &e), 0);
    session_interrupt(s);
    finish(s, b);
}

static bool plays_second_game(const struct snapshot *n) {
    return n->iteration >= 2 && (n->phase == PHASE_ASCENT || n->phase == PHASE_DESCENT);
}

/* A label that comes while the linear adversary plays enters the set at its next use: straight on, from a checkpoint just after it, and from the
 * journal alone the run ends at the same bytes; without it, elsewhere. */
static void a_label_moves_the_confidence_set(void **state) {
    (void)state;
    struct options o = tiny_options();
    struct err e = {0};
    char a[32], b[32], value[24];
    o.iterations = 1000;
    o.game_scope = SCOPE_HEAD;
    o.beta_mode = BETA_AUTO;
    o.head_rank = 4;
    o.game_rounds = 30;
    struct session *s = start("head", &o, false, false);
    assert_true(wait_until(s, plays_second_game));
    send(s, COMMAND_PAUSE, "", "");
    assert_true(wait_until(s, is_paused));
    const struct snapshot *n = session_snapshot(s);
    int i = 0;
    while (i + 1 < n->n_shown && n->pair[i].heldout) i++;
    struct label_event ev = {.annotator = "tester", .pair_id = n->pair[i].id, .pair_hash = n->pair[i].pair_hash, .left = 0,
                             .decision = DECISION_B, .strength = 1, .sampler = "newest", .propensity = 1};
    snprintf(value, sizeof value, "%d", n->iteration + 1);
    snapshot_release(n);
    assert_true(session_label(s, &ev, &e) && wait_until(s, has_human));
    struct command margin = {.kind = COMMAND_SET, .name = "label.margin", .value = "1"};
    assert_int_equal(session_send(s, &margin, &e), 0);
    assert_non_null(strstr(e.msg, "game.scope"));
    send(s, COMMAND_SET, "iterations", value);
    send(s, COMMAND_QUIT, "", "save");
    finish(s, a);
    finish(start("head", &o, true, true), a);
    in_database("head", "DELETE FROM checkpoint");
    finish(start("head", &o, true, true), b);
    assert_string_equal(a, b);
    in_database("head", "DELETE FROM checkpoint; DELETE FROM journal WHERE kind='label'");
    finish(start("head", &o, true, true), b);
    assert_string_not_equal(a, b);
}

static bool has_alert(const struct snapshot *n) { return n->n_alerts > 0; }

/* A failure signature is found, explained in the log and shown until it is over, by a resumed run too; a run without one shows none. */
static void a_failure_signature_is_shown(void **state) {
    (void)state;
    struct options o = tiny_options();
    char hash[32];
    o.iterations = 1;
    o.beta = 0;
    o.max_new_tokens = 12;
    struct session *s = start("alert", &o, false, true);
    assert_true(wait_until(s, is_over));
    for (int round = 0; round < 2; round++) {
        const struct snapshot *n = session_snapshot(s);
        const struct shown_alert *found = NULL;
        for (int i = 0; i < n->n_alerts; i++)
            if (strcmp(n->alert[i].name, "constraint inactive") == 0) found = &n->alert[i];
        assert_non_null(found);
        assert_string_equal(found->text, "beta is 0");
        assert_non_null(strstr(found->advice, "Raise beta"));
        assert_true(found->level == ALERT_WARNING && found->since_tick > 0 && found->since_tick <= n->tick);
        assert_non_null(n->alert_now);
        assert_true(n->alert_now == n->alert_line);
        char line[220];
        snprintf(line, sizeof line, "%s: %s", n->alert[0].name, n->alert[0].text);
        assert_string_equal(n->alert_now, line);
        int told = 0;
        for (int i = 0; i < n->n_log; i++) told += strstr(n->log[i].text, "constraint inactive: ") != NULL;
        assert_int_equal(told, 2); /* what and what to do */
        snapshot_release(n);
        finish(s, hash);
        if (round == 1) break;
        s = start("alert", &o, true, false);
        assert_true(wait_until(s, has_alert));
    }
    o.beta = 10;
    s = start("no-alert", &o, false, true);
    assert_true(wait_until(s, is_over));
    const struct snapshot *n = session_snapshot(s);
    for (int i = 0; i < n->n_alerts; i++) assert_string_not_equal(n->alert[i].name, "constraint inactive");
    snapshot_release(n);
    finish(s, hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes),          cmocka_unit_test(resumed_run_ends_at_the_same_bytes),
        cmocka_unit_test(commands_and_labels_take_effect), cmocka_unit_test(failed_start_leaves_nothing),
        cmocka_unit_test(damaged_model_leaves_nothing),  cmocka_unit_test(run_in_use_is_refused),
        cmocka_unit_test(resumed_run_shows_its_past), cmocka_unit_test(resumed_run_shows_its_reward),
        cmocka_unit_test(run_resumes_from_another_folder),
        cmocka_unit_test(settings_that_do_not_fit_are_refused),
        cmocka_unit_test(overrides_of_a_resumed_run_hold), cmocka_unit_test(a_written_answer_trains_and_comes_back),
        cmocka_unit_test(a_written_answer_survives_death_at_its_tick), cmocka_unit_test(a_quit_after_an_answer_ends_at_the_same_bytes),
        cmocka_unit_test(undo_of_an_answer_holds_after_a_resume), cmocka_unit_test(answers_that_nobody_can_read_are_refused),
        cmocka_unit_test(answers_that_are_long_or_held_out), cmocka_unit_test(an_answer_makes_no_pair_against_itself),
        cmocka_unit_test(an_answer_is_stored_whole_or_not_at_all),
        cmocka_unit_test(a_run_of_an_older_version_is_refused), cmocka_unit_test(a_person_moves_automatic_beta),
        cmocka_unit_test(a_label_moves_the_confidence_set),
        cmocka_unit_test(a_failure_signature_is_shown),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
