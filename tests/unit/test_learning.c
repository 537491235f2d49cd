/* The student learns what each algorithm teaches, on tiny random models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/train/sequences.h"
#include "engine/model/divergence.h"
#include "engine/model/model_io.h"
#include "engine/text/chat.h"
#include "tests/support/tiny_runs.h"

/* Mean KL(teacher, student) at the states of some answers. */
static double distance_to_teacher(const char *student_path) {
    struct err e = {0};
    struct model *p = NULL, *q = NULL;
    struct tokenizer *t = NULL, *ignored = NULL;
    if (!model_open(tiny_path("teacher.gguf"), &p, &t, &e) || !model_open(student_path, &q, &ignored, &e))
        fail_msg("%s", e.msg);
    struct sequences s = {0};
    struct token_list x = {0}, y = {0};
    assert_true(chat_encode_prompt(t, CHAT_RAW, NULL, "what is 3 plus 77?", &x, &e));
    chat_encode_response(t, CHAT_RAW, "what is plus", &y);
    for (int n = 1; n <= (int)x.n; n++) sequences_add(&s, x.id, n, y.id, (int)y.n, false);
    const struct batch b = sequences_batch(&s);
    struct activations *ap = activations_new(), *aq = activations_new();
    struct head_space *space = head_space_new();
    const float *hp, *hq;
    assert_true(model_forward(p, ap, &b, false, &hp, &e) && model_forward(q, aq, &b, false, &hq, &e));
    const struct head_rows rp = sequences_rows(&s, hp), rq = sequences_rows(&s, hq);
    float *kl = calloc((size_t)rq.n, sizeof *kl);
    const struct divergence_out out = {.value = {[DIVERGENCE_FKL] = kl}};
    if (!divergence_measure(&(struct divergence_pair){p, q, &rp, &rq}, 0, 0, space, &out, &e)) fail_msg("%s", e.msg);
    double sum = 0;
    for (int i = 0; i < rq.n; i++) sum += (double)kl[i] / rq.n;
    free(kl);
    sequences_free(&s);
    token_list_free(&x);
    token_list_free(&y);
    head_space_free(space);
    activations_free(ap);
    activations_free(aq);
    tokenizer_free(t);
    tokenizer_free(ignored);
    model_free(p);
    model_free(q);
    return sum;
}

/* Without preferences to hold it, every step of the critic must raise the moments that it maximises, on the batch that
 * it saw (the first after a refit has no trough before it). */
static void the_critic_ascends(void **state) {
    (void)state;
    const struct options o = tiny_options("reward.access=white-box beta=0 game.rounds=20 game.reward_lr=0.001");
    tiny_play("ascends", &o, false, NULL);
    const char *const join =
        "FROM metric a JOIN metric b ON a.tick=b.tick AND a.name='gap.after_ascent' AND b.name='gap.after_descent'";
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT min(a.value-b.value) %s", join);
    assert_true(tiny_number("ascends", sql) > 0);
    snprintf(sql, sizeof sql, "SELECT count(*) %s", join);
    assert_true(tiny_number("ascends", sql) == 2 * 19);
}

/* A student that matches all moments is the teacher: where no preferences pull it elsewhere, the game brings it
 * nearer. */
static void the_white_box_game_nears_the_teacher(void **state) {
    (void)state;
    static const char *const PLAYED_ON[] = {"algorithm=moment teacher.temperature=1",
                                            "reward.access=white-box beta=0 teacher.temperature=1"};
    const double before = distance_to_teacher(tiny_path("student.gguf"));
    for (size_t i = 0; i < sizeof PLAYED_ON / sizeof *PLAYED_ON; i++) {
        char run[32], text[300], path[200];
        snprintf(run, sizeof run, "nears-%d", (int)i);
        snprintf(text, sizeof text,
                 "%s iterations=1 game.rounds=200 game.reward_steps=2 game.policy_steps=1 game.policy_batch=16"
                 " game.reward_batch=16 game.policy_lr=0.001 game.reward_lr=0.01 prompts.per_iteration=60",
                 PLAYED_ON[i]);
        const struct options o = tiny_options(text);
        tiny_play(run, &o, false, NULL);
        snprintf(path, sizeof path, "%s/student.gguf", tiny_path(run));
        const double after = distance_to_teacher(path);
        if (!(after < 0.75 * before)) fail_msg("%s: KL(teacher, student) from %g to %g", PLAYED_ON[i], before, after);
    }
}

static void a_divergence_falls(void **state) {
    (void)state;
    static const char *const NAMES[] = {"fkl", "rkl", "jsd", "skew_kl", "tv"};
    for (int i = 0; i < 5; i++) {
        char run[32], options[200];
        double first, last;
        snprintf(run, sizeof run, "learn-%s", NAMES[i]);
        snprintf(options, sizeof options,
                 "algorithm=%s iterations=1 game.rounds=20 game.policy_steps=10 game.policy_batch=8"
                 " game.policy_lr=0.01",
                 NAMES[i]);
        const struct options o = tiny_options(options);
        tiny_play(run, &o, false, NULL);
        tiny_first_and_last(run, "distil.loss", &first, &last);
        if (!(last < 0.5 * first && last >= 0)) fail_msg("%s: from %g to %g", NAMES[i], first, last);
    }
}

