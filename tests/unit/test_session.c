/* The engine behind its door, on tiny random models: same seed same bytes, a run cut off and resumed ends at the same
 * bytes, commands and labels take effect and are journalled, and a start that cannot succeed leaves nothing behind.
 * Answers that a person writes: test_written_answer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "tests/support/tiny_runs.h"

static void same_seed_same_bytes(void **state) {
    (void)state;
    char a[32], b[32], c[32];
    struct options o = tiny_options("");
    tiny_play("same1", &o, false, a);
    tiny_play("same2", &o, false, b);
    o.seed = 2;
    tiny_play("same3", &o, false, c);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
}

/* A run that is killed at some tick and resumed must end where the uninterrupted one did. */
static void killed_and_resumed(const char *name, int at_tick, const char *expected) {
    const struct options o = tiny_options("");
    char hash[32];
    tiny_kill(name, &o, at_tick);
    tiny_play(name, &o, true, hash);
    assert_string_equal(hash, expected);
}

static void resumed_run_ends_at_the_same_bytes(void **state) {
    (void)state;
    char expected[32];
    struct options o = tiny_options("");
    tiny_play("whole", &o, false, expected);
    killed_and_resumed("killed-early", 3, expected);
    killed_and_resumed("killed-late", 28, expected);
}

/* A finished run, given two more iterations and another beta: both hold, and the journal brings the same bytes back
 * without a checkpoint. */
static void overrides_of_a_resumed_run_hold(void **state) {
    (void)state;
    char hash[32], again[32];
    struct options o = tiny_options("iterations=1");
    struct err e = {0};
    tiny_play("longer", &o, false, hash);
    const char *more[] = {"iterations=2", "beta=7", "threads=2"};
    struct session_config c = {.options = o,
                               .run_dir = tiny_path("longer"),
                               .resume = true,
                               .headless = true,
                               .overrides = more,
                               .n_overrides = 3};
    struct session *s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    assert_true(tiny_wait_state(s, RUN_DONE));
    const struct snapshot *n = session_snapshot(s);
    assert_int_equal(n->iteration, 2);
    assert_true(n->options.beta == 7.0);
    snapshot_release(n);
    tiny_finish(s, hash);
    tiny_exec("longer", "DELETE FROM checkpoint");
    tiny_play("longer", &o, true, again);
    assert_string_equal(hash, again);
    c.run_dir = tiny_path("longer");
    more[0] = "seed=9";
    assert_null(session_start(&c, &e));
    assert_non_null(strstr(e.msg, "seed is fixed when a run starts"));
}

static bool has_pairs(const struct snapshot *n) { return n->n_shown > 0; }
static bool has_human(const struct snapshot *n) { return n->labels_human == 1; }
static bool beta_is_7(const struct snapshot *n) { return n->options.beta == 7.0; }
static bool many_iterations(const struct snapshot *n) { return n->iteration >= 4 && !isnan(n->eta_seconds); }
static bool shows_pairs(const struct snapshot *n) { return n->state == RUN_RUNNING && n->n_shown > 0; }

/* What a person saw is there again after a resume: pairs, log, marks; and the eta of a long run is long, checkpoints or
 * not. */
static void resumed_run_shows_its_past(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start("past", &o, false, false);
    assert_true(tiny_wait(s, has_pairs));
    tiny_send(s, COMMAND_SET, "beta", "7");
    assert_true(tiny_wait(s, many_iterations));
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->eta_seconds > 10 * n->elapsed_seconds);
    snapshot_release(n);
    session_interrupt(s);
    tiny_finish(s, NULL);
    s = tiny_start("past", &o, true, false);
    assert_true(tiny_wait(s, shows_pairs));
    n = session_snapshot(s);
    assert_true(n->n_heldout > 0 && n->n_heldout < n->n_pairs);
    assert_true(n->n_marks >= 1);
    assert_non_null(strstr(n->mark[0].what, "beta"));
    assert_true(n->n_log > 3);
    assert_non_null(strstr(n->log[0].text, "held-out accuracy at the start"));
    snapshot_release(n);
    session_interrupt(s);
    tiny_finish(s, NULL);
}

