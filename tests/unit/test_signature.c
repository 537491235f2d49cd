/* Failure signatures on histories made by hand: every detector is brought to raise its alert, kept just below its
 * threshold, left without each of the figures that it needs, brought back, and carried through a checkpoint on the way.
 * What must raise nothing: test_signature_quiet.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "tests/support/signature_feed.h"

/* ---- a scenario a detector ---- */

/* RAISE: bring the game to where the alert comes with the last row. BELOW: the same, just short of it. After RAISE,
 * HOLD: what neither raises nor ends it, where there is such a thing; RECOVER: what just ends it. */
enum mode { RAISE, BELOW, HOLD, RECOVER };

static void plateau(struct fed_game *g, enum mode m) {
    static const double WORST[] = {0.30, 0.31, 0.30, 0.29, 0.30};
    const double fall = m == RAISE ? 0.19 : m == BELOW ? 0.201 : 0.3; /* of the mean, within five evaluations */
    for (int i = 0; m != HOLD && i < 5; i++) {
        fed_gap(g, EVAL_GAP_WORST, m == RECOVER ? 0.2 * (1 - fall * (i - 2) / 4) : WORST[i], 0.05);
        fed_gap(g, EVAL_GAP_TRUE, 0.2 * (1 - fall * (i - 2) / 4), 0.05);
        fed_evaluation(g);
    }
    if (m == RECOVER) fed_evaluations(g, EVAL_GAP_WORST, LIST(0));
}

/* Without an oracle, and with a scatter that leaves 0.19 or 0.21 open: 2.353 * 4 * a sqrt(14 / 30) / 0.3, the scatter
 * neither falling nor rising. */
static void plateau_scattered(struct fed_game *g, enum mode m) {
    static const double SCATTER[] = {2, -1, -2, -1, 2};
    const double a = (m == RAISE ? 0.19 : 0.21) * 0.3 / (2.353 * 4 * sqrt(14.0 / 30));
    for (int i = 0; m != HOLD && i < 5; i++) {
        fed_gap(g, EVAL_GAP_WORST, 0.3 + a * SCATTER[i], m == RECOVER ? 0.4 : 0.05);
        fed_evaluation(g);
    }
}

static void gap_worst_grows(struct fed_game *g, enum mode m) {
    if (m == HOLD) fed_gaps(g, EVAL_GAP_WORST, 0.02, LIST(0.141, 0.141));
    if (m == RECOVER) fed_gaps(g, EVAL_GAP_WORST, 0.02, LIST(0.139, 0.139));
    if (m == HOLD || m == RECOVER) return;
    fed_gaps(g, EVAL_GAP_WORST, 0.02, LIST(0.14, 0.10, 0.13));
    fed_gaps(g, EVAL_GAP_WORST, 0.02, LIST(m == BELOW ? 0.199 : 0.201));
}

static void gap_true_grows(struct fed_game *g, enum mode m) {
    if (m == HOLD) fed_gaps(g, EVAL_GAP_TRUE, 0.02, LIST(0.441));
    if (m == RECOVER) fed_gaps(g, EVAL_GAP_TRUE, 0.02, LIST(0.439, 0.439));
    if (m == HOLD || m == RECOVER) return;
    fed_gaps(g, EVAL_GAP_TRUE, 0.02, LIST(0.40, 0.45));
    fed_gaps(g, EVAL_GAP_TRUE, 0.02, LIST(m == BELOW ? 0.499 : 0.501));
}

static void surge(struct fed_game *g, int figure, double level, double times, double over, enum mode m) {
    if (m == RAISE || m == BELOW) fed_steps(g, figure, level, 64);
    if (m == RAISE || m == BELOW) fed_flat_steps(g, figure, (m == RAISE ? 1.001 : 0.999) * times * level, 5);
    if (m == HOLD || m == RECOVER) fed_flat_steps(g, figure, (m == HOLD ? 1.001 : 0.999) * over * level, 40);
}
static void gap_surge(struct fed_game *g, enum mode m) { surge(g, STEP_GAP_ASCENT, 0.1, 5, 2.5, m); }
static void gradient_student(struct fed_game *g, enum mode m) { surge(g, STEP_GRADIENT_STUDENT, 2, 10, 5, m); }
static void gradient_reward(struct fed_game *g, enum mode m) { surge(g, STEP_GRADIENT_REWARD, 2, 10, 5, m); }

