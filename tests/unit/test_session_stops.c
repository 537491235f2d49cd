/* How a run stops when the world around it changes: its folder is removed under it, the clock is set back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "tests/support/tiny_runs.h"

static bool has_pairs(const struct snapshot *n) { return n->n_shown > 0; }

/* The run is over, has failed, and says what happened and where: on the screen, and to its caller. */
static void fails_for_its_folder(struct session *s, const char *name) {
    char words[300];
    bool ok = true;
    struct err e = {""};
    snprintf(words, sizeof words, "%s: the run's folder was removed, moved or replaced", tiny_path(name));
    assert_true(tiny_wait_state(s, RUN_FAILED));
    const struct snapshot *n = session_snapshot(s);
    if (!strstr(n->state_text, words)) fail_msg("\"%s\" does not say \"%s\"", n->state_text, words);
    snapshot_release(n);
    session_finish(s, &ok, NULL, &e);
    assert_false(ok);
    if (!strstr(e.msg, words)) fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
}

static void a_removed_folder_is_an_error(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1000");
    for (int headless = 0; headless < 2; headless++) {
        struct session *s = tiny_start("removed", &o, false, headless != 0);
        assert_true(tiny_wait(s, has_pairs));
        assert_true(dir_remove_tree(tiny_path("removed"), NULL));
        fails_for_its_folder(s, "removed");
        assert_false(file_exists(tiny_path("removed"))); /* nor is half of a run made there */
    }
}

/* A new run under the same name is somebody else's. */
static void a_replaced_folder_is_an_error(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start("replaced", &o, false, true);
    assert_true(tiny_wait(s, has_pairs));
    assert_int_equal(rename(tiny_path("replaced"), tiny_path("elsewhere")), 0);
    const struct options quick = tiny_options("iterations=1");
    tiny_play("replaced", &quick, false, NULL);
    fails_for_its_folder(s, "replaced");
    tiny_play("replaced", &quick, true, NULL); /* and is left whole */
}

static void a_paused_run_notices_when_it_is_told_to_save(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start("paused", &o, false, false);
    assert_true(tiny_wait(s, has_pairs));
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    const struct snapshot *n = session_snapshot(s);
    struct label_event ev = tiny_event(&n->pair[0], DECISION_A);
    struct err e = {""};
    snapshot_release(n);
    assert_true(dir_remove_tree(tiny_path("paused"), NULL));
    assert_false(session_label(s, &ev, &e)); /* never "saved" into a file that is gone */
    assert_non_null(strstr(e.msg, "folder was removed"));
    session_interrupt(s);
    fails_for_its_folder(s, "paused");
}

/* ---- a clock that is set back ---- */

static atomic_bool set_back; /* who asks for the time of day gets it from before it was set back by an hour */

int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, "clock_gettime");
    const int rc = real(id, t);
    if (id == CLOCK_REALTIME && atomic_load(&set_back)) t->tv_sec += 3600;
    return rc;
}

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A run that waits hears the interrupt, whatever the clock does, and needs no processor meanwhile. */
static void a_paused_run_stops_whatever_the_clock_says(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1000");
    struct session *s = tiny_start("clock", &o, false, false);
    assert_true(tiny_wait(s, has_pairs));
    atomic_store(&set_back, true);
    tiny_send(s, COMMAND_PAUSE, "", "");
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    const double cpu = cpu_seconds();
    usleep(300000); /* the run is surely in its wait */
    assert_true(cpu_seconds() - cpu < 0.25);
    session_interrupt(s);
    const double began = clock_seconds();
    while (!session_ended(s) && clock_seconds() - began < 20) usleep(1000);
    const bool ended = session_ended(s);
    atomic_store(&set_back, false);
    assert_true(ended);
    tiny_finish(s, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_removed_folder_is_an_error),
        cmocka_unit_test(a_replaced_folder_is_an_error),
        cmocka_unit_test(a_paused_run_notices_when_it_is_told_to_save),
        cmocka_unit_test(a_paused_run_stops_whatever_the_clock_says),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
