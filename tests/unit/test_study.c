/* Studies, with a shell script in the place of the program: which jobs are started and how, what is taken over from an
 * earlier time, what a failed or stopped job leaves, and that tables and figures say what the results say. */
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

static char folder[] = "/tmp/pbkd_study_XXXXXX";

/* The script's student gets 50 + 2 seed + prompts/32 % right, its reward 90 + seed %. Files beside it change what it
 * does: fail-SEED, mute-SEED, kill-SEED, hang. Every call is noted in `calls`. */
static const char SCRIPT[] =
    "#!/bin/sh\n"
    "here=${0%/*}; echo \"$@\" >>\"$here/calls\"; prompts=128; seed=1\n"
    "while [ $# -gt 0 ]; do\n"
    "  case $1 in --seed) seed=$2;; --run-dir) dir=$2;; prompts.per_iteration=*) prompts=${1#*=};; esac; shift\n"
    "done\n"
    "case $dir in *-s2) seed=2;; *-s3) seed=3;; esac\n"
    "echo '[0] t 1/2 game'\n"
    "[ -e \"$here/hang\" ] && { trap 'exit 143' TERM; while :; do sleep 0.02; done; }\n"
    "[ -e \"$here/kill-$seed\" ] && kill -9 $$\n"
    "[ -e \"$here/mute-$seed\" ] && { echo no json; exit 0; }\n"
    "[ -e \"$here/fail-$seed\" ] && { echo '{}'; echo 'pbkd: the disk is full' >&2; exit 1; }\n"
    "printf '{\"reward\":{\"accuracy_heldout_first\":0.%d},\"gap\":{\"worst\":{\"mean\":0.%d,\"lo\":0.1,\"hi\":0.5},' "
    "$((90 + seed)) $((20 + seed))\n"
    "printf "
    "'\"fitted\":{\"mean\":null,\"lo\":null,\"hi\":null}},\"student\":{\"accuracy_before\":0.4,\"accuracy_after\":0.%d}"
    ","
    "\"pairs\":%d,\"seconds\":%d}\\n' $((50 + 2 * seed + prompts / 32)) $((prompts * 3)) $((10 * seed))\n";