static void kl_step(struct fed_game *g, enum mode m) {
    if (m == RAISE || m == BELOW) fed_flat_steps(g, STEP_KL, 0.2, 40);
    if (m == RAISE || m == BELOW) fed_flat_steps(g, STEP_KL, m == RAISE ? 1.01 : 0.99, 5);
    if (m == HOLD || m == RECOVER) fed_flat_steps(g, STEP_KL, m == HOLD ? 0.701 : 0.699, 40);
}

static void newest_pairs(struct fed_game *g, enum mode m) {
    if (m == HOLD) fed_evaluations(g, EVAL_RM_NEWEST, LIST(0.869, 0.869, 0.869, 0.869, 0.869));
    if (m == RECOVER) fed_evaluations(g, EVAL_RM_NEWEST, LIST(0.871, 0.871, 0.871));
    if (m == HOLD || m == RECOVER) return;
    /* the first is of a reward that knew nothing yet */
    fed_evaluations(g, EVAL_RM_NEWEST, LIST(0.60, 0.96, 0.94, 0.80));
    fed_evaluations(g, EVAL_RM_NEWEST, LIST(m == BELOW ? 0.801 : 0.799));
}

static void hacking(struct fed_game *g, int trained, enum mode m) {
    static const double HELD[] = {0.25, 0.20, 0.24, 0.25, 0.26}, ON[] = {0.40, 0.30, 0.26, 0.25, 0.24};
    for (int i = 0; i < 5; i++) { /* half the interval of a change: 0.0283 */
        fed_gap(g, EVAL_GAP_HELD,
                m == HOLD              ? 0.201
                : m == RECOVER         ? 0.199
                : m == BELOW && i == 3 ? 0.228
                                       : HELD[i],
                0.02);
        fed_gap(g, trained, ON[i], 0.02);
        g->row[EVAL_STUDENT_REWARD_HELD] = -g->row[EVAL_GAP_HELD];
        fed_evaluation(g);
    }
}
static void hacking_fitted(struct fed_game *g, enum mode m) { hacking(g, EVAL_GAP_FITTED, m); }
static void hacking_worst(struct fed_game *g, enum mode m) { hacking(g, EVAL_GAP_WORST, m); }

/* As hacking, but the gap that the student is trained on falls by what may be chance. */
static void hacking_by_chance(struct fed_game *g, enum mode m) {
    static const double HELD[] = {0.20, 0.24, 0.25, 0.26};
    for (int i = 0; i < 4; i++) {
        fed_gap(g, EVAL_GAP_HELD, m == RECOVER ? 0.1 : HELD[i], 0.02);
        fed_gap(g, EVAL_GAP_FITTED, i == 0 ? 0.3 : i < 3 ? 0.29 : m == BELOW ? 0.272 : 0.271, 0.02);
        fed_evaluation(g);
    }
}

static void beta_zero(struct fed_game *g, enum mode m) {
    if (m != HOLD) fed_evaluations(g, EVAL_BETA, LIST(10));
    if (m != HOLD) fed_evaluations(g, EVAL_BETA, LIST(m == RAISE ? 0 : 1e-3));
}

static void beta_floor(struct fed_game *g, enum mode m) {
    for (int i = 0; i < 3; i++) {
        g->row[EVAL_BETA] = m == HOLD ? 0.199 : m == RECOVER ? 0.201 : i > 0 ? 0.1 : 5;
        g->row[EVAL_BETA_FLOOR] = 0.1;
        g->row[EVAL_ZETA] = 0.01;
        g->row[EVAL_SLACK] = m == BELOW && i == 2 ? 0.01 : 0.004;
        fed_evaluation(g);
    }
}

static void truth_outside(struct fed_game *g, enum mode m) {
    static const double RISES[] = {-0.005, 0.002, 0.0012};
    for (int i = 0; i < 3; i++) {
        g->row[EVAL_TRUTH_EXCESS] = m == HOLD              ? -0.00099
                                    : m == RECOVER         ? -0.00101
                                    : m == BELOW && i == 2 ? 0
                                                           : RISES[i];
        g->row[EVAL_ZETA] = 0.01;
        fed_evaluation(g);
    }
}

