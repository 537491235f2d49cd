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
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/eval/compare.h"
#include "engine/eval/run_read.h"
#include "engine/formats/quant.h"
#include "engine/game/series.h"
#include "engine/model/model_io.h"
#include "engine/run/rundir.h"
#include "engine/run/session.h"

static char folder[64];

static char *path_to(const char *name) {
    static char path[8][128];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void make_model(const char *name, const struct tokenizer *t, int d, uint64_t seed) {
    struct err e = {0};
    const struct model_config c = {.n_vocab = tokenizer_n_vocab(t),
                                   .d_model = d,
                                   .n_layer = 1,
                                   .n_head = 2,
                                   .n_kv_head = 1,
                                   .head_dim = d / 2,
                                   .d_ff = 2 * d,
                                   .n_ctx = 64,
                                   .rope_base = 10000,
                                   .rms_eps = 1e-5f,
                                   .tied = true};
    struct model *m = model_new(&c, false, &e);
    assert_non_null(m);
    model_init(m, seed);
    if (!model_save(m, t, path_to(name), QUANT_F32, &e)) fail_msg("%s", e.msg);
    model_free(m);
}

static void write_prompts(const char *name, int n, int offset) {
    struct strbuf b = {0};
    struct err e;
    for (int i = 0; i < n; i++)
        strbuf_printf(&b, "{\"prompt\": \"what is %d plus %d?\", \"answer\": \"80\"}\n", i + offset, 80 - i);
    if (!atomic_write(path_to(name), b.s, b.len, &e)) fail_msg("%s", e.msg);
    strbuf_free(&b);
}

static void play(const char *name, const char *heldout, int checker, double beta) {
    struct options o;
    struct err e = {0};
    bool ok;
    options_default(&o);
    o.iterations = 1;
    o.threads = 1;
    o.beta = beta;
    o.prompts_per_iteration = 10;
    o.samples_per_prompt = 2;
    o.max_new_tokens = 6;
    o.game_rounds = 1;
    o.game_policy_steps = 1;
    o.game_policy_batch = 4;
    o.reward_steps = 2;
    o.reward_batch = 4;
    o.reward_gate = 0;
    o.eval_gap_prompts = 4;
    o.eval_bootstrap = 100;
    o.prompts_checker = checker;
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", path_to("teacher.gguf"));
    snprintf(o.student_model, sizeof o.student_model, "%s", path_to("student.gguf"));
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", path_to("train.jsonl"));
    snprintf(o.prompts_heldout, sizeof o.prompts_heldout, "%s", path_to(heldout));
    const char *run = path_to(name);
    struct session *s =
        session_start(&(struct session_config){.options = o, .run_dir = run, .title = "", .headless = true}, &e);
    if (!s) fail_msg("%s", e.msg);
    session_finish(s, &ok, NULL, &e);
    if (!ok) fail_msg("%s", e.msg);
}

static int make_runs(void **state) {
    (void)state;
    struct err e = {0};
    static char text[80][32];
    const char *texts[80];
    strcpy(folder, "/tmp/pbkd-compare-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    for (int i = 0; i < 80; i++) {
        snprintf(text[i], sizeof text[i], "what is %d plus %d?", i, 80 - i);
        texts[i] = text[i];
    }
    struct tokenizer *t = tokenizer_train(texts, 80, 280, &e);
    if (!t) return -1;
    make_model("teacher.gguf", t, 16, 1);
    make_model("student.gguf", t, 12, 2);
    tokenizer_free(t);
    write_prompts("train.jsonl", 60, 0);
    write_prompts("heldout.jsonl", 8, 100);
    write_prompts("others.jsonl", 8, 200);
    play("a", "heldout.jsonl", CHECKER_NUMBER, 10);
    play("b", "heldout.jsonl", CHECKER_NUMBER, 20);
    play("other-prompts", "others.jsonl", CHECKER_NUMBER, 10);
    play("unchecked", "heldout.jsonl", CHECKER_NONE, 10);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

static struct compare *compare(int n, const char *const *name) {
    const char *run[4];
    struct err e = {0};
    for (int i = 0; i < n; i++) run[i] = path_to(name[i]);
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
    snprintf(path, sizeof path, "%s/run.db", path_to(name));
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
    if (!run_read_open(&db, path_to(run), &e) || !run_read_metric(&db, name, true, &v, &e)) fail_msg("%s", e.msg);
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
    if (!rundir_open(&r, path_to("a"), &o, &e) || !journal_add(&r, 5, "set", "zeta=0.5", &e)) fail_msg("%s", e.msg);
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
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 1), "run")->valuestring, path_to("b"));
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
    const char *run[] = {path_to("a"), path_to("nothing")};
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
    return cmocka_run_group_tests(tests, make_runs, remove_folder);
}