static char *path_to(const char *name) {
    static char path[8][256];
    static int at;
    at = (at + 1) % 8;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void put_file(const char *name, const char *text) {
    struct err e;
    if (!atomic_write(path_to(name), text, strlen(text), &e)) fail_msg("%s", e.msg);
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    put_file("fake.sh", SCRIPT);
    chmod(path_to("fake.sh"), 0700);
    put_file("teacher.gguf", "teacher");
    put_file("student.gguf", "student");
    put_file("train.jsonl", "{}");
    put_file("config.json", "{\"teacher\": {\"model\": \"teacher.gguf\"}, \"student.model\": \"student.gguf\","
                            " \"prompts.train\": \"train.jsonl\", \"beta\": 8}");
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

static int forget_calls(void **state) {
    (void)state;
    static const char *const SWITCHES[] = {"calls", "hang", "fail-1", "fail-2", "mute-3", "kill-1"};
    for (size_t i = 0; i < sizeof SWITCHES / sizeof SWITCHES[0]; i++) unlink(path_to(SWITCHES[i]));
    return 0;
}

/* ---- helpers ---- */

static const char *chosen_variants; /* --variants of the next plans */

static struct study *try_plan(const char *kind, const char *out, int seeds, const char *set, struct err *e) {
    static const char *sets[1];
    static char config[256], program[256], out_path[256];
    sets[0] = set;
    snprintf(config, sizeof config, "%s", path_to("config.json"));
    snprintf(program, sizeof program, "%s", path_to("fake.sh"));
    snprintf(out_path, sizeof out_path, "%s", path_to(out));
    *e = (struct err){0};
    return study_plan(&(struct study_request){.kind = kind,
                                              .config = config,
                                              .out = out_path,
                                              .variants = chosen_variants,
                                              .program = program,
                                              .set = sets,
                                              .n_set = set != NULL,
                                              .n_seeds = seeds,
                                              .jobs_at_once = 2},
                      e);
}

static struct study *plan(const char *kind, const char *out, int seeds, const char *set) {
    struct err e;
    struct study *s = try_plan(kind, out, seeds, set, &e);
    if (!s) fail_msg("%s", e.msg);
    return s;
}

static void plan_fails(const char *kind, const char *out, const char *set, const char *message) {
    struct err e;
    assert_null(try_plan(kind, out, 1, set, &e));
    if (!strstr(e.msg, message)) fail_msg("expected \"%s\" in \"%s\"", message, e.msg);
}

static void run(struct study *s) {
    study_run(s, &(struct study_watch){.fd = -1});
}

/* What the script was called with, all calls; free with mem_free. NULL: never called. */
static char *calls(void) {
    char *text;
    size_t len;
    return file_read_all(path_to("calls"), 1 << 20, &text, &len, NULL) ? text : NULL;
}

static int count(const char *text, const char *what) {
    int n = 0;
    for (const char *at = text; at && (at = strstr(at, what)); at++) n++;
    return n;
}

static int n_calls(void) {
    char *text = calls();
    const int n = count(text, "\n");
    mem_free(text);
    return n;
}

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
    static const char *const KINDS[] = {"sanity", "ablation", "scale", "robustness", "data", "noise", "labeller",
                                        "algorithms"};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        char out[64];
        snprintf(out, sizeof out, "known-%s", KINDS[i]);
        /* the teacher here is no model: only what does not read its probabilities */
        if (strcmp(KINDS[i], "algorithms") == 0) chosen_variants = "pbkd,pbkd offline,ppo_fixed_rm,sft,dpo";
        struct study *s = plan(KINDS[i], out, 2, "prompts.checker=number"); /* the oracle's */
        chosen_variants = NULL;
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
    plan_fails("nothing", "no", NULL, "there is no study \"nothing\"");
    plan_fails("data", "no", "prompts.per_iteration=3", "the study varies prompts.per_iteration itself");
    plan_fails("labeller", "no", NULL, "variant \"oracle\": labeller: \"oracle\" needs prompts.checker");
    plan_fails("data", "no", "betta=3", "did you mean \"beta\"");
    plan_fails("scale", "no", "teacher.model=/nowhere", "teacher.model: cannot read");
    assert_false(file_exists(path_to("no"))); /* nothing was made */
}

static void variants_can_be_chosen(void **state) {
    (void)state;
    chosen_variants = "128 prompts,32 prompts";
    struct study *s = plan("data", "chosen", 1, NULL);
    assert_int_equal(s->n_jobs, 2);
    assert_string_equal(s->variant[0].label, "32 prompts"); /* in the kind's order */
    assert_string_equal(s->variant[1].label, "128 prompts");
    run(s);
    study_free(s);
    chosen_variants = NULL; /* the others join what is there */
    s = plan("data", "chosen", 1, NULL);
    assert_int_equal(s->n_jobs, 4);
    assert_int_equal(study_count(s, JOB_DONE), 2);
    study_free(s);
    static const char *const WRONG[] = {"", "32", "32 prompts,", "32 prompts,32 prompts", "32 prompts,33 prompts"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        chosen_variants = WRONG[i];
        plan_fails("data", "chosen", NULL, "expected some of: 32 prompts, 64 prompts, 128 prompts, 256 prompts");
    }
    chosen_variants = NULL;
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
    struct study *s = plan("data", "once", 3, "beta=4");
    assert_int_equal(s->n_jobs, 12);
    assert_true(isnan(study_eta(s)));
    most_at_once = 0;
    study_run(s, &(struct study_watch){.fd = -1, .changed = note_running});
    assert_int_equal(study_count(s, JOB_DONE), 12);
    assert_int_equal(most_at_once, 2);
    assert_int_equal(n_calls(), 12);
    assert_true(study_eta(s) == 0);
    char *text = calls(), wanted[700];
    snprintf(wanted, sizeof wanted,
             "run %s --headless --run-dir %s/64-prompts-s2 --seed 2 --set beta=4 --set prompts.per_iteration=64 --set "
             "threads=%d\n",
             s->config, s->out, s->threads);
    if (!strstr(text, wanted)) fail_msg("expected %s in %s", wanted, text);
    mem_free(text);
    study_free(s);
    /* all is there: nothing is run again; a fourth seed costs four runs */
    s = plan("data", "once", 3, "beta=4");
    assert_int_equal(study_count(s, JOB_DONE), 12);
    run(s);
    assert_int_equal(n_calls(), 12);
    study_free(s);
    s = plan("data", "once", 4, "beta=4");
    assert_int_equal(study_count(s, JOB_DONE), 12);
    run(s);
    assert_int_equal(n_calls(), 16);
    study_free(s);
    plan_fails("data", "once", "beta=5", "32-prompts-s1.json: was made with other options or data");
    s = plan("data", "once", 4, "beta=4");
    plan_fails("data", "once", "beta=4", "another study is at work there");
    study_free(s);
}

static void changed_data_is_noticed(void **state) {
    (void)state;
    struct study *s = plan("sanity", "changed", 1, NULL);
    run(s);
    study_free(s);
    put_file("teacher.gguf", "another teacher");
    plan_fails("sanity", "changed", NULL, "was made with other options or data");
    put_file("teacher.gguf", "teacher");
    s = plan("sanity", "changed", 1, "threads=1"); /* threads change nothing */
    assert_int_equal(study_count(s, JOB_DONE), 1);
    study_free(s);
    put_file("changed/config-s1.json", "{\"fingerprint\": 3}");
    plan_fails("sanity", "changed", NULL, "\"fingerprint\" must be a string");
}

/* An unfinished run of these very options in the place of the variant "R 2" and seed 2. */
static void leave_run(const char *out, double beta) {
    struct rundir r;
    struct err e;
    struct study *s = plan("scale", out, 2, NULL);
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
    struct study *s = plan("scale", "unfinished", 2, NULL);
    for (int i = 0; i < s->n_jobs; i++) assert_int_equal(s->job[i].resume, strcmp(s->job[i].name, "r-2-s2") == 0);
    run(s);
    char *text = calls(), wanted[400];
    snprintf(wanted, sizeof wanted, "run --headless --run-dir %s/r-2-s2 --resume --set threads=%d\n", s->out,
             s->threads);
    if (!strstr(text, wanted)) fail_msg("expected %s in %s", wanted, text);
    assert_int_equal(count(text, "--resume"), 1);
    mem_free(text);
    study_free(s);
}

static void foreign_runs_are_refused(void **state) {
    (void)state;
    struct err e;
    leave_run("other", 3);
    assert_null(try_plan("scale", "other", 2, NULL, &e));
    assert_non_null(strstr(e.msg, "r-2-s2: holds a run with beta 3, not 8; choose another --out"));
}

static void failed_jobs_leave_the_rest_alone(void **state) {
    (void)state;
    put_file("fail-2", "");
    put_file("mute-3", "");
    put_file("kill-1", "");
    struct study *s = plan("sanity", "failed", 4, NULL);
    run(s);
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
    forget_calls(NULL); /* the disk has been cleaned */
    s = plan("sanity", "failed", 4, NULL);
    run(s);
    assert_int_equal(n_calls(), 3);
    assert_int_equal(study_count(s, JOB_DONE), 4);
    study_free(s);
}

static void missing_programs_are_named(void **state) {
    (void)state;
    struct study *s = plan("sanity", "missing", 1, NULL);
    s->program = "/nowhere/pbkd";
    run(s);
    assert_string_equal(s->job[0].why.msg, "cannot run the program of the study");
    study_free(s);
}

/* A result without what the study is about: the jobs that have not begun are not begun. */
static void needed_records_are_asked_for(void **state) {
    (void)state;
    struct study *s = plan("data", "needs", 2, NULL);
    struct study_kind k = *s->kind;
    k.needs = "coverage";
    s->kind = &k;
    run(s);
    assert_int_equal(study_count(s, JOB_FAILED), 8);
    assert_true(n_calls() <= 3);
    assert_non_null(strstr(s->job[7].why.msg, "its result has no \"coverage\", which the data study needs"));
    assert_false(file_exists(path_to("needs/32-prompts-s1.json")));
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
    put_file("hang", "");
    struct study *s = plan("data", "stopped", 2, NULL);
    study_run(s, &(struct study_watch){.fd = -1, .turn = stop_when_under_way, .ctx = &stops});
    assert_int_equal(stops, 1);
    assert_int_equal(study_count(s, JOB_WAITING), 8);
    assert_true(s->job[0].stopped && s->job[1].stopped && !s->job[2].stopped);
    assert_int_equal(n_calls(), 2);
    study_free(s);
}

/* ---- figures ---- */

static void near(double got, double want) {
    if (!(fabs(got - want) < 1e-9)) fail_msg("expected %.12g, found %.12g", want, got);
}

static struct study_table *table_of_data(void) {
    struct study *s = plan("data", "table", 3, NULL);
    run(s);
    assert_int_equal(study_count(s, JOB_DONE), 12);
    struct study_table *t = study_table_make(s);
    study_free(s);
    t->config = NULL; /* it was the study's */
    for (int r = 0; r < t->n_rows; r++) t->row[r].set = NULL;
    return t;
}

static void tables_hold_what_the_results_hold(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    static const double PROMPTS[] = {32, 64, 128, 256};
    for (int r = 0; r < 4; r++) {
        const struct study_cell *c = t->row[r].cell, *d = t->row[r].difference;
        const double after = 0.54 + PROMPTS[r] / 3200; /* seeds 1 to 3: 0.52, 0.54, 0.56 and as much */
        near(c[STUDY_METRIC_AFTER].v.mean, after);
        const double half = 4.302652729749464 * 0.02 / sqrt(3); /* Student's t with two degrees of freedom */
        near(c[STUDY_METRIC_AFTER].v.lo, after - half);
        near(c[STUDY_METRIC_AFTER].v.hi, after + half);
        assert_int_equal(c[STUDY_METRIC_AFTER].over, OVER_SEEDS);
        near(c[STUDY_METRIC_BEFORE].v.mean, 0.4);
        near(c[STUDY_METRIC_RISE].v.mean, 100 * (after - 0.4));
        near(c[STUDY_METRIC_GAP_WORST].v.mean, 0.22);
        near(c[STUDY_METRIC_PAIRS].v.mean, 3 * PROMPTS[r]);
        near(c[STUDY_METRIC_SECONDS].v.mean, 20);
        assert_int_equal(c[STUDY_METRIC_GAP_FITTED].n, 0); /* null in every result */
        assert_int_equal(c[STUDY_METRIC_COVERAGE].n, 0);
        if (r == 0) continue;
        /* paired: what the seeds have in common falls out */
        near(d[STUDY_METRIC_AFTER].v.mean, (PROMPTS[r] - 32) / 3200);
        near(d[STUDY_METRIC_AFTER].v.lo, (PROMPTS[r] - 32) / 3200);
        near(d[STUDY_METRIC_AFTER].v.hi, (PROMPTS[r] - 32) / 3200);
    }
    assert_int_equal(t->row[0].difference[STUDY_METRIC_AFTER].n, 0);
    study_table_free(t);
}

static void single_seeds_keep_their_own_interval(void **state) {
    (void)state;
    struct study *s = plan("data", "single", 1, NULL);
    run(s);
    struct study_table *t = study_table_make(s);
    const struct study_cell *gap = &t->row[0].cell[STUDY_METRIC_GAP_WORST],
                            *after = &t->row[0].cell[STUDY_METRIC_AFTER];
    char text[64];
    near(gap->v.mean, 0.21);
    near(gap->v.lo, 0.1);
    near(gap->v.hi, 0.5);
    assert_int_equal(gap->over, OVER_PROMPTS);
    assert_int_equal(after->over, OVER_NONE);
    study_cell_text(gap, STUDY_METRIC_GAP_WORST, false, text, sizeof text);
    assert_string_equal(text, "0.210 [0.100, 0.500]");
    study_cell_text(after, STUDY_METRIC_AFTER, false, text, sizeof text);
    assert_string_equal(text, "53.0");
    study_cell_text(&t->row[1].difference[STUDY_METRIC_AFTER], STUDY_METRIC_AFTER, true, text, sizeof text);
    assert_string_equal(text, "+1.0");
    study_cell_text(&t->row[0].difference[STUDY_METRIC_AFTER], STUDY_METRIC_AFTER, true, text, sizeof text);
    assert_string_equal(text, "-");
    study_table_free(t);
    study_free(s);
}

static void sanity_says_yes_or_no(void **state) {
    (void)state;
    struct study *s = plan("sanity", "sanity", 3, NULL);
    run(s);
    struct study_table *t = study_table_make(s);
    struct strbuf b = {0};
    int yes, known;
    study_sanity(t, &yes, &known);
    assert_int_equal(yes, 3);
    study_table_text(t, 100, &b);
    assert_non_null(strstr(b.s, "reward accuracy before the game > 90 %: yes (3 of 3 seeds)"));
    t->row[0].value[STUDY_METRIC_REWARD * 3 + 1] = 0.90; /* not more than 90 % */
    t->row[0].value[STUDY_METRIC_REWARD * 3 + 2] = (double)NAN;
    study_sanity(t, &yes, &known);
    assert_int_equal(yes, 1);
    assert_int_equal(known, 2);
    strbuf_clear(&b);
    study_table_text(t, 100, &b);
    assert_non_null(strstr(b.s, "> 90 %: no (1 of 3 seeds)"));
    strbuf_free(&b);
    study_table_free(t);
    study_free(s);
}

/* ---- files that others read ---- */

/* Fields of one CSV record; *at moves past it. The text of field `want` is copied to out. */
static int read_record(const char **at, int want, char *out, size_t size) {
    int n = 0;
    size_t len = 0;
    out[0] = '\0';
    for (bool quoted = false;; ++*at) {
        const char c = **at;
        if (quoted && c == '"' && (*at)[1] == '"')
            ++*at;
        else if (c == '"') {
            quoted = !quoted;
            continue;
        } else if (!quoted && (c == ',' || c == '\r')) {
            n++;
            if (c == ',') continue;
            assert_int_equal((*at)[1], '\n');
            *at += 2;
            return n;
        }
        assert_true(c != '\0');
        if (n == want && len + 1 < size) out[len++] = c, out[len] = '\0';
    }
}

#define HOSTILE "<a & \"b\", c>"

static void csv_is_well_formed(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    struct strbuf b = {0};
    char field[200];
    t->row[1].label = HOSTILE;
    study_table_csv(t, &b);
    const char *at = b.s;
    const int n = read_record(&at, 3 + 6 * STUDY_METRIC_AFTER, field, sizeof field);
    assert_int_equal(n, 3 + 6 * N_STUDY_METRICS);
    assert_string_equal(field, "accuracy_after");
    for (int r = 0; r < 4; r++) {
        const char *again = at;
        assert_int_equal(read_record(&again, 0, field, sizeof field), n);
        assert_string_equal(field, t->row[r].label);
        assert_int_equal(read_record(&at, 3 + 6 * STUDY_METRIC_AFTER, field, sizeof field), n);
        near(strtod(field, NULL), t->row[r].cell[STUDY_METRIC_AFTER].v.mean);
    }
    assert_string_equal(at, "");
    assert_null(strstr(b.s, "nan"));
    assert_null(strstr(b.s, "null"));
    strbuf_free(&b);
    study_table_free(t);
}

static void json_is_well_formed(void **state) {
    (void)state;
    struct study *s = plan("data", "table", 3, "beta=8"); /* the configuration's own value */
    struct study_table *t = study_table_make(s);
    struct strbuf b = {0};
    struct err e;
    t->row[1].label = HOSTILE;
    study_table_json(s, t, &b);
    cJSON *root = json_parse(b.s, b.len, "table", &e);
    if (!root) fail_msg("%s", e.msg);
    const cJSON *rows = cJSON_GetObjectItem(root, "variants"), *row = cJSON_GetArrayItem(rows, 1);
    assert_int_equal(cJSON_GetArraySize(rows), 4);
    assert_string_equal(cJSON_GetObjectItem(row, "variant")->valuestring, HOSTILE);
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(row, "set"), 0)->valuestring,
                        "prompts.per_iteration=64");
    const cJSON *after = cJSON_GetObjectItem(cJSON_GetObjectItem(row, "metrics"), "accuracy_after");
    near(cJSON_GetObjectItem(after, "mean")->valuedouble, 0.56);
    near(cJSON_GetArrayItem(cJSON_GetObjectItem(after, "values"), 2)->valuedouble, 0.58);
    near(cJSON_GetObjectItem(cJSON_GetObjectItem(after, "difference"), "mean")->valuedouble, 0.01);
    assert_string_equal(cJSON_GetObjectItem(after, "over")->valuestring, "seeds");
    cJSON_Delete(root);
    strbuf_free(&b);
    study_table_free(t);
    study_free(s);
}