/* The batches are drawn from 24 pairs, so the loss must fall far below ln 2, where it starts, and the margin leave
 * 0. */
static void dpo_prefers_what_is_preferred(void **state) {
    (void)state;
    double loss0, loss1, margin0, margin1;
    const struct options o =
        tiny_options("algorithm=dpo iterations=1 game.rounds=10 game.policy_steps=10 dpo.lr=0.003 label.flip=0"
                     " dpo.beta=0.5");
    tiny_play("learn-dpo", &o, false, NULL);
    tiny_first_and_last("learn-dpo", "dpo.loss", &loss0, &loss1);
    tiny_first_and_last("learn-dpo", "dpo.margin", &margin0, &margin1);
    /* pi = pi_0 */
    assert_true(tiny_number("learn-dpo", "SELECT value FROM metric WHERE name='dpo.margin' ORDER BY tick LIMIT 1") ==
                0);
    if (!(loss1 < 0.3 && margin1 > margin0 + 3))
        fail_msg("loss %g to %g, margin %g to %g", loss0, loss1, margin0, margin1);
    assert_true(isnan(tiny_number(
        "learn-dpo", "SELECT max(value) FROM metric WHERE name LIKE 'reward.%' OR name LIKE 'gap.worst%'")));
}

/* Cross-entropy beside a loss, or a game, that does not ask for it: the students learn the recorded answer, which is
 * the right one, and only they do. */
static void cross_entropy_teaches_beside(void **state) {
    (void)state;
    static const char *const BESIDE[] = {"algorithm=dpo dpo.lr=0.01", "game.policy_lr=0.01"};
    for (int i = 0; i < 4; i++) {
        char run[32], text[200];
        snprintf(run, sizeof run, "beside-%d", i);
        snprintf(text, sizeof text, "%s iterations=1 game.rounds=10 game.policy_steps=10 game.sft=%d", BESIDE[i / 2],
                 i % 2 ? 10 : 0);
        const struct options o = tiny_options(text);
        tiny_play(run, &o, false, NULL);
        const double accuracy =
            tiny_number(run, "SELECT value FROM metric WHERE name='student.accuracy' ORDER BY tick DESC LIMIT 1");
        if (i % 2 ? accuracy < 0.9 : accuracy > 0.1) fail_msg("%s: accuracy %g", text, accuracy);
    }
}

/* The reward is fitted in the first iteration and stays; the student comes to please it, by either gradient. */
static void a_fixed_reward_is_pleased(void **state) {
    (void)state;
    /* of six seeds one has learnt little by the end */
    static const char *const FORMS[] = {"", " game.to_go=1 samples_per_prompt=4",
                                        " game.descent=sampled samples_per_prompt=4 seed=2",
                                        " game.descent=sampled reward.access=white-box"};
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        char text[200];
        double first, last;
        const char *run = i ? "learn-ppo-more" : "learn-ppo";
        snprintf(
            text, sizeof text,
            "algorithm=ppo_fixed_rm game.rounds=10 game.policy_steps=10 game.policy_lr=0.003 game.policy_batch=16%s",
            FORMS[i]);
        const struct options o = tiny_options(text);
        if (i) dir_remove_tree(tiny_path(run), NULL);
        tiny_play(run, &o, false, NULL);
        tiny_first_and_last(run, "student.reward", &first, &last);
        if (!(last > first + 1)) fail_msg("%s: reward of the student from %g to %g", text, first, last);
    }
    assert_true(tiny_number("learn-ppo", "SELECT count(DISTINCT iteration) FROM metric WHERE name='reward.nll'") == 1);
    assert_true(tiny_number("learn-ppo", "SELECT count(*) FROM metric WHERE name='reward.accuracy.newest'") == 2);
    assert_true(tiny_number("learn-ppo", "SELECT count(*) FROM metric WHERE name='gap.fitted'") == 2);
    assert_true(isnan(tiny_number(
        "learn-ppo", "SELECT max(value) FROM metric WHERE name LIKE 'gap.after%' OR name LIKE 'gap.worst%'")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_critic_ascends),           cmocka_unit_test(the_white_box_game_nears_the_teacher),
        cmocka_unit_test(a_divergence_falls),           cmocka_unit_test(dpo_prefers_what_is_preferred),
        cmocka_unit_test(cross_entropy_teaches_beside), cmocka_unit_test(a_fixed_reward_is_pleased),
    };
    return cmocka_run_group_tests(tests, tiny_folder_of_games, tiny_remove);
}
