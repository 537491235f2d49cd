/* Metrics: that a row of metrics.def alone carries a figure everywhere. The table is one that can be drawn, watched and
 * written; every curve of a row appears in the Dashboard; and what a run tells is the same in run.db, in its snapshot,
 * in its checkpoint and in its result line, whose fields and order others rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/signature/signature_private.h"
#include "tests/support/make_snapshot.h"
#include "tests/support/tiny_runs.h"
#include "views/chart.h"
#include "views/dashboard.h"

/* ---- the table ---- */

static void names_and_paths_are_found_again(void **state) {
    (void)state;
    for (int i = 0; i < N_METRICS; i++) {
        assert_int_equal(metric_find(METRICS[i].name), i); /* so names are unique */
        assert_true(METRICS[i].help[0] != '\0');
        for (int k = 0; k < i && METRICS[i].result; k++) /* no field is inside another */
            if (METRICS[k].result) assert_string_not_equal(METRICS[i].result, METRICS[k].result);
        const size_t n = strlen(METRICS[i].name);
        if (n < 3 || strcmp(METRICS[i].name + n - 3, ".lo") != 0) continue;
        assert_true(i > 0 && i + 1 < N_METRICS); /* an interval is mean, lo, hi */
        assert_int_equal(strlen(METRICS[i - 1].name), n - 3);
        assert_memory_equal(METRICS[i - 1].name, METRICS[i].name, n - 3);
        assert_memory_equal(METRICS[i + 1].name, METRICS[i].name, n - 3);
        assert_string_equal(METRICS[i + 1].name + n - 3, ".hi");
    }
    assert_int_equal(metric_find("no.such.metric"), -1);
}

/* A checkpoint holds a column a key. */
static void keys_of_watched_figures_differ(void **state) {
    (void)state;
    for (int i = 0; i < N_EVAL_FIGURES; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(signature_evaluation_name(i), signature_evaluation_name(k));
    for (int i = 0; i < N_STEP_FIGURES; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(signature_step_name(i), signature_step_name(k));
}

static void curves_of_a_panel_can_be_told_apart(void **state) {
    (void)state;
    struct metric_drawn m[N_METRICS];
    for (int panel = 0; panel <= CURVES_REGRET; panel++) {
        const int n = metric_curves((enum metric_panel)panel, m);
        assert_in_range(n, 1, CHART_LINES - 1); /* one is left for what a panel adds */
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < i; k++) assert_true(m[i].curve->legend[0] != m[k].curve->legend[0]);
            if (i > 0) assert_true(m[i - 1].curve->place <= m[i].curve->place);
        }
    }
}

/* ---- the Dashboard ---- */

static const enum panel_id PANEL_OF[] = {
    [CURVES_GAME] = PANEL_GAME,     [CURVES_REWARD] = PANEL_REWARD,   [CURVES_LOSS] = PANEL_MISFIT,
    [CURVES_MISFIT] = PANEL_MISFIT, [CURVES_STUDENT] = PANEL_STUDENT, [CURVES_DRIFT] = PANEL_DRIFT,
    [CURVES_REGRET] = PANEL_REGRET,
};

/* The panel of a run that has told nothing else; caller frees. */
static char *drawn(enum metric_id id, enum metric_panel panel) {
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    struct series x = {.n = 3, .tick = {1, 2, 3}, .value = {0.25F, 0.5F, 0.75F}};
    struct dashboard d = {.end = -1};
    struct canvas c;
    s->tick = 3;
    s->holds_adversary = panel != CURVES_LOSS;
    s->series[id] = &x;
    canvas_init(&c, 20, 160, GLYPHS_ASCII);
    PANELS[PANEL_OF[panel]].draw(canvas_area(&c), s, &d);
    char *text = canvas_dump(&c, false);
    canvas_free(&c);
    s->series[id] = NULL;
    snapshot_release(s);
    return text;
}

static void every_curve_is_drawn(void **state) {
    (void)state;
    for (int i = 0; i < N_METRICS; i++)
        for (int k = 0; k < METRIC_CURVES && METRICS[i].curve[k].legend; k++) {
            const struct metric_curve *curve = &METRICS[i].curve[k];
            char *text = drawn((enum metric_id)i, curve->panel), legend[80];
            snprintf(legend, sizeof legend, "%s %s", curve->legend,
                     strstr(text, "75 %") ? "75" : "0.75"); /* with its newest value */
            if (!strstr(text, legend)) fail_msg("%s: no \"%s\" in\n%s", METRICS[i].name, legend, text);
            free(text);
        }
}

/* ---- a run ---- */

/* The paths of all fields, a blank behind each. */
static void list_paths(struct strbuf *b, const cJSON *o, const char *prefix) {
    for (const cJSON *v = o->child; v; v = v->next) {
        char path[100];
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", v->string);
        if (cJSON_IsObject(v) && strcmp(v->string, "phase_seconds") != 0)
            list_paths(b, v, path);
        else
            strbuf_printf(b, "%s ", path);
    }
}

static const cJSON *at(const cJSON *o, const char *path) {
    char key[40];
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        o = cJSON_GetObjectItemCaseSensitive(o, key);
    }
    return cJSON_GetObjectItemCaseSensitive(o, path);
}

static bool same(double a, double b) { return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-5 * fabs(b); }

