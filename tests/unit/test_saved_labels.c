/* What the screen called saved trains, whatever happens between the disk and the next micro-step: a crash, a full
 * queue, the end of the run. And it does so at a tick that the journal keeps, so that a replay ends at the same
 * bytes. */
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

#include "engine/base/db.h"
#include "tests/support/tiny_runs.h"

#define N_LABELS "SELECT count(*) FROM journal WHERE kind='label'"
#define N_LOST "SELECT count(*) FROM journal WHERE kind='label-lost'"

static bool has_human(const struct snapshot *n) { return n->labels_human == 1; }
static bool has_no_human(const struct snapshot *n) { return n->labels_human == 0 && n->n_pairs > 0; }

/* The newest training pair that nobody has labelled, or NULL. */
static const struct shown_pair *find_pair(const struct snapshot *n, const char *name) {
    for (int i = 0; i < n->n_shown; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM label_event WHERE pair_id=%lld", (long long)n->pair[i].id);
        if (!n->pair[i].heldout && tiny_count(name, sql) == 0) return &n->pair[i];
    }
    return NULL;
}

/* A vote against the teacher on such a pair. */
static struct label_event vote(struct session *s, const char *name) {
    struct label_event ev;
    for (bool found = false; !found; usleep(2000)) {
        const struct snapshot *n = session_snapshot(s);
        const struct shown_pair *p = find_pair(n, name);
        found = p != NULL;
        if (found) ev = tiny_event(p, DECISION_B);
        snapshot_release(n);
        assert_true(found || !session_ended(s));
    }
    return ev;
}

/* A run that is stopped with pairs; what a person would vote next. */
static struct label_event stopped_run(const char *name, bool labelled) {
    const struct options o = tiny_options("iterations=1000");
    struct err e = {0};
    struct session *s = tiny_start(name, &o, false, false);
    struct label_event ev = vote(s, name);
    if (labelled && !session_label(s, &ev, &e)) fail_msg("%s", e.msg);
    if (labelled) assert_true(tiny_wait(s, has_human));
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, NULL);
    return ev;
}

/* On disk, and nothing else: what a crash right behind "saved" leaves. */
static void commit(const char *name, struct label_event *ev) {
    struct db db;
    struct err e = {0};
    char path[200];
    snprintf(path, sizeof path, "%s/run.db", tiny_path(name));
    if (!db_open(&db, path, DB_WRITE, true, &e) || !label_event_commit(&db, ev, &e)) fail_msg("%s", e.msg);
    db_close(&db);
}

/* The run without its checkpoints ends at the same bytes, and at others without its labels. */
static void replays(const char *name, const char *hash) {
    char again[32];
    const struct options o = tiny_options("");
    tiny_exec(name, "DELETE FROM checkpoint");
    tiny_play(name, &o, true, again);
    assert_string_equal(again, hash);
}

static void trained(const char *name, const char *hash) {
    char without[32];
    const struct options o = tiny_options("");
    replays(name, hash);
    tiny_exec(name, "DELETE FROM checkpoint; " TINY_FORGET_LABELS);
    tiny_play(name, &o, true, without);
    assert_string_not_equal(without, hash);
}

static void a_label_that_the_journal_does_not_know_trains(void **state) {
    (void)state;
    char hash[32];
    const struct options o = tiny_options("");
    struct label_event ev = stopped_run("label", false);
    commit("label", &ev);
    struct session *s = tiny_start("label", &o, true, false);
    assert_true(tiny_wait(s, has_human));
    assert_int_equal(tiny_count("label", N_LABELS), 1);
    tiny_finish_next(s, hash);
    trained("label", hash);
}

static void an_undo_that_the_journal_does_not_know_holds(void **state) {
    (void)state;
    char hash[32], message[200];
    const struct options o = tiny_options("");
    struct err e = {0};
    struct label_event ev = stopped_run("undo", true);
    struct label_event undo = {.annotator = "tester", .decision = DECISION_UNDO, .undo_of = ev.seq, .sampler = "undo"};
    commit("undo", &undo);
    struct session *s = tiny_start("undo", &o, true, false);
    assert_true(tiny_wait(s, has_no_human));
    assert_int_equal(tiny_count("undo", N_LABELS), 2);
    assert_false(session_undo(s, "tester", message, &e)); /* nothing is left to be taken back */
    tiny_finish_next(s, hash);
    replays("undo", hash);
}

