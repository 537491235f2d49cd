/* A run on disk under bad luck: the process dies before (or, for writes, in the middle of) every single system call
 * that changes a file, the disk fills up, memory runs out. Whatever happens, a run exists whole or not at all, the
 * newest checkpoint loads, and a label that was reported as saved is there.
 *
 * The calls are counted by functions of this program that stand in front of the C library's, for SQLite as for our own
 * code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/pref/dpref.h"
#include "engine/run/rundir.h"

/* ---- dying at the k-th step ---- */

enum { DIED = 77 };

static int steps_to_live; /* 0 = for ever */

static bool last_step(void) { return steps_to_live > 0 && --steps_to_live == 0; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define DIE_BEFORE(result, name, parameters, arguments)                                                                \
    result name parameters;                                                                                            \
    result name parameters {                                                                                           \
        if (last_step()) _exit(DIED);                                                                                  \
        return REAL(name) arguments;                                                                                   \
    }
DIE_BEFORE(int, fsync, (int fd), (fd))
DIE_BEFORE(int, fdatasync, (int fd), (fd))
DIE_BEFORE(int, mkdir, (const char *path, mode_t mode), (path, mode))
DIE_BEFORE(int, rename, (const char *from, const char *to), (from, to))
DIE_BEFORE(int, unlink, (const char *path), (path))
DIE_BEFORE(int, remove, (const char *path), (path))
DIE_BEFORE(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
DIE_BEFORE(int, rmdir, (const char *path), (path))

#define TORN_WRITE(name, offset_type)                                                                                  \
    ssize_t name(int fd, const void *data, size_t n, offset_type at);                                                  \
    ssize_t name(int fd, const void *data, size_t n, offset_type at) {                                                 \
        if (last_step()) {                                                                                             \
            if (REAL(name)(fd, data, n / 2, at) < 0) _exit(DIED);                                                      \
            _exit(DIED);                                                                                               \
        }                                                                                                              \
        return REAL(name)(fd, data, n, at);                                                                            \
    }
TORN_WRITE(pwrite, off_t)
TORN_WRITE(pwrite64, off64_t)

/* Run act in a child that dies at step k; true when it died there, false when it got to the end. */
static bool dies_at(int k, void (*act)(void *), void *ctx) {
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        steps_to_live = k;
        act(ctx);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != DIED) assert_int_equal(WEXITSTATUS(status), 0);
    return WEXITSTATUS(status) == DIED;
}

/* ---- runs and checkpoints ---- */

static char folder[] = "/tmp/pbkd_fault_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    signal(SIGXFSZ, SIG_IGN); /* reaching the limit on file sizes shall be an error, as a full disk is */
    return mkdtemp(folder) ? 0 : -1;
}
static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

static void must(bool ok, const struct err *e) {
    if (!ok) fail_msg("%s", e->msg);
}

static int count_entries(const char *path) {
    DIR *d = opendir(path);
    assert_non_null(d);
    int n = 0;
    for (const struct dirent *x; (x = readdir(d));) n += strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0;
    closedir(d);
    return n;
}

enum { WEIGHTS = 16384 }; /* 64 KiB */

static bool save(struct rundir *r, int64_t tick, size_t n, struct err *e) {
    float *w = mem_small(n * sizeof *w);
    for (size_t i = 0; i < n; i++) w[i] = (float)tick;
    const struct st_array array = {"w", w, n};
    const struct checkpoint_file files[] = {{"student", &array, 1}, {"reward", &array, 1}};
    char state[64];
    snprintf(state, sizeof state, "{\"tick\":%lld}", (long long)tick);
    const bool ok = checkpoint_write(r, tick, files, 2, state, 1, e);
    free(w);
    return ok;
}

/* The newest checkpoint, read back and compared in full; its tick. */
static int64_t newest(struct rundir *r) {
    char at[600], file[700], expected[64], *state = NULL;
    bool found;
    int64_t tick = 0;
    struct err e;
    static float w[WEIGHTS];
    must(checkpoint_newest(r, &found, &tick, at, sizeof at, &state, &e), &e);
    assert_true(found);
    snprintf(expected, sizeof expected, "{\"tick\":%lld}", (long long)tick);
    assert_string_equal(state, expected);
    free(state);
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%s.safetensors", at, i ? "reward" : "student");
        struct st_file *f = st_open(file, &e);
        must(f != NULL, &e);
        must(st_read_f32(f, "w", w, WEIGHTS, &e), &e);
        st_close(f);
        for (int k = 0; k < WEIGHTS; k++) assert_true(w[k] == (float)tick);
    }
    return tick;
}