static void truth_unseen(struct fed_game *g, enum mode m) {
    for (int i = 0; i < 2; i++) {
        fed_gap(g, EVAL_GAP_WORST,
                m == HOLD      ? -0.001
                : m == RECOVER ? 0.001
                               : -0.05,
                m == BELOW && i == 1 ? 0.05 : 0.04);
        fed_gap(g, EVAL_GAP_TRUE, 0.2, 0.05);
        fed_evaluation(g);
    }
}

static void entropy_step(struct fed_game *g, enum mode m) {
    if (m == HOLD || m == RECOVER) {
        fed_flat_steps(g, STEP_ENTROPY, m == HOLD ? 0.099 : 0.101, 30);
        return;
    }
    fed_flat_steps(g, STEP_ENTROPY, 1.2, 30);
    fed_flat_steps(g, STEP_ENTROPY, 0.3, 36);
    fed_flat_steps(g, STEP_ENTROPY, m == BELOW ? 0.051 : 0.04, 5);
}

static void entropy_evaluation(struct fed_game *g, enum mode m) {
    static const double H[] = {0.2, 0.26, 0.2, 0.1, 0.049};
    for (int i = 0; i < 5; i++) {
        g->row[EVAL_ENTROPY] = m == HOLD ? 0.099 : m == RECOVER ? 0.101 : m == BELOW && i == 4 ? 0.051 : H[i];
        fed_evaluation(g);
    }
}

static void non_finite_step(struct fed_game *g, enum mode m) {
    if (m == HOLD) return;
    fed_flat_steps(g, STEP_GRADIENT_STUDENT, 1, 20);
    if (m == RAISE) fed_flat_steps(g, STEP_GRADIENT_STUDENT, signature_measured((double)NAN), 1);
    if (m == BELOW) fed_flat_steps(g, STEP_GRADIENT_STUDENT, signature_measured(1e308), 1);
}

static void non_finite_evaluation(struct fed_game *g, enum mode m) {
    if (m == HOLD) return;
    fed_evaluations(g, EVAL_GAP_FITTED, LIST(0.1, 0.1));
    if (m != RECOVER)
        fed_evaluations(g, EVAL_GAP_FITTED, LIST(signature_measured(m == RAISE ? -(double)INFINITY : -1e308)));
}

static void length_rows(struct fed_game *g, double longer, double reward, int n) {
    for (int i = 0; i < n; i++) {
        g->row[EVAL_RM_LENGTH] = longer;
        g->row[EVAL_RM_HELDOUT] = reward;
        fed_evaluation(g);
    }
}
/* The shorter answer is right for 0.7 of the pairs: how much better is the reward? */
static void length_only(struct fed_game *g, enum mode m) {
    length_rows(g, 0.3, m == RAISE ? 0.719 : m == BELOW ? 0.721 : m == HOLD ? 0.749 : 0.751, m == RAISE ? 1 : 3);
}
/* The reward is no better: how much does length tell? */
static void length_alone(struct fed_game *g, enum mode m) {
    length_rows(g, m == RAISE ? 0.651 : m == BELOW ? 0.649 : m == HOLD ? 0.601 : 0.599, 0.6, m == RAISE ? 1 : 3);
}

static void q_jump(struct fed_game *g, enum mode m) {
    if (m == RAISE || m == BELOW) fed_evaluations(g, EVAL_Q_NORM, LIST(0.11, 0.09, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1));
    fed_evaluations(g, EVAL_Q_NORM, LIST(m == RAISE ? 0.301 : m == BELOW ? 0.299 : m == HOLD ? 0.201 : 0.199));
    if (m == HOLD || m == RECOVER) fed_evaluations(g, EVAL_Q_NORM, LIST(m == HOLD ? 0.201 : 0.199));
}
static void q_small_jump(struct fed_game *g, enum mode m) {
    if (m == RAISE || m == BELOW) fed_evaluations(g, EVAL_Q_NORM, LIST(0.03, 0.03, 0.03));
    if (m != HOLD) fed_evaluations(g, EVAL_Q_NORM, LIST(m == RAISE ? 0.101 : 0.099));
    if (m == RECOVER) fed_evaluations(g, EVAL_Q_NORM, LIST(0.099));
}

