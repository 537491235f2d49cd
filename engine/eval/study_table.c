/* From results to figures with intervals: see study_table.h. */
#include "engine/eval/study_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

const struct study_metric_info STUDY_METRIC[N_STUDY_METRICS] = {
#define X(id, name, title, path, factor, decimals, help) {name, title, path, factor, decimals, help},
    STUDY_METRICS(X)
#undef X
};

/* ---- reading results ---- */

static const cJSON *at_path(const cJSON *v, const char *path) {
    while (v && *path) {
        char key[64];
        const size_t n = strcspn(path, ".");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        v = cJSON_GetObjectItemCaseSensitive(v, key);
        path += n + (path[n] == '.');
    }
    return v;
}

static double number(const cJSON *v) { return cJSON_IsNumber(v) ? v->valuedouble : (double)NAN; }

double study_metric_read(const cJSON *result, enum study_metric m, struct study_cell *own) {
    *own = (struct study_cell){0};
    if (m == STUDY_METRIC_RISE) {
        struct study_cell none;
        return 100 * (study_metric_read(result, STUDY_METRIC_AFTER, &none) -
                      study_metric_read(result, STUDY_METRIC_BEFORE, &none));
    }
    const cJSON *v = at_path(result, STUDY_METRIC[m].path);
    if (!cJSON_IsObject(v)) return number(v);
    const struct interval i = {number(cJSON_GetObjectItemCaseSensitive(v, "mean")),
                               number(cJSON_GetObjectItemCaseSensitive(v, "lo")),
                               number(cJSON_GetObjectItemCaseSensitive(v, "hi"))};
    if (isfinite(i.mean) && isfinite(i.lo) && isfinite(i.hi))
        *own = (struct study_cell){.n = 1, .v = i, .over = OVER_PROMPTS};
    return i.mean;
}

/* ---- intervals ---- */

static const struct study_cell NOTHING = {.v = {(double)NAN, (double)NAN, (double)NAN}};

/* Over the finite of n values, which are 0 or 1 of a share. */
static struct study_cell over_seeds(const double *x, int n, bool share) {
    double *y = mem_small((size_t)n * sizeof *y);
    struct study_cell c = NOTHING;
    for (int i = 0; i < n; i++)
        if (isfinite(x[i])) y[c.n++] = x[i];
    if (c.n > 0) {
        c.v = share && c.n > 1 ? stats_wilson(stats_mean(y, (size_t)c.n) * c.n, (size_t)c.n)
                               : stats_t_interval(y, (size_t)c.n);
        c.over = c.n > 1 ? OVER_SEEDS : OVER_NONE;
    }
    free(y);
    return c;
}

static double *values(const struct study_table *t, int row, int m) { return t->row[row].value + m * t->n_seeds; }

static struct study_cell paired(const struct study_table *t, int row, int m) {
    double *d = mem_small((size_t)t->n_seeds * sizeof *d);
    for (int i = 0; i < t->n_seeds; i++) d[i] = values(t, row, m)[i] - values(t, 0, m)[i];
    const struct study_cell c = over_seeds(d, t->n_seeds, false);
    free(d);
    return c;
}

static bool is_share(int m) { return STUDY_METRIC[m].factor == 100; }

/* A mean of shares is a share, and so are the ends of its interval, where Student's t knows no bounds. */
static void bound_share(struct interval *v) {
    v->lo = fmax(v->lo, 0);
    v->hi = fmin(v->hi, 1);
}

void study_table_compute(struct study_table *t) {
    for (int r = 0; r < t->n_rows; r++) {
        for (int m = 0; m < N_STUDY_METRICS; m++) {
            t->row[r].cell[m] = over_seeds(values(t, r, m), t->n_seeds, m == STUDY_METRIC_COVERAGE);
            if (is_share(m) && t->row[r].cell[m].n > 0) bound_share(&t->row[r].cell[m].v);
            t->row[r].difference[m] = r == 0 ? NOTHING : paired(t, r, m);
        }
    }
}

/* ---- from a study ---- */

static void read_row(const struct study *s, struct study_table *t, int r) {
    struct study_row *row = &t->row[r];
    row->label = s->variant[r].label;
    row->set = (const char *const *)s->variant[r].set;
    row->value = mem_small((size_t)(N_STUDY_METRICS * t->n_seeds) * sizeof *row->value);
    for (int i = 0; i < t->n_seeds; i++) {
        const struct study_job *j = study_job_of(s, r, i);
        row->n_done += j->state == JOB_DONE;
        row->n_failed += j->state == JOB_FAILED;
        for (int m = 0; m < N_STUDY_METRICS; m++) {
            struct study_cell own;
            values(t, r, m)[i] = study_metric_read(j->result, (enum study_metric)m, &own);
        }
    }
}

/* A figure of a single seed gets the interval over prompts that its run reports. */
static void take_own_intervals(const struct study *s, struct study_table *t) {
    for (int r = 0; r < t->n_rows; r++) {
        for (int m = 0; m < N_STUDY_METRICS; m++) {
            struct study_cell own;
            for (int i = 0; i < t->n_seeds && t->row[r].cell[m].over == OVER_NONE; i++) {
                if (!isfinite(values(t, r, m)[i])) continue;
                study_metric_read(study_job_of(s, r, i)->result, (enum study_metric)m, &own);
                if (own.n > 0) t->row[r].cell[m] = own;
            }
        }
    }
}

struct study_table *study_table_make(const struct study *s) {
    struct study_table *t = mem_small(sizeof *t);
    *t = (struct study_table){.kind = s->kind,
                              .config = s->config,
                              .n_rows = s->n_variants,
                              .n_seeds = s->n_seeds,
                              .first_seed = s->first_seed};
    t->row = mem_small((size_t)t->n_rows * sizeof *t->row);
    for (int r = 0; r < t->n_rows; r++) read_row(s, t, r);
    study_table_compute(t);
    take_own_intervals(s, t);
    return t;
}

void study_table_free(struct study_table *t) {
    if (!t) return;
    for (int r = 0; r < t->n_rows; r++) free(t->row[r].value);
    free(t->row);
    free(t);
}

bool study_table_has(const struct study_table *t, enum study_metric m) {
    for (int r = 0; r < t->n_rows; r++)
        if (t->row[r].cell[m].n > 0) return true;
    return false;
}

void study_sanity(const struct study_table *t, int *yes, int *known) {
    *yes = *known = 0;
    for (int i = 0; i < t->n_seeds; i++) {
        const double x = values(t, 0, STUDY_METRIC_REWARD)[i];
        *known += isfinite(x);
        *yes += isfinite(x) && x > 0.90;
    }
}