/* The newest value that run.db has; rows of the last micro-step too, which the snapshot shows. */
static double stored(const char *run, int id) {
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT value FROM metric WHERE name='%s' ORDER BY tick DESC, rowid DESC LIMIT 1",
             METRICS[id].name);
    return tiny_number(run, sql);
}

static int count_rows(const char *run, int id) {
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM metric WHERE name='%s'", METRICS[id].name);
    return (int)tiny_count(run, sql);
}

static void play(const char *name, const char *assignments, struct snapshot *last, cJSON **result) {
    struct options o = tiny_options(assignments);
    struct session *s = tiny_start(name, &o, false, true);
    char *json = NULL;
    struct err e = {0};
    bool ok;
    while (!session_ended(s)) tiny_wait_state(s, RUN_DONE);
    const struct snapshot *n = session_snapshot(s);
    memcpy(last->metric, n->metric, sizeof last->metric);
    snapshot_release(n);
    session_finish(s, &ok, &json, &e);
    if (!ok) fail_msg("%s", e.msg);
    *result = cJSON_Parse(json);
    assert_non_null(*result);
    free(json);
}

static void a_metric_is_everywhere(void **state) {
    (void)state;
    struct snapshot *last = mem_small(sizeof *last);
    cJSON *result;
    int known = 0;
    tiny_write_known("known.jsonl");
    char with[300];
    snprintf(with, sizeof with, "prompts.train=%s prompts.checker=word reward.held=on", tiny_path("known.jsonl"));
    play("everywhere", with, last, &result);
    char *checkpoint = tiny_rows("everywhere", "SELECT state FROM checkpoint ORDER BY tick DESC LIMIT 1");
    for (int i = 0; i < N_METRICS; i++) {
        char key[100];
        snprintf(key, sizeof key, "\"metric.%s\":", METRICS[i].name);
        assert_non_null(strstr(checkpoint, key));
        if (METRICS[i].result) {
            const cJSON *v = at(result, METRICS[i].result);
            assert_true(cJSON_IsNumber(v) || cJSON_IsNull(v));
            assert_true(same(cJSON_IsNumber(v) ? v->valuedouble : (double)NAN, last->metric[i]));
        }
        if (count_rows("everywhere", i) == 0) continue;
        known++;
        if (!same(stored("everywhere", i), last->metric[i])) fail_msg("%s differs in run.db", METRICS[i].name);
    }
    assert_in_range(known, 30, N_METRICS);
    const char *added = getenv("ADDED_METRIC"); /* tests/how_to_add/try.sh */
    if (added) assert_true(isfinite(stored("everywhere", metric_find(added))));
    assert_int_equal(known, tiny_count("everywhere", "SELECT count(DISTINCT name) FROM metric"));
    free(checkpoint);
    cJSON_Delete(result);
    free(last);
}

/* New fields may come, those that others rely on stay in their order. */
static void the_result_line_keeps_its_form(void **state) {
    (void)state;
    static const char *const FIELDS[] = {"iterations",
                                         "reward.accuracy_train",
                                         "reward.accuracy_heldout",
                                         "reward.accuracy_heldout_first",
                                         "reward.length_only",
                                         "reward.majority",
                                         "reward.nll_train",
                                         "reward.nll",
                                         "reward.ece",
                                         "reward.brier",
                                         "reward.length_correlation",
                                         "reward.accuracy_r_held",
                                         "reward.accuracy_newest",
                                         "reward.accuracy_human",
                                         "gap.worst.mean",
                                         "gap.worst.lo",
                                         "gap.worst.hi",
                                         "gap.fitted.mean",
                                         "gap.fitted.lo",
                                         "gap.fitted.hi",
                                         "gap.held.mean",
                                         "gap.held.lo",
                                         "gap.held.hi",
                                         "gap.true.mean",
                                         "gap.true.lo",
                                         "gap.true.hi",
                                         "gap.set",
                                         "beta",
                                         "zeta",
                                         "coverage",
                                         "coverage_redrawn",
                                         "regret.total",
                                         "regret.per_sqrt_t_log_t",
                                         "student.accuracy_before",
                                         "student.accuracy_after",
                                         "pairs",
                                         "labels_human",
                                         "seconds",
                                         "tokens_per_second",
                                         "phase_seconds",
                                         "weights_hash"};
    struct snapshot *last = mem_small(sizeof *last);
    struct strbuf b = {0};
    cJSON *result;
    play("form", "iterations=0", last, &result);
    strbuf_puts(&b, " ");
    list_paths(&b, result, "");
    const char *from = strbuf_str(&b);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        char word[100];
        snprintf(word, sizeof word, " %s ", FIELDS[i]);
        const char *found = strstr(from, word);
        if (!found) fail_msg("no %s behind the field before it in%s", FIELDS[i], strbuf_str(&b));
        from = found + strlen(word) - 1;
    }
    strbuf_free(&b);
    cJSON_Delete(result);
    free(last);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_paths_are_found_again),
        cmocka_unit_test(keys_of_watched_figures_differ),
        cmocka_unit_test(curves_of_a_panel_can_be_told_apart),
        cmocka_unit_test(every_curve_is_drawn),
        cmocka_unit_test(a_metric_is_everywhere),
        cmocka_unit_test(the_result_line_keeps_its_form),
    };
    return cmocka_run_group_tests(tests, tiny_folder_of_games, tiny_remove);
}
