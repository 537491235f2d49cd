/* The game as a machine of micro-steps, opened without a session: what a test can reach only from inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/game/game.h"
#include "engine/game/phase/advantages.h"
#include "engine/game/student_step.h"
#include "tests/support/tiny_runs.h"

struct played {
    struct options o;
    struct db db;
    struct game g;
};

static struct played *open_game(const char *assignments) {
    struct played *p = calloc(1, sizeof *p);
    const struct game_observer nobody = {0};
    struct err e = {0};
    p->o = tiny_options(assignments);
    unlink(tiny_path("game.db"));
    if (!db_open(&p->db, tiny_path("game.db"), DB_CREATE, false, &e) ||
        !game_open(&p->g, &p->o, &p->db, &nobody, false, &e))
        fail_msg("%s", e.msg);
    return p;
}

static void close_game(struct played *p) {
    game_close(&p->g);
    db_close(&p->db);
    free(p);
}

/* Play until the phase begins, the count-th time from now. */
static void play_until(struct played *p, enum run_phase phase, int count) {
    struct err e = {0};
    for (bool before = p->g.st.phase != (int64_t)phase; count > 0;) {
        const enum game_result r = game_step(&p->g, false, &e);
        if (r != GAME_OK) fail_msg("%s", r == GAME_FAILED ? e.msg : "the game ended");
        const bool now = p->g.st.phase == (int64_t)phase;
        count -= now && before;
        before = !now;
    }
}

/* ---- safe points ---- */

static bool count_down(void *ctx) { return --*(int *)ctx >= 0; }

/* A set that is left at any of the 8 safe points of its making, 6 redraws among them, and made again is the set that
 * was never left. */
static void a_set_is_made_whole_or_again(void **state) {
    (void)state;
    double share = (double)NAN;
    for (int asks = 100; asks >= 0; asks = asks == 100 ? 7 : asks - 1) {
        struct played *p = open_game("game.scope=head head.rank=3 head.redraws=6 zeta.mode=wilks labeller=oracle");
        struct err e = {0};
        int left = asks, abandoned = 0;
        play_until(p, PHASE_FIT, 1);
        p->g.see.safe_point = count_down;
        p->g.see.ctx = &left;
        while (p->g.st.phase == PHASE_FIT) {
            const enum game_result r = game_step(&p->g, false, &e);
            assert_true(r == GAME_OK || r == GAME_ABANDONED);
            if (r == GAME_ABANDONED) left = 100, abandoned++;
        }
        if (isnan(share)) share = p->g.st.metric[METRIC_COVERAGE_REDRAWN];
        assert_true(isfinite(share) && p->g.st.metric[METRIC_COVERAGE_REDRAWN] == share);
        assert_true(asks == 100 ? abandoned == 0 : abandoned == 1);
        close_game(p);
    }
}

/* ---- r_held ---- */

static uint64_t hash_of(const struct reward *r) { return model_hash(r->t.model); }

/* Weights of both rewards after the first fit, with the labels of the pairs of one half turned round before it, -1: of
 * none. */
static void fit_with(int half, uint64_t *fitted, uint64_t *held) {
    struct played *p = open_game("reward.held=on prompts.per_iteration=40");
    int turned = 0;
    play_until(p, PHASE_FIT, 1);
    for (int i = 0; i < p->g.corpus.dpref.n; i++) {
        struct pref_pair *q = &p->g.corpus.dpref.pair[i];
        if (q->heldout || (int)(q->prompt_hash / 10 % 2) != half) continue;
        q->o = 1 - q->o;
        turned++;
    }
    assert_true(half < 0 || turned > 3);
    play_until(p, PHASE_GATE, 1);
    *fitted = hash_of(&p->g.rewards.fitted);
    *held = hash_of(&p->g.rewards.held);
    close_game(p);
}

