/* The student's learning rate over iterations and steps (game.schedule): what it is held to is its shape, not its
 * figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "engine/game/student_step.h"

enum { STEPS = 100, ITERATIONS = 5 };

static struct options options_of(int schedule) {
    struct options o;
    options_default(&o);
    o.iterations = ITERATIONS;
    o.game_rounds = 5;
    o.game_policy_steps = STEPS / 5;
    o.game_warmup = 20;
    o.game_final_lr = 0.0;
    o.game_schedule = schedule;
    return o;
}

static double rate(struct game *g, int iteration, int step) {
    g->st.iteration = iteration;
    return game_student_lr(g, 1.0, step);
}

static void a_run_is_one_warm_up_and_one_decay(void **state) {
    (void)state;
    struct options o = options_of(SCHEDULE_RUN);
    struct game g = {.o = &o};
    double before = 0;
    for (int t = 0; t < ITERATIONS * STEPS; t++) {
        const double now = rate(&g, 1 + t / STEPS, t % STEPS);
        if (t < o.game_warmup)
            assert_true(fabs(now - (t + 1.0) / o.game_warmup) <= 1e-12);
        else if (t > o.game_warmup)
            assert_true(fabs(before - now - 1.0 / (ITERATIONS * STEPS - o.game_warmup)) <= 1e-12);
        before = now;
    }
    assert_true(before > 0 && before < 0.01);
}

static void each_iteration_may_have_its_own(void **state) {
    (void)state;
    struct options o = options_of(SCHEDULE_ITERATION);
    struct game g = {.o = &o};
    for (int step = 0; step < STEPS; step++) assert_true(rate(&g, 4, step) == rate(&g, 1, step));
    assert_true(fabs(rate(&g, 1, o.game_warmup) - 1.0) <= 1e-12);
    assert_true(rate(&g, 1, STEPS - 1) < 0.02);
}

/* A person who asks for more or fewer iterations while one is under way. */
static void it_follows_the_number_of_iterations(void **state) {
    (void)state;
    struct options o = options_of(SCHEDULE_RUN);
    struct game g = {.o = &o};
    const double before = rate(&g, 3, 10);
    o.iterations = 2 * ITERATIONS;
    assert_true(rate(&g, 3, 10) > before);
    o.iterations = 1; /* the iteration under way is the last */
    assert_true(rate(&g, 3, 10) > 0 && rate(&g, 3, 10) < before);
    assert_true(rate(&g, 3, STEPS - 1) < 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_run_is_one_warm_up_and_one_decay),
                                       cmocka_unit_test(each_iteration_may_have_its_own),
                                       cmocka_unit_test(it_follows_the_number_of_iterations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
