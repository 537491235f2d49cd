/* Links and strangers in a run's folder: nothing is written through a link, nothing is deleted that is not the run's,
 * and a run whose checkpoints were moved to another disk goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/run/rundir.h"

static char folder[] = "/tmp/pbkd_links_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

/* "FOLDER/a" or "FOLDER/a/b" ...; good until seven more have been asked for. */
static const char *at(const char *a, const char *b) {
    static char out[8][256];
    static int next;
    char *s = out[next++ % 8];
    snprintf(s, sizeof *out, "%s/%s%s%s", folder, a, *b ? "/" : "", b);
    return s;
}

static void put(const char *path, const char *text) {
    struct err e;
    if (!atomic_write(path, text, strlen(text), &e)) fail_msg("%s", e.msg);
}

static void holds(const char *path, const char *text) {
    char *found;
    size_t n;
    struct err e;
    if (!file_read_all(path, 1000, &found, &n, &e)) fail_msg("%s", e.msg);
    assert_string_equal(found, text);
    mem_free(found);
}

static void make_run(const char *name, struct rundir *r) {
    struct options o;
    struct err e;
    options_default(&o);
    if (!rundir_create(r, at(name, ""), &o, "", &e)) fail_msg("%s", e.msg);
}

static void make_closed_run(const char *name) {
    struct rundir r;
    make_run(name, &r);
    rundir_close(&r);
}

static void open_run(const char *name, struct rundir *r) {
    struct options o;
    struct err e;
    if (!rundir_open(r, at(name, ""), &o, &e)) fail_msg("%s", e.msg);
}

static void open_fails(const char *name, const char *words) {
    struct rundir r;
    struct options o;
    struct err e = {""};
    if (rundir_open(&r, at(name, ""), &o, &e)) fail_msg("%s: was opened", name);
    if (!strstr(e.msg, words)) fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
    assert_int_equal(r.lock_fd, -1);
}

static void save(struct rundir *r, int64_t tick, int keep) {
    const float w = (float)tick;
    const struct st_array array = {"w", &w, 1};
    const struct checkpoint_file file = {"student", &array, 1};
    struct err e;
    if (!checkpoint_write(r, tick, &file, 1, "{}", keep, &e)) fail_msg("%s", e.msg);
}

static void newest_is(struct rundir *r, int64_t tick) {
    char path[600], *state = NULL;
    int64_t found_tick = -1;
    bool found;
    struct err e;
    if (!checkpoint_newest(r, &found, &found_tick, path, sizeof path, &state, &e)) fail_msg("%s", e.msg);
    assert_int_equal(found_tick, tick);
    free(state);
}

static void link_to(const char *target, const char *path) {
    unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

/* ---- files that are written ---- */

static void a_link_is_never_written_through(void **state) {
    (void)state;
    static const char *const NAMES[] = {"lock", "student.gguf", "run.db-wal", "run.db-shm"};
    put(at("notes.txt", ""), "dear diary\n");
    for (int i = 0; i < 4; i++) {
        char run[20], words[80];
        snprintf(run, sizeof run, "linked%d", i);
        make_closed_run(run);
        link_to(at("notes.txt", ""), at(run, NAMES[i]));
        snprintf(words, sizeof words, "%s/%s: must be a file of the run's own, found a link", run, NAMES[i]);
        open_fails(run, words);
        assert_false(rundir_remove(at(run, ""), NULL));
        holds(at("notes.txt", ""), "dear diary\n");
        assert_int_equal(unlink(at(run, NAMES[i])), 0); /* it is still there, and without it the run goes on */
        struct rundir r;
        open_run(run, &r);
        rundir_close(&r);
    }
}

static void a_database_behind_a_link_is_not_opened(void **state) {
    (void)state;
    make_closed_run("real");
    make_closed_run("borrows");
    link_to(at("real", "run.db"), at("borrows", "run.db"));
    open_fails("borrows", "borrows/run.db: must be a file of the run's own, found a link");
    assert_false(rundir_remove(at("borrows", ""), NULL));
    assert_true(file_exists(at("real", "run.db")));
}

static void a_lock_with_other_contents_is_left_alone(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"dear diary\n", "12 apples\n", "\n", "123456789012345678901234567890\n"};
    make_closed_run("locked");
    for (int i = 0; i < 4; i++) {
        put(at("locked", "lock"), TEXTS[i]);
        open_fails("locked", "locked/lock: must be empty or hold a process number");
        holds(at("locked", "lock"), TEXTS[i]);
    }
    unlink(at("locked", "lock"));
    assert_int_equal(mkfifo(at("locked", "lock"), 0600), 0);
    open_fails("locked", "locked/lock: must be a file of the run's own");
    unlink(at("locked", "lock"));
    put(at("locked", "lock"), "4711\n"); /* of a process that died */
    struct rundir r;
    open_run("locked", &r);
    rundir_close(&r);
}