/* Tags closed in order, attributes quoted, no bare < & in text: what every XML reader asks for. */
static void check_xml(const char *x) {
    char open[32][16];
    int depth = 0, elements = 0;
    while (*x) {
        if (*x == '&') {
            const size_t n = strcspn(x, ";");
            assert_true(n < 7 && x[n] == ';' && strspn(x + 1, "abcdefghijklmnopqrstuvwxyz") == n - 1);
            x += n;
        } else if (*x == '<') {
            const bool closing = x[1] == '/';
            const char *name = x + 1 + closing;
            const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
            assert_true(n > 0 && n < 16);
            for (x = name + n; *x && *x != '>' && strncmp(x, "/>", 2) != 0; x++) {
                assert_true(*x != '<');
                if (*x == '"') x += 1 + strcspn(x + 1, "\"");
            }
            elements++;
            if (closing) {
                assert_true(depth > 0);
                depth--;
                assert_memory_equal(open[depth], name, n);
            } else if (*x == '>') {
                snprintf(open[depth++], 16, "%.*s", (int)n, name);
            } else {
                x++;
            }
            assert_int_equal(*x, '>');
        } else {
            assert_true(*x != '>');
        }
        x++;
    }
    assert_int_equal(depth, 0);
    assert_true(elements > 40);
}

