/* Scope head as it is played, on tiny random models: the ascent reaches the worst of the confidence set, the set
 * follows the pairs and may miss the truth. What it is made of has tests of its own: test_confidence.c,
 * test_head_scope.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/tiny_runs.h"

static double least(const char *run, const char *sql_difference, const char *higher, const char *lower) {
    char sql[400];
    snprintf(sql, sizeof sql, "SELECT %s FROM metric a JOIN metric b ON a.tick=b.tick AND a.name='%s' AND b.name='%s'",
             sql_difference, higher, lower);
    return tiny_number(run, sql);
}

/* The exact maximum over a set that holds the old weights too; the held-out gap under any reward of the set lies
 * between its extremes. zeta is so wide that the fitted reward is in the set. */
static void the_linear_adversary_is_the_worst_of_its_set(void **state) {
    (void)state;
    const struct options o =
        tiny_options("game.scope=head head.rank=6 head.bound=3 beta.mode=auto zeta=0.3 iterations=3 game.rounds=6");
    tiny_play("worst", &o, false, NULL);
    /* an ascent for every descent step; no trough before the first */
    assert_true(least("worst", "count(*)", "gap.after_ascent", "gap.after_descent") == 3 * (6 * 2 - 1));
    assert_true(least("worst", "min(a.value-b.value)", "gap.after_ascent", "gap.after_descent") > -1e-5);
    assert_true(least("worst", "max(a.value-b.value)", "gap.after_ascent", "gap.after_descent") > 0.01);
    assert_true(least("worst", "count(*)", "gap.max", "gap.min") == 3);
    assert_true(least("worst", "min(a.value-b.value)", "gap.max", "gap.worst") > -1e-5);
    assert_true(least("worst", "min(a.value-b.value)", "gap.worst", "gap.min") > -1e-5);
    assert_true(least("worst", "min(a.value-b.value)", "gap.fitted", "gap.min") > -1e-5);
    assert_true(tiny_number("worst", "SELECT max(value) FROM metric WHERE name='reward.slack'") < 0.3 + 1e-9);
    const double sum = tiny_number("worst", "SELECT sum(value) FROM metric WHERE name='gap.worst'");
    const double rate =
        tiny_number("worst", "SELECT value FROM metric WHERE name='regret.rate' ORDER BY tick DESC LIMIT 1");
    assert_true(fabs(rate - sum / sqrt(3 * log(3))) < 1e-9);
    assert_true(tiny_number("worst", "SELECT count(*) FROM metric WHERE name='regret.rate'") == 2);
}

/* A fixed beta may leave the set; the larger it is, the nearer to the best fit. */
static void a_larger_beta_holds_the_linear_adversary(void **state) {
    (void)state;
    static const char *const BETAS[] = {"0.1", "1000"};
    double slack[2];
    for (int i = 0; i < 2; i++) {
        char text[200], run[32];
        snprintf(run, sizeof run, "beta-%d", i);
        snprintf(text, sizeof text, "game.scope=head head.rank=6 head.bound=3 iterations=1 beta=%s", BETAS[i]);
        const struct options o = tiny_options(text);
        tiny_play(run, &o, false, NULL);
        slack[i] = tiny_number(run, "SELECT max(value) FROM metric WHERE name='reward.slack'");
        assert_true(tiny_number(run, "SELECT min(value) FROM metric WHERE name='beta'") == atof(BETAS[i]));
    }
    if (!(slack[0] > 0.1 && slack[1] < 0.01)) fail_msg("L - L_hat: %g and %g", slack[0], slack[1]);
}