/* Shares: raised at a level, over below a lower one. */
static void share(struct fed_game *g, int figure, double raise, double over, enum mode m) {
    const double step = copysign(0.001, raise);
    if (m == HOLD) fed_evaluations(g, figure, LIST(over + step, over + step, over + step));
    if (m == RECOVER) fed_evaluations(g, figure, LIST(over - step, over - step));
    if (m == RAISE || m == BELOW) fed_evaluations(g, figure, LIST(over, m == RAISE ? raise + step : raise - step));
}
static void identical(struct fed_game *g, enum mode m) { share(g, EVAL_IDENTICAL, 0.5, 0.35, m); }
static void truncation(struct fed_game *g, enum mode m) { share(g, EVAL_TRUNCATED, 0.2, 0.1, m); }
static void zero_groups(struct fed_game *g, enum mode m) { share(g, EVAL_ZERO_GROUPS, 0.75, 0.6, m); }
static void likes_long(struct fed_game *g, enum mode m) { share(g, EVAL_LENGTH_CORRELATION, 0.5, 0.35, m); }
static void likes_short(struct fed_game *g, enum mode m) { share(g, EVAL_LENGTH_CORRELATION, -0.5, -0.35, m); }
static void kl_evaluation(struct fed_game *g, enum mode m) { share(g, EVAL_KL, 1.0, 0.7, m); }
static void q_saturated(struct fed_game *g, enum mode m) { share(g, EVAL_Q_NORM, 0.5, 0.4, m); }