static void each_reward_learns_from_its_half(void **state) {
    (void)state;
    uint64_t fitted, held, fitted0, held0, fitted1, held1;
    fit_with(-1, &fitted, &held);
    fit_with(0, &fitted0, &held0);
    fit_with(1, &fitted1, &held1);
    assert_true(fitted != held && fitted0 != fitted && held1 != held);
    assert_true(held0 == held && fitted1 == fitted);
}

static void r_held_does_not_play(void **state) {
    (void)state;
    struct played *p = open_game("reward.held=on prompts.per_iteration=24 game.rounds=4 game.reward_lr=0.01");
    play_until(p, PHASE_GATE, 1);
    const uint64_t held = hash_of(&p->g.rewards.held), adversary = hash_of(&p->g.rewards.fitted);
    play_until(p, PHASE_CHECKPOINT, 1);
    assert_true(hash_of(&p->g.rewards.held) == held && hash_of(p->g.adversary.reward) != adversary);
    assert_true(isfinite(p->g.st.metric[METRIC_GAP_HELD]) &&
                p->g.st.metric[METRIC_GAP_HELD_LO] <= p->g.st.metric[METRIC_GAP_HELD] &&
                p->g.st.metric[METRIC_GAP_HELD] <= p->g.st.metric[METRIC_GAP_HELD_HI]);
    assert_true(p->g.st.metric[METRIC_GAP_HELD] != p->g.st.metric[METRIC_GAP_FITTED] &&
                isfinite(p->g.st.metric[METRIC_RM_HELD]));
    close_game(p);
}

/* ---- what is not finite ---- */

static char logged[20000];

static void keep_log(void *ctx, enum alert_level level, const char *text) {
    (void)ctx;
    const size_t n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "%d %s\n", (int)level, text);
}

/* Spoil the gradient that a step of the phase accumulates on. */
static void spoil(const char *assignments, enum run_phase phase, struct trainee *(*which)(struct game *g),
                  const char *name) {
    struct played *p = open_game(assignments);
    struct game *g = &p->g;
    struct err e = {0};
    g->see.log = keep_log;
    logged[0] = '\0';
    play_until(p, phase, 1);
    struct trainee *t = which(g);
    const int64_t tick = g->st.tick, step = g->st.step, policy_step = g->st.policy_step, taken = t->opt.step;
    const uint64_t student = model_hash(g->players.student.model), weights = model_hash(t->model);
    for (int i = 0; i < 2; i++) {
        t->grads[t->model->n_params / 2] = i ? INFINITY : NAN;
        if (game_step(g, true, &e) != GAME_REFUSED) fail_msg("%s, %s: %s", assignments, name, e.msg);
        if (!strstr(e.msg, name) || !strstr(e.msg, "undone")) fail_msg("%s", e.msg);
        assert_true(model_hash(g->players.student.model) == student && model_hash(t->model) == weights &&
                    t->opt.step == taken);
        assert_true(g->st.tick == tick + 1 + i && g->st.step == step && g->st.policy_step == policy_step &&
                    g->st.phase == (int64_t)phase);
        assert_true(g->watch.n_findings == 1 && g->watch.finding[0].id == SIGNATURE_NON_FINITE &&
                    g->watch.finding[0].since_tick == tick);
        assert_true(g->watch.found_not_finite == (i == 0)); /* raised once, then it stands */
    }
    assert_non_null(strstr(logged, "2 non-finite values: gradient_"));
    if (game_step(g, true, &e) != GAME_OK) fail_msg("%s", e.msg);
    assert_true(t->opt.step > taken && model_hash(t->model) != weights);
    play_until(p, PHASE_CHECKPOINT, 1);
    close_game(p);
}

static struct trainee *student_of(struct game *g) { return &g->players.student; }
static struct trainee *fitted_of(struct game *g) { return &g->rewards.fitted.t; }
static struct trainee *adversary_of(struct game *g) { return g->adversary.trainee; }
static struct trainee *held_of(struct game *g) { return &g->rewards.held.t; }

