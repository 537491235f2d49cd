/* Comparing runs: see compare.h.
 *
 * Two runs are paired by prompt only when their per-prompt records are of the same prompts in the same order. A record
 * holds no prompts, so that is inferred: the same content of the held-out file, the same limits, and either the same
 * student file (its vocabulary decides which prompts are too long) or the same teacher outputs at every one. */
#include "engine/eval/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/eval/run_read.h"
#include "engine/corpus/outputs.h"
#include "engine/game/phase_table.h"
#include "engine/metric/metric.h"

enum { N_BOOT = 2000, BOOT_SEED = 1 };

/* ---- per-prompt records ---- */

static int64_t state_int(const cJSON *root, const char *key) {
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(root, "state");
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(state, key);
    return cJSON_IsString(v) ? strtoll(v->valuestring, NULL, 10) : -1;
}

static bool read_right(struct compare_run *r, const cJSON *root) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "right_student");
    const int64_t phase = state_int(root, "phase");
    if (!root) return err_set(&r->why, "it has no checkpoint");
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
        return err_set(&r->why, "it records no answers by prompt (prompts.checker is none)");
    if (phase == PHASE_EVALUATE_START || (phase == PHASE_EVALUATE && state_int(root, "step") > 0))
        return err_set(&r->why, "its newest checkpoint stands in the middle of an evaluation");
    r->right = mem_small((size_t)cJSON_GetArraySize(list) * sizeof *r->right);
    for (const cJSON *v = list->child; v; v = v->next)
        r->right[r->n_right++] = cJSON_IsString(v) ? strtod(v->valuestring, NULL) : 0;
    return true;
}

/* 0 when the file cannot be read any more. */
static uint64_t hash_file(const char *path) {
    struct file_map m = {0};
    if (!path[0] || !file_map(path, &m, NULL)) return 0;
    const uint64_t h = hash_bytes(HASH_START, m.data, m.len);
    file_unmap(&m);
    return h;
}

static bool hash_teacher_outputs(struct db *db, uint64_t *out, struct err *e) {
    sqlite3_stmt *q = db_prepare(db, e, "SELECT prompt,text FROM teacher_output WHERE kind=? ORDER BY prompt,id", "i",
                                 (int64_t)OUTPUT_HELDOUT);
    bool row = false, ok = q != NULL;
    uint64_t h = HASH_START;
    while (ok && (ok = db_step(db, q, &row, e)) && row) {
        const char *text = (const char *)sqlite3_column_text(q, 1);
        const int64_t prompt = sqlite3_column_int64(q, 0);
        h = hash_bytes(h, &prompt, sizeof prompt);
        if (text) h = hash_bytes(h, text, strlen(text) + 1);
    }
    sqlite3_finalize(q);
    *out = h;
    return ok;
}

/* ---- one run ---- */

static bool read_metrics(struct compare_run *r, struct db *db, struct err *e) {
    int64_t n = 0;
    const bool ok = run_read_metric(db, METRICS[METRIC_ACCURACY].name, false, &r->accuracy_first, e) &&
                    run_read_metric(db, METRICS[METRIC_ACCURACY].name, true, &r->accuracy_last, e) &&
                    run_read_metric(db, METRICS[METRIC_RM_HELDOUT].name, true, &r->reward_accuracy, e) &&
                    run_read_metric(db, METRICS[METRIC_GAP_WORST].name, true, &r->gap_worst.mean, e) &&
                    run_read_metric(db, METRICS[METRIC_GAP_WORST_LO].name, true, &r->gap_worst.lo, e) &&
                    run_read_metric(db, METRICS[METRIC_GAP_WORST_HI].name, true, &r->gap_worst.hi, e) &&
                    db_get_int(db, e, &n, 0, "SELECT coalesce(max(iteration),0) FROM metric WHERE name IN (?,?)", "ss",
                               METRICS[METRIC_ACCURACY].name, METRICS[METRIC_GAP_WORST].name);
    r->iterations = (int)n;
    return ok;
}

static bool read_records(struct compare_run *r, struct db *db, struct err *e) {
    cJSON *state = NULL;
    if (!run_read_state(db, &state, e)) return false;
    const bool recorded = read_right(r, state);
    cJSON_Delete(state);
    if (!recorded) return true;
    const struct options *o = &r->options;
    r->heldout = hash_file(o->prompts_heldout[0] ? o->prompts_heldout : o->prompts_train);
    r->student = hash_file(o->student_model);
    return hash_teacher_outputs(db, &r->teacher_said, e);
}

