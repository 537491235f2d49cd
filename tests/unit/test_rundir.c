/* A run on disk: made whole or not at all, one writer, journal and metrics in order, checkpoints that count only when
 * complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/run/rundir.h"

static char folder[] = "/tmp/pbkd_rundir_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

static void path_of(const char *name, char out[256]) { snprintf(out, 256, "%s/%s", folder, name); }

static int count_entries(const char *path) {
    DIR *d = opendir(path);
    assert_non_null(d);
    int n = 0;
    for (const struct dirent *x; (x = readdir(d));) n += strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void make_run(struct rundir *r, const char *name, char path[256]) {
    struct options o;
    struct err e;
    path_of(name, path);
    options_default(&o);
    o.beta = 3.25;
    if (!rundir_create(r, path, &o, "a title", &e)) fail_msg("%s", e.msg);
}

static void create_fails(const char *path, const char *message) {
    struct rundir r;
    struct options o;
    struct err e = {""};
    options_default(&o);
    assert_false(rundir_create(&r, path, &o, "", &e));
    assert_string_equal(e.msg, message);
    rundir_close(&r); /* must be harmless */
}

/* ---- making and opening ---- */

static void a_run_keeps_its_options(void **state) {
    (void)state;
    struct rundir r;
    struct options o, def;
    struct err e;
    char path[256];
    make_run(&r, "keeps", path);
    rundir_close(&r);
    rundir_close(&r);
    assert_string_equal(r.path, path);
    if (!rundir_open(&r, path, &o, &e)) fail_msg("%s", e.msg);
    options_default(&def);
    def.beta = 3.25;
    assert_memory_equal(&o, &def, sizeof o);
    rundir_close(&r);
}

static void a_folder_with_something_in_it_is_left_alone(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    char path[256], file[512], message[600];
    make_run(&r, "twice", path);
    snprintf(message, sizeof message, "%s: in use by process %ld", path, (long)getpid());
    create_fails(path, message);
    rundir_close(&r);
    snprintf(message, sizeof message, "%s: holds a run already (continue it with --resume --run-dir %s)", path, path);
    create_fails(path, message);

    path_of("other", path);
    snprintf(file, sizeof file, "%s/notes.txt", path);
    assert_true(dir_make(path, &e) && atomic_write(file, "x", 1, &e));
    snprintf(message, sizeof message, "%s: the folder is not empty and holds no run", path);
    create_fails(path, message);
    snprintf(message, sizeof message, "%s: exists and is not a folder", file);
    create_fails(file, message);
    create_fails("", "the run folder needs a name");

    path_of("empty", path);
    assert_true(dir_make(path, &e));
    make_run(&r, "empty", path); /* an empty one is fine */
    rundir_close(&r);
}

static void a_failed_start_leaves_nothing(void **state) {
    (void)state;
    char path[256], file[512], message[600];
    struct err e;
    path_of("file", file);
    assert_true(atomic_write(file, "x", 1, &e));
    const int before = count_entries(folder);
    snprintf(path, sizeof path, "%.100s/below", file);
    snprintf(message, sizeof message, "%s: cannot examine: Not a directory", path);
    create_fails(path, message);
    assert_int_equal(count_entries(folder), before);
}

static void an_unwritable_place_is_named(void **state) {
    (void)state;
    char path[256], below[300];
    struct err e;
    path_of("readonly", path);
    assert_true(dir_make(path, &e));
    assert_int_equal(chmod(path, 0555), 0);
    snprintf(below, sizeof below, "%s/x", path);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* root writes everywhere: become somebody else */
        struct rundir r;
        struct options o;
        char expected[400];
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0 || chmod(folder, 0) == 0)) _exit(3);
        options_default(&o);
        if (rundir_create(&r, below, &o, "", &e)) _exit(4);
        snprintf(expected, sizeof expected, "%s: cannot ", below);
        _exit(strncmp(e.msg, expected, strlen(expected)) == 0 && strstr(e.msg, ": Permission denied") ? 0 : 5);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(path, 0755), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(count_entries(path), 0);
}

static void only_one_process_writes(void **state) {
    (void)state;
    struct rundir r, second;
    struct options o;
    struct err e;
    char path[256], expected[400];
    make_run(&r, "locked", path);
    snprintf(expected, sizeof expected, "%s: in use by process %ld", path, (long)getpid());
    assert_false(rundir_open(&second, path, &o, &e));
    assert_string_equal(e.msg, expected);
    assert_false(rundir_remove(path, &e));
    assert_string_equal(e.msg, expected);
    rundir_close(&r);
    if (!rundir_open(&second, path, &o, &e)) fail_msg("%s", e.msg);
    rundir_close(&second);
    if (!rundir_remove(path, &e)) fail_msg("%s", e.msg);
    assert_false(file_exists(path));
}