struct target {
    char path[300];
    struct err e;
};

static void new_run(struct target *t, int k) {
    struct rundir r;
    struct options o;
    snprintf(t->path, sizeof t->path, "%s/run%d", folder, k);
    options_default(&o);
    must(rundir_create(&r, t->path, &o, "", &t->e), &t->e);
    must(save(&r, 100, WEIGHTS, &t->e), &t->e);
    rundir_close(&r);
}

static void open_again(struct rundir *r, const struct target *t) {
    struct options o;
    struct err e;
    must(rundir_open(r, t->path, &o, &e), &e);
}

static void act_checkpoint(void *ctx) {
    struct target *t = ctx;
    struct rundir r;
    struct options o;
    if (!rundir_open(&r, t->path, &o, &t->e) || !save(&r, 200, WEIGHTS, &t->e)) _exit(1);
    rundir_close(&r);
}

static void death_in_a_checkpoint_leaves_a_usable_one(void **state) {
    (void)state;
    int kept_old = 0, has_new = 0, k = 1;
    bool died = true;
    for (; died; k++) {
        struct target t;
        struct rundir r;
        char below[400];
        new_run(&t, k);
        died = dies_at(k, act_checkpoint, &t);
        open_again(&r, &t);
        const int64_t tick = newest(&r);
        assert_true(tick == 200 || (died && tick == 100));
        kept_old += tick == 100;
        has_new += tick == 200;
        must(save(&r, 300, WEIGHTS, &t.e), &t.e); /* and life goes on, without litter */
        assert_int_equal(newest(&r), 300);
        snprintf(below, sizeof below, "%s/checkpoints", t.path);
        assert_int_equal(count_entries(below), 1);
        rundir_close(&r);
        must(rundir_remove(t.path, &t.e), &t.e);
    }
    assert_true(k > 15); /* the steps were really counted, and deaths fell on both sides of the commit */
    assert_true(kept_old > 5 && has_new > 1);
}

static void act_create(void *ctx) {
    struct target *t = ctx;
    struct rundir r;
    struct options o;
    options_default(&o);
    if (!rundir_create(&r, t->path, &o, "", &t->e)) _exit(1);
    rundir_close(&r);
}

static void death_in_a_start_leaves_a_whole_run_or_none(void **state) {
    (void)state;
    int none = 0, whole = 0, k = 1;
    bool died = true;
    for (; died; k++) {
        struct target t;
        struct rundir r;
        snprintf(t.path, sizeof t.path, "%s/start%d", folder, k);
        died = dies_at(k, act_create, &t);
        if (file_exists(t.path)) {
            whole++;
            open_again(&r, &t);
        } else {
            none++;
            struct options o;
            options_default(&o);
            must(rundir_create(&r, t.path, &o, "", &t.e), &t.e);
        }
        must(save(&r, 5, WEIGHTS, &t.e), &t.e);
        rundir_close(&r);
    }
    assert_true(none > 5 && whole > 1);
}

/* ---- labels ---- */

struct labelling {
    char path[300];
    uint64_t hash;
    int pipe[2];
    struct err e;
};

static void act_label(void *ctx) {
    struct labelling *l = ctx;
    struct db db;
    if (!db_open(&db, l->path, DB_WRITE, true, &l->e)) _exit(1);
    for (int i = 0; i < 3; i++) {
        struct label_event ev = {.annotator = "ann", .pair_id = 1, .pair_hash = l->hash, .strength = 1};
        if (!label_event_commit(&db, &ev, &l->e)) _exit(1);
        if (write(l->pipe[1], "s", 1) != 1) _exit(1); /* "saved", on the screen */
    }
    db_close(&db);
}

static void make_pair(struct labelling *l, int k) {
    struct db db;
    struct dpref d;
    struct pref_pair p = {.n_x = 1, .n_y0 = 1, .n_y1 = 1, .source = SOURCE_NONE, .o = 1, .weight = 1};
    snprintf(l->path, sizeof l->path, "%s/labels%d.db", folder, k);
    p.tokens = mem_small(3 * sizeof *p.tokens);
    p.prompt = mem_strdup("p");
    p.text0 = mem_strdup("a");
    p.text1 = mem_strdup("b");
    must(db_open(&db, l->path, DB_CREATE, false, &l->e) && dpref_create_tables(&db, &l->e) &&
             dpref_load(&d, &db, &l->e) && db_begin(&db, &l->e) && dpref_add(&d, &p, &l->e) && db_commit(&db, &l->e),
         &l->e);
    l->hash = d.pair[0].pair_hash;
    dpref_free(&d);
    db_close(&db);
}

