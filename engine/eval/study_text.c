/* A study's table as text, CSV and JSON: see study_table.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json_string.h"
#include "engine/eval/grid.h"
#include "engine/eval/study_table.h"

enum { CELL = 56 };

void study_cell_text(const struct study_cell *c, enum study_metric m, bool difference, char *out, size_t size) {
    const double f = STUDY_METRIC[m].factor;
    const int d = STUDY_METRIC[m].decimals;
    if (c->n == 0) {
        snprintf(out, size, "-");
        return;
    }
    const int n = snprintf(out, size, difference ? "%+.*f" : "%.*f", d, f * c->v.mean);
    if (c->over != OVER_NONE && n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, difference ? " [%+.*f, %+.*f]" : " [%.*f, %.*f]", d, f * c->v.lo, d,
                 f * c->v.hi);
}

/* ---- text ---- */

/* Differences leave out the first row, against which they are. */
static void print_cells(const struct study_table *t, bool difference, int columns, struct strbuf *out) {
    const int first = difference ? 1 : 0;
    int cols = difference ? 1 : 2;
    struct grid g;
    for (int m = 0; m < N_STUDY_METRICS; m++) cols += study_table_has(t, (enum study_metric)m);
    grid_init(&g, t->n_rows - first + 1, cols);
    grid_set(&g, 0, 0, "variant");
    if (!difference) grid_set(&g, 0, 1, "seeds");
    for (int r = first; r < t->n_rows; r++) {
        grid_set(&g, r - first + 1, 0, "%s", t->row[r].label);
        if (!difference) grid_set(&g, r + 1, 1, "%d/%d", t->row[r].n_done, t->n_seeds);
    }
    for (int m = 0, c = difference ? 1 : 2; m < N_STUDY_METRICS; m++) {
        if (!study_table_has(t, (enum study_metric)m)) continue;
        grid_set(&g, 0, c, "%s", STUDY_METRIC[m].title);
        for (int r = first; r < t->n_rows; r++) {
            char text[CELL];
            study_cell_text(difference ? &t->row[r].difference[m] : &t->row[r].cell[m], (enum study_metric)m,
                            difference, text, sizeof text);
            grid_set(&g, r - first + 1, c, "%s", text);
        }
        c++;
    }
    grid_print(&g, columns, out);
    grid_free(&g);
}

static void print_notes(const struct study_table *t, struct strbuf *out) {
    const int n = t->n_seeds;
    strbuf_putc(out, '\n');
    if (n == 1)
        strbuf_printf(out, "seed %d; intervals: 95 %% over the run's prompts, where it reports one\n", t->first_seed);
    else
        strbuf_printf(out, "seeds %d to %d; intervals: 95 %%, Student's t over seeds, shares within 0 and 100 %%\n",
                      t->first_seed, t->first_seed + n - 1);
    if (n > 1 && study_table_has(t, STUDY_METRIC_COVERAGE))
        strbuf_puts(out, "coverage: Wilson's interval of a share\n");
    if (t->kind->note[0]) strbuf_printf(out, "%s\n", t->kind->note);
    for (int m = 0; m < N_STUDY_METRICS; m++)
        if (study_table_has(t, (enum study_metric)m))
            strbuf_printf(out, "%-10s  %s\n", STUDY_METRIC[m].title, STUDY_METRIC[m].help);
}

void study_table_text(const struct study_table *t, int columns, struct strbuf *out) {
    strbuf_printf(out, "study %s: %s\n", t->kind->name, t->kind->help);
    if (t->config) strbuf_printf(out, "configuration: %s\n", t->config);
    strbuf_putc(out, '\n');
    print_cells(t, false, columns, out);
    if (t->n_rows > 1) {
        strbuf_printf(out, "\ndifference to \"%s\", paired by seed\n", t->row[0].label);
        print_cells(t, true, columns, out);
    }
    print_notes(t, out);
    if (t->kind != &STUDIES[STUDY_SANITY]) return;
    int yes, known;
    study_sanity(t, &yes, &known);
    strbuf_printf(out, "\nreward accuracy before the game > 90 %%: %s (%d of %d seeds)\n",
                  known == 0          ? "not known"
                  : yes == t->n_seeds ? "yes"
                                      : "no",
                  yes, t->n_seeds);
}

/* ---- CSV ---- */

static void csv_text(struct strbuf *out, const char *s) {
    if (!strpbrk(s, ",\"\r\n")) {
        strbuf_puts(out, s);
        return;
    }
    strbuf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"') strbuf_putc(out, '"');
        strbuf_putc(out, *s);
    }
    strbuf_putc(out, '"');
}

static void csv_number(struct strbuf *out, double v, bool there) {
    strbuf_putc(out, ',');
    if (there) json_append_number(out, v);
}

