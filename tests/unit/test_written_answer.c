/* Answers that a person writes into a running game: they train, come back after a death or a quit at their tick, can be
 * undone, are refused when nobody could read them, and are stored whole or not at all. What they are in D_pref is in
 * test_edit.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "tests/support/tiny_runs.h"

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
    struct label_event ev = tiny_event(&n->pair[i], DECISION_EDIT);
    ev.left = 1;
    ev.text = text;
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
    struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start(name, &o, false, false);
    assert_true(tiny_wait(s, has_training_pair));
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    return s;
}

/* Every pair with its tick, edit and automatic label; caller frees. */
static char *pairs_of(const char *name) {
    return tiny_rows(name, "SELECT id,tick,edit,source,weight,pair_hash FROM pair ORDER BY id");
}

static void same_pairs(const char *name, const char *expected) {
    char *pairs = pairs_of(name);
    assert_string_equal(pairs, expected);
    free(pairs);
}

static void a_written_answer_trains_and_comes_back(void **state) {
    (void)state;
    char a[32], b[32], text[] = "yes";
    struct options o = tiny_options("");
    struct session *s = start_and_pause("written");
    const struct label_event ev = edit_of(s, false, text);
    const int64_t seq = write_answer(s, false, text);
    assert_true(tiny_wait(s, has_two_human));
    const struct snapshot *n = session_snapshot(s);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(n->pair[i].teacher, "yes");
        assert_true(n->pair[i].source == SOURCE_HUMAN && n->pair[i].event == seq && n->pair[i].o == 1.0 &&
                    !n->pair[i].truncated0);
        assert_int_equal(n->pair[i].id, n->n_pairs - i);
        assert_true(n->pair[i].reward_teacher == n->pair[!i].reward_teacher); /* scored: no NAN */
    }
    for (int i = 2; i < n->n_shown; i++) {
        if (n->pair[i].id != ev.pair_id) continue;
        /* the first new pair is the one against the teacher */
        assert_string_equal(n->pair[1].student, n->pair[i].teacher);
        assert_string_equal(n->pair[0].student, n->pair[i].student);
        assert_true(n->pair[i].source == SOURCE_TEACHER && n->pair[i].event == 0);
    }
    snapshot_release(n);
    tiny_finish_next(s, a);
    char *pairs = pairs_of("written");
    tiny_exec("written", "DELETE FROM checkpoint");
    tiny_play("written", &o, true, b);
    assert_string_equal(a, b);
    same_pairs("written", pairs);
    assert_int_equal(tiny_count("written", "SELECT count(*) FROM pair WHERE edit>0"), 2);
    tiny_exec("written", "DELETE FROM checkpoint; " TINY_FORGET_LABELS);
    tiny_play("written", &o, true, b);
    assert_string_not_equal(a, b); /* the student did learn from it */
    free(pairs);
}

/* Ways to leave a run at the tick of an edit; the game waits there for labels. */
enum leave {
    LEAVE_EDITED,
    LEAVE_CHECKPOINT_EDITED,
    LEAVE_PAUSED_EDITED_CHECKPOINT,
    LEAVE_PAUSED_CHECKPOINT_EDITED,
    N_LEAVES
};

static struct options human_options(void) { return tiny_options("labeller=human labeller.min_labels=1"); }

static bool has_checkpoint(const struct snapshot *n) {
    for (int i = 0; i < n->n_acks; i++)
        if (strncmp(n->ack[i].text, "checkpoint", 10) == 0) return true;
    return false;
}

static void checkpoint(struct session *s) {
    tiny_send(s, COMMAND_CHECKPOINT, "", "");
    assert_true(tiny_wait(s, has_checkpoint));
}

/* In a child, whose failed assertions end it with a status. */
static void edit_and_die(const char *name, enum leave how) {
    struct options o = human_options();
    char text[] = "yes";
    struct session *s = tiny_start(name, &o, false, false);
    assert_true(tiny_wait_state(s, RUN_WAITING));
    if (how >= LEAVE_PAUSED_EDITED_CHECKPOINT) tiny_send(s, COMMAND_PAUSE, "", "");
    if (how >= LEAVE_PAUSED_EDITED_CHECKPOINT) assert_true(tiny_wait_state(s, RUN_PAUSED));
    if (how == LEAVE_CHECKPOINT_EDITED || how == LEAVE_PAUSED_CHECKPOINT_EDITED) checkpoint(s);
    write_answer(s, false, text);
    if (how == LEAVE_PAUSED_EDITED_CHECKPOINT) checkpoint(s);
    raise(SIGKILL);
}

