/* Every algorithm of the game on tiny random models: a run cut off at any tick and resumed ends at the same bytes, each
 * makes and measures what it should, and combinations that cannot work are refused before anything is made.
 * test_learning.c asks what the student learns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/game/options_check.h"
#include "tests/support/tiny_runs.h"

/* ---- resuming ---- */

/* What is played, by name and by options. */
static const struct played {
    const char *name, *options;
} PLAYED[] = {
    {"sft", "algorithm=sft"},
    {"pbkd", "algorithm=pbkd"},
    {"sampled", "game.descent=sampled game.policy_epochs=2"},
    {"sequence", "reward.level=sequence game.descent=sampled"},
    {"auto", "beta.mode=auto game.reward_lr=0.01 game.reward_steps=3"},
    {"head", "game.scope=head head.rank=4"},
    {"head-auto", "game.scope=head head.rank=4 beta.mode=auto zeta.mode=wilks game.kl=0.05"},
    {"head-redraws", "game.scope=head head.rank=4 zeta.mode=wilks head.redraws=3"},
    {"head-sampled", "game.scope=head head.rank=4 game.descent=sampled beta.mode=auto"},
    {"held", "reward.held=on prompts.per_iteration=24"},
    {"held-head", "reward.held=on game.scope=head head.rank=4 prompts.per_iteration=24"},
    {"held-white", "reward.held=on reward.access=white-box prompts.per_iteration=24"},
    {"auto-white", "beta.mode=auto reward.access=white-box game.reward_lr=0.01 game.reward_steps=3"},
    {"white", "reward.access=white-box game.kl=0.05"},
    {"white-student", "reward.access=white-box game.off_policy=0 game.sft=0.1 game.reward_steps=2"},
    {"white-sampled", "reward.access=white-box game.descent=sampled game.policy_epochs=2"},
    {"to-go", "game.to_go=0.5 game.kl=0.05"},
    {"to-go-white", "game.to_go=0.5 reward.access=white-box game.off_policy=0"},
    {"ppo", "algorithm=ppo_fixed_rm"},
    {"ppo-white", "algorithm=ppo_fixed_rm reward.access=white-box"},
    {"ppo-sampled", "algorithm=ppo_fixed_rm game.descent=sampled game.kl=0.05"},
    {"moment", "algorithm=moment sft.steps=1"},
    {"moment-kl", "algorithm=moment game.kl=0.05"},
    {"moment-sampled", "algorithm=moment game.descent=sampled game.off_policy=0.3"},
    {"dpo", "algorithm=dpo"},
    {"dpo-sft", "algorithm=dpo game.sft=0.5"},
    {"offline", "game.data=offline offline.temperatures=1,1 offline.candidates=FOREIGN,TEACHER"},
    {"offline-white", "game.data=offline reward.access=white-box"},
    {"offline-head", "game.data=offline game.scope=head head.rank=4"},
    {"offline-ppo", "algorithm=ppo_fixed_rm game.data=offline"},
    {"offline-dpo", "algorithm=dpo game.data=offline"},
    {"offline-sft", "algorithm=sft game.data=offline"},
    {"fkl", "algorithm=fkl"},
    {"rkl", "algorithm=rkl"},
    {"jsd", "algorithm=jsd"},
    {"skew_kl", "algorithm=skew_kl distil.on_policy=0.3"},
    {"tv", "algorithm=tv sft.steps=2"},
};

/* Stop at about the given tick with a checkpoint there. */
static void stopped(const struct played *p, const char *run, int tick) {
    const struct options o = tiny_options(p->options);
    char value[16];
    struct session *s = tiny_start(run, &o, false, false);
    snprintf(value, sizeof value, "%d", tick);
    tiny_send(s, COMMAND_STEP, "", value); /* comes while models load */
    assert_true(tiny_wait_state(s, RUN_PAUSED));
    tiny_send(s, COMMAND_QUIT, "", "save");
    tiny_finish(s, NULL);
}

static void a_resumed_run_ends_at_the_same_bytes(void **state) {
    const struct played *p = *state;
    const struct options o = tiny_options(p->options);
    char run[32], whole[32], hash[32];
    snprintf(run, sizeof run, "%s-whole", p->name);
    tiny_play(run, &o, false, whole);
    const int first = (int)tiny_number(run, "SELECT min(tick) FROM checkpoint"); /* the end of the first iteration */
    assert_true(first > 4);
    snprintf(run, sizeof run, "%s-stopped", p->name);
    stopped(p, run, first - 3);
    tiny_play(run, &o, true, hash);
    assert_string_equal(hash, whole);
    snprintf(run, sizeof run, "%s-killed", p->name);
    tiny_kill(run, &o, first + 3); /* ends without a word, as after kill -9 */
    tiny_play(run, &o, true, hash);
    assert_string_equal(hash, whole);
}

