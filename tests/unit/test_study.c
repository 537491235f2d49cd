/* Studies, with a shell script in the place of the program: which jobs are started and how, what is taken over from an
 * earlier time, and what a failed or stopped job leaves. What comes of the results: test_study_table.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/eval/study_table.h"
#include "engine/run/rundir.h"
#include "tests/support/study_fixture.h"

/* ---- kinds ---- */

static void kinds_are_whole(void **state) {
    (void)state;
    struct options o;
    for (int i = 0; i < N_STUDY_KINDS; i++) {
        const struct study_kind *k = &STUDIES[i];
        assert_ptr_equal(study_find(k->name), k);
        assert_true(k->help[0] && k->x_title[0] && k->variant[0].label);
        for (const struct study_variant *v = k->variant; v->label; v++) {
            char *set[STUDY_ASSIGN_MAX], slug[48], other[48];
            struct err e = {0};
            const char *unknown = NULL;
            study_slug(v->label, slug, sizeof slug);
            assert_int_equal(strspn(slug, "abcdefghijklmnopqrstuvwxyz0123456789.-"), strlen(slug));
            for (const struct study_variant *w = k->variant; w != v; w++) {
                study_slug(w->label, other, sizeof other);
                assert_string_not_equal(slug, other);
            }
            for (int a = 0; a < STUDY_ASSIGN_MAX && v->assign[a] && !unknown; a++) {
                char name[64];
                snprintf(name, sizeof name, "%.*s", (int)strcspn(v->assign[a], "=*"), v->assign[a]);
                if (!option_find(name)) unknown = v->assign[a];
            }
            options_default(&o);
            const bool ok = study_resolve(v, &o, set, &e);
            for (int a = 0; a < STUDY_ASSIGN_MAX; a++) free(set[a]);
            if (!unknown) continue; /* a choice may still be missing: then e says so */
            assert_false(ok);
            assert_non_null(strstr(e.msg, "which this program does not have"));
            assert_memory_equal(strstr(e.msg, "option ") + 7, unknown, strcspn(unknown, "=*"));
        }
    }
    assert_null(study_find("nothing"));
}

/* The kinds that this program must be able to run today. */
static void known_kinds_resolve(void **state) {
    (void)state;
    static const char *const KINDS[] = {"sanity", "ablation", "scale",    "robustness",
                                        "data",   "noise",    "labeller", "algorithms"};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        char out[64];
        snprintf(out, sizeof out, "known-%s", KINDS[i]);
        /* the teacher here is no model: only what does not read its probabilities */
        if (strcmp(KINDS[i], "algorithms") == 0) fake_variants = "pbkd,pbkd offline,ppo_fixed_rm,sft,dpo";
        struct study *s = fake_plan(KINDS[i], out, 2, "prompts.checker=number"); /* the oracle's */
        fake_variants = NULL;
        for (int a = 0; a < s->n_jobs; a++) /* every job is another run */
            for (int b = 0; b < a; b++) {
                assert_true(s->job[a].fingerprint != s->job[b].fingerprint);
                assert_string_not_equal(s->job[a].name, s->job[b].name);
            }
        study_free(s);
    }
}

static void factors_multiply_the_configuration(void **state) {
    (void)state;
    const struct study_variant v = {"v", {"beta*0.5", "game.rounds*2.6", "iterations=7"}},
                               text = {"t", {"algorithm*2"}};
    char *set[STUDY_ASSIGN_MAX];
    struct options o;
    struct err e = {0};
    options_default(&o);
    o.beta = 3;
    o.game_rounds = 4;
    assert_true(study_resolve(&v, &o, set, &e));
    assert_string_equal(set[0], "beta=1.5");
    assert_string_equal(set[1], "game.rounds=10");
    assert_string_equal(set[2], "iterations=7");
    assert_null(set[3]);
    assert_true(o.beta == 1.5 && o.game_rounds == 10 && o.iterations == 7);
    for (int i = 0; i < 3; i++) free(set[i]);
    o.beta = 0;
    assert_false(study_resolve(&v, &o, set, &e));
    assert_string_equal(e.msg, "variant \"v\": beta: is 0 in this configuration, so a factor would change nothing "
                               "(set it with --set beta=X)");
    assert_false(study_resolve(&text, &o, set, &e));
    assert_non_null(strstr(e.msg, "algorithm: is no number"));
}

