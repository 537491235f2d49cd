/* Line charts: see chart.h. Here ranges, axes and legend; dots are chart_raster.c's. */
#include "views/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/chart_raster.h"
#include "views/format.h"

struct chart chart_make(void) {
    return (struct chart){.level = NAN, .top = NAN, .x_name = "tick", .empty = "nothing measured yet"};
}

void chart_add(struct chart *c, const struct series *s, const char *name, enum role role) {
    if (c->n_lines == CHART_LINES) return;
    struct chart_line *l = &c->line[c->n_lines++];
    *l = (struct chart_line){.name = name, .role = role};
    if (s) l->n = s->n, l->tick = s->tick, l->value = s->value;
}

void chart_set_band(struct chart *c, const struct series *lo, const struct series *hi) {
    if (!lo || !hi) return;
    const int n = lo->n < hi->n ? lo->n : hi->n;
    c->band_lo = (struct chart_line){.n = n, .tick = lo->tick, .value = lo->value};
    c->band_hi = (struct chart_line){.n = n, .tick = hi->tick, .value = hi->value};
}

double chart_step(double lo, double hi, int max_ticks) {
    const double raw = (hi - lo) / (max_ticks < 1 ? 1 : max_ticks);
    if (!(raw > 0) || !isfinite(raw)) return 1;
    const double power = pow(10, floor(log10(raw)));
    static const double FACTORS[] = {1, 2, 5, 10};
    for (int i = 0; i < 4; i++)
        if (FACTORS[i] * power >= raw * (1 - 1e-9)) return FACTORS[i] * power;
    return 10 * power;
}

/* ---- ranges ---- */

static void extend_x(const struct chart_line *l, int64_t *x0, int64_t *x1) {
    if (!l->n) return;
    if (l->tick[0] < *x0) *x0 = l->tick[0];
    if (l->tick[l->n - 1] > *x1) *x1 = l->tick[l->n - 1];
}

static void extend_by(double v, double *y0, double *y1) {
    if (!isfinite(v)) return;
    if (v < *y0) *y0 = v;
    if (v > *y1) *y1 = v;
}

/* By the points in sight, and by where the line enters and leaves. */
static void extend_y(const struct raster *r, const struct chart_line *l, double *y0, double *y1) {
    for (int i = 0; i < l->n; i++) {
        if (raster_has(r, l->tick[i])) extend_by((double)l->value[i], y0, y1);
        if (i + 1 == l->n) break;
        if (l->tick[i] < r->x0 && l->tick[i + 1] > r->x0) extend_by(line_between(l, i, r->x0), y0, y1);
        if (l->tick[i] < r->x1 && l->tick[i + 1] > r->x1) extend_by(line_between(l, i, r->x1), y0, y1);
    }
}

/* False when there is nothing to draw. */
static bool find_ranges(const struct chart *c, struct raster *r) {
    r->x0 = INT64_MAX, r->x1 = INT64_MIN;
    for (int i = 0; i < c->n_lines; i++) extend_x(&c->line[i], &r->x0, &r->x1);
    extend_x(&c->band_lo, &r->x0, &r->x1);
    if (r->x1 < r->x0) return false;
    if (c->x1 > c->x0) r->x0 = c->x0, r->x1 = c->x1;
    if (r->x1 == r->x0) r->x1 = r->x0 + 1;
    double y0 = INFINITY, y1 = -INFINITY;
    for (int i = 0; i < c->n_lines; i++) extend_y(r, &c->line[i], &y0, &y1);
    extend_y(r, &c->band_lo, &y0, &y1);
    extend_y(r, &c->band_hi, &y0, &y1);
    if (y1 < y0) return false;
    if (isfinite(c->level)) y0 = fmin(y0, c->level), y1 = fmax(y1, c->level);
    if (c->from_zero) y0 = fmin(y0, 0), y1 = fmax(y1, 0);
    if (y1 - y0 < 1e-9 * fmax(1, fabs(y1))) y0 -= 0.5 * fmax(fabs(y0), 1e-3), y1 += 0.5 * fmax(fabs(y1), 1e-3);
    r->y0 = y0, r->y1 = y1;
    return true;
}

/* Leave a little room at the ends (not below a zero, not above the top) and find the step of the labels: about one in
 * three rows, at least two in all. */
static double finish_range(struct raster *r, const struct chart *c, int rows) {
    const double margin = 0.04 * (r->y1 - r->y0);
    if (!(c->from_zero && r->y0 == 0)) r->y0 -= margin;
    r->y1 = isfinite(c->top) && r->y1 <= c->top && r->y1 + margin > c->top ? c->top : r->y1 + margin;
    double step = chart_step(r->y0, r->y1, rows < 6 ? 2 : rows / 3);
    for (int i = 0; i < 4 && floor(r->y1 / step) - ceil(r->y0 / step) < 1; i++)
        step = chart_step(0, step * 0.4, 1); /* the next smaller */
    return step;
}

/* ---- axes ---- */

