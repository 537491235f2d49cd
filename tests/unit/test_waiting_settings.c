/* Settings that wait: for their iteration, or until the acts of an earlier session have come back. However many they
 * are, none takes effect before its time, and none is lost by a quit or a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/tiny_runs.h"

#define N_SET "SELECT count(*) FROM journal WHERE kind='set'"

static bool plays(const struct snapshot *n) {
    return n->iteration == 1 && (n->phase == PHASE_ASCENT || n->phase == PHASE_DESCENT);
}
static bool second(const struct snapshot *n) { return n->iteration == 2 && n->phase == PHASE_SAMPLE; }
static bool has_pending(const struct snapshot *n) { return n->pending_option >= 0; }

static struct session *start_and_play(const char *name) {
    const struct options o = tiny_options("iterations=1000 game.rounds=4");
    struct session *s = tiny_start(name, &o, false, false);
    tiny_pause(s);
    tiny_step_until(s, plays);
    return s;
}

static struct session *resume(const char *name) {
    const struct options o = tiny_options("");
    struct session *s = tiny_start(name, &o, true, false);
    tiny_pause(s);
    return s;
}

static void samples_are(struct session *s, int k, bool pending) {
    const struct snapshot *n = session_snapshot(s);
    assert_int_equal(n->options.samples_per_prompt, k);
    assert_int_equal(n->pending_option, pending ? option_index(option_find("samples_per_prompt")) : -1);
    snapshot_release(n);
}

static void replays(const char *name, const char *hash) {
    char again[32];
    const struct options o = tiny_options("");
    tiny_exec(name, "DELETE FROM checkpoint");
    tiny_play(name, &o, true, again);
    assert_string_equal(again, hash);
}

/* The first of two that do not fit each other holds, the second is refused when its turn comes, and a replay refuses it
 * again. */
static void settings_that_wait_are_checked_again(void **state) {
    (void)state;
    char hash[32];
    struct session *s = start_and_play("waiting");
    tiny_send(s, COMMAND_SET, "temperature", "0.7");
    tiny_send(s, COMMAND_SET, "game.descent", "sampled");
    tiny_send(s, COMMAND_SET, "game.rounds", "2");
    tiny_step_until(s, second);
    samples_are(s, 2, false);
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->options.temperature == 0.7 && n->options.game_descent == DESCENT_EXACT);
    bool told = false;
    for (int i = 0; i < n->n_acks; i++)
        told = told || (!n->ack[i].applied && strstr(n->ack[i].text, "game.descent=sampled") &&
                        strstr(n->ack[i].text, "temperature"));
    assert_true(told);
    snapshot_release(n);
    tiny_finish_next(s, hash);
    assert_int_equal(tiny_count("waiting", N_SET " AND payload LIKE 'game.descent%'"), 0);
    replays("waiting", hash);
    assert_int_equal(tiny_count("waiting", N_SET " AND payload LIKE 'game.descent%'"), 0);
}

static void any_number_waits_and_survives_a_quit(void **state) {
    (void)state;
    char value[16], hash[32];
    struct session *s = start_and_play("many");
    for (int i = 40; i > 0; i--) {
        snprintf(value, sizeof value, "%d", 2 + i);
        tiny_send(s, COMMAND_SET, "samples_per_prompt", value);
    }
    assert_true(tiny_wait(s, has_pending));
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, NULL);
    assert_int_equal(tiny_count("many", N_SET), 0);
    s = resume("many");
    samples_are(s, 2, true);
    tiny_step_until(s, second);
    samples_are(s, 3, false);
    assert_int_equal(tiny_count("many", N_SET), 40);
    tiny_finish_next(s, hash);
    replays("many", hash);
}

/* What the acts of this test come to without a crash. */
static void whole_run(char hash[32]) {
    struct session *s = start_and_play("whole");
    tiny_send(s, COMMAND_SET, "samples_per_prompt", "3");
    tiny_step_until(s, second);
    tiny_finish_next(s, hash);
}

static void a_setting_that_waits_survives_a_kill(void **state) {
    (void)state;
    char expected[32], hash[32];
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct session *s = start_and_play("killed");
        tiny_send(s, COMMAND_SET, "samples_per_prompt", "3");
        if (tiny_wait(s, has_pending)) raise(SIGKILL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct session *s = resume("killed");
    tiny_step_until(s, second);
    samples_are(s, 3, false);
    tiny_finish_next(s, hash);
    whole_run(expected);
    assert_string_equal(hash, expected);
    replays("killed", hash);
}

/* Settings given to a resumed run, on the command line or while it plays, come after the earlier session's own. */
static void settings_wait_for_an_earlier_session(void **state) {
    (void)state;
    char hash[32];
    const char *override[] = {"zeta=0.5"};
    struct err e = {0};
    struct session *s = start_and_play("earlier");
    tiny_send(s, COMMAND_SET, "beta", "7");
    tiny_finish_next(s, NULL);
    const int64_t tick = tiny_count("earlier", "SELECT tick FROM journal WHERE payload='beta=7'");
    assert_true(tick > 1);
    tiny_exec("earlier", "DELETE FROM checkpoint");
    const struct session_config c = {.options = tiny_options(""),
                                     .run_dir = tiny_path("earlier"),
                                     .resume = true,
                                     .overrides = override,
                                     .n_overrides = 1};
    s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    tiny_pause(s);
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->tick == 0 && n->options.zeta != 0.5);
    snapshot_release(n);
    tiny_send(s, COMMAND_SET, "beta", "3");
    tiny_finish_next(s, hash);
    assert_int_equal(tiny_count("earlier", "SELECT tick FROM journal WHERE kind='set' AND payload='zeta=0.5'"), tick);
    assert_int_equal(tiny_count("earlier", "SELECT tick FROM journal WHERE kind='set' AND payload='beta=3'"), tick);
    replays("earlier", hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_wait_are_checked_again),
        cmocka_unit_test(any_number_waits_and_survives_a_quit),
        cmocka_unit_test(a_setting_that_waits_survives_a_kill),
        cmocka_unit_test(settings_wait_for_an_earlier_session),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