/* clang-format off */
static const struct scenario {
    void (*play)(struct fed_game *g, enum mode m);
    enum signature_id id;
    const char *text;        /* of the finding */
    int evaluation[4], step; /* figures without which it must stay silent */
} SCENARIOS[] = {
    {plateau, SIGNATURE_PLATEAU, "true gap went from 0.219 to 0.181 over 5 evaluations", {EVAL_GAP_WORST_LO, EVAL_GAP_TRUE_LO}, 0},
    {plateau_scattered, SIGNATURE_PLATEAU, "worst-case gap went from 0.318 to 0.318 over 5 evaluations",
     {EVAL_GAP_WORST, EVAL_GAP_WORST_LO, EVAL_GAP_WORST_HI}, 0},
    {gap_worst_grows, SIGNATURE_DIVERGENCE, "worst-case gap rose from 0.100 to 0.201, by [0.073, 0.129]",
     {EVAL_GAP_WORST, EVAL_GAP_WORST_LO, EVAL_GAP_WORST_HI}, 0},
    {gap_true_grows, SIGNATURE_DIVERGENCE, "true gap rose from 0.400 to 0.501, by [0.073, 0.129]",
     {EVAL_GAP_TRUE, EVAL_GAP_TRUE_LO, EVAL_GAP_TRUE_HI}, 0},
    {gap_surge, SIGNATURE_DIVERGENCE, "gap after ascent rose from 0.1 to 0.5 within 69 ascents", {0}, STEP_GAP_ASCENT},
    {kl_step, SIGNATURE_DIVERGENCE, "KL to the reference is 1.01 nats/token over 8 steps", {0}, STEP_KL},
    {kl_evaluation, SIGNATURE_DIVERGENCE, "KL to the reference is 1.00 nats/token on held-out prompts", {EVAL_KL}, 0},
    {gradient_student, SIGNATURE_DIVERGENCE, "gradient norm of the student rose from 2 to 20 within 69 steps", {0}, STEP_GRADIENT_STUDENT},
    {gradient_reward, SIGNATURE_DIVERGENCE, "gradient norm of the reward rose from 2 to 20 within 69 ascents", {0}, STEP_GRADIENT_REWARD},
    {newest_pairs, SIGNATURE_REWARD_LAGS, "accuracy on the newest pairs fell from 0.95 to 0.80 within 2 iterations", {EVAL_RM_NEWEST}, 0},
    {hacking_fitted, SIGNATURE_REWARD_HACKING,
     "fitted gap fell by 0.060, reward of the student under the held reward too: by 0.060, at least 0.032, in 3 iterations",
     {EVAL_GAP_HELD, EVAL_GAP_HELD_LO, EVAL_GAP_FITTED, EVAL_GAP_FITTED_HI}, 0},
    {hacking_worst, SIGNATURE_REWARD_HACKING,
     "worst-case gap fell by 0.060, reward of the student under the held reward too: by 0.060, at least 0.032, in 3 iterations",
     {EVAL_GAP_HELD, EVAL_GAP_HELD_HI, EVAL_GAP_WORST, EVAL_GAP_WORST_LO}, 0},
    {hacking_by_chance, SIGNATURE_REWARD_HACKING,
     "fitted gap fell by 0.029, reward of the student under the held reward too: by 0.060, at least 0.032, in 3 iterations",
     {EVAL_GAP_HELD, EVAL_GAP_FITTED_LO}, 0},
    {beta_zero, SIGNATURE_CONSTRAINT_INACTIVE, "beta is 0", {EVAL_BETA}, 0},
    {beta_floor, SIGNATURE_CONSTRAINT_INACTIVE, "beta is at its floor 0.1 with L - L_hat = 0.0040 < zeta = 0.0100",
     {EVAL_BETA, EVAL_BETA_FLOOR, EVAL_SLACK, EVAL_ZETA}, 0},
    {truth_outside, SIGNATURE_TRUTH_MISSED, "the true reward is 0.0012 nats/pair outside the set", {EVAL_TRUTH_EXCESS}, 0},
    {truth_unseen, SIGNATURE_TRUTH_MISSED, "worst-case gap is -0.050, at most -0.010, the true gap 0.200, at least 0.150",
     {EVAL_GAP_WORST, EVAL_GAP_WORST_HI, EVAL_GAP_TRUE, EVAL_GAP_TRUE_LO}, 0},
    {entropy_step, SIGNATURE_COLLAPSE, "entropy fell from 1.20 to 0.04 nats/token within 40 steps", {0}, STEP_ENTROPY},
    {entropy_evaluation, SIGNATURE_COLLAPSE, "entropy fell from 0.26 to 0.05 nats/token within 3 iterations", {EVAL_ENTROPY}, 0},
    {identical, SIGNATURE_COLLAPSE, "for 50 % of the prompts all samples are one answer, not the teacher's", {EVAL_IDENTICAL}, 0},
    {truncation, SIGNATURE_TRUNCATION, "20 % of the samples were cut", {EVAL_TRUNCATED}, 0},
    {zero_groups, SIGNATURE_ZERO_GROUPS, "75 % of the groups gave no gradient", {EVAL_ZERO_GROUPS}, 0},
    {likes_long, SIGNATURE_LENGTH_BIAS, "the reward correlates with length at 0.50", {EVAL_LENGTH_CORRELATION}, 0},
    {likes_short, SIGNATURE_LENGTH_BIAS, "the reward correlates with length at -0.50", {EVAL_LENGTH_CORRELATION}, 0},
    {length_only, SIGNATURE_LENGTH_BIAS, "going by length alone is right for 0.70 of the pairs, the reward for 0.72",
     {EVAL_RM_LENGTH, EVAL_RM_HELDOUT}, 0},
    {length_alone, SIGNATURE_LENGTH_BIAS, "going by length alone is right for 0.65 of the pairs, the reward for 0.60",
     {EVAL_RM_LENGTH, EVAL_RM_HELDOUT}, 0},
    {q_saturated, SIGNATURE_Q_UNSTABLE, "advantages A_Q are 0.50 of their bound in root mean square", {EVAL_Q_NORM}, 0},
    {q_jump, SIGNATURE_Q_UNSTABLE, "advantages A_Q rose from 0.10 to 0.30 of their bound", {EVAL_Q_NORM}, 0},
    {q_small_jump, SIGNATURE_Q_UNSTABLE, "advantages A_Q rose from 0.03 to 0.10 of their bound", {EVAL_Q_NORM}, 0},
    {non_finite_step, SIGNATURE_NON_FINITE, "gradient_student was not finite in a training step", {0}, STEP_GRADIENT_STUDENT},
    {non_finite_evaluation, SIGNATURE_NON_FINITE, "gap_fitted was not finite in the evaluation", {EVAL_GAP_FITTED}, 0},
};
/* clang-format on */
enum { N_SCENARIOS = sizeof SCENARIOS / sizeof *SCENARIOS };