static void a_step_that_is_not_finite_is_undone(void **state) {
    (void)state;
    spoil("algorithm=pbkd", PHASE_DESCENT, student_of, "the student");
    spoil("game.descent=sampled", PHASE_DESCENT, student_of, "the student");
    spoil("algorithm=pbkd", PHASE_ASCENT, adversary_of, "the adversary");
    spoil("reward.access=white-box", PHASE_ASCENT, adversary_of, "the adversary");
    spoil("reward.steps=5", PHASE_FIT, fitted_of, "the fitted reward");
    spoil("reward.held=on reward.steps=5 prompts.per_iteration=40", PHASE_FIT, held_of, "the held reward");
    spoil("game.scope=head head.rank=4 game.rounds=4", PHASE_DESCENT, student_of, "the student");
    spoil("algorithm=sft", PHASE_SFT, student_of, "the student");
    spoil("algorithm=fkl", PHASE_DISTIL, student_of, "the student");
    spoil("algorithm=dpo", PHASE_DPO, student_of, "the student");
}

/* ---- rows of the failure signatures ---- */

static double evaluated(const struct game *g, int figure) {
    return g->watch.history.evaluation[(g->watch.history.n_evaluations - 1) % SIGNATURE_EVALUATIONS][figure];
}
static double stepped(const struct game *g, int figure) {
    return g->watch.history.step[(g->watch.history.n_steps - 1) % SIGNATURE_STEPS][figure];
}

static void every_step_and_evaluation_leaves_a_row(void **state) {
    (void)state;
    struct played *p = open_game("game.kl=0.1 reward.held=on prompts.per_iteration=40");
    const struct game *g = &p->g;
    play_until(p, PHASE_DESCENT, 1);
    assert_true(g->watch.history.n_steps == 1 && stepped(g, STEP_TICK) == (double)g->st.tick - 1);
    assert_true(stepped(g, STEP_GRADIENT_REWARD) > 0 && isfinite(stepped(g, STEP_GAP_ASCENT)) &&
                isnan(stepped(g, STEP_ENTROPY)));
    play_until(p, PHASE_EVALUATE, 1);
    assert_true(g->watch.history.n_steps == 2 + 2 * 2); /* ascents, descents */
    assert_true(stepped(g, STEP_GRADIENT_STUDENT) > 0 && stepped(g, STEP_ENTROPY) > 0 &&
                isfinite(stepped(g, STEP_KL)) && isfinite(stepped(g, STEP_STUDENT_REWARD)) &&
                isnan(stepped(g, STEP_GAP_ASCENT)));
    play_until(p, PHASE_CHECKPOINT, 1);
    assert_true(g->watch.history.n_evaluations == 1);
    static const int KNOWN[] = {EVAL_GAP_WORST_LO,
                                EVAL_GAP_FITTED_HI,
                                EVAL_GAP_HELD,
                                EVAL_GAP_TRUE,
                                EVAL_STUDENT_REWARD_HELD,
                                EVAL_RM_HELDOUT,
                                EVAL_RM_LENGTH,
                                EVAL_LENGTH_CORRELATION,
                                EVAL_ENTROPY,
                                EVAL_KL,
                                EVAL_TRUNCATED,
                                EVAL_IDENTICAL,
                                EVAL_SLACK,
                                EVAL_BETA,
                                EVAL_ZETA};
    static const int UNKNOWN[] = {EVAL_ZERO_GROUPS, EVAL_BETA_FLOOR, EVAL_TRUTH_EXCESS, EVAL_Q_NORM};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (!isfinite(evaluated(g, KNOWN[i]))) fail_msg("figure %d is %g", KNOWN[i], evaluated(g, KNOWN[i]));
    for (size_t i = 0; i < sizeof UNKNOWN / sizeof *UNKNOWN; i++) assert_true(isnan(evaluated(g, UNKNOWN[i])));
    assert_true(evaluated(g, EVAL_GAP_WORST) == g->st.metric[METRIC_GAP_WORST] && evaluated(g, EVAL_BETA) == 10 &&
                evaluated(g, EVAL_KL) > 0);
    assert_true(evaluated(g, EVAL_ENTROPY) > 0 && evaluated(g, EVAL_TRUNCATED) >= 0 &&
                evaluated(g, EVAL_TRUNCATED) <= 1);
    close_game(p);
}

