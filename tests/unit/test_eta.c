/* The time a run still takes: the estimate itself, and the plan of micro-steps that it rests on, which is compared with
 * the steps that games of every kind really took. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/game/game.h"
#include "engine/game/phase_order.h"
#include "engine/run/eta.h"
#include "tests/support/tiny_runs.h"

static void phases_are_counted_at_their_own_cost(void **state) {
    (void)state;
    /* 10 steps of 6 s are over, 1,000 of 0.01 s are ahead: a run's share of steps would say 100 minutes */
    const struct eta_phase p[] = {{10, 60, 0, 600}, {5, 0.05, 1000, 1}, {0, 0, 0, 50}};
    assert_true(fabs(eta_seconds(p, 3) - 10) < 1e-9);
}

static void an_unseen_phase_costs_its_work(void **state) {
    (void)state;
    /* 30 s for 10 x 100 + 5 x 40 = 1,200 of work: 0.025 s each; 8 x 50 of work ahead */
    const struct eta_phase p[] = {{10, 26, 2, 100}, {5, 4, 0, 40}, {0, 0, 8, 50}, {0, 0, 20, 0}};
    assert_true(fabs(eta_seconds(p, 4) - (2 * 2.6 + 8 * 50 * 0.025)) < 1e-9);
}

static void without_work_done_nothing_is_known(void **state) {
    (void)state;
    const struct eta_phase p[] = {{0, 0, 10, 100}, {3, 0.1, 0, 0}};
    assert_true(isnan(eta_seconds(p, 2)));
    assert_true(isnan(eta_seconds(p, 0)));
    const struct eta_phase over[] = {{7, 3, 0, 100}};
    assert_true(eta_seconds(over, 1) == 0);
}

static double left(const struct game *g) {
    double sum = 0;
    for (int p = 0; p < N_PHASES; p++) sum += game_phase_left(g, (enum run_phase)p);
    return sum;
}

/* At every micro-step of the game the plan says how many are ahead. */
static void plan_holds(const char *assignments) {
    enum { MOST = 4000 };
    static double said[MOST];
    static struct game g;
    struct options o = tiny_options(assignments);
    const struct game_observer nobody = {0};
    struct db db;
    struct err e = {""};
    int n = 0;
    unlink(tiny_path("game.db"));
    if (!db_open(&db, tiny_path("game.db"), DB_CREATE, false, &e) || !game_open(&g, &o, &db, &nobody, false, &e))
        fail_msg("%s: %s", assignments, e.msg);
    while (g.st.phase != PHASE_END && n < MOST) {
        said[n++] = left(&g);
        const enum run_phase p = (enum run_phase)g.st.phase;
        const struct costs costs = costs_of(&g);
        const double work = game_step_work(&g, &costs, p);
        /* what computes nothing is over in one step */
        const bool may_be_free = game_phase_steps(&g, g.st.iteration, p) == 1 && p != PHASE_COLLECT && p != PHASE_FIT;
        if (!isfinite(work) || work < 0 || (work == 0 && !may_be_free))
            fail_msg("%s: %s has work %g", assignments, run_phase_name(p), work);
        if (game_step(&g, false, &e) != GAME_OK) fail_msg("%s: %s", assignments, e.msg);
    }
    assert_true(left(&g) == 0);
    for (int i = 0; i < n; i++)
        if (fabs(said[i] - (n - i)) > 1e-6)
            fail_msg("%s: at step %d of %d the plan says %g", assignments, i, n, said[i]);
    game_close(&g);
    db_close(&db);
}

static void the_plan_holds_for_every_kind_of_game(void **state) {
    (void)state;
    static const char *const GAMES[] = {"",
                                        "iterations=3 prompts.per_iteration=70",
                                        "sft.steps=3 game.rounds=3 game.policy_steps=2 game.reward_steps=2",
                                        "game.data=offline iterations=3",
                                        "game.scope=head head.rank=3 game.policy_steps=4 head.solve_every=2",
                                        "game.descent=sampled temperature=1 game.policy_epochs=2",
                                        "reward.access=white-box beta.mode=auto",
                                        "algorithm=sft",
                                        "algorithm=dpo",
                                        "algorithm=rkl",
                                        "algorithm=moment",
                                        "algorithm=ppo_fixed_rm iterations=3",
                                        "game.rounds=0",
                                        "eval.prompts=0"};
    for (size_t i = 0; i < sizeof GAMES / sizeof *GAMES; i++) plan_holds(GAMES[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_are_counted_at_their_own_cost),
        cmocka_unit_test(an_unseen_phase_costs_its_work),
        cmocka_unit_test(without_work_done_nothing_is_known),
        cmocka_unit_test(the_plan_holds_for_every_kind_of_game),
    };
    return cmocka_run_group_tests(tests, tiny_folder_of_games, tiny_remove);
}