/* Pairs of answers ranked among themselves, by an oracle. */
static void ranked_pairs_are_resumed_too(void **state) {
    (void)state;
    tiny_write_known("known.jsonl");
    char options[400];
    snprintf(options, sizeof options,
             "game.data=offline offline.temperatures=0.01 offline.candidates=FOREIGN,FOREIGN labeller=oracle "
             "prompts.checker=word prompts.train=%s",
             tiny_path("known.jsonl"));
    const struct played ranked = {"known", options};
    void *played = (void *)&ranked;
    a_resumed_run_ends_at_the_same_bytes(&played);
    assert_true(tiny_number("known-whole", "SELECT count(*) FROM pair WHERE origin0<>0") > 8);
}

/* ---- what is made and measured ---- */

/* Where dpo waits for its first label. */
static void label_first(struct session *s, enum decision decision) {
    assert_true(tiny_wait_state(s, RUN_WAITING));
    const struct snapshot *n = session_snapshot(s);
    struct err e = {0};
    int i = 0;
    while (n->pair[i].heldout) i++;
    struct label_event ev = tiny_event(&n->pair[i], decision);
    assert_int_equal(n->phase, PHASE_DPO);
    snapshot_release(n);
    if (!session_label(s, &ev, &e)) fail_msg("%s", e.msg);
}

/* dpo waits for a person's labels as the reward fit does, and learns what they say. */
static void dpo_learns_from_a_person(void **state) {
    (void)state;
    char hash[2][32];
    for (int d = 0; d < 2; d++) {
        const struct options o = tiny_options("algorithm=dpo iterations=1 labeller=human labeller.min_labels=1");
        struct session *s = tiny_start(d ? "person-b" : "person-a", &o, false, false);
        label_first(s, d ? DECISION_B : DECISION_A);
        tiny_finish(s, hash[d]);
        const double margin = tiny_number(
            d ? "person-b" : "person-a", "SELECT value FROM metric WHERE name='dpo.margin' ORDER BY tick DESC LIMIT 1");
        assert_true(margin > 0);
    }
    assert_string_not_equal(hash[0], hash[1]);
}

/* dpo has a learning rate of its own, and with game.sft cross-entropy beside its loss. */
static void cross_entropy_holds_dpo(void **state) {
    (void)state;
    static const char *const ROWS[] = {"dpo.lr=0.003 game.sft=0", "dpo.lr=0.003 game.sft=10", "dpo.lr=0 game.sft=0",
                                       "dpo.lr=0 game.sft=10"};
    char hash[4][32];
    for (int i = 0; i < 4; i++) {
        char text[120], run[32];
        snprintf(run, sizeof run, "dpo-held-%d", i);
        snprintf(text, sizeof text, "algorithm=dpo iterations=1 game.policy_lr=0.01 %s", ROWS[i]);
        const struct options o = tiny_options(text);
        tiny_play(run, &o, false, hash[i]);
    }
    assert_string_not_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
    assert_string_equal(hash[2], hash[3]); /* a rate of 0 moves nothing */
}

static void moment_matching_has_no_preferences(void **state) {
    (void)state;
    const struct options o = tiny_options("algorithm=moment");
    tiny_play("alone", &o, false, NULL);
    assert_true(tiny_number("alone", "SELECT count(*) FROM pair") == 0);
    assert_true(tiny_number("alone", "SELECT count(*) FROM metric WHERE name='gap.worst'") == 2);
    assert_true(
        tiny_number("alone",
                    "SELECT count(*) FROM metric WHERE name IN ('gap.fitted','beta') OR name LIKE 'reward.%'") == 0);
}

/* The trough of the saw-tooth is what a descent left: not the peak of the ascent before it, where several follow each
 * other, nor what a refit made of the reward since. Offline and under moment nothing is fitted again, and the first
 * ascent of an iteration meets what the last one left. */