static void what_a_way_of_playing_measures_is_in_its_rows(void **state) {
    (void)state;
    static const struct {
        const char *options;
        int figure;
    } HAVE[] = {{"game.descent=sampled", EVAL_ZERO_GROUPS},
                {"reward.access=white-box", EVAL_Q_NORM},
                {"beta.mode=auto", EVAL_BETA_FLOOR},
                {"game.scope=head head.rank=4", EVAL_TRUTH_EXCESS},
                {"algorithm=moment", EVAL_Q_NORM}};
    for (size_t i = 0; i < sizeof HAVE / sizeof *HAVE; i++) {
        struct played *p = open_game(HAVE[i].options);
        play_until(p, PHASE_CHECKPOINT, 1);
        if (!isfinite(evaluated(&p->g, HAVE[i].figure)))
            fail_msg("%s: %g", HAVE[i].options, evaluated(&p->g, HAVE[i].figure));
        close_game(p);
    }
}

/* What trains without a game has the student's gradient in its rows, and nothing of a game; the first training of a raw
 * student is no part of it. */
static void every_algorithm_leaves_its_steps(void **state) {
    (void)state;
    static const char *const ALGORITHMS[] = {"algorithm=sft", "algorithm=fkl sft.steps=3", "algorithm=dpo"};
    for (int i = 0; i < 3; i++) {
        struct played *p = open_game(ALGORITHMS[i]);
        const struct game *g = &p->g;
        play_until(p, PHASE_CHECKPOINT, 1);
        assert_int_equal(g->watch.history.n_steps, game_student_steps(g));
        assert_true(stepped(g, STEP_GRADIENT_STUDENT) > 0 && isnan(stepped(g, STEP_GRADIENT_REWARD)) &&
                    isnan(stepped(g, STEP_GAP_ASCENT)));
        assert_true(g->watch.history.n_evaluations == 1 && isnan(evaluated(g, EVAL_ENTROPY)));
        close_game(p);
    }
}

/* ---- memory ---- */

/* Whichever of its allocations fails, a game that cannot open says so and leaves nothing behind (the address sanitizer
 * looks), whatever it is played against. */
static void a_game_that_cannot_open_leaves_nothing(void **state) {
    (void)state;
    static const char *const PLAYED[] = {"algorithm=pbkd", "game.scope=head head.rank=4", "reward.access=white-box",
                                         "algorithm=ppo_fixed_rm reward.held=on"};
    const struct game_observer nobody = {0};
    for (size_t i = 0; i < sizeof PLAYED / sizeof *PLAYED; i++) {
        struct played *p = calloc(1, sizeof *p);
        struct err e = {0};
        int refused = 0;
        p->o = tiny_options(PLAYED[i]);
        unlink(tiny_path("game.db"));
        if (!db_open(&p->db, tiny_path("game.db"), DB_CREATE, false, &e)) fail_msg("%s", e.msg);
        for (int n = 1;; n += n < 30 ? 1 : 11) {
            mem_fail_after(n);
            const bool opened = game_open(&p->g, &p->o, &p->db, &nobody, false, &e);
            mem_fail_after(0);
            if (opened) break;
            if (!strstr(e.msg, "cannot allocate")) fail_msg("%s, %d: %s", PLAYED[i], n, e.msg);
            refused++;
        }
        assert_true(refused >= 20);
        close_game(p);
    }
}

/* ---- checkpoints ---- */

