/* The wake-up: set from a signal handler or another thread, seen by poll, cleared, and no leftover of many sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/wake.h"

static struct wake w = {{-1, -1}};

static int make(void **state) {
    (void)state;
    return wake_init(&w, NULL) ? 0 : -1;
}

static int drop(void **state) {
    (void)state;
    wake_free(&w);
    wake_free(&w); /* twice is fine */
    return 0;
}

static bool is_set(void) {
    struct pollfd p = {.fd = wake_fd(&w), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void it_is_set_until_it_is_cleared(void **state) {
    (void)state;
    assert_false(is_set());
    wake_clear(&w); /* does not wait */
    wake_set(&w);
    assert_true(is_set());
    wake_wait(&w);
    assert_true(is_set());
    wake_clear(&w);
    assert_false(is_set());
}

/* More than a pipe holds: none of them waits, errno stays, and one clear is enough. */
static void many_sets_are_one(void **state) {
    (void)state;
    errno = ERANGE;
    for (int i = 0; i < 300000; i++) wake_set(&w);
    assert_int_equal(errno, ERANGE);
    assert_true(is_set());
    wake_clear(&w);
    assert_false(is_set());
}

static void programs_that_we_start_do_not_get_it(void **state) {
    (void)state;
    int fd[2];
    assert_true(pipe_make(fd, NULL));
    const int all[] = {w.fd[0], w.fd[1], fd[0], fd[1]};
    for (int i = 0; i < 4; i++) assert_true(fcntl(all[i], F_GETFD) & FD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(w.fd[i], F_GETFL) & O_NONBLOCK);
        assert_false(fcntl(fd[i], F_GETFL) & O_NONBLOCK);
        close(fd[i]);
    }
}

static void on_signal(int sig) {
    (void)sig;
    wake_set(&w);
}

static void a_signal_handler_sets_it(void **state) {
    (void)state;
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    assert_true(is_set());
    wake_clear(&w);
    signal(SIGUSR1, SIG_DFL);
}

static void *set_later(void *arg) {
    usleep(20000);
    wake_set(&w);
    return arg;
}

static void another_thread_ends_the_wait(void **state) {
    (void)state;
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, set_later, NULL), 0);
    wake_wait(&w);
    assert_true(is_set());
    pthread_join(t, NULL);
    wake_clear(&w);
}

static void without_descriptors_it_is_an_error(void **state) {
    (void)state;
    struct wake none;
    struct err e = {""};
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    const bool ok = wake_init(&none, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(ok);
    assert_non_null(strstr(e.msg, "cannot make a pipe: "));
    assert_int_equal(wake_fd(&none), -1);
    wake_free(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_set_until_it_is_cleared),        cmocka_unit_test(many_sets_are_one),
        cmocka_unit_test(programs_that_we_start_do_not_get_it), cmocka_unit_test(a_signal_handler_sets_it),
        cmocka_unit_test(another_thread_ends_the_wait),         cmocka_unit_test(without_descriptors_it_is_an_error),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