static void csv_cell(struct strbuf *out, const struct study_cell *c) {
    csv_number(out, c->v.mean, c->n > 0);
    csv_number(out, c->v.lo, c->over != OVER_NONE);
    csv_number(out, c->v.hi, c->over != OVER_NONE);
}

void study_table_csv(const struct study_table *t, struct strbuf *out) {
    strbuf_puts(out, "variant,seeds_done,seeds_failed");
    for (int m = 0; m < N_STUDY_METRICS; m++) {
        const char *n = STUDY_METRIC[m].name;
        strbuf_printf(out, ",%s,%s_lo,%s_hi,%s_difference,%s_difference_lo,%s_difference_hi", n, n, n, n, n, n);
    }
    strbuf_puts(out, "\r\n");
    for (int r = 0; r < t->n_rows; r++) {
        const struct study_row *row = &t->row[r];
        csv_text(out, row->label);
        strbuf_printf(out, ",%d,%d", row->n_done, row->n_failed);
        for (int m = 0; m < N_STUDY_METRICS; m++) {
            csv_cell(out, &row->cell[m]);
            csv_cell(out, &row->difference[m]);
        }
        strbuf_puts(out, "\r\n");
    }
}

/* ---- JSON ---- */

static void json_key(struct strbuf *out, const char *key, bool first) {
    strbuf_puts(out, first ? "" : ",");
    json_append_string(out, key);
    strbuf_putc(out, ':');
}

static void json_interval(struct strbuf *out, const struct study_cell *c) {
    static const char *const OVER[] = {"none", "seeds", "prompts"};
    strbuf_puts(out, "{\"mean\":");
    json_append_number(out, c->v.mean);
    strbuf_puts(out, ",\"lo\":");
    json_append_number(out, c->over == OVER_NONE ? (double)NAN : c->v.lo);
    strbuf_puts(out, ",\"hi\":");
    json_append_number(out, c->over == OVER_NONE ? (double)NAN : c->v.hi);
    strbuf_printf(out, ",\"over\":\"%s\",\"n\":%d", OVER[c->over], c->n);
}

static void json_metric(struct strbuf *out, const struct study_table *t, const struct study_row *row, int m) {
    json_interval(out, &row->cell[m]);
    strbuf_puts(out, ",\"values\":[");
    for (int i = 0; i < t->n_seeds; i++) {
        if (i) strbuf_putc(out, ',');
        json_append_number(out, row->value[m * t->n_seeds + i]);
    }
    strbuf_puts(out, "],\"difference\":");
    json_interval(out, &row->difference[m]);
    strbuf_puts(out, "}}");
}

static void json_list(struct strbuf *out, const char *const *text, int n) {
    strbuf_putc(out, '[');
    for (int i = 0; i < n && text[i]; i++) {
        if (i) strbuf_putc(out, ',');
        json_append_string(out, text[i]);
    }
    strbuf_putc(out, ']');
}

static void json_row(struct strbuf *out, const struct study_table *t, const struct study_row *row) {
    strbuf_puts(out, "{\"variant\":");
    json_append_string(out, row->label);
    strbuf_puts(out, ",\"set\":");
    json_list(out, row->set, row->set ? STUDY_ASSIGN_MAX : 0);
    strbuf_printf(out, ",\"seeds_done\":%d,\"seeds_failed\":%d,\"metrics\":{", row->n_done, row->n_failed);
    for (int m = 0; m < N_STUDY_METRICS; m++) {
        json_key(out, STUDY_METRIC[m].name, m == 0);
        json_metric(out, t, row, m);
    }
    strbuf_puts(out, "}}");
}

static void json_failures(struct strbuf *out, const struct study *s) {
    bool first = true;
    for (int i = 0; i < s->n_jobs; i++) {
        if (s->job[i].state != JOB_FAILED) continue;
        json_key(out, s->job[i].name, first);
        json_append_string(out, s->job[i].why.msg);
        first = false;
    }
}

void study_table_json(const struct study *s, const struct study_table *t, struct strbuf *out) {
    strbuf_puts(out, "{\"study\":");
    json_append_string(out, t->kind->name);
    strbuf_puts(out, ",\"config\":");
    json_append_string(out, t->config);
    strbuf_puts(out, ",\"set\":");
    json_list(out, s->set, s->n_set);
    strbuf_printf(out, ",\"first_seed\":%d,\"seeds\":%d,\"variants\":[", t->first_seed, t->n_seeds);
    for (int r = 0; r < t->n_rows; r++) {
        if (r) strbuf_putc(out, ',');
        json_row(out, t, &t->row[r]);
    }
    strbuf_puts(out, "],\"failures\":{");
    json_failures(out, s);
    strbuf_puts(out, "}}\n");
}