static void wrong_requests_are_refused(void **state) {
    (void)state;
    fake_plan_fails("nothing", "no", NULL, "there is no study \"nothing\"");
    fake_plan_fails("data", "no", "prompts.per_iteration=3", "the study varies prompts.per_iteration itself");
    fake_plan_fails("labeller", "no", NULL, "variant \"oracle\": labeller: \"oracle\" needs prompts.checker");
    fake_plan_fails("data", "no", "betta=3", "did you mean \"beta\"");
    fake_plan_fails("scale", "no", "teacher.model=/nowhere", "teacher.model: cannot read");
    assert_false(file_exists(fake_path("no"))); /* nothing was made */
}

static void variants_can_be_chosen(void **state) {
    (void)state;
    fake_variants = "128 prompts,32 prompts";
    struct study *s = fake_plan("data", "chosen", 1, NULL);
    assert_int_equal(s->n_jobs, 2);
    assert_string_equal(s->variant[0].label, "32 prompts"); /* in the kind's order */
    assert_string_equal(s->variant[1].label, "128 prompts");
    fake_run(s);
    study_free(s);
    fake_variants = NULL; /* the others join what is there */
    s = fake_plan("data", "chosen", 1, NULL);
    assert_int_equal(s->n_jobs, 4);
    assert_int_equal(study_count(s, JOB_DONE), 2);
    study_free(s);
    static const char *const WRONG[] = {"", "32", "32 prompts,", "32 prompts,32 prompts", "32 prompts,33 prompts"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        fake_variants = WRONG[i];
        fake_plan_fails("data", "chosen", NULL, "expected some of: 32 prompts, 64 prompts, 128 prompts, 256 prompts");
    }
    fake_variants = NULL;
}

/* ---- jobs ---- */

static int most_at_once;
static void note_running(void *ctx, const struct study *s, const struct study_job *j) {
    (void)ctx;
    (void)j;
    const int n = study_count(s, JOB_RUNNING);
    if (n > most_at_once) most_at_once = n;
}

static void every_job_is_run_once(void **state) {
    (void)state;
    struct study *s = fake_plan("data", "once", 3, "beta=4");
    assert_int_equal(s->n_jobs, 12);
    assert_true(isnan(study_eta(s)));
    most_at_once = 0;
    study_run(s, &(struct study_watch){.fd = -1, .changed = note_running});
    assert_int_equal(study_count(s, JOB_DONE), 12);
    assert_int_equal(most_at_once, 2);
    assert_int_equal(fake_n_calls(), 12);
    assert_true(study_eta(s) == 0);
    char *text = fake_calls(), wanted[700];
    snprintf(wanted, sizeof wanted,
             "run %s --headless --run-dir %s/64-prompts-s2 --seed 2 --set beta=4 --set prompts.per_iteration=64 --set "
             "threads=%d\n",
             s->config, s->out, s->threads);
    if (!strstr(text, wanted)) fail_msg("expected %s in %s", wanted, text);
    mem_free(text);
    study_free(s);
    /* all is there: nothing is run again; a fourth seed costs four runs */
    s = fake_plan("data", "once", 3, "beta=4");
    assert_int_equal(study_count(s, JOB_DONE), 12);
    fake_run(s);
    assert_int_equal(fake_n_calls(), 12);
    study_free(s);
    s = fake_plan("data", "once", 4, "beta=4");
    assert_int_equal(study_count(s, JOB_DONE), 12);
    fake_run(s);
    assert_int_equal(fake_n_calls(), 16);
    study_free(s);
    fake_plan_fails("data", "once", "beta=5", "32-prompts-s1.json: was made with other options or data");
    s = fake_plan("data", "once", 4, "beta=4");
    fake_plan_fails("data", "once", "beta=4", "another study is at work there");
    study_free(s);
}