/* A checkpoint of an older program stands before the gate: it must not pass for want of a figure of another name. */
static void an_older_state_keeps_what_decides(void **state) {
    (void)state;
    static const char NEW[] = "\"metric.reward.accuracy.heldout\"", OLD[] = "\"rm_heldout\"";
    struct game_state s, back;
    struct err e = {0};
    game_state_init(&s);
    s.metric[METRIC_RM_HELDOUT] = 0.625;
    char *json = game_state_to_json(&s), *at = strstr(json, NEW);
    assert_non_null(at);
    memmove(at + strlen(OLD), at + strlen(NEW), strlen(at + strlen(NEW)) + 1);
    memcpy(at, OLD, strlen(OLD));
    if (!game_state_from_json(&back, json, "test", &e)) fail_msg("%s", e.msg);
    assert_true(back.metric[METRIC_RM_HELDOUT] == 0.625 && isnan(back.metric[METRIC_ACCURACY]));
    free(json);
}

/* ---- batches of pairs ---- */

/* A batch that is smaller than a prompt's pairs still comes to all of them, where they are ranked: groups share their
 * first answer. */
static void every_ranked_pair_is_drawn(void **state) {
    (void)state;
    struct played *p = open_game("algorithm=dpo samples_per_prompt=4");
    struct game *g = &p->g;
    play_until(p, PHASE_DPO, 1);
    int wanted = 0, drawn = 0;
    for (int i = 0; i < g->corpus.dpref.n; i++) {
        struct pref_pair *q = &g->corpus.dpref.pair[i];
        if (i % 2) q->by0 = (struct answer_by){ORIGIN_STUDENT, i};
        wanted += pair_trains(&g->sampler, q);
    }
    bool *seen = calloc((size_t)g->corpus.dpref.n, sizeof *seen);
    game_pairs_changed(g);
    for (int draw = 0; draw < 200 * g->corpus.dpref.n; draw++, g->st.tick++) {
        assert_int_equal(game_draw_pairs(g, 1), 1);
        seen[g->scratch.pairs.pair[0] - g->corpus.dpref.pair] = true;
    }
    for (int i = 0; i < g->corpus.dpref.n; i++) drawn += seen[i];
    assert_true(wanted > 4);
    assert_int_equal(drawn, wanted);
    free(seen);
    close_game(p);
}

/* ---- rewards to go ---- */

/* Two samples of one prompt, 3 and 1 tokens long; the second was cut. By hand. */
static void advantages_are_of_what_follows(void **state) {
    (void)state;
    enum { ROWS = 4 };
    static const double EXPECTED[2][ROWS] = {{3.5 + 0.5, 3, 2, -0.5 - 3.5}, {3 + 1, 2, 0, -1 - 3}};
    struct options o;
    options_default(&o);
    o.game_truncation_penalty = 1.0;
    float value[ROWS] = {1, 2, 4, 1};
    int start[] = {0, 3, 4};
    struct reward reward = {.scale = 0.5f, .t = {.row_value = value}};
    const struct game g = {.o = &o, .adversary = {.reward = &reward}};
    const struct sequences s = {.row_start = start, .n_seq = 2, .n_rows = ROWS};
    const struct gen_output y[] = {{.n = 3}, {.n = 1, .truncated = true}};
    for (int after = 0; after < 2; after++) {
        double advantage[ROWS];
        advantages_to_go(&g, &s, y, 1, 2, after, advantage);
        for (int h = 0; h < ROWS; h++) assert_true(fabs(advantage[h] - EXPECTED[after][h]) < 1e-12);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_made_whole_or_again),
        cmocka_unit_test(a_game_that_cannot_open_leaves_nothing),
        cmocka_unit_test(an_older_state_keeps_what_decides),
        cmocka_unit_test(each_reward_learns_from_its_half),
        cmocka_unit_test(r_held_does_not_play),
        cmocka_unit_test(a_step_that_is_not_finite_is_undone),
        cmocka_unit_test(every_step_and_evaluation_leaves_a_row),
        cmocka_unit_test(what_a_way_of_playing_measures_is_in_its_rows),
        cmocka_unit_test(every_algorithm_leaves_its_steps),
        cmocka_unit_test(every_ranked_pair_is_drawn),
        cmocka_unit_test(advantages_are_of_what_follows),
    };
    return cmocka_run_group_tests(tests, tiny_folder_of_games, tiny_remove);
}