/* The alert comes alone, once, with the newest row, and its text holds the figures. */
static void test_raises(void **state) {
    (void)state;
    bool covered[N_SIGNATURES] = {0};
    for (int i = 0; i < N_SCENARIOS; i++) {
        const struct scenario *s = &SCENARIOS[i];
        struct fed_game g;
        fed_new(&g);
        s->play(&g, RAISE);
        const struct signature_finding *f = fed_find(&g, s->id);
        if (!f) fail_msg("%s: \"%s\" was not raised", signature_name(s->id), s->text);
        assert_string_equal(f->text, s->text);
        assert_int_equal(g.n, 1);
        assert_int_equal(f->change, SIGNATURE_RAISED);
        assert_int_equal(g.raised, 1);
        assert_int_equal(f->since_tick, (int64_t)g.tick);
        assert_int_equal(f->since_iteration, (int64_t)g.iteration + (s->step != 0));
        covered[s->id] = true;
    }
    for (int i = 0; i < N_SIGNATURES; i++) assert_true(covered[i]);
}

static void test_below(void **state) {
    (void)state;
    for (int i = 0; i < N_SCENARIOS; i++) {
        struct fed_game g;
        fed_new(&g);
        SCENARIOS[i].play(&g, BELOW);
        if (g.raised) fail_msg("\"%s\" was raised below its threshold: \"%s\"", SCENARIOS[i].text, g.finding[0].text);
    }
}

/* What brings a detector to raise its alert leaves it silent when one of its figures does not exist. */
static void test_silent_without_figures(void **state) {
    (void)state;
    for (int i = 0; i < N_SCENARIOS; i++) {
        const struct scenario *s = &SCENARIOS[i];
        for (int k = 0; k < 5; k++) {
            struct fed_game g;
            fed_new(&g);
            if (k < 4) g.hide_evaluation = s->evaluation[k];
            if (k == 4) g.hide_step = s->step;
            if (!g.hide_evaluation && !g.hide_step) continue;
            s->play(&g, RAISE);
            if (g.raised) fail_msg("\"%s\" was raised without figure %d", s->text, k < 4 ? s->evaluation[k] : s->step);
        }
    }
    struct fed_game g;
    fed_new(&g);
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 20; k++) fed_step(&g);
        fed_evaluation(&g);
    }
    assert_int_equal(g.raised, 0);
}

/* The alert stands while nothing new is known, goes once when its condition is over, and stays away. */
static void test_clears(void **state) {
    (void)state;
    for (int i = 0; i < N_SCENARIOS; i++) {
        const struct scenario *s = &SCENARIOS[i];
        struct fed_game g;
        fed_new(&g);
        s->play(&g, RAISE);
        const int64_t since = fed_find(&g, s->id)->since_tick;
        fed_check(&g); /* without a new row */
        assert_int_equal(g.n, 1);
        assert_int_equal(g.finding[0].change, SIGNATURE_STANDS);
        assert_int_equal(g.finding[0].since_tick, since);
        assert_string_equal(g.finding[0].text, s->text);
        s->play(&g, HOLD);
        if (g.cleared) fail_msg("\"%s\" was cleared too early", s->text);
        s->play(&g, RECOVER);
        if (g.cleared != 1 || g.raised != 1)
            fail_msg("\"%s\": raised %d times, cleared %d times", s->text, g.raised, g.cleared);
        fed_check(&g);
        assert_int_equal(g.n, 0);
    }
}

/* Figures of 15 steps before the last eight are no level to compare with, those of 16 are; and an alert goes after
 * sixteen checks. */