static void changed_data_is_noticed(void **state) {
    (void)state;
    struct study *s = fake_plan("sanity", "changed", 1, NULL);
    fake_run(s);
    study_free(s);
    fake_file("teacher.gguf", "another teacher");
    fake_plan_fails("sanity", "changed", NULL, "was made with other options or data");
    fake_file("teacher.gguf", "teacher");
    s = fake_plan("sanity", "changed", 1, "threads=1"); /* threads change nothing */
    assert_int_equal(study_count(s, JOB_DONE), 1);
    study_free(s);
    fake_file("changed/config-s1.json", "{\"fingerprint\": 3}");
    fake_plan_fails("sanity", "changed", NULL, "\"fingerprint\" must be a string");
}

/* An unfinished run of these very options in the place of the variant "R 2" and seed 2. */
static void leave_run(const char *out, double beta) {
    struct rundir r;
    struct err e;
    struct study *s = fake_plan("scale", out, 2, NULL);
    struct options o = s->variant[1].options;
    char path[300];
    o.seed = 2;
    o.threads = 7;
    o.beta = beta;
    snprintf(path, sizeof path, "%s/%s", s->out, study_job_of(s, 1, 1)->name);
    if (!rundir_create(&r, path, &o, "", &e)) fail_msg("%s", e.msg);
    rundir_close(&r);
    study_free(s);
}

static void unfinished_runs_go_on(void **state) {
    (void)state;
    leave_run("unfinished", 8);
    struct study *s = fake_plan("scale", "unfinished", 2, NULL);
    for (int i = 0; i < s->n_jobs; i++) assert_int_equal(s->job[i].resume, strcmp(s->job[i].name, "r-2-s2") == 0);
    fake_run(s);
    char *text = fake_calls(), wanted[400];
    snprintf(wanted, sizeof wanted, "run --headless --run-dir %s/r-2-s2 --resume --set threads=%d\n", s->out,
             s->threads);
    if (!strstr(text, wanted)) fail_msg("expected %s in %s", wanted, text);
    assert_int_equal(count_text(text, "--resume"), 1);
    mem_free(text);
    study_free(s);
}

static void foreign_runs_are_refused(void **state) {
    (void)state;
    struct err e;
    leave_run("other", 3);
    assert_null(fake_try_plan("scale", "other", 2, NULL, &e));
    assert_non_null(strstr(e.msg, "r-2-s2: holds a run with beta 3, not 8; choose another --out"));
}

static void failed_jobs_leave_the_rest_alone(void **state) {
    (void)state;
    fake_file("fail-2", "");
    fake_file("mute-3", "");
    fake_file("kill-1", "");
    struct study *s = fake_plan("sanity", "failed", 4, NULL);
    fake_run(s);
    assert_int_equal(study_count(s, JOB_FAILED), 3);
    assert_int_equal(study_count(s, JOB_DONE), 1);
    assert_non_null(strstr(study_job_of(s, 0, 0)->why.msg, "ended by signal 9"));
    assert_string_equal(study_job_of(s, 0, 1)->why.msg, "the disk is full");
    assert_string_equal(study_job_of(s, 0, 2)->why.msg, "its last line is no result: no json");
    struct study_table *t = study_table_make(s);
    assert_int_equal(t->row[0].n_failed, 3);
    assert_int_equal(t->row[0].cell[STUDY_METRIC_AFTER].n, 1);
    struct strbuf b = {0};
    study_table_json(s, t, &b);
    assert_non_null(
        strstr(b.s, "\"failures\":{\"config-s1\":\"ended by signal 9 (Killed)\",\"config-s2\":\"the disk is full\""));
    strbuf_free(&b);
    study_table_free(t);
    study_free(s);
    fake_forget(NULL); /* the disk has been cleaned */
    s = fake_plan("sanity", "failed", 4, NULL);
    fake_run(s);
    assert_int_equal(fake_n_calls(), 3);
    assert_int_equal(study_count(s, JOB_DONE), 4);
    study_free(s);
}