/* A folder with some other program's database in it is not a run: not even its lock is touched. */
static void another_database_is_not_a_run(void **state) {
    (void)state;
    struct db db;
    struct err e;
    assert_true(dir_make(at("other", ""), &e) && db_open(&db, at("other", "run.db"), DB_CREATE, false, &e) &&
                db_exec(&db, "PRAGMA journal_mode=DELETE; CREATE TABLE photo(name TEXT)", &e));
    db_close(&db);
    put(at("other", "lock"), "77");
    open_fails("other", "no such table: run");
    holds(at("other", "lock"), "77");
    assert_false(rundir_remove(at("other", ""), NULL));
    assert_true(file_exists(at("other", "run.db")));
}

/* ---- what is deleted ---- */

static void strangers_among_checkpoints_stay(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    make_run("mixed", &r);
    save(&r, 100, 1);
    assert_true(dir_make(at("mixed", "checkpoints/2024"), &e) && dir_make(at("mixed", "checkpoints/plots"), &e));
    put(at("mixed", "checkpoints/2024/beach.jpg"), "j");
    put(at("mixed", "checkpoints/2024/student.safetensors"), "s");
    put(at("mixed", "checkpoints/plots/a.svg"), "p");
    put(at("mixed", "checkpoints/README"), "r");
    put(at("mixed", "checkpoints/100/notes.txt"), "n");
    link_to(at("notes.txt", ""), at("mixed", "checkpoints/300"));
    link_to(at("mixed", "checkpoints/2024"), at("mixed", "checkpoints/400.tmp"));
    save(&r, 200, 1);
    newest_is(&r, 200);
    holds(at("mixed", "checkpoints/2024/beach.jpg"), "j");
    holds(at("mixed", "checkpoints/2024/student.safetensors"), "s");
    holds(at("mixed", "checkpoints/plots/a.svg"), "p");
    holds(at("mixed", "checkpoints/README"), "r");
    holds(at("mixed", "checkpoints/100/notes.txt"), "n");
    assert_false(file_exists(at("mixed", "checkpoints/100/student.safetensors"))); /* ours, and no longer kept */
    struct stat st;
    assert_int_equal(lstat(at("mixed", "checkpoints/300"), &st), 0);
    assert_int_equal(lstat(at("mixed", "checkpoints/400.tmp"), &st), 0);
    rundir_close(&r);
}

static void what_a_cut_off_write_left_goes(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    make_run("cut", &r);
    assert_true(dir_make(at("cut", "checkpoints/50.tmp"), &e) && dir_make(at("cut", "checkpoints/50-2"), &e));
    put(at("cut", "checkpoints/50.tmp/student.safetensors.tmp-123-0"), "half");
    put(at("cut", "checkpoints/50-2/reward.safetensors"), "whole");
    save(&r, 100, 1);
    assert_false(file_exists(at("cut", "checkpoints/50.tmp")));
    assert_false(file_exists(at("cut", "checkpoints/50-2")));
    rundir_close(&r);
}