static void svg_is_well_formed(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    struct strbuf b = {0};
    t->row[1].label = HOSTILE;
    study_figure_svg(t, &b);
    check_xml(b.s);
    assert_non_null(strstr(b.s, ">&lt;a &amp; &quot;b&quot;, c&gt;</text>"));
    assert_non_null(strstr(b.s, "student accuracy after, %"));
    assert_non_null(strstr(b.s, "worst-case gap"));
    assert_null(strstr(b.s, "nan"));
    assert_int_equal(count(b.s, "r=\"5\""), 3 * 4);       /* a mean per variant and panel */
    assert_int_equal(count(b.s, "r=\"2.5\""), 3 * 4 * 3); /* and a dot per seed */
    strbuf_free(&b);
    for (int r = 0; r < 4; r++)
        for (int i = 0; i < N_STUDY_METRICS * 3; i++) t->row[r].value[i] = (double)NAN;
    study_table_compute(t); /* nothing was measured: still a picture */
    study_figure_svg(t, &b);
    assert_non_null(strstr(b.s, "</svg>"));
    strbuf_free(&b);
    study_table_free(t);
}

static void text_fits_the_page(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    for (int columns = 90; columns <= 240; columns += 50) {
        struct strbuf b = {0};
        study_table_text(t, columns, &b);
        study_figure_text(t, columns, false, &b);
        for (const char *line = b.s; *line; line += strcspn(line, "\n") + 1) {
            const int n = (int)strcspn(line, "\n");
            if (n > columns) fail_msg("%d columns: %.*s", columns, n, line);
            for (int i = 0; i < n; i++) assert_true((unsigned char)line[i] < 0x80);
        }
        assert_int_equal(count(b.s, "coverage"), 0); /* of another study */
        assert_non_null(strstr(b.s, "difference to \"32 prompts\", paired by seed"));
        strbuf_free(&b);
    }
    study_table_free(t);
}