static void test_counts(void **state) {
    (void)state;
    struct fed_game g;
    for (int n = 15; n <= 16; n++) {
        fed_new(&g);
        fed_flat_steps(&g, STEP_GRADIENT_STUDENT, 1, n);
        fed_flat_steps(&g, STEP_GRADIENT_STUDENT, 100, 8);
        assert_int_equal(g.raised, n == 16);
    }
    fed_new(&g);
    kl_step(&g, RAISE);
    int steps = 0;
    for (; g.cleared == 0 && steps < 100; steps++) fed_flat_steps(&g, STEP_KL, 0.5, 1);
    assert_int_equal(steps, 4 + 16); /* with the fifth good value the median of eight is good */
}

/* An entropy that has fallen stays an alert when its former height is no longer in the history. */
static void test_collapse_stands(void **state) {
    (void)state;
    struct fed_game g;
    fed_new(&g);
    entropy_step(&g, RAISE);
    fed_flat_steps(&g, STEP_ENTROPY, 0.04, 3 * SIGNATURE_STEPS);
    assert_int_equal(g.n, 1);
    assert_int_equal(g.cleared, 0);
    assert_string_equal(g.finding[0].text + strlen(g.finding[0].text) - 6, " steps");
}

/* ---- checkpoints ---- */

static bool same(const double *a, const double *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (isnan(a[i]) ? !isnan(b[i]) : memcmp(&a[i], &b[i], sizeof *a) != 0) return false;
    return true;
}

static cJSON *reparsed(cJSON *obj) {
    char *text = cJSON_PrintUnformatted(obj);
    cJSON_Delete(obj);
    struct err e;
    cJSON *again = json_parse(text, strlen(text), "checkpoint", &e);
    if (!again) fail_msg("%s", e.msg);
    free(text);
    return again;
}

/* to <- from, by way of text; bit for bit the same */
static void through_checkpoint(const struct fed_game *from, struct fed_game *to) {
    struct err e;
    *to = *from;
    memset(&to->history, 0x55, sizeof to->history);
    memset(&to->alerts, 0x55, sizeof to->alerts);
    cJSON *history = reparsed(signature_history_to_json(&from->history)),
          *alerts = reparsed(signature_alerts_to_json(&from->alerts));
    if (!signature_history_from_json(&to->history, history, "checkpoint", &e) ||
        !signature_alerts_from_json(&to->alerts, alerts, "checkpoint", &e))
        fail_msg("%s", e.msg);
    cJSON_Delete(history);
    cJSON_Delete(alerts);
    assert_true(same(from->history.evaluation[0], to->history.evaluation[0], SIGNATURE_EVALUATIONS * N_EVAL_FIGURES));
    assert_true(same(from->history.step[0], to->history.step[0], SIGNATURE_STEPS * N_STEP_FIGURES));
    assert_int_equal(from->history.n_evaluations, to->history.n_evaluations);
    assert_int_equal(from->history.n_steps, to->history.n_steps);
    assert_memory_equal(&from->alerts, &to->alerts, sizeof from->alerts);
}

static void test_checkpoint(void **state) {
    (void)state;
    struct fed_game g, resumed;
    for (int i = 0; i < N_SCENARIOS; i++) {
        fed_new(&g);
        SCENARIOS[i].play(&g, RAISE);
        through_checkpoint(&g, &resumed);
        SCENARIOS[i].play(&g, RECOVER);
        SCENARIOS[i].play(&resumed, RECOVER);
        assert_int_equal(resumed.cleared, 1);
        assert_memory_equal(&g.alerts, &resumed.alerts, sizeof g.alerts);
    }
    fed_new(&g); /* rings that have gone round, with every kind of number */
    through_checkpoint(&g, &resumed);
    for (uint64_t t = 0; t < SIGNATURE_STEPS + 77; t++) {
        for (int f = STEP_ITERATION + 1; f < N_STEP_FIGURES; f++)
            g.step[f] = rng_normal(5, RNG_TEST, t, (uint64_t)f) * pow(10, f * 30 - 150);
        if (t % 7 == 0) g.step[STEP_KL] = (double)NAN, g.step[STEP_ENTROPY] = -0.0;
        if (t % 9 == 0) g.step[STEP_KL] = -(double)INFINITY;
        fed_step(&g);
        if (t % 10) continue;
        for (int f = EVAL_ITERATION + 1; f < N_EVAL_FIGURES; f++)
            g.row[f] = rng_normal(6, RNG_TEST, t, (uint64_t)f) * 5e-324 * 1e10;
        fed_evaluation(&g);
    }
    through_checkpoint(&g, &resumed);
}