static struct short_text label_of(double v, double step) {
    struct short_text t;
    const double rounded = fabs(v) < step * 1e-6 ? 0 : v;
    int digits = (int)ceil(-log10(step) - 1e-9);
    if (digits < 0) digits = 0;
    if (step < 1e-5 || fabs(rounded) >= 1e7)
        snprintf(t.s, sizeof t.s, "%.1e", rounded);
    else
        snprintf(t.s, sizeof t.s, "%.*f", digits, rounded);
    return t;
}

/* The labels of [lo, hi] are first + i step, i < count; counted, because adding a step to a huge number may not change
 * it. */
struct labels {
    double first, step;
    int count;
};

static struct labels labels_in(double lo, double hi, double step) {
    struct labels l = {ceil(lo / step - 1e-9) * step, step, 0};
    const double n = floor((hi - l.first) / step + 1e-9) + 1;
    l.count = n >= 1 && n < 64 ? (int)n : n >= 64 ? 64 : 0;
    return l;
}

static int widest_label(const struct raster *r, double step) {
    int cells = 1;
    const struct labels l = labels_in(r->y0, r->y1, step);
    for (int i = 0; i < l.count; i++) {
        const int n = text_cells(label_of(l.first + i * step, step).s);
        if (n > cells) cells = n;
    }
    return cells;
}

static void draw_y_axis(struct area a, const struct raster *r, double step, int label_cols) {
    for (int i = 0; i < r->plot.rows; i++) area_fill(a, i, label_cols, 1, "│", ROLE_AXIS, 0);
    const struct labels l = labels_in(r->y0, r->y1, step);
    for (int i = 0; i < l.count; i++) {
        const double v = l.first + i * step;
        const int row = (r->height - 1 - raster_height(r, v)) / r->dots_y;
        const struct short_text t = label_of(v, step);
        area_text(a, row, label_cols - text_cells(t.s), label_cols, ROLE_AXIS, 0, t.s);
        area_fill(a, row, label_cols, 1, "┤", ROLE_AXIS, 0);
    }
}

static struct short_text x_label(const struct chart *c, double v, double step) {
    struct short_text t;
    if (!c->decades) return label_of(v, step);
    snprintf(t.s, sizeof t.s, "%.3g", pow(10, v / 100));
    return t;
}

/* The axis line and its labels below it; marks stand on the line. */
static void draw_x_axis(struct area a, const struct raster *r, const struct chart *c, int left, int row) {
    area_fill(a, row, left - 1, 1, "└", ROLE_AXIS, 0);
    area_fill(a, row, left, r->plot.cols, "─", ROLE_AXIS, 0);
    const double x0 = (double)r->x0, x1 = (double)r->x1;
    double step = chart_step(x0, x1, r->plot.cols / 12 < 1 ? 1 : r->plot.cols / 12);
    if (floor(x1 / step) - ceil(x0 / step) < 1) step = chart_step(0, step * 0.4, 1);
    if (step < 1) step = 1;
    if (c->decades && step < 100) step = 100;
    int free_from = 0;
    const int name = text_cells(c->x_name);
    const struct labels l = labels_in(x0, x1, step);
    for (int i = 0; i < l.count && row + 1 < a.rows; i++) {
        const double v = l.first + i * step;
        const int col = left + raster_column(r, (int64_t)v) / r->dots_x;
        const struct short_text t = x_label(c, v, step);
        const int n = text_cells(t.s), at = col - n / 2 < 0 ? 0 : col - n / 2;
        if (at < free_from || at + n > left + r->plot.cols + TAG_COLS) continue;
        area_fill(a, row, col, 1, "┴", ROLE_AXIS, 0);
        area_text(a, row + 1, at, n, ROLE_AXIS, 0, t.s);
        free_from = at + n + 1;
    }
    if (row + 1 < a.rows && free_from + name + 1 <= left + r->plot.cols + TAG_COLS)
        area_text(a, row + 1, left + r->plot.cols + TAG_COLS - name, name, ROLE_DIM, 0, c->x_name);
    for (int i = 0; i < c->n_marks; i++)
        if (raster_has(r, c->mark[i].tick))
            area_fill(a, row, left + raster_column(r, c->mark[i].tick) / r->dots_x, 1, "▲", ROLE_MARK, ATTR_BOLD);
}

static bool level_row(const struct raster *r, const struct chart *c, int *row) {
    if (!isfinite(c->level) || c->level < r->y0 || c->level > r->y1) return false;
    *row = (r->height - 1 - raster_height(r, c->level)) / r->dots_y;
    return true;
}

static void draw_level(const struct raster *r, const struct chart *c) {
    int row;
    if (level_row(r, c, &row)) area_fill(r->plot, row, 0, r->plot.cols, "╌", ROLE_AXIS, 0);
}

/* The level's name on its line, as far right as no data hide it; false when they hide it everywhere. */
static bool name_level(const struct raster *r, const struct chart *c) {
    int row;
    if (!level_row(r, c, &row)) return false;
    const int n = text_cells(c->level_name);
    for (int col = r->plot.cols - n; col >= 0; col--) {
        if (!raster_is_free(r, row, col, n)) continue;
        area_text(r->plot, row, col, n, ROLE_AXIS, 0, c->level_name);
        return true;
    }
    return false;
}