/* The line of the figure that begins with `label`. */
static const char *line_of(const char *text, const char *label) {
    while (strncmp(text, label, strlen(label)) != 0) {
        text = strchr(text, '\n');
        assert_non_null(text);
        text++;
    }
    return text;
}

/* 55 [50.03, 59.97] on an axis from 50 to 70, 63 cells wide and behind a label of 13. */
static void text_figure_is_to_scale(void **state) {
    (void)state;
    struct study_table *t = table_of_data();
    struct strbuf b = {0};
    double lo, hi, step;
    assert_true(study_axis(t, STUDY_METRIC_AFTER, &lo, &hi, &step));
    assert_true(lo == 50 && hi == 70 && step == 5);
    study_figure_text(t, 80, false, &b);
    const char *line = line_of(b.s, "32 prompts");
    assert_int_equal(strcspn(line, "|"), 13 + lround(0.03 / 20 * 62));
    assert_int_equal(strcspn(line + 13, "o"), lround(5.0 / 20 * 62 - 1e-9)); /* a half, less a rounding error */
    assert_int_equal(strcspn(line, "\n"), 13 + lround(9.97 / 20 * 62) + 1);
    assert_int_equal(line[strcspn(line, "\n") - 1], '|');
    strbuf_clear(&b);
    study_figure_text(t, 80, true, &b);
    assert_non_null(strstr(b.s, "├───"));
    strbuf_free(&b);
    study_table_free(t);
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

#define TEST(f) cmocka_unit_test_setup(f, forget_calls)

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
        TEST(tables_hold_what_the_results_hold),
        TEST(single_seeds_keep_their_own_interval),
        TEST(sanity_says_yes_or_no),
        TEST(csv_is_well_formed),
        TEST(json_is_well_formed),
        TEST(svg_is_well_formed),
        TEST(text_fits_the_page),
        TEST(text_figure_is_to_scale),
        TEST(the_manual_knows_the_kinds),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