static void missing_programs_are_named(void **state) {
    (void)state;
    struct study *s = fake_plan("sanity", "missing", 1, NULL);
    s->program = "/nowhere/pbkd";
    fake_run(s);
    assert_string_equal(s->job[0].why.msg, "cannot run the program of the study");
    study_free(s);
}

/* A result without what the study is about: the jobs that have not begun are not begun. */
static void needed_records_are_asked_for(void **state) {
    (void)state;
    struct study *s = fake_plan("data", "needs", 2, NULL);
    struct study_kind k = *s->kind;
    k.needs = "coverage";
    s->kind = &k;
    fake_run(s);
    assert_int_equal(study_count(s, JOB_FAILED), 8);
    assert_true(fake_n_calls() <= 3);
    assert_non_null(strstr(s->job[7].why.msg, "its result has no \"coverage\", which the data study needs"));
    assert_false(file_exists(fake_path("needs/32-prompts-s1.json")));
    study_free(s);
}

/* Once both children say where they are, they are told to stop. */
static void stop_when_under_way(void *ctx, struct study *s) {
    int *stops = ctx, n = 0;
    for (int i = 0; i < s->n_jobs; i++) n += s->job[i].state == JOB_RUNNING && s->job[i].at[0];
    if (n < 2 || *stops) return;
    assert_string_equal(s->job[0].at, "t 1/2 game");
    study_stop(s);
    ++*stops;
}

static void stopped_jobs_wait_for_another_time(void **state) {
    (void)state;
    int stops = 0;
    fake_file("hang", "");
    struct study *s = fake_plan("data", "stopped", 2, NULL);
    study_run(s, &(struct study_watch){.fd = -1, .turn = stop_when_under_way, .ctx = &stops});
    assert_int_equal(stops, 1);
    assert_int_equal(study_count(s, JOB_WAITING), 8);
    assert_true(s->job[0].stopped && s->job[1].stopped && !s->job[2].stopped);
    assert_int_equal(fake_n_calls(), 2);
    study_free(s);
}

static void the_manual_knows_the_kinds(void **state) {
    (void)state;
    char *manual, row[300];
    size_t len;
    struct err e;
    if (!file_read_all("MANUAL.md", 1 << 20, &manual, &len, &e)) fail_msg("%s", e.msg);
    for (int i = 0; i < N_STUDY_KINDS; i++) {
        snprintf(row, sizeof row, "| `%s` | %s |", STUDIES[i].name, STUDIES[i].help);
        if (!strstr(manual, row)) fail_msg("MANUAL.md lacks: %s", row);
    }
    mem_free(manual);
}

#define TEST(f) cmocka_unit_test_setup(f, fake_forget)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(kinds_are_whole),
        TEST(known_kinds_resolve),
        TEST(factors_multiply_the_configuration),
        TEST(wrong_requests_are_refused),
        TEST(variants_can_be_chosen),
        TEST(every_job_is_run_once),
        TEST(changed_data_is_noticed),
        TEST(unfinished_runs_go_on),
        TEST(foreign_runs_are_refused),
        TEST(failed_jobs_leave_the_rest_alone),
        TEST(missing_programs_are_named),
        TEST(needed_records_are_asked_for),
        TEST(stopped_jobs_wait_for_another_time),
        TEST(the_manual_knows_the_kinds),
    };
    return cmocka_run_group_tests(tests, fake_set_up, fake_tear_down);
}