static void what_is_no_run_is_refused(void **state) {
    (void)state;
    struct rundir r;
    struct options o;
    struct err e;
    char path[256], file[300], message[400];
    path_of("norun", path);
    snprintf(message, sizeof message, "%s: there is no such run", path);
    assert_false(rundir_open(&r, path, &o, &e));
    assert_string_equal(e.msg, message);
    assert_true(dir_make(path, &e));
    snprintf(message, sizeof message, "%s: holds no run (run.db is missing)", path);
    assert_false(rundir_open(&r, path, &o, &e));
    assert_string_equal(e.msg, message);
    assert_false(rundir_remove(path, &e));
    assert_true(file_exists(path));
    snprintf(file, sizeof file, "%s/run.db", path);
    assert_true(atomic_write(file, "this is no database, whatever its name", 38, &e));
    assert_false(rundir_open(&r, path, &o, &e));
    assert_non_null(strstr(e.msg, "file is not a database"));
    assert_int_equal(r.lock_fd, -1);
}

static void the_newest_run_is_the_one_used_last(void **state) {
    (void)state;
    struct rundir r;
    struct options o;
    struct err e = {"stale"};
    char root[256], path[256], found[300];
    path_of("runs", root);
    assert_false(rundir_newest(root, found, sizeof found, &e));
    assert_string_equal(e.msg, "");
    make_run(&r, "runs/b", path);
    rundir_close(&r);
    usleep(20000); /* the times of files have a grain */
    make_run(&r, "runs/a", path);
    rundir_close(&r);
    char other[300];
    snprintf(other, sizeof other, "%s/no-run", root);
    assert_true(dir_make(other, &e));
    assert_true(rundir_newest(root, found, sizeof found, &e));
    assert_string_equal(found, path);
    usleep(20000);
    path_of("runs/b", path);
    assert_true(rundir_open(&r, path, &o, &e));
    rundir_close(&r);
    assert_true(rundir_newest(root, found, sizeof found, &e));
    assert_string_equal(found, path);
}

/* ---- journal, metrics ---- */

static void the_journal_comes_back_in_order(void **state) {
    (void)state;
    struct rundir r;
    struct journal_list l;
    struct err e;
    char path[256];
    make_run(&r, "journal", path);
    assert_true(journal_add(&r, 3, "set", "beta=12", &e) && journal_add(&r, 3, "label", "7", &e));
    assert_true(db_begin(&r.db, &e) && journal_add(&r, 5, "pause", "", &e) && db_commit(&r.db, &e));
    assert_false(journal_add(&r, 5, "a kind that is much too long", "", &e));
    assert_true(journal_load(&r, 2, &l, &e));
    assert_int_equal(l.n, 3);
    assert_string_equal(l.entry[0].kind, "set");
    assert_string_equal(l.entry[0].payload, "beta=12");
    assert_string_equal(l.entry[1].payload, "7");
    assert_true(l.entry[0].seq < l.entry[1].seq && l.entry[2].tick == 5);
    journal_list_free(&l);
    assert_true(journal_load(&r, 3, &l, &e));
    assert_int_equal(l.n, 1);
    journal_list_free(&l);
    rundir_close(&r);
}

struct seen {
    int n, gaps;
    double sum;
};

static bool see(void *ctx, int64_t tick, int iteration, const char *name, double value) {
    struct seen *s = ctx;
    assert_int_equal(tick, s->n);
    assert_int_equal(iteration, 1);
    assert_string_equal(name, "beta");
    s->n++;
    if (isnan(value))
        s->gaps++;
    else
        s->sum += value;
    return true;
}

static void metrics_keep_gaps_and_can_be_forgotten(void **state) {
    (void)state;
    static const double VALUES[] = {1.5, NAN, 2.5, INFINITY, -INFINITY, 3.0};
    struct rundir r;
    struct seen s = {0};
    struct err e;
    char path[256];
    make_run(&r, "metrics", path);
    for (int i = 0; i < 6; i++) assert_true(metric_add(&r, i, 1, "beta", VALUES[i], &e));
    assert_true(log_add(&r, 1, "info", "a", &e) && log_add(&r, 5, "info", "b", &e));
    assert_true(metric_each(&r, see, &s, &e));
    assert_int_equal(s.n, 6);
    assert_int_equal(s.gaps, 3);
    assert_true(s.sum == 7.0);
    assert_true(rundir_truncate_after(&r, 4, &e));
    s = (struct seen){0};
    assert_true(metric_each(&r, see, &s, &e));
    assert_int_equal(s.n, 5);
    int64_t lines;
    assert_true(db_get_int(&r.db, &e, &lines, -1, "SELECT count(*) FROM log", ""));
    assert_int_equal(lines, 1);
    rundir_close(&r);
}