static void troughs_come_after_descents(void **state) {
    (void)state;
    enum { ITERATIONS = 2, ROUNDS = 2, ASCENTS = 3 };
    static const char *const REFITTED = "game.reward_steps=3", *const GOES_ON[] = {
                                                                   "game.reward_steps=3 game.data=offline",
                                                                   "game.reward_steps=3 algorithm=moment"};
    for (int i = 0; i < 3; i++) {
        char run[32];
        snprintf(run, sizeof run, "troughs-%d", i);
        const struct options o = tiny_options(i ? GOES_ON[i - 1] : REFITTED);
        tiny_play(run, &o, false, NULL);
        assert_true(tiny_number(run, "SELECT count(*) FROM metric WHERE name='gap.after_ascent'") ==
                    ITERATIONS * ROUNDS * ASCENTS);
        assert_true(tiny_number(run, "SELECT count(*) FROM metric WHERE name='gap.after_descent'") ==
                    ITERATIONS * (ROUNDS - 1) + (i ? 1 : 0));
    }
}

/* Runs without a reward know the true gap, and sampled descent its drift and entropy. */
static void every_algorithm_is_measured(void **state) {
    (void)state;
    const struct options sft = tiny_options("algorithm=sft"),
                         sampled = tiny_options("game.descent=sampled game.kl=0.05");
    tiny_play("measured-sft", &sft, false, NULL);
    tiny_play("measured-sampled", &sampled, false, NULL);
    assert_true(tiny_number("measured-sft", "SELECT count(*) FROM metric WHERE name='gap.true'") == sft.iterations);
    assert_true(tiny_number("measured-sampled", "SELECT count(*) FROM metric WHERE name='student.kl'") ==
                sampled.iterations);
    assert_true(tiny_number("measured-sampled", "SELECT count(*) FROM metric WHERE name='student.entropy'") ==
                sampled.iterations);
}

/* What a person sees of a pair's tokens adds up to what the reward gave the answers. */
static void token_rewards_sum_up(void **state) {
    (void)state;
    const struct options o = tiny_options("iterations=1");
    struct session *s = tiny_start("tokens", &o, false, true);
    assert_true(tiny_wait_state(s, RUN_DONE));
    const struct snapshot *n = session_snapshot(s);
    assert_true(n->n_shown > 0);
    for (int i = 0; i < n->n_shown; i++) {
        const struct shown_pair *p = &n->pair[i];
        const struct shown_tokens *tokens[] = {&p->tokens0, &p->tokens1};
        for (int side = 0; side < 2; side++) {
            const struct shown_tokens *t = tokens[side];
            double sum = 0;
            assert_true(t->n > 0);
            for (int k = 0; k < t->n; k++) sum += (double)t->token[k].reward;
            assert_true(fabs(sum - (side ? p->reward_student : p->reward_teacher)) < 1e-5);
            assert_int_equal(t->token[t->n - 1].end, strlen(side ? p->student : p->teacher));
        }
    }
    snapshot_release(n);
    tiny_finish(s, NULL);
}

/* Every source gives one answer to every prompt, in the first iteration; two sources of one kind differ by chance
 * only. */
static void offline_pairs_come_once_from_every_source(void **state) {
    (void)state;
    const struct options o =
        tiny_options("game.data=offline offline.temperatures=1,0.01,1 offline.candidates=FOREIGN,TEACHER iterations=3");
    tiny_play("sources", &o, false, NULL);
    const double n_prompts = tiny_number("sources", "SELECT count(DISTINCT prompt) FROM pair");
    const double n_pairs = tiny_number("sources", "SELECT count(*) FROM pair");
    assert_true(n_prompts == 12);
    /* the teacher as a candidate may repeat its answer */
    assert_true(n_pairs <= 5 * n_prompts && n_pairs > 4 * n_prompts);
    assert_true(tiny_number("sources", "SELECT max(iteration) FROM pair") == 1);
    assert_true(
        tiny_number(
            "sources",
            "SELECT count(*) FROM pair a JOIN pair b ON a.id=b.id-2 AND a.prompt=b.prompt AND a.text1=b.text1") <
        0.5 * n_prompts);
    assert_true(tiny_number("sources", "SELECT count(*) FROM metric WHERE name='reward.accuracy.train'") == 1);
    assert_true(tiny_number("sources", "SELECT count(*) FROM metric WHERE name='gap.worst'") == 3);
    assert_true(tiny_number("sources", "SELECT count(*) FROM teacher_output WHERE iteration>1") == 0);
    assert_true(tiny_number("sources", "SELECT count(*) FROM metric WHERE name='gap.after_ascent'") == 3 * 2);
}