static void a_written_answer_survives_death_at_its_tick(void **state) {
    (void)state;
    struct options o = human_options();
    char expected[32], hash[32], text[] = "yes", name[32];
    struct session *s = tiny_start("edit-whole", &o, false, false);
    assert_true(tiny_wait_state(s, RUN_WAITING));
    const struct snapshot *n = session_snapshot(s);
    const int undecided = n->labels_waiting;
    snapshot_release(n);
    write_answer(s, false, text);
    tiny_finish(s, expected);
    assert_true(undecided > 0);
    assert_int_equal(tiny_count("edit-whole", "SELECT count(*) FROM pair WHERE iteration=1 AND source=0"), undecided);
    assert_int_equal(tiny_count("edit-whole", "SELECT count(*) FROM pair WHERE edit>0"), 2);
    char *pairs = pairs_of("edit-whole");
    for (enum leave how = 0; how < N_LEAVES; how++) {
        snprintf(name, sizeof name, "edit-left-%d", (int)how);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) edit_and_die(name, how);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(tiny_count(name, "SELECT count(*) FROM pair WHERE edit>0"), 2);
        tiny_finish(tiny_start(name, &o, true, false), hash);
        assert_string_equal(hash, expected);
        same_pairs(name, pairs);
    }
    free(pairs);
}

static void a_quit_after_an_answer_ends_at_the_same_bytes(void **state) {
    (void)state;
    struct options o = human_options();
    char expected[32], hash[32], text[] = "yes";
    struct session *s = tiny_start("edit-on", &o, false, false);
    assert_true(tiny_wait_state(s, RUN_WAITING));
    write_answer(s, false, text);
    tiny_finish(s, expected);
    char *pairs = pairs_of("edit-on");
    s = tiny_start("edit-quit", &o, false, false);
    assert_true(tiny_wait_state(s, RUN_WAITING));
    tiny_send(s, COMMAND_PAUSE, "", "");
    write_answer(s, false, text);
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, hash);
    assert_string_not_equal(hash, expected);
    tiny_finish(tiny_start("edit-quit", &o, true, false), hash);
    assert_string_equal(hash, expected);
    same_pairs("edit-quit", pairs);
    free(pairs);
}

static int n_lines_with(const char *name, const char *word) {
    char path[160];
    struct db db;
    struct err e = {0};
    int64_t n;
    size_t len;
    char *text = NULL;
    snprintf(path, sizeof path, "%s/run.db", tiny_path(name));
    if (!db_open(&db, path, DB_READ, false, &e)) fail_msg("%s", e.msg);
    snprintf(path, sizeof path, "%s/out.jsonl", tiny_path(name));
    if (!dpref_export(&db, "trl", path, &n, &e) || !file_read_all(path, 1 << 24, &text, &len, &e))
        fail_msg("%s", e.msg);
    db_close(&db);
    int found = 0;
    for (const char *at = text; (at = strstr(at, word)); at++) found++;
    mem_free(text);
    return found;
}

static void undo_of_an_answer_holds_after_a_resume(void **state) {
    (void)state;
    char a[32], b[32], text[] = "yes", message[200];
    struct options o = tiny_options("");
    struct err e = {0};
    struct session *s = start_and_pause("undone");
    write_answer(s, false, text);
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, a);
    assert_int_equal(n_lines_with("undone", "\"chosen\":\"yes\""), 2);
    s = tiny_start("undone", &o, true, false);
    assert_true(tiny_wait(s, has_two_human));
    if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_non_null(strstr(message, "retracted"));
    assert_true(tiny_wait(s, has_no_human));
    tiny_finish_next(s, a);
    assert_int_equal(n_lines_with("undone", "\"chosen\":\"yes\""), 0);
    char *pairs = pairs_of("undone");
    for (int i = 0; i < 2; i++) { /* from the last checkpoint, then from the start */
        if (i == 1) tiny_exec("undone", "DELETE FROM checkpoint");
        s = tiny_start("undone", &o, true, true);
        assert_true(tiny_wait_state(s, RUN_DONE));
        const struct snapshot *n = session_snapshot(s);
        assert_int_equal(n->labels_human, 0);
        snapshot_release(n);
        tiny_finish(s, b);
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
    if (answered(s, ev.seq, words) || !strstr(words, "is saved but cannot be used") || !strstr(words, why))
        fail_msg("\"%s\"", words);
}

static void answers_that_nobody_can_read_are_refused(void **state) {
    (void)state;
    char empty[] = "", blank[] = " \n\t\xC2\xA0", bytes[] = "yes\xFF", message[200], text[] = "yes";
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
    assert_int_equal(tiny_count("hostile", "SELECT count(*) FROM label_event"), 4); /* saved all the same */
    assert_int_equal(tiny_count("hostile", "SELECT count(*) FROM journal WHERE kind='label'"), 0);
    if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_non_null(strstr(message, "training had not used it"));
    const int64_t seq = write_answer(s, false, text); /* the game goes on as if nothing had been */
    if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_true(tiny_wait(s, has_no_human));
    n = session_snapshot(s);
    /* the undo: such a pair is never asked about */
    for (int i = 0; i < 2; i++) assert_true(n->pair[i].event == seq + 1);
    snapshot_release(n);
    tiny_finish_next(s, NULL);
}

