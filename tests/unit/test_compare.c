/* Comparing runs, on runs of tiny random models: figures and options out of their records, and when two of them may be
 * paired prompt by prompt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/eval/compare.h"
#include "engine/eval/run_read.h"
#include "engine/game/phase_table.h"
#include "engine/metric/metric.h"
#include "engine/run/rundir.h"
#include "tests/support/tiny_runs.h"

static void play(const char *name, const char *heldout, const char *assignments) {
    char text[200];
    snprintf(text, sizeof text,
             "iterations=1 prompts.per_iteration=10 game.rounds=1 game.policy_steps=1 reward.steps=2 reward.batch=4"
             " eval.prompts=500 %s",
             assignments);
    struct options o = tiny_options(text);
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", tiny_path("train.jsonl"));
    snprintf(o.prompts_heldout, sizeof o.prompts_heldout, "%s", tiny_path(heldout));
    tiny_play(name, &o, false, NULL);
}

static int make_runs(void **state) {
    if (tiny_folder(state) != 0) return -1;
    tiny_write_prompts("train.jsonl", 60, 0, ", \"answer\": \"80\"");
    tiny_write_prompts("heldout.jsonl", 8, 100, ", \"answer\": \"80\"");
    tiny_write_prompts("others.jsonl", 8, 200, ", \"answer\": \"80\"");
    play("a", "heldout.jsonl", "beta=10");
    play("b", "heldout.jsonl", "beta=20");
    play("other-prompts", "others.jsonl", "beta=10");
    play("unchecked", "heldout.jsonl", "beta=10 prompts.checker=none");
    return 0;
}

static struct compare *compare(int n, const char *const *name) {
    const char *run[4];
    struct err e = {0};
    for (int i = 0; i < n; i++) run[i] = tiny_path(name[i]);
    struct compare *c = compare_read(run, n, &e);
    if (!c) fail_msg("%s", e.msg);
    return c;
}
#define COMPARE(...) compare(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})

/* Write the newest checkpoint's state of a run again, with one item of the game's state replaced. */
static void replace_state(const char *name, const char *key, cJSON *item) {
    struct db db;
    struct err e;
    char path[200];
    snprintf(path, sizeof path, "%s/run.db", tiny_path(name));
    if (!db_open(&db, path, DB_WRITE, false, &e)) fail_msg("%s", e.msg);
    sqlite3_stmt *q = db_prepare(&db, &e, "SELECT state FROM checkpoint ORDER BY tick DESC LIMIT 1", "");
    bool row;
    assert_true(db_step(&db, q, &row, &e) && row);
    cJSON *root = cJSON_Parse((const char *)sqlite3_column_text(q, 0)), *game = cJSON_GetObjectItem(root, "game");
    sqlite3_finalize(q);
    if (!cJSON_GetObjectItem(game, key)) game = cJSON_GetObjectItem(game, "state");
    assert_true(cJSON_ReplaceItemInObjectCaseSensitive(game, key, item));
    char *text = cJSON_PrintUnformatted(root);
    assert_true(
        db_run(&db, &e, "UPDATE checkpoint SET state=? WHERE tick=(SELECT max(tick) FROM checkpoint)", "s", text));
    free(text);
    cJSON_Delete(root);
    db_close(&db);
}

static void answers_were(const char *name, const char *right) {
    cJSON *list = cJSON_CreateArray();
    for (; *right; right++) cJSON_AddItemToArray(list, cJSON_CreateString(*right == '1' ? "0x1p+0" : "0x0p+0"));
    replace_state(name, "right_student", list);
}

static double metric(const char *run, const char *name) {
    struct db db;
    struct err e;
    double v = 0;
    if (!run_read_open(&db, tiny_path(run), &e) || !run_read_metric(&db, name, true, &v, &e)) fail_msg("%s", e.msg);
    db_close(&db);
    return v;
}

static void figures_come_from_the_record(void **state) {
    (void)state;
    struct compare *c = COMPARE("a", "b");
    assert_int_equal(c->run[0].iterations, 1);
    assert_int_equal(c->run[0].n_right, 8);
    assert_true(isfinite(c->run[0].gap_worst.mean) && c->run[0].gap_worst.lo <= c->run[0].gap_worst.hi);
    assert_true(c->run[1].gap_worst.mean == metric("b", "gap.worst"));
    assert_true(c->run[1].accuracy_last == metric("b", "student.accuracy"));
    assert_true(compare_differs(c, option_find("beta")));
    for (int i = 0; i < N_OPTIONS; i++)
        assert_int_equal(compare_differs(c, &OPTIONS[i]), strcmp(OPTIONS[i].name, "beta") == 0);
    compare_free(c);
}