/* ---- checkpoints ---- */

static void write_checkpoint(struct rundir *r, int64_t tick, float value, int keep) {
    const float w[3] = {value, 2.0f * value, 3.0f * value};
    const struct st_array arrays[] = {{"w", w, 3}, {"b", w, 1}};
    const struct checkpoint_file files[] = {{"student", arrays, 2}, {"reward", arrays, 1}};
    char json[64];
    struct err e;
    snprintf(json, sizeof json, "{\"value\":%g}", (double)value);
    if (!checkpoint_write(r, tick, files, 2, json, keep, &e)) fail_msg("%s", e.msg);
}

static void newest_is(struct rundir *r, int64_t tick, float value) {
    char at[512], file[600], json[64], *state = NULL;
    int64_t found_tick;
    bool found;
    struct err e;
    if (!checkpoint_newest(r, &found, &found_tick, at, sizeof at, &state, &e)) fail_msg("%s", e.msg);
    assert_true(found);
    assert_int_equal(found_tick, tick);
    snprintf(json, sizeof json, "{\"value\":%g}", (double)value);
    assert_string_equal(state, json);
    free(state);
    snprintf(file, sizeof file, "%s/student.safetensors", at);
    struct st_file *f = st_open(file, &e);
    assert_non_null(f);
    float w[3] = {0};
    assert_true(st_read_f32(f, "w", w, 3, &e) && w[0] == value && w[2] == 3.0f * value);
    st_close(f);
}

static void the_newest_complete_checkpoint_is_found(void **state) {
    (void)state;
    struct rundir r;
    struct err e;
    char path[256], file[600], at[512], *json = NULL;
    bool found = true;
    int64_t tick;
    make_run(&r, "checkpoints", path);
    assert_true(checkpoint_newest(&r, &found, &tick, at, sizeof at, &json, &e));
    assert_false(found);
    for (int t = 1; t <= 4; t++) write_checkpoint(&r, 100 * t, (float)t, 3);
    newest_is(&r, 400, 4.0f);
    snprintf(file, sizeof file, "%s/checkpoints", path);
    assert_int_equal(count_entries(file), 3);
    /* a folder without a row does not count, whatever its name */
    snprintf(file, sizeof file, "%s/checkpoints/900", path);
    assert_true(dir_make(file, &e));
    newest_is(&r, 400, 4.0f);
    /* nor does a row with a file cut short, or missing */
    snprintf(file, sizeof file, "%s/checkpoints/400/reward.safetensors", path);
    assert_int_equal(truncate(file, 20), 0);
    newest_is(&r, 300, 3.0f);
    snprintf(file, sizeof file, "%s/checkpoints/300/student.safetensors", path);
    assert_int_equal(unlink(file), 0);
    newest_is(&r, 200, 2.0f);
    /* going on from there: the later ticks are given up, litter is swept, keep counts from here */
    write_checkpoint(&r, 250, 5.0f, 1);
    newest_is(&r, 250, 5.0f);
    snprintf(file, sizeof file, "%s/checkpoints", path);
    assert_int_equal(count_entries(file), 1);
    snprintf(file, sizeof file, "%s/checkpoints/250", path);
    assert_true(dir_remove_tree(file, &e));
    assert_false(checkpoint_newest(&r, &found, &tick, at, sizeof at, &json, &e));
    assert_non_null(strstr(e.msg, "no checkpoint is complete"));
    rundir_close(&r);
}

static void a_tick_can_be_written_again(void **state) {
    (void)state;
    struct rundir r;
    struct options o;
    struct err e;
    char path[256], file[600];
    make_run(&r, "again", path);
    for (int i = 1; i <= 4; i++) {
        write_checkpoint(&r, 7, (float)i, 2);
        newest_is(&r, 7, (float)i);
    }
    snprintf(file, sizeof file, "%s/checkpoints", path);
    assert_int_equal(count_entries(file), 1);
    rundir_close(&r);
    assert_true(rundir_open(&r, path, &o, &e));
    newest_is(&r, 7, 4.0f);
    rundir_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_keeps_its_options),
        cmocka_unit_test(a_folder_with_something_in_it_is_left_alone),
        cmocka_unit_test(a_failed_start_leaves_nothing),
        cmocka_unit_test(an_unwritable_place_is_named),
        cmocka_unit_test(only_one_process_writes),
        cmocka_unit_test(what_is_no_run_is_refused),
        cmocka_unit_test(the_newest_run_is_the_one_used_last),
        cmocka_unit_test(the_journal_comes_back_in_order),
        cmocka_unit_test(metrics_keep_gaps_and_can_be_forgotten),
        cmocka_unit_test(the_newest_complete_checkpoint_is_found),
        cmocka_unit_test(a_tick_can_be_written_again),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