static void answers_that_are_long_or_held_out(void **state) {
    (void)state;
    char text[] = "yes", words[160];
    struct options o = human_options();
    struct err e = {0};
    /* waits for labels: all pairs of the first iteration are shown */
    struct session *s = tiny_start("kinds", &o, false, false);
    assert_true(tiny_wait_state(s, RUN_WAITING));
    tiny_send(s, COMMAND_PAUSE, "", "");
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
    tiny_send(s, COMMAND_RESUME, "", "");
    tiny_finish(s, NULL);
    assert_int_equal(tiny_count("kinds", "SELECT count(*) FROM pair WHERE edit>0 AND heldout"), 2);
    free(long_text);
}

/* An answer that somebody gave already goes against the other one only. */
static void an_answer_makes_no_pair_against_itself(void **state) {
    (void)state;
    char yes[] = "yes", no[] = "no", words[160];
    struct err e = {0};
    struct session *s = start_and_pause("itself");
    write_answer(s, false, yes);
    write_answer(s, false, no); /* for the newest pair, "yes" against the student's: makes "no" against "yes" */
    const struct snapshot *n = session_snapshot(s);
    const struct shown_pair *p = &n->pair[1];
    assert_string_equal(p->teacher, "no");
    assert_string_equal(p->student, "yes");
    for (int k = 0; k < 2; k++) {
        struct label_event ev = tiny_event(p, DECISION_EDIT);
        ev.text = k ? yes : no;
        assert_true(session_label(s, &ev, &e));
        if (!answered(s, ev.seq, words)) fail_msg("%s", words);
        const struct snapshot *after = session_snapshot(s);
        assert_int_equal(after->n_pairs, n->n_pairs + k + 1);
        assert_string_equal(after->pair[0].teacher, k ? "yes" : "no");
        assert_string_equal(after->pair[0].student, k ? "no" : "yes");
        snapshot_release(after);
    }
    snapshot_release(n);
    tiny_finish_next(s, NULL);
}

/* The second pair of an edit, then its line in the journal, do not fit on the disk. */
static void an_answer_is_stored_whole_or_not_at_all(void **state) {
    (void)state;
    char text[] = "yes", words[160];
    struct options o = tiny_options("");
    struct err e = {0};
    bool ok = true;
    struct session *s = start_and_pause("atomic");
    tiny_exec("atomic", "CREATE TRIGGER no_pair BEFORE INSERT ON pair WHEN NEW.edit>0 AND EXISTS(SELECT 1 FROM pair "
                        "WHERE edit=NEW.edit)"
                        " BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    refused(s, text, "disk full");
    assert_int_equal(tiny_count("atomic", "SELECT count(*) FROM pair WHERE edit>0"), 0);
    const struct snapshot *n = session_snapshot(s);
    assert_int_equal(n->labels_human, 0);
    assert_int_equal(n->n_pairs, tiny_count("atomic", "SELECT count(*) FROM pair"));
    snapshot_release(n);
    tiny_exec("atomic", "DROP TRIGGER no_pair; CREATE TRIGGER no_line BEFORE INSERT ON journal WHEN NEW.kind='label'"
                        " BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    struct label_event ev = edit_of(s, false, text);
    assert_true(session_label(s, &ev, &e));
    session_finish(s, &ok, NULL, &e); /* what a person did cannot be kept: the run stops */
    assert_false(ok);
    assert_non_null(strstr(e.msg, "disk full"));
    assert_int_equal(tiny_count("atomic", "SELECT count(*) FROM pair WHERE edit>0"), 0);
    tiny_exec("atomic", "DROP TRIGGER no_line");
    s = tiny_start("atomic", &o, true, false);
    assert_true(answered(s, ev.seq, words)); /* both answers were saved, so they train as soon as they can */
    tiny_finish_next(s, NULL);
    assert_int_equal(tiny_count("atomic", "SELECT count(*) FROM pair WHERE edit>0"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_answer_trains_and_comes_back),
        cmocka_unit_test(a_written_answer_survives_death_at_its_tick),
        cmocka_unit_test(a_quit_after_an_answer_ends_at_the_same_bytes),
        cmocka_unit_test(undo_of_an_answer_holds_after_a_resume),
        cmocka_unit_test(answers_that_nobody_can_read_are_refused),
        cmocka_unit_test(answers_that_are_long_or_held_out),
        cmocka_unit_test(an_answer_makes_no_pair_against_itself),
        cmocka_unit_test(an_answer_is_stored_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