static void assert_reward_shown(struct session *s) {
    const struct snapshot *n = session_snapshot(s);
    assert_non_null(n->reward);
    const struct diagnostics *d = &n->reward->figures;
    assert_int_equal(d->iteration, 1);
    assert_in_range(d->tick, 1, n->tick);
    assert_true(d->n[DIAG_TRAIN] > 0 && d->nll[DIAG_TRAIN] == n->metric[METRIC_NLL]);
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

/* The measurement of the reward is shown and said in the result, and a finished run, which fits no more, shows and says
 * it again. */
static void resumed_run_shows_its_reward(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1");
    char *result[2] = {NULL};
    for (int i = 0; i < 2; i++) {
        bool ok;
        struct err e = {0};
        struct session *s = tiny_start("measured", &o, i > 0, true);
        assert_true(tiny_wait_state(s, RUN_DONE));
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
    struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start("live", &o, false, false);
    assert_true(tiny_wait(s, has_pairs));
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    struct err e = {0};
    tiny_set_fails(s, "beta", "-1", "between");
    tiny_send(s, COMMAND_SET, "beta", "7");
    assert_true(tiny_wait(s, beta_is_7));
    const struct snapshot *n = session_snapshot(s);
    struct label_event ev = tiny_event(&n->pair[0], DECISION_A);
    ev.left = 1;
    snapshot_release(n);
    assert_true(session_label(s, &ev, &e));
    assert_true(ev.seq > 0);
    assert_true(tiny_wait(s, has_human));
    char message[200];
    assert_true(session_undo(s, "tester", message, &e));
    assert_non_null(strstr(message, "retracted"));
    tiny_send(s, COMMAND_SET, "iterations", "1");
    tiny_send(s, COMMAND_RESUME, "", "");
    assert_true(tiny_wait_state(s, RUN_DONE));
    char a[32], b[32];
    tiny_finish(s, a);
    /* the same acts at the same ticks come back from the journal */
    tiny_exec("live", "DELETE FROM checkpoint");
    tiny_play("live", &o, true, b);
    assert_string_equal(a, b);
}

/* A run that was started with paths relative to one folder goes on in another. */
static void run_resumes_from_another_folder(void **state) {
    (void)state;
    char home[4096];
    assert_non_null(getcwd(home, sizeof home));
    struct options o = tiny_options("");
    strcpy(o.teacher_model, "teacher.gguf");
    strcpy(o.prompts_train, "./prompts.jsonl");
    assert_int_equal(chdir(tiny_path(".")), 0);
    tiny_play("moved", &o, false, NULL);
    assert_int_equal(chdir("/"), 0);
    tiny_play("moved", &o, true, NULL);
    assert_int_equal(chdir(home), 0);
}

/* What would be refused at the start is refused in a run, too: values that do not fit the others in force. */
static void settings_that_do_not_fit_are_refused(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1000 game.descent=sampled");
    struct session *s = tiny_start("unfit", &o, false, false);
    tiny_set_fails(s, "temperature", "0.7", "temperature: must be 1");
    tiny_set_fails(s, "samples_per_prompt", "1", "samples_per_prompt: must be at least 2");
    tiny_set_fails(s, "labeller", "import", "label.import is empty");
    session_interrupt(s);
    tiny_finish(s, NULL);
}

static void failed_start_leaves_nothing(void **state) {
    (void)state;
    struct options o = tiny_options("");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", tiny_path("absent.gguf"));
    tiny_start_fails("never", &o, false, "absent.gguf");
    assert_false(file_exists(tiny_path("never")));
}

static void damaged_model_leaves_nothing(void **state) {
    (void)state;
    struct options o = tiny_options("");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", tiny_path("prompts.jsonl")); /* no GGUF */
    tiny_play_fails("damaged", &o, "prompts.jsonl");
    assert_false(file_exists(tiny_path("damaged")));
}

static void run_in_use_is_refused(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start("busy", &o, false, true);
    tiny_start_fails("busy", &o, true, "in use by process");
    session_interrupt(s);
    tiny_finish(s, NULL);
    tiny_start_fails("busy", &o, false, "--resume");
}

static void a_run_of_an_older_version_is_refused(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1");
    tiny_play("older", &o, false, NULL);
    tiny_exec("older", "ALTER TABLE pair DROP COLUMN edit");
    tiny_start_fails("older", &o, true, "older/run.db");
    tiny_start_fails("older", &o, true, "made by an older version");
    assert_true(file_exists(tiny_path("older")));
}

static bool controls(const struct snapshot *n) { return n->metric[METRIC_BETA] != n->options.beta; }
static bool in_force_7(const struct snapshot *n) { return n->options.beta == 7.0 && n->metric[METRIC_BETA] == 7.0; }

/* Automatic beta moves from where a person puts it, and the journal brings that back. */
static void a_person_moves_automatic_beta(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1000 beta.mode=auto");
    char a[32], b[32];
    struct session *s = tiny_start("auto", &o, false, false);
    assert_true(tiny_wait(s, controls));
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    tiny_send(s, COMMAND_SET, "beta", "7");
    assert_true(tiny_wait(s, in_force_7));
    tiny_finish_next(s, a);
    tiny_exec("auto", "DELETE FROM checkpoint");
    tiny_play("auto", &o, true, b);
    assert_string_equal(a, b);
    tiny_exec("auto", "DELETE FROM checkpoint; DELETE FROM journal WHERE payload LIKE 'beta=%'");
    tiny_play("auto", &o, true, b);
    assert_string_not_equal(a, b);
    s = tiny_start("auto", &o, true, false);
    tiny_set_fails(s, "beta.mode", "sometimes", "");
    session_interrupt(s);
    tiny_finish(s, NULL);
}

static bool plays_second_game(const struct snapshot *n) {
    return n->iteration >= 2 && (n->phase == PHASE_ASCENT || n->phase == PHASE_DESCENT);
}

/* A label that comes while the linear adversary plays enters the set at its next use: straight on, from a checkpoint
 * just after it, and from the journal alone the run ends at the same bytes; without it, elsewhere. */
static void a_label_moves_the_confidence_set(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1000 game.scope=head beta.mode=auto head.rank=4 game.rounds=30");
    struct err e = {0};
    char a[32], b[32], value[24];
    struct session *s = tiny_start("head", &o, false, false);
    assert_true(tiny_wait(s, plays_second_game));
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    const struct snapshot *n = session_snapshot(s);
    int i = 0;
    while (i + 1 < n->n_shown && n->pair[i].heldout) i++;
    struct label_event ev = tiny_event(&n->pair[i], DECISION_B);
    snprintf(value, sizeof value, "%d", n->iteration + 1);
    snapshot_release(n);
    assert_true(session_label(s, &ev, &e) && tiny_wait(s, has_human));
    tiny_set_fails(s, "label.margin", "1", "game.scope");
    tiny_send(s, COMMAND_SET, "iterations", value);
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, a);
    tiny_play("head", &o, true, a);
    tiny_exec("head", "DELETE FROM checkpoint");
    tiny_play("head", &o, true, b);
    assert_string_equal(a, b);
    tiny_exec("head", "DELETE FROM checkpoint; " TINY_FORGET_LABELS);
    tiny_play("head", &o, true, b);
    assert_string_not_equal(a, b);
}

static bool has_alert(const struct snapshot *n) { return n->n_alerts > 0; }

/* A failure signature is found, explained in the log and shown until it is over, by a resumed run too; a run without
 * one shows none. */
static void a_failure_signature_is_shown(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1 beta=0 max_new_tokens=12");
    struct session *s = tiny_start("alert", &o, false, true);
    assert_true(tiny_wait_state(s, RUN_DONE));
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
        tiny_finish(s, NULL);
        if (round == 1) break;
        s = tiny_start("alert", &o, true, false);
        assert_true(tiny_wait(s, has_alert));
    }
    o.beta = 10;
    s = tiny_start("no-alert", &o, false, true);
    assert_true(tiny_wait_state(s, RUN_DONE));
    const struct snapshot *n = session_snapshot(s);
    for (int i = 0; i < n->n_alerts; i++) assert_string_not_equal(n->alert[i].name, "constraint inactive");
    snapshot_release(n);
    tiny_finish(s, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes),
        cmocka_unit_test(resumed_run_ends_at_the_same_bytes),
        cmocka_unit_test(commands_and_labels_take_effect),
        cmocka_unit_test(failed_start_leaves_nothing),
        cmocka_unit_test(damaged_model_leaves_nothing),
        cmocka_unit_test(run_in_use_is_refused),
        cmocka_unit_test(resumed_run_shows_its_past),
        cmocka_unit_test(resumed_run_shows_its_reward),
        cmocka_unit_test(run_resumes_from_another_folder),
        cmocka_unit_test(settings_that_do_not_fit_are_refused),
        cmocka_unit_test(overrides_of_a_resumed_run_hold),
        cmocka_unit_test(a_run_of_an_older_version_is_refused),
        cmocka_unit_test(a_person_moves_automatic_beta),
        cmocka_unit_test(a_label_moves_the_confidence_set),
        cmocka_unit_test(a_failure_signature_is_shown),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