/* What a person is to label holds every pair of a prompt's answers, each under the names of those who gave them. */
static void offline_answers_are_ranked_among_themselves(void **state) {
    (void)state;
    const struct options o = tiny_options("algorithm=dpo iterations=1 game.data=offline labeller=human "
                                          "labeller.min_labels=1 offline.temperatures=0.01,0.01"
                                          " offline.candidates=FOREIGN,FOREIGN");
    struct session *s = tiny_start("ranked", &o, false, false);
    label_first(s, DECISION_A);
    tiny_finish(s, NULL);
    const double n_prompts = tiny_number("ranked", "SELECT count(DISTINCT prompt) FROM pair");
    const double n_pairs = tiny_number("ranked", "SELECT count(*) FROM pair");
    assert_true(n_pairs > 8 * n_prompts && n_pairs < 10 * n_prompts); /* 5 answers; those that are the same make none */
    assert_true(tiny_number("ranked",
                            "SELECT count(*) FROM pair WHERE origin0=4 AND (origin1<>4 OR item0<>0 OR item1<>1)") == 0);
    /* Whose they are is true: the student is nearly greedy, so its two answers are mostly the same and make no pair,
     * the candidates' are not. */
    assert_true(tiny_number("ranked", "SELECT count(*) FROM pair WHERE origin0=1 AND origin1=1") < 0.5 * n_prompts);
    assert_true(tiny_number("ranked", "SELECT count(*) FROM pair WHERE origin0=4 AND origin1=4") > 0.5 * n_prompts);
    assert_true(
        tiny_number("ranked",
                    "SELECT count(*) FROM pair a JOIN pair b ON a.prompt=b.prompt AND a.origin0=0 AND b.origin0=0 AND"
                    " a.origin1=1 AND b.origin1=1 AND a.item1=0 AND b.item1=1 AND a.text1=b.text1") > 0.5 * n_prompts);
}

/* The weight of the rewards to go tells from the first step on, on the same samples. */
static void rewards_to_go_train_the_student(void **state) {
    (void)state;
    char hash[2][32];
    for (int i = 0; i < 2; i++) {
        const struct options o = tiny_options(i ? "iterations=1 game.to_go=1" : "iterations=1 game.to_go=1e-30");
        tiny_play(i ? "to-go-much" : "to-go-none", &o, false, hash[i]);
    }
    assert_string_not_equal(hash[0], hash[1]);
}

/* Candidates of a configuration lie beside it; they are stored in full. */
static void candidates_lie_beside_the_configuration(void **state) {
    (void)state;
    struct options o;
    struct err e = {0};
    char expected[400];
    const char *text = "{\"offline.candidates\": \" foreign.gguf ,teacher.gguf, /none/x.gguf\"}";
    options_default(&o);
    tiny_write("config.json", text);
    if (!options_load(&o, tiny_path("config.json"), &e)) fail_msg("%s", e.msg);
    snprintf(expected, sizeof expected, "%s,%s,/none/x.gguf", tiny_path("foreign.gguf"), tiny_path("teacher.gguf"));
    assert_string_equal(o.offline_candidates, expected);
}

/* ---- what cannot work ---- */

static void refused(const char *assignments, const char *const *words) {
    struct options o = tiny_options(assignments);
    struct err e = {0};
    if (strstr(assignments, "foreign"))
        snprintf(o.teacher_model, sizeof o.teacher_model, "%s", tiny_path("foreign.gguf"));
    assert_false(options_check(&o, &e));
    for (; *words; words++)
        if (!strstr(e.msg, *words)) fail_msg("%s: \"%s\" says nothing of \"%s\"", assignments, e.msg, *words);
    tiny_start_fails("refused", &o, false, "");
}