/* The engine cannot write while somebody else does, so commands pile up. */
static void a_label_trains_when_the_queue_is_full(void **state) {
    (void)state;
    struct options o = tiny_options("iterations=1000");
    struct err e = {0};
    struct db db;
    char path[200];
    struct session *s = tiny_start("full", &o, false, false);
    struct label_event ev = vote(s, "full");
    snprintf(path, sizeof path, "%s/run.db", tiny_path("full"));
    if (!db_open(&db, path, DB_WRITE, false, &e) || !db_begin(&db, &e)) fail_msg("%s", e.msg);
    const struct command pause = {.kind = COMMAND_PAUSE};
    struct command beta = {.kind = COMMAND_SET, .name = "beta", .value = "7"};
    assert_true(session_send(s, &beta, &e) > 0); /* the engine stands at its line in the journal */
    while (session_send(s, &pause, &e)) usleep(500);
    assert_non_null(strstr(e.msg, "wait already"));
    db_rollback(&db);
    db_close(&db);
    assert_true(session_label(s, &ev, &e));
    assert_true(tiny_wait(s, has_human));
    tiny_finish_next(s, NULL);
}

/* The window stays open when a run is over; what is labelled there trains when the run goes on. */
static void a_label_given_after_the_end_trains(void **state) {
    (void)state;
    char hash[32];
    const struct options o = tiny_options("iterations=1");
    const char *more[] = {"iterations=2"};
    struct err e = {0};
    struct session *s = tiny_start("over", &o, false, false);
    struct label_event ev = vote(s, "over");
    assert_true(tiny_wait_state(s, RUN_DONE));
    while (!session_ended(s)) usleep(1000);
    assert_true(session_label(s, &ev, &e));
    tiny_finish(s, NULL);
    const struct session_config c = {.options = o,
                                     .run_dir = tiny_path("over"),
                                     .resume = true,
                                     .headless = true,
                                     .overrides = more,
                                     .n_overrides = 1};
    s = session_start(&c, &e);
    if (!s) fail_msg("%s", e.msg);
    assert_true(tiny_wait_state(s, RUN_DONE));
    const struct snapshot *n = session_snapshot(s);
    assert_int_equal(n->labels_human, 1);
    snapshot_release(n);
    tiny_finish(s, hash);
    trained("over", hash);
}

/* In a child: label, and die as soon as the label is called saved, or a moment later. */
static void label_and_die(const char *name, bool resume, useconds_t later) {
    const struct options o = tiny_options("iterations=1000");
    struct err e = {0};
    struct session *s = tiny_start(name, &o, resume, false);
    struct label_event ev = vote(s, name);
    if (session_label(s, &ev, &e)) usleep(later), raise(SIGKILL);
    _exit(1);
}

static bool has_all(const struct snapshot *n) { return n->labels_human == 8; }

static void labels_survive_kills(void **state) {
    (void)state;
    char hash[32];
    const struct options o = tiny_options("");
    for (int i = 0; i < 8; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) label_and_die("kills", i > 0, i % 2 ? (useconds_t)i * 1000 : 0);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    assert_int_equal(tiny_count("kills", "SELECT count(DISTINCT pair_id) FROM label_event"), 8);
    struct session *s = tiny_start("kills", &o, true, false);
    assert_true(tiny_wait(s, has_all));
    assert_int_equal(tiny_count("kills", N_LABELS), 8);
    assert_int_equal(tiny_count("kills", N_LOST), 0);
    tiny_finish_next(s, hash);
    trained("kills", hash);
}

/* What the Label view goes by: nobody is asked again about a pair that was dealt with in an earlier session. */
static int64_t vote_shown(struct session *s, int64_t pair_id) {
    int64_t seq = -1;
    const struct snapshot *n = session_snapshot(s);
    for (int i = 0; i < n->n_shown; i++)
        if (n->pair[i].id == pair_id) seq = n->pair[i].vote;
    snapshot_release(n);
    return seq;
}

static int64_t wanted;
static bool shows_wanted(const struct snapshot *n) {
    for (int i = 0; i < n->n_shown; i++)
        if (n->pair[i].id == wanted) return true;
    return false;
}

