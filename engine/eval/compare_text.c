/* A comparison of runs as text and JSON: see compare.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/json_string.h"
#include "engine/eval/compare.h"
#include "engine/eval/grid.h"

enum { VALUE_CELLS = 40 };

static const char *algorithm(const struct options *o, char *out, size_t size) {
    option_format(o, &OPTIONS[OPTION_ID_algorithm], out, size);
    return out;
}

static void set_number(struct grid *g, int row, int col, double v, double factor, int decimals) {
    if (isfinite(v))
        grid_set(g, row, col, "%.*f", decimals, factor * v);
    else
        grid_set(g, row, col, "-");
}

/* ---- text ---- */

static void print_figures(const struct compare *c, int columns, struct strbuf *out) {
    static const char *const TITLE[] = {"run",     "algorithm", "iterations",        "accuracy first, %",
                                        "last, %", "gap worst", "reward accuracy, %"};
    enum { COLS = sizeof TITLE / sizeof TITLE[0] };
    struct grid g;
    grid_init(&g, c->n + 1, COLS);
    for (int i = 0; i < COLS; i++) grid_set(&g, 0, i, "%s", TITLE[i]);
    for (int i = 0; i < c->n; i++) {
        const struct compare_run *r = &c->run[i];
        char name[64];
        grid_set(&g, i + 1, 0, "%s", r->name);
        grid_set(&g, i + 1, 1, "%s", algorithm(&r->options, name, sizeof name));
        grid_set(&g, i + 1, 2, "%d/%d", r->iterations, r->options.iterations);
        set_number(&g, i + 1, 3, r->accuracy_first, 100, 1);
        set_number(&g, i + 1, 4, r->accuracy_last, 100, 1);
        set_number(&g, i + 1, 5, r->gap_worst.mean, 1, 3);
        if (isfinite(r->gap_worst.lo) && isfinite(r->gap_worst.hi))
            grid_set(&g, i + 1, 5, "%.3f [%.3f, %.3f]", r->gap_worst.mean, r->gap_worst.lo, r->gap_worst.hi);
        set_number(&g, i + 1, 6, r->reward_accuracy, 100, 1);
    }
    grid_print(&g, columns, out);
    grid_free(&g);
}

/* The end of a long path says more than its beginning. */
static void set_value(struct grid *g, int row, int col, const char *value) {
    const size_t n = strlen(value);
    if (n > VALUE_CELLS)
        grid_set(g, row, col, "...%s", value + n - VALUE_CELLS + 3);
    else
        grid_set(g, row, col, "%s", n ? value : "(empty)");
}

static void print_options(const struct compare *c, int columns, struct strbuf *out) {
    struct grid g;
    int n = 0, row = 1;
    for (int i = 0; i < N_OPTIONS; i++) n += compare_differs(c, &OPTIONS[i]);
    if (n == 0) {
        strbuf_puts(out, c->n > 1 ? "\nthe runs have the same options\n" : "");
        return;
    }
    strbuf_puts(out, "\noptions in which they differ\n");
    grid_init(&g, n + 1, c->n + 1);
    grid_set(&g, 0, 0, "option");
    for (int k = 0; k < c->n; k++) grid_set(&g, 0, k + 1, "%s", c->run[k].name);
    for (int i = 0; i < N_OPTIONS; i++) {
        if (!compare_differs(c, &OPTIONS[i])) continue;
        grid_set(&g, row, 0, "%s", OPTIONS[i].name);
        for (int k = 0; k < c->n; k++) {
            char value[OPTION_TEXT_MAX];
            option_format(&c->run[k].options, &OPTIONS[i], value, sizeof value);
            set_value(&g, row, k + 1, value);
        }
        row++;
    }
    grid_print(&g, columns, out);
    grid_free(&g);
}