static void discarding_leaves_what_a_person_put_there(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    make_run("discard", &r);
    save(&r, 100, 1);
    rundir_close(&r);
    put(at("discard", "student.gguf"), "weights");
    put(at("discard", "student.gguf.tmp-12-0"), "half of them");
    put(at("discard", "notes.txt"), "mine");
    assert_false(rundir_remove(at("discard", ""), &e));
    assert_non_null(strstr(e.msg, "discard: removed but for \"notes.txt\""));
    holds(at("discard", "notes.txt"), "mine");
    assert_false(file_exists(at("discard", "run.db")));
    unlink(at("discard", "notes.txt"));
    assert_int_equal(rmdir(at("discard", "")), 0); /* nothing else was left */
}

/* ---- checkpoints on another disk ---- */

static void moved_checkpoints_still_work(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    make_run("moved", &r);
    save(&r, 100, 2);
    rundir_close(&r);
    assert_int_equal(rename(at("moved", "checkpoints"), at("disk", "")), 0);
    link_to(at("disk", ""), at("moved", "checkpoints"));
    /* the same place is in use: by another run, whose folders look the same, and by a person */
    assert_true(dir_make(at("disk", "60"), &e) && dir_make(at("disk", "200"), &e) &&
                dir_make(at("disk", "70.tmp"), &e));
    put(at("disk", "60/student.safetensors"), "another run's");
    put(at("disk", "200/student.safetensors"), "another run's too");
    put(at("disk", "70.tmp/student.safetensors"), "and its newest");
    put(at("disk", "thesis.tex"), "mine");
    open_run("moved", &r);
    newest_is(&r, 100);
    for (int t = 200; t <= 400; t += 100) save(&r, t, 2);
    newest_is(&r, 400);
    rundir_close(&r);
    assert_false(file_exists(at("disk", "100")));   /* pruned behind the link */
    assert_false(file_exists(at("disk", "200-2"))); /* 200 was taken */
    assert_true(file_exists(at("disk", "300")) && file_exists(at("disk", "400")));
    holds(at("disk", "60/student.safetensors"), "another run's");
    holds(at("disk", "200/student.safetensors"), "another run's too");
    holds(at("disk", "70.tmp/student.safetensors"), "and its newest");
    assert_false(rundir_remove(at("moved", ""), &e)); /* all but the link, which a person made */
    assert_non_null(strstr(e.msg, "removed but for \"checkpoints\""));
    assert_false(file_exists(at("disk", "300")));
    assert_false(file_exists(at("disk", "400")));
    assert_false(file_exists(at("moved", "run.db")));
    holds(at("disk", "60/student.safetensors"), "another run's");
    holds(at("disk", "thesis.tex"), "mine");
}

/* Runs of versions that recorded no litter have no table for it. */
static void a_run_of_an_older_version_goes_on(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    make_run("older", &r);
    save(&r, 100, 1);
    if (!db_exec(&r.db, "DROP TABLE IF EXISTS litter", &e)) fail_msg("%s", e.msg);
    rundir_close(&r);
    open_run("older", &r);
    save(&r, 200, 1);
    newest_is(&r, 200);
    assert_false(file_exists(at("older", "checkpoints/100")));
    rundir_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_never_written_through),
        cmocka_unit_test(a_database_behind_a_link_is_not_opened),
        cmocka_unit_test(a_lock_with_other_contents_is_left_alone),
        cmocka_unit_test(another_database_is_not_a_run),
        cmocka_unit_test(strangers_among_checkpoints_stay),
        cmocka_unit_test(what_a_cut_off_write_left_goes),
        cmocka_unit_test(discarding_leaves_what_a_person_put_there),
        cmocka_unit_test(moved_checkpoints_still_work),
        cmocka_unit_test(a_run_of_an_older_version_goes_on),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