/* The vote changes as soon as the engine has looked at run.db. */
static int64_t vote_after(struct session *s, int64_t pair_id, int64_t before) {
    for (int i = 0; i < 4000 && vote_shown(s, pair_id) == before; i++) usleep(5000);
    return vote_shown(s, pair_id);
}

static struct session *resume_at_wanted(const char *name) {
    const struct options o = tiny_options("");
    struct session *s = tiny_start(name, &o, true, false);
    tiny_pause(s);
    tiny_step_until(s, shows_wanted);
    return s;
}

static void a_resumed_run_shows_what_was_dealt_with(void **state) {
    (void)state;
    struct err e = {0};
    char message[200];
    struct label_event ev = stopped_run("dealt", false), note = ev;
    ev.decision = DECISION_SKIP;
    note.decision = DECISION_NOTE;
    wanted = ev.pair_id;
    commit("dealt", &ev);
    commit("dealt", &note);
    struct session *s = resume_at_wanted("dealt");
    assert_int_equal(vote_shown(s, wanted), ev.seq);
    for (int i = 0; i < 2; i++) /* the note, the skip */
        if (!session_undo(s, "tester", message, &e)) fail_msg("%s", e.msg);
    assert_int_equal(vote_after(s, wanted, ev.seq), 0);
    if (!session_redo(s, message, &e)) fail_msg("%s", e.msg);
    const int64_t again = vote_after(s, wanted, 0);
    assert_true(again > ev.seq);
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, NULL);
    tiny_exec("dealt", "DELETE FROM checkpoint"); /* its pairs are made again, the journal's labels come later */
    s = resume_at_wanted("dealt");
    assert_int_equal(vote_shown(s, wanted), again);
    session_interrupt(s);
    tiny_finish(s, NULL);
}

/* Redo gives back, newest first, what was undone; a new label ends its memory. */
static void redo_gives_back_what_was_undone(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1000");
    struct err e = {0};
    char message[200];
    struct session *s = tiny_start("redo", &o, false, false);
    assert_false(session_redo(s, message, &e));
    assert_non_null(strstr(e.msg, "nothing to give again"));
    struct label_event first = vote(s, "redo");
    first.text = "why";
    assert_true(session_label(s, &first, &e));
    struct label_event second = vote(s, "redo");
    assert_true(session_label(s, &second, &e));
    assert_true(session_undo(s, "tester", message, &e) && session_undo(s, "tester", message, &e));
    assert_false(session_undo(s, "tester", message, &e));
    if (!session_redo(s, message, &e)) fail_msg("%s", e.msg);
    assert_non_null(strstr(message, "(B) given again as #5"));
    assert_int_equal(tiny_count("redo", "SELECT count(*) FROM label_event a JOIN label_event b ON a.pair_id=b.pair_id "
                                        "AND a.text=b.text AND a.decision=b.decision WHERE a.seq=1 AND b.seq=5"),
                     1);
    struct label_event third = vote(s, "redo");
    assert_true(session_label(s, &third, &e));
    assert_false(session_redo(s, message, &e));
    tiny_finish_next(s, NULL);
}

/* A pair that never comes (somebody changed the file): said once, and the run goes on without. */
static void a_label_of_no_pair_is_given_up(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1");
    tiny_play("nowhere", &o, false, NULL);
    tiny_exec("nowhere", "INSERT INTO label_event(time,annotator,pair_id,pair_hash,left,decision,strength,dwell_ms,"
                         "sampler,undo_of) VALUES('','tester',9999,1,0,'A',1,0,'',0)");
    for (int i = 0; i < 2; i++) {
        tiny_play("nowhere", &o, true, NULL);
        assert_int_equal(tiny_count("nowhere", N_LABELS), 0);
        assert_int_equal(tiny_count("nowhere", N_LOST), 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_that_the_journal_does_not_know_trains),
        cmocka_unit_test(an_undo_that_the_journal_does_not_know_holds),
        cmocka_unit_test(a_label_trains_when_the_queue_is_full),
        cmocka_unit_test(a_label_given_after_the_end_trains),
        cmocka_unit_test(labels_survive_kills),
        cmocka_unit_test(a_resumed_run_shows_what_was_dealt_with),
        cmocka_unit_test(redo_gives_back_what_was_undone),
        cmocka_unit_test(a_label_of_no_pair_is_given_up),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