static bool read_run(struct compare_run *r, const char *folder, struct err *e) {
    struct db db;
    r->path = mem_strdup(folder);
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    r->path[n] = '\0';
    const char *slash = strrchr(r->path, '/');
    r->name = mem_strdup(slash && slash[1] ? slash + 1 : r->path);
    if (!run_read_open(&db, r->path, e)) return false;
    const bool ok = run_read_options_now(&db, &r->options, e) && read_metrics(r, &db, e) && read_records(r, &db, e);
    db_close(&db);
    return ok;
}

/* ---- two runs ---- */

static bool same_prompts(const struct compare_run *a, const struct compare_run *b, struct err *why) {
    if (!a->right) return err_set(why, "%s: %s", a->name, a->why.msg);
    if (!b->right) return err_set(why, "%s: %s", b->name, b->why.msg);
    if (a->n_right != b->n_right)
        return err_set(why, "%d and %d held-out prompts were answered", a->n_right, b->n_right);
    if (a->heldout == 0 || a->heldout != b->heldout)
        return err_set(why, a->heldout && b->heldout ? "their held-out prompts differ"
                                                     : "the file of held-out prompts cannot be read any more");
    const bool whole_a = a->options.prompts_heldout[0], whole_b = b->options.prompts_heldout[0];
    if (whole_a != whole_b || a->options.prompts_max_tokens != b->options.prompts_max_tokens ||
        a->options.prompts_template != b->options.prompts_template ||
        strcmp(a->options.prompts_system, b->options.prompts_system) != 0)
        return err_set(why, "their prompts are chosen or dressed differently");
    if (a->options.prompts_checker != b->options.prompts_checker)
        return err_set(why, "their answers are checked differently");
    return (a->student != 0 && a->student == b->student) || a->teacher_said == b->teacher_said ||
           err_set(why,
                   "their students and teacher outputs differ: it cannot be told whether the prompts are the same");
}

static void pair_runs(const struct compare_run *a, const struct compare_run *b, struct compare_pair *p) {
    p->paired = same_prompts(a, b, &p->why);
    if (!p->paired) return;
    double *d = mem_small((size_t)a->n_right * sizeof *d);
    p->n = a->n_right;
    for (int i = 0; i < p->n; i++) {
        d[i] = b->right[i] - a->right[i];
        p->better += d[i] > 0;
        p->worse += d[i] < 0;
    }
    p->difference = stats_bootstrap(d, (size_t)p->n, N_BOOT, BOOT_SEED, 0);
    free(d);
}

/* Folders of the same name in different places are told apart by their paths. */
static void make_names_unique(struct compare *c) {
    bool *shared = mem_small((size_t)c->n * sizeof *shared);
    for (int i = 0; i < c->n; i++)
        for (int k = 0; k < c->n; k++) shared[i] |= i != k && strcmp(c->run[i].name, c->run[k].name) == 0;
    for (int i = 0; i < c->n; i++) {
        if (!shared[i]) continue;
        free(c->run[i].name);
        c->run[i].name = mem_strdup(c->run[i].path);
    }
    free(shared);
}

struct compare *compare_read(const char *const *folder, int n, struct err *e) {
    struct compare *c = mem_small(sizeof *c);
    c->run = mem_small((size_t)n * sizeof *c->run);
    c->pair = mem_small((size_t)n * sizeof *c->pair);
    for (; c->n < n; c->n++) {
        if (read_run(&c->run[c->n], folder[c->n], e)) continue;
        c->n++;
        compare_free(c);
        return NULL;
    }
    make_names_unique(c);
    for (int i = 1; i < n; i++) pair_runs(&c->run[0], &c->run[i], &c->pair[i]);
    return c;
}

void compare_free(struct compare *c) {
    if (!c) return;
    for (int i = 0; i < c->n; i++) {
        free(c->run[i].path);
        free(c->run[i].name);
        free(c->run[i].right);
    }
    free(c->run);
    free(c->pair);
    free(c);
}

bool compare_differs(const struct compare *c, const struct option_info *info) {
    char first[OPTION_TEXT_MAX], other[OPTION_TEXT_MAX];
    if (info->when == OPTION_MACHINE) return false;
    option_format(&c->run[0].options, info, first, sizeof first);
    for (int i = 1; i < c->n; i++) {
        option_format(&c->run[i].options, info, other, sizeof other);
        if (strcmp(first, other) != 0) return true;
    }
    return false;
}