/* ---- legend ---- */

static int gaps_in(const struct chart_line *l) {
    int n = 0;
    for (int i = 0; i < l->n; i++) n += !isfinite((double)l->value[i]);
    return n;
}

enum legend_form {
    LEGEND_FULL,
    LEGEND_SHORT,
    LEGEND_NAMES,
    LEGEND_DENSE,
    N_LEGEND_FORMS
}; /* names with values; first words with values; first words; the same with one blank between them */

static void legend_text(const struct chart_line *l, enum legend_form form, char out[96]) {
    const double v = l->n ? (double)l->value[l->n - 1] : (double)NAN;
    const int name = (int)(form == LEGEND_FULL ? strlen(l->name) : strcspn(l->name, " ")), gaps = gaps_in(l);
    int n = snprintf(out, 96, "%.*s", name > 40 ? 40 : name, l->name);
    if (form < LEGEND_NAMES)
        n += snprintf(out + n, 96 - (size_t)n, " %s", l->percent ? format_percent(v).s : format_number(v).s);
    if (gaps) snprintf(out + n, 96 - (size_t)n, " (%d not finite)", gaps);
}

/* Cells that the legend takes in a form; draws it when `draw`. */
static int put_legend(struct area a, const struct chart *c, enum legend_form form, bool level, bool draw) {
    int col = 0;
    const int gap = form == LEGEND_DENSE ? 1 : 2;
    char text[96];
    for (int i = 0; i < c->n_lines; i++) {
        legend_text(&c->line[i], form, text);
        if (draw) {
            area_text(a, 0, col, a.cols - col, c->line[i].role, 0, text);
            area_text_n(a, 0, col, 1, c->line[i].role, ATTR_BOLD | ATTR_UNDERLINE, c->line[i].name, 1);
        }
        col += text_cells(text) + gap;
    }
    if (level) {
        snprintf(text, sizeof text, "╌ %s", c->level_name);
        if (draw) area_text(a, 0, col, a.cols - col, ROLE_AXIS, 0, text);
        col += text_cells(text) + gap;
    }
    if (c->note) {
        if (draw) area_text(a, 0, col, a.cols - col, ROLE_MARK, 0, c->note);
        col += text_cells(c->note) + gap;
    }
    return col - gap;
}

static bool has_level_name(const struct chart *c) { return isfinite(c->level) && c->level_name; }

/* The fullest form that fits, cut when even the briefest does not. Returns whether it fits. */
static bool draw_legend(struct area a, const struct chart *c, bool level) {
    int form = LEGEND_FULL;
    while (form + 1 < N_LEGEND_FORMS && put_legend(a, c, form, level, false) > a.cols) form++;
    area_fill(a, 0, 0, a.cols, " ", ROLE_TEXT, 0);
    put_legend(a, c, form, level, true);
    return put_legend(a, c, form, level, false) <= a.cols;
}

static void draw_empty(struct area a, const char *text) {
    struct wrapped w;
    wrap_text(&w, text, a.cols - 2);
    const int top = w.n < a.rows ? (a.rows - w.n) / 2 : 0;
    area_wrapped(area_sub(a, top, 1, a.rows - top, a.cols - 2), &w, text, 0, ROLE_DIM);
    wrapped_free(&w);
}

void chart_draw(struct area a, const struct chart *c) {
    struct raster r = {.bits = NULL};
    if (!find_ranges(c, &r)) {
        draw_empty(a, c->empty);
        return;
    }
    const bool labels_below = a.rows >= 6;
    const int rows = a.rows - 2 - labels_below; /* legend, axis */
    if (rows < 2 || a.cols < 16) {
        draw_legend(a, c, has_level_name(c));
        return;
    }
    const double step = finish_range(&r, c, rows);
    const int label_cols = widest_label(&r, step), left = label_cols + 1, cols = a.cols - left - TAG_COLS;
    if (cols < 4 || !raster_open(&r, a.canvas->glyphs, area_sub(a, 1, left, rows, cols))) {
        draw_legend(a, c, has_level_name(c));
        return;
    }
    draw_y_axis(area_sub(a, 1, 0, rows, left), &r, step, label_cols);
    draw_x_axis(a, &r, c, left, 1 + rows);
    draw_level(&r, c);
    for (int i = c->n_lines - 1; i >= 0; i--) raster_line(&r, &c->line[i], (unsigned char)i);
    raster_band(&r, c);
    raster_put(&r, c, a.canvas->glyphs);
    /* Where the legend has no room for the level's name it stands on the level's line. */
    if (!draw_legend(a, c, has_level_name(c)) && has_level_name(c) && name_level(&r, c)) draw_legend(a, c, false);
    raster_tags(area_sub(a, 1, left + cols, rows, TAG_COLS), &r, c);
    free(r.bits);
}