/* Change one place of a good checkpoint; reading it must fail with this message and leave an empty history. */
static void expect_bad(const char *key, const char *column, cJSON *value, const char *message) {
    struct fed_game g;
    struct signature_history read, empty;
    struct err e = {0};
    fed_new(&g);
    fed_evaluations(&g, EVAL_TRUNCATED, LIST(0.1, 0.2));
    cJSON *obj = signature_history_to_json(&g.history);
    cJSON *at = column ? cJSON_GetObjectItemCaseSensitive(obj, key) : obj;
    cJSON_DeleteItemFromObjectCaseSensitive(at, column ? column : key);
    if (value) cJSON_AddItemToObject(at, column ? column : key, value);
    assert_false(signature_history_from_json(&read, obj, "run.db", &e));
    assert_string_equal(e.msg, message);
    signature_history_init(&empty);
    assert_true(same(read.evaluation[0], empty.evaluation[0], SIGNATURE_EVALUATIONS * N_EVAL_FIGURES));
    assert_true(read.n_evaluations == 0 && read.n_steps == 0);
    cJSON_Delete(obj);
}

static cJSON *strings(const char *a, const char *b) {
    cJSON *list = cJSON_CreateArray();
    cJSON_AddItemToArray(list, cJSON_CreateString(a));
    if (b) cJSON_AddItemToArray(list, cJSON_CreateString(b));
    return list;
}

static void test_bad_checkpoint(void **state) {
    (void)state;
    expect_bad("n_steps", NULL, NULL, "run.db: \"n_steps\" must be an array of 1 values");
    expect_bad("n_steps", NULL, strings("-0x1p+0", NULL), "run.db: \"n_steps\" must be a count, found -1");
    expect_bad("n_steps", NULL, strings("nan", NULL), "run.db: \"n_steps\" must be a count, found nan");
    expect_bad("n_evaluations", NULL, strings("0x1p+60", NULL),
               "run.db: \"n_evaluations\" must be a count, found 1.15292e+18");
    expect_bad("n_evaluations", NULL, strings("0x1.8p+1", NULL), "run.db: \"tick\" must be an array of 3 values");
    expect_bad("evaluation", NULL, NULL, "run.db: \"evaluation\" must be an object");
    expect_bad("evaluation", "truncated", NULL, "run.db: \"truncated\" must be an array of 2 values");
    expect_bad("evaluation", "truncated", strings("0x1p-3", NULL),
               "run.db: \"truncated\" must be an array of 2 values");
    expect_bad("evaluation", "truncated", strings("0x1p-3", "much"),
               "run.db: \"truncated\" must hold reals, found \"much\"");
    expect_bad("evaluation", "truncated", strings("", "0x1p-3"), "run.db: \"truncated\" must hold reals, found \"\"");
    expect_bad("evaluation", "tick", strings("0x1p+0", "inf"), "run.db: \"tick\" must hold counts, found inf");
    const double numbers[2] = {1, 2};
    expect_bad("evaluation", "kl", cJSON_CreateDoubleArray(numbers, 2),
               "run.db: \"kl\" must hold strings, found number");
    struct signature_alerts a, none;
    struct err e = {0};
    signature_alerts_init(&none);
    a = none;
    a.alert[3].active = 1;
    a.alert[3].since_tick = (double)NAN;
    cJSON *obj = signature_alerts_to_json(&a);
    assert_false(signature_alerts_from_json(&a, obj, "run.db", &e));
    assert_string_equal(e.msg, "run.db: \"gap_surge\" must start with 0 or 1 and three counts");
    assert_memory_equal(&a, &none, sizeof a);
    cJSON_DeleteItemFromObjectCaseSensitive(obj, "plateau");
    assert_false(signature_alerts_from_json(&a, obj, "run.db", &e));
    assert_string_equal(e.msg, "run.db: \"plateau\" must be an array of 8 values");
    cJSON_Delete(obj);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raises),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_silent_without_figures),
        cmocka_unit_test(test_clears),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_collapse_stands),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_bad_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
