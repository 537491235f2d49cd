/* The engine behind its door, on tiny random models: same seed same bytes, a run cut off and resumed ends at the same bytes, commands and labels
 * take effect and are journalled, and a start that cannot succeed leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
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
            if (n->tick >= at_tick || session_ended(s)) _exit(0); /* no closing, no flushing: as kill -9 */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes),          cmocka_unit_test(resumed_run_ends_at_the_same_bytes),
        cmocka_unit_test(commands_and_labels_take_effect), cmocka_unit_test(failed_start_leaves_nothing),
        cmocka_unit_test(damaged_model_leaves_nothing),  cmocka_unit_test(run_in_use_is_refused),
        cmocka_unit_test(overrides_of_a_resumed_run_hold),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