static void a_label_reported_as_saved_survives_death(void **state) {
    (void)state;
    int k = 1, most = 0;
    bool died = true;
    for (; died; k++) {
        struct labelling l;
        struct db db;
        char saved[8];
        int64_t n;
        make_pair(&l, k);
        assert_int_equal(pipe(l.pipe), 0);
        died = dies_at(k, act_label, &l);
        close(l.pipe[1]);
        const ssize_t reported = read(l.pipe[0], saved, sizeof saved);
        close(l.pipe[0]);
        must(db_open(&db, l.path, DB_WRITE, true, &l.e), &l.e);
        must(db_get_int(&db, &l.e, &n, -1, "SELECT count(*) FROM label_event", ""), &l.e);
        assert_true(n >= reported && n <= reported + 1); /* one may be on disk that was not reported yet */
        if (reported > most) most = (int)reported;
        db_close(&db);
    }
    assert_true(k > 6);
    assert_int_equal(most, 3);
}

/* ---- a full disk ---- */

static void act_limited(void *ctx) {
    struct target *t = ctx;
    struct rundir r;
    struct options o;
    int failed = 0;
    if (!rundir_open(&r, t->path, &o, &t->e)) _exit(1);
    for (rlim_t limit = 1024; limit <= 256 * 1024; limit += 4096) {
        char below[400];
        const struct rlimit soft = {limit, RLIM_INFINITY};
        if (setrlimit(RLIMIT_FSIZE, &soft) != 0) _exit(2);
        const bool ok = save(&r, 200 + (int64_t)limit, WEIGHTS, &t->e);
        const int64_t expected = ok ? 200 + (int64_t)limit : 100;
        failed += !ok;
        if (!ok && (!strstr(t->e.msg, t->path) || strncmp(t->e.msg, "checkpoint at tick ", 19) != 0)) _exit(3);
        if (newest(&r) != expected) _exit(4);
        snprintf(below, sizeof below, "%s/checkpoints", t->path);
        if (count_entries(below) != 1) _exit(5);
        if (ok) break;
    }
    if (failed < 10) _exit(6);
    if (newest(&r) == 100) _exit(7); /* room again: it works */
    rundir_close(&r);
}

static void a_checkpoint_that_does_not_fit_leaves_the_old_one(void **state) {
    (void)state;
    struct target t;
    new_run(&t, 0);
    assert_false(dies_at(0, act_limited, &t));
}

/* A disk of one megabyte, in a name space of its own. */
static void act_small_disk(void *ctx) {
    struct target *t = ctx;
    struct rundir r;
    struct options o;
    options_default(&o);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder, "tmpfs", 0, "size=1m") != 0)
        _exit(DIED); /* not ours to do: skipped */
    if (!rundir_create(&r, t->path, &o, "", &t->e) || !save(&r, 100, WEIGHTS, &t->e)) _exit(1);
    if (save(&r, 200, 1 << 20, &t->e) || !strstr(t->e.msg, "No space left on device")) _exit(2);
    if (newest(&r) != 100) _exit(3);
    if (!save(&r, 300, WEIGHTS, &t->e) || newest(&r) != 300) _exit(4);
    rundir_close(&r);
}

static void a_full_disk_is_survived(void **state) {
    (void)state;
    struct target t;
    snprintf(t.path, sizeof t.path, "%s/small", folder);
    if (dies_at(0, act_small_disk, &t)) skip();
}

/* ---- memory ---- */

static void a_config_without_memory_changes_nothing(void **state) {
    (void)state;
    struct options o, def;
    struct err e;
    char path[300];
    static const char TEXT[] = "{\"beta\": 3, \"game\": {\"rounds\": 2}}";
    snprintf(path, sizeof path, "%s/config.json", folder);
    must(atomic_write(path, TEXT, strlen(TEXT), &e), &e);
    options_default(&def);
    long n = 1;
    for (bool failed = true; failed; n++) {
        o = def;
        mem_fail_after(n);
        failed = !options_load(&o, path, &e);
        mem_fail_after(0);
        if (failed) assert_memory_equal(&o, &def, sizeof o);
    }
    assert_true(n > 2);
    assert_true(o.beta == 3.0 && o.game_rounds == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(death_in_a_checkpoint_leaves_a_usable_one),
        cmocka_unit_test(death_in_a_start_leaves_a_whole_run_or_none),
        cmocka_unit_test(a_label_reported_as_saved_survives_death),
        cmocka_unit_test(a_checkpoint_that_does_not_fit_leaves_the_old_one),
        cmocka_unit_test(a_full_disk_is_survived),
        cmocka_unit_test(a_config_without_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