/* zeta by Wilks' theorem: with n pairs and d_eff <= 1 + rank at most chi2(1 + rank, 0.95) / 2n. */
static void the_radius_follows_the_pairs(void **state) {
    (void)state;
    const struct options o = tiny_options("game.scope=head head.rank=3 beta.mode=auto zeta.mode=wilks iterations=3");
    tiny_play("wilks", &o, false, NULL);
    assert_true(tiny_number("wilks", "SELECT count(*) FROM metric WHERE name='zeta'") == 3);
    const double n = tiny_number("wilks", "SELECT count(*) FROM pair WHERE iteration=1"), bound = 9.4877 / 2;
    const double first = tiny_number("wilks", "SELECT value FROM metric WHERE name='zeta' ORDER BY tick LIMIT 1");
    const double last = tiny_number("wilks", "SELECT value FROM metric WHERE name='zeta' ORDER BY tick DESC LIMIT 1");
    assert_true(first > 0 && first <= bound / (0.5 * n) && last < first);
}

/* Labels of an oracle make the true reward the best fit, and so a member; labels that never doubt the teacher, where a
 * checker sees ties, do not. */
static void the_set_covers_the_truth_or_not(void **state) {
    (void)state;
    struct options o = tiny_options("game.scope=head head.rank=3 labeller=oracle iterations=1");
    tiny_play("covers", &o, false, NULL);
    assert_true(fabs(tiny_number("covers", "SELECT value FROM metric WHERE name='set.truth_excess'") + 0.01) < 1e-9);
    o = tiny_options("game.scope=head head.rank=3 head.bound=3 iterations=1 reward.steps=30 reward.lr=0.01");
    tiny_play("misses", &o, false, NULL);
    assert_true(tiny_number("misses", "SELECT value FROM metric WHERE name='set.truth_excess'") > 0.1);
    o = tiny_options("game.scope=head head.rank=3 iterations=1 prompts.checker=none");
    tiny_play("unknown", &o, false, NULL);
    assert_true(tiny_number("unknown", "SELECT count(*) FROM metric WHERE name='set.truth_excess'") == 0);
}

/* Labels drawn from the true reward, which here tells right from wrong: sets at Wilks' radius hold it about as often as
 * they promise, sets of next to no radius hardly ever; and to look changes nothing in the game. */
static void redraws_tell_how_often_the_set_covers(void **state) {
    (void)state;
    char base[300];
    tiny_write_known("known.jsonl");
    snprintf(base, sizeof base,
             "game.scope=head head.rank=3 head.bound=100 labeller=oracle iterations=1 prompts.per_iteration=48 "
             "temperature=0.01"
             " prompts.checker=word prompts.train=%s",
             tiny_path("known.jsonl"));
    static const struct {
        const char *run, *more;
        double lo, hi;
    } CASES[] = {{"redraws-wilks", "head.redraws=400 zeta.mode=wilks", 0.9, 0.985},
                 {"redraws-narrow", "head.redraws=200 zeta=0.00001", 0, 0.1}};
    char text[400], hash[2][32];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        snprintf(text, sizeof text, "%s %s", base, CASES[i].more);
        const struct options o = tiny_options(text);
        tiny_play(CASES[i].run, &o, false, hash[0]);
        const double share = tiny_number(CASES[i].run, "SELECT value FROM metric WHERE name='set.coverage_redrawn'");
        print_message("%s: %g of the sets hold the truth\n", CASES[i].run, share);
        if (!(share >= CASES[i].lo && share <= CASES[i].hi))
            fail_msg("%s: %g of the sets hold the truth", CASES[i].run, share);
    }
    snprintf(text, sizeof text, "%s zeta=0.00001", base);
    const struct options o = tiny_options(text);
    tiny_play("redraws-none", &o, false, hash[1]);
    assert_string_equal(hash[0], hash[1]);
    assert_true(tiny_number("redraws-none", "SELECT count(*) FROM metric WHERE name='set.coverage_redrawn'") == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_linear_adversary_is_the_worst_of_its_set),
        cmocka_unit_test(a_larger_beta_holds_the_linear_adversary),
        cmocka_unit_test(the_radius_follows_the_pairs),
        cmocka_unit_test(the_set_covers_the_truth_or_not),
        cmocka_unit_test(redraws_tell_how_often_the_set_covers),
    };
    return cmocka_run_group_tests(tests, tiny_folder_of_games, tiny_remove);
}