static void print_pairs(const struct compare *c, struct strbuf *out) {
    if (c->n > 1) strbuf_printf(out, "\nright answers against %s, paired by held-out prompt\n", c->run[0].name);
    for (int i = 1; i < c->n; i++) {
        const struct compare_pair *p = &c->pair[i];
        if (!p->paired) {
            strbuf_printf(out, "%s: not paired: %s\n", c->run[i].name, p->why.msg);
            continue;
        }
        strbuf_printf(out, "%s: %+.1f [%+.1f, %+.1f] points over %d prompts (%d right here only, %d there only)\n",
                      c->run[i].name, 100 * p->difference.mean, 100 * p->difference.lo, 100 * p->difference.hi, p->n,
                      p->better, p->worse);
    }
}

void compare_text(const struct compare *c, int columns, struct strbuf *out) {
    print_figures(c, columns, out);
    print_options(c, columns, out);
    print_pairs(c, out);
}

/* ---- JSON ---- */

static void json_real(struct strbuf *out, const char *key, double v) {
    strbuf_printf(out, ",\"%s\":", key);
    json_append_number(out, v);
}

static void json_interval(struct strbuf *out, const char *key, struct interval v) {
    strbuf_printf(out, ",\"%s\":{\"mean\":", key);
    json_append_number(out, v.mean);
    json_real(out, "lo", v.lo);
    json_real(out, "hi", v.hi);
    strbuf_putc(out, '}');
}

static void json_run(struct strbuf *out, const struct compare_run *r) {
    char name[64];
    strbuf_puts(out, "{\"run\":");
    json_append_string(out, r->path);
    strbuf_puts(out, ",\"algorithm\":");
    json_append_string(out, algorithm(&r->options, name, sizeof name));
    strbuf_printf(out, ",\"iterations\":%d,\"iterations_wanted\":%d", r->iterations, r->options.iterations);
    json_real(out, "accuracy_first", r->accuracy_first);
    json_real(out, "accuracy_last", r->accuracy_last);
    json_interval(out, "gap_worst", r->gap_worst);
    json_real(out, "reward_accuracy", r->reward_accuracy);
    strbuf_putc(out, '}');
}

static void json_value(struct strbuf *out, const struct options *o, const struct option_info *info) {
    char value[OPTION_TEXT_MAX];
    option_format(o, info, value, sizeof value);
    if (info->type == OPTION_INT || info->type == OPTION_REAL)
        strbuf_puts(out, value);
    else
        json_append_string(out, value);
}

static void json_options(const struct compare *c, struct strbuf *out) {
    const char *comma = "";
    strbuf_puts(out, ",\"options\":{");
    for (int i = 0; i < N_OPTIONS; i++) {
        if (!compare_differs(c, &OPTIONS[i])) continue;
        strbuf_printf(out, "%s\"%s\":[", comma, OPTIONS[i].name);
        for (int k = 0; k < c->n; k++) {
            if (k) strbuf_putc(out, ',');
            json_value(out, &c->run[k].options, &OPTIONS[i]);
        }
        strbuf_putc(out, ']');
        comma = ",";
    }
    strbuf_putc(out, '}');
}

static void json_pair(struct strbuf *out, const struct compare *c, int i) {
    const struct compare_pair *p = &c->pair[i];
    strbuf_puts(out, "{\"run\":");
    json_append_string(out, c->run[i].path);
    strbuf_puts(out, ",\"against\":");
    json_append_string(out, c->run[0].path);
    if (p->paired) {
        json_interval(out, "difference", p->difference);
        strbuf_printf(out, ",\"prompts\":%d,\"right_here_only\":%d,\"right_there_only\":%d}", p->n, p->better,
                      p->worse);
    } else {
        strbuf_puts(out, ",\"not_paired\":");
        json_append_string(out, p->why.msg);
        strbuf_putc(out, '}');
    }
}

void compare_json(const struct compare *c, struct strbuf *out) {
    strbuf_puts(out, "{\"runs\":[");
    for (int i = 0; i < c->n; i++) {
        if (i) strbuf_putc(out, ',');
        json_run(out, &c->run[i]);
    }
    strbuf_putc(out, ']');
    json_options(c, out);
    strbuf_puts(out, ",\"paired\":[");
    for (int i = 1; i < c->n; i++) {
        if (i > 1) strbuf_putc(out, ',');
        json_pair(out, c, i);
    }
    strbuf_puts(out, "]}\n");
}