static void what_cannot_work_is_refused(void **state) {
    (void)state;
    const char *const both[] = {"needs one vocabulary", "foreign.gguf", "student.gguf", NULL};
    static const char *const NAMES[] = {"fkl", "rkl", "jsd", "skew_kl", "tv"};
    for (int i = 0; i < 5; i++) {
        char text[100];
        snprintf(text, sizeof text, "algorithm=%s prompts.system=foreign", NAMES[i]);
        refused(text, both);
    }
    refused("reward.access=white-box prompts.system=foreign", both);
    refused("algorithm=ppo_fixed_rm reward.access=white-box prompts.system=foreign", both);
    refused("algorithm=moment prompts.system=foreign", both);
    refused("algorithm=moment reward.level=sequence game.descent=sampled",
            (const char *const[]){"reward.level", "moment", NULL});
    refused("reward.access=white-box reward.level=sequence game.descent=sampled",
            (const char *const[]){"reward.level", "white-box", NULL});
    refused("game.to_go=1 game.descent=sampled", (const char *const[]){"game.to_go", "exact", NULL});
    refused("game.to_go=1 game.scope=head", (const char *const[]){"game.to_go", "full", NULL});
    refused("game.to_go=1 temperature=0.7", (const char *const[]){"game.to_go", "temperature", NULL});
    refused("game.to_go=1 reward.access=white-box", (const char *const[]){"game.to_go", "game.off_policy", NULL});
    refused("game.to_go=1 samples_per_prompt=1", (const char *const[]){"game.to_go", "samples_per_prompt", NULL});
    refused("game.data=offline offline.temperatures=", (const char *const[]){"offline.temperatures", "empty", NULL});
    refused("game.data=offline offline.temperatures=1,hot",
            (const char *const[]){"offline.temperatures", "\"hot\"", NULL});
    refused("game.data=offline offline.temperatures=1,", (const char *const[]){"offline.temperatures", NULL});
    refused("game.data=offline offline.temperatures=1,11", (const char *const[]){"offline.temperatures", "10", NULL});
    refused("game.data=offline offline.candidates=/none/x.gguf",
            (const char *const[]){"offline.candidates", "/none/x.gguf", NULL});
    refused("game.data=offline offline.candidates=PROMPTS",
            (const char *const[]){"offline.candidates", "prompts.jsonl", NULL});
    refused("zeta.mode=wilks", (const char *const[]){"zeta.mode", "wilks", "game.scope", "head", NULL});
    refused("game.scope=head reward.level=sequence game.descent=sampled",
            (const char *const[]){"game.scope", "reward.level", NULL});
    refused("game.scope=head reward.access=white-box", (const char *const[]){"game.scope", "black-box", NULL});
    refused("game.scope=head label.margin=1", (const char *const[]){"label.margin", "game.scope", NULL});
    refused("algorithm=jsd distil.coef=0", (const char *const[]){"distil.coef", "above 0 and below 1", NULL});
    refused("algorithm=jsd distil.coef=1", (const char *const[]){"distil.coef", NULL});
    refused("algorithm=skew_kl distil.coef=-0.5", (const char *const[]){"distil.coef", "or 0", NULL});
    refused("distil.on_policy=-0.5", (const char *const[]){"distil.on_policy", "between 0 and 1", NULL});
}

/* A teacher of another vocabulary serves black-box algorithms: it speaks text. */
static void a_foreign_teacher_may_speak(void **state) {
    (void)state;
    struct options o = tiny_options("algorithm=pbkd iterations=1");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", tiny_path("foreign.gguf"));
    tiny_play("foreign", &o, false, NULL);
}

int main(void) {
    enum { N_PLAYED = sizeof PLAYED / sizeof *PLAYED };
    static const struct CMUnitTest other[] = {
        cmocka_unit_test(dpo_learns_from_a_person),
        cmocka_unit_test(cross_entropy_holds_dpo),
        cmocka_unit_test(moment_matching_has_no_preferences),
        cmocka_unit_test(troughs_come_after_descents),
        cmocka_unit_test(every_algorithm_is_measured),
        cmocka_unit_test(token_rewards_sum_up),
        cmocka_unit_test(offline_pairs_come_once_from_every_source),
        cmocka_unit_test(ranked_pairs_are_resumed_too),
        cmocka_unit_test(offline_answers_are_ranked_among_themselves),
        cmocka_unit_test(rewards_to_go_train_the_student),
        cmocka_unit_test(candidates_lie_beside_the_configuration),
        cmocka_unit_test(what_cannot_work_is_refused),
        cmocka_unit_test(a_foreign_teacher_may_speak),
    };
    enum { N_OTHER = sizeof other / sizeof *other };
    struct CMUnitTest tests[N_PLAYED + N_OTHER];
    for (int i = 0; i < N_PLAYED; i++)
        tests[i] = (struct CMUnitTest){.name = PLAYED[i].options,
                                       .test_func = a_resumed_run_ends_at_the_same_bytes,
                                       .initial_state = (void *)(uintptr_t)&PLAYED[i]};
    memcpy(tests + N_PLAYED, other, sizeof other);
    return _cmocka_run_group_tests("algorithms", tests, N_PLAYED + N_OTHER, tiny_folder_of_games, tiny_remove);
}