static void answers_are_paired_by_prompt(void **state) {
    (void)state;
    answers_were("a", "10001000");
    answers_were("b", "11100000");
    struct compare *c = COMPARE("a", "b", "a");
    const struct compare_pair *p = &c->pair[1];
    assert_true(p->paired);
    assert_int_equal(p->n, 8);
    assert_int_equal(p->better, 2);
    assert_int_equal(p->worse, 1);
    assert_true(fabs(p->difference.mean - 0.125) < 1e-12);
    assert_true(p->difference.lo < 0 && p->difference.hi > 0.25);
    assert_true(c->pair[2].paired && c->pair[2].difference.lo == 0 && c->pair[2].difference.hi == 0);
    struct strbuf b = {0};
    compare_text(c, 100, &b);
    assert_non_null(strstr(b.s, "b: +12.5 ["));
    assert_non_null(strstr(b.s, "points over 8 prompts (2 right here only, 1 there only)"));
    strbuf_free(&b);
    compare_free(c);
}

static void other_prompts_are_not_paired(void **state) {
    (void)state;
    struct compare *c = COMPARE("a", "other-prompts", "unchecked");
    assert_false(c->pair[1].paired);
    assert_string_equal(c->pair[1].why.msg, "their held-out prompts differ");
    assert_false(c->pair[2].paired);
    assert_string_equal(c->pair[2].why.msg, "unchecked: it records no answers by prompt (prompts.checker is none)");
    assert_true(isnan(c->run[2].accuracy_last));
    assert_int_equal(c->run[2].iterations, 1); /* the gap was measured */
    compare_free(c);
}

static void half_evaluations_are_not_paired(void **state) {
    (void)state;
    char phase[16];
    snprintf(phase, sizeof phase, "%d", PHASE_EVALUATE);
    struct compare *c = COMPARE("b", "b");
    assert_true(c->pair[1].paired);
    compare_free(c);
    replace_state("b", "phase", cJSON_CreateString(phase));
    replace_state("b", "step", cJSON_CreateString("1"));
    c = COMPARE("a", "b");
    assert_false(c->pair[1].paired);
    assert_string_equal(c->pair[1].why.msg, "b: its newest checkpoint stands in the middle of an evaluation");
    compare_free(c);
    snprintf(phase, sizeof phase, "%d", PHASE_END);
    replace_state("b", "phase", cJSON_CreateString(phase));
}

static void changes_since_the_start_count(void **state) {
    (void)state;
    struct rundir r;
    struct options o;
    struct err e;
    if (!rundir_open(&r, tiny_path("a"), &o, &e) || !journal_add(&r, 5, "set", "zeta=0.5", &e)) fail_msg("%s", e.msg);
    rundir_close(&r);
    struct compare *c = COMPARE("a", "b");
    assert_true(c->run[0].options.zeta == 0.5);
    assert_true(compare_differs(c, option_find("zeta")));
    compare_free(c);
}

static void json_is_one_object(void **state) {
    (void)state;
    struct compare *c = COMPARE("a", "b", "unchecked");
    struct strbuf b = {0};
    struct err e;
    compare_json(c, &b);
    assert_int_equal(strcspn(b.s, "\n"), b.len - 1);
    cJSON *root = json_parse(b.s, b.len, "compare", &e);
    if (!root) fail_msg("%s", e.msg);
    const cJSON *runs = cJSON_GetObjectItem(root, "runs"), *pairs = cJSON_GetObjectItem(root, "paired");
    assert_int_equal(cJSON_GetArraySize(runs), 3);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 1), "run")->valuestring, tiny_path("b"));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 2), "accuracy_last")));
    assert_int_equal(cJSON_GetArraySize(pairs), 2);
    assert_int_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(pairs, 0), "prompts")->valueint, 8);
    assert_true(cJSON_HasObjectItem(cJSON_GetArrayItem(pairs, 1), "not_paired"));
    const cJSON *beta = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "options"), "beta");
    assert_true(cJSON_GetArrayItem(beta, 1)->valuedouble == 20);
    cJSON_Delete(root);
    strbuf_free(&b);
    compare_free(c);
}

static void folders_without_runs_are_named(void **state) {
    (void)state;
    struct err e = {0};
    const char *run[] = {tiny_path("a"), tiny_path("nothing")};
    assert_null(compare_read(run, 2, &e));
    assert_non_null(strstr(e.msg, "nothing: holds no run (run.db is missing)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_come_from_the_record),   cmocka_unit_test(answers_are_paired_by_prompt),
        cmocka_unit_test(other_prompts_are_not_paired),   cmocka_unit_test(half_evaluations_are_not_paired),
        cmocka_unit_test(changes_since_the_start_count),  cmocka_unit_test(json_is_one_object),
        cmocka_unit_test(folders_without_runs_are_named),
    };
    return cmocka_run_group_tests(tests, make_runs, tiny_remove);
}
