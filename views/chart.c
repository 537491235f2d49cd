/* Line charts: see chart.h.
 *
 * Drawing goes through a raster of dots: every cell keeps a bit per dot and the line that owns it. Lines first reduce their points to
 * one (first, min, max, last) per dot column, then draw the column's span and the link from the column before; this costs the number
 * of points plus the number of dots, whatever the shape. */
#include "views/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "views/format.h"

enum { NO_LINE = 255, BAND_LINE = 254, TAG_COLS = 2 };

struct raster {
    struct area plot;
    int dots_x, dots_y;  /* dots in a cell */
    int width, height;   /* dots in all */
    unsigned char *bits, *owner; /* per cell */
    int64_t x0, x1;
    double y0, y1;
};

struct chart chart_make(void) {
    return (struct chart){.level = NAN, .top = NAN, .empty = "nothing measured yet"};
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

static bool in_range(const struct raster *r, int64_t tick) { return tick >= r->x0 && tick <= r->x1; }

/* The line between points i and i + 1 at a tick between theirs; NAN beside a gap. */
static double value_between(const struct chart_line *l, int i, int64_t tick) {
    const double v = (double)l->value[i], span = (double)(l->tick[i + 1] - l->tick[i]);
    return span > 0 ? v + ((double)l->value[i + 1] - v) * (double)(tick - l->tick[i]) / span : v;
}

static void extend_by(double v, double *y0, double *y1) {
    if (!isfinite(v)) return;
    if (v < *y0) *y0 = v;
    if (v > *y1) *y1 = v;
}

/* By the points in sight, and by where the line enters and leaves. */
static void extend_y(const struct raster *r, const struct chart_line *l, double *y0, double *y1) {
    for (int i = 0; i < l->n; i++) {
        if (in_range(r, l->tick[i])) extend_by((double)l->value[i], y0, y1);
        if (i + 1 == l->n) break;
        if (l->tick[i] < r->x0 && l->tick[i + 1] > r->x0) extend_by(value_between(l, i, r->x0), y0, y1);
        if (l->tick[i] < r->x1 && l->tick[i + 1] > r->x1) extend_by(value_between(l, i, r->x1), y0, y1);
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

/* Leave a little room at the ends (not below a zero, not above the top) and find the step of the labels: about one in three rows, at
 * least two in all. */
static double finish_range(struct raster *r, const struct chart *c, int rows) {
    const double margin = 0.04 * (r->y1 - r->y0);
    if (!(c->from_zero && r->y0 == 0)) r->y0 -= margin;
    r->y1 = isfinite(c->top) && r->y1 <= c->top && r->y1 + margin > c->top ? c->top : r->y1 + margin;
    double step = chart_step(r->y0, r->y1, rows < 6 ? 2 : rows / 3);
    for (int i = 0; i < 4 && floor(r->y1 / step) - ceil(r->y0 / step) < 1; i++) step = chart_step(0, step * 0.4, 1); /* the next smaller */
    return step;
}

/* ---- dots ---- */

/* Left of the plot for ticks before x0, right of it after x1. */
static int column_of(const struct raster *r, int64_t tick) {
    const double share = ((double)tick - (double)r->x0) / ((double)r->x1 - (double)r->x0);
    return share < -1e4 ? -1000000 : share > 1e4 ? 1000000 : (int)lround(share * (r->width - 1));
}

static int height_of(const struct raster *r, double v) { /* dots from the bottom */
    const double h = (v - r->y0) / (r->y1 - r->y0) * (r->height - 1) + 0.5;
    return h < 0 ? 0 : h > r->height - 1 ? r->height - 1 : (int)h;
}

static void set_dot(struct raster *r, int x, int h, unsigned char owner, bool under) {
    static const unsigned char BRAILLE[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || x >= r->width || h < 0 || h >= r->height) return;
    const int y = r->height - 1 - h;
    const int cell = y / r->dots_y * r->plot.cols + x / r->dots_x;
    if (under && r->owner[cell] != NO_LINE && r->owner[cell] != owner) return;
    if (r->owner[cell] != owner) r->bits[cell] = 0; /* the line above takes the cell over */
    r->owner[cell] = owner;
    r->bits[cell] |= r->dots_x == 2 ? BRAILLE[y % 4][x % 2] : (unsigned char)(1 << (r->dots_y - 1 - y % r->dots_y));
}

static void draw_span(struct raster *r, int x, int from, int to, unsigned char owner) {
    if (from > to) {
        const int swap = from;
        from = to;
        to = swap;
    }
    for (int h = from; h <= to; h++) set_dot(r, x, h, owner, false);
}

/* Join (xa, ha) to (xb, hb): each column covers its share of the way, from beside the column before. */
static void draw_link(struct raster *r, int xa, int ha, int xb, int hb, unsigned char owner) {
    const int n = xb - xa;
    int before = ha;
    for (int i = 1; i <= n; i++) {
        const int h = ha + (int)lround((double)(hb - ha) * i / n);
        draw_span(r, xa + i, h > before ? before + 1 : h < before ? before - 1 : h, h, owner);
        before = h;
    }
}

struct pen {
    struct raster *r;
    unsigned char owner;
    int column, lo, hi, last; /* column < 0: lifted */
};

static void pen_lift(struct pen *p) {
    if (p->column >= 0) draw_span(p->r, p->column, p->lo, p->hi, p->owner);
    p->column = -1;
}

/* Go on to (tick, v), which is in range. */
static void pen_to(struct pen *p, int64_t tick, double v) {
    const int x = column_of(p->r, tick), h = height_of(p->r, v);
    if (x == p->column) {
        p->lo = h < p->lo ? h : p->lo, p->hi = h > p->hi ? h : p->hi;
    } else {
        const int from = p->column;
        pen_lift(p);
        if (from >= 0) draw_link(p->r, from, p->last, x, h, p->owner);
        p->column = x, p->lo = p->hi = h;
    }
    p->last = h;
}

static void draw_line(struct raster *r, const struct chart_line *l, unsigned char owner) {
    struct pen pen = {.r = r, .owner = owner, .column = -1};
    for (int i = 0; i < l->n; i++) {
        if (!isfinite((double)l->value[i])) {
            pen_lift(&pen);
            continue;
        }
        if (in_range(r, l->tick[i])) pen_to(&pen, l->tick[i], (double)l->value[i]);
        if (i + 1 == l->n || !isfinite((double)l->value[i + 1])) continue;
        const int64_t here = l->tick[i], next = l->tick[i + 1];
        if (here < r->x0 && next > r->x0) pen_to(&pen, r->x0, value_between(l, i, r->x0));
        if (here < r->x1 && next > r->x1) pen_to(&pen, r->x1, value_between(l, i, r->x1));
    }
    pen_lift(&pen);
}

/* Sparse dots between the two lines, where nothing else is. */
static void draw_band(struct raster *r, const struct chart *c) {
    const struct chart_line *lo = &c->band_lo, *hi = &c->band_hi;
    for (int i = 0; i + 1 < lo->n; i++) {
        if (lo->tick[i + 1] < r->x0 || lo->tick[i] > r->x1) continue;
        const int xa = column_of(r, lo->tick[i]), xb = column_of(r, lo->tick[i + 1]);
        for (int x = xa < 0 ? 0 : xa; x <= xb && x < r->width; x++) {
            const double t = xb > xa ? (double)(x - xa) / (xb - xa) : 0;
            const double from = (double)lo->value[i] + t * (double)(lo->value[i + 1] - lo->value[i]);
            const double to = (double)hi->value[i] + t * (double)(hi->value[i + 1] - hi->value[i]);
            if (!isfinite(from) || !isfinite(to)) break;
            for (int h = height_of(r, from), end = height_of(r, to); h <= end; h++)
                if (r->dots_x == 1 || (x % 2 == 0 && h % 4 == x % 4)) set_dot(r, x, h, BAND_LINE, true);
        }
    }
}

/* ---- cells ---- */

static void put_cells(const struct raster *r, const struct chart *c, enum glyphs glyphs) {
    static const char *const EIGHTHS[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    for (int i = 0; i < r->plot.rows * r->plot.cols; i++) {
        if (r->owner[i] == NO_LINE) continue;
        const bool band = r->owner[i] == BAND_LINE;
        const enum role role = band ? ROLE_BAND : c->line[r->owner[i]].role;
        char glyph[5] = {0};
        if (glyphs == GLYPHS_BRAILLE) { /* U+2800 + bits */
            glyph[0] = (char)0xe2;
            glyph[1] = (char)(0xa0 | (r->bits[i] >> 6));
            glyph[2] = (char)(0x80 | (r->bits[i] & 0x3f));
        } else if (band) {
            snprintf(glyph, sizeof glyph, "%s", glyphs == GLYPHS_BLOCKS ? "░" : ".");
        } else if (glyphs == GLYPHS_BLOCKS) {
            int top = 7;
            while (top > 0 && !(r->bits[i] >> top & 1)) top--;
            snprintf(glyph, sizeof glyph, "%s", EIGHTHS[top]);
        } else {
            glyph[0] = c->line[r->owner[i]].name[0];
        }
        area_fill(r->plot, i / r->plot.cols, i % r->plot.cols, 1, glyph, role, 0);
    }
}

/* The row nearest to `wanted` that is not taken; -1: none. */
static int free_row(const bool *taken, int rows, int wanted) {
    for (int d = 0; d < rows; d++) {
        if (wanted + d < rows && !taken[wanted + d]) return wanted + d;
        if (wanted - d >= 0 && !taken[wanted - d]) return wanted - d;
    }
    return -1;
}

/* First letter of each line's name beside its newest point. */
static void put_tags(struct area gutter, const struct raster *r, const struct chart *c) {
    bool taken[512] = {false};
    const int rows = gutter.rows < 512 ? gutter.rows : 512;
    for (int i = 0; i < c->n_lines; i++) {
        const struct chart_line *l = &c->line[i];
        int newest = l->n - 1;
        while (newest >= 0 && (!isfinite((double)l->value[newest]) || !in_range(r, l->tick[newest]))) newest--;
        if (newest < 0) continue;
        const int row = free_row(taken, rows, (r->height - 1 - height_of(r, (double)l->value[newest])) / r->dots_y);
        if (row < 0) continue;
        taken[row] = true;
        area_text_n(gutter, row, 1, 1, l->role, ATTR_BOLD, l->name, 1);
    }
}

/* ---- axes ---- */

static struct short_text label_of(double v, double step) {
    struct short_text t;
    const double rounded = fabs(v) < step * 1e-6 ? 0 : v;
    int digits = (int)ceil(-log10(step) - 1e-9);
    if (digits < 0) digits = 0;
    if (step < 1e-5 || fabs(rounded) >= 1e7) snprintf(t.s, sizeof t.s, "%.1e", rounded);
    else snprintf(t.s, sizeof t.s, "%.*f", digits, rounded);
    return t;
}

/* The labels of [lo, hi] are first + i step, i < count; counted, because adding a step to a huge number may not change it. */
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
        const int row = (r->height - 1 - height_of(r, v)) / r->dots_y;
        const struct short_text t = label_of(v, step);
        area_text(a, row, label_cols - text_cells(t.s), label_cols, ROLE_AXIS, 0, t.s);
        area_fill(a, row, label_cols, 1, "┤", ROLE_AXIS, 0);
    }
}

/* The axis line and its labels below it; marks stand on the line. */
static void draw_x_axis(struct area a, const struct raster *r, const struct chart *c, int left, int row) {
    area_fill(a, row, left - 1, 1, "└", ROLE_AXIS, 0);
    area_fill(a, row, left, r->plot.cols, "─", ROLE_AXIS, 0);
    const double x0 = (double)r->x0, x1 = (double)r->x1;
    double step = chart_step(x0, x1, r->plot.cols / 12 < 1 ? 1 : r->plot.cols / 12);
    if (floor(x1 / step) - ceil(x0 / step) < 1) step = chart_step(0, step * 0.4, 1);
    if (step < 1) step = 1;
    int free_from = 0;
    const struct labels l = labels_in(x0, x1, step);
    for (int i = 0; i < l.count && row + 1 < a.rows; i++) {
        const double v = l.first + i * step;
        const int col = left + column_of(r, (int64_t)v) / r->dots_x;
        const struct short_text t = label_of(v, step);
        const int n = text_cells(t.s), at = col - n / 2 < 0 ? 0 : col - n / 2;
        if (at < free_from || at + n > left + r->plot.cols + TAG_COLS) continue;
        area_fill(a, row, col, 1, "┴", ROLE_AXIS, 0);
        area_text(a, row + 1, at, n, ROLE_AXIS, 0, t.s);
        free_from = at + n + 1;
    }
    if (row + 1 < a.rows && free_from + 5 <= left + r->plot.cols + TAG_COLS)
        area_text(a, row + 1, left + r->plot.cols + TAG_COLS - 4, 4, ROLE_DIM, 0, "tick");
    for (int i = 0; i < c->n_marks; i++)
        if (in_range(r, c->mark[i].tick))
            area_fill(a, row, left + column_of(r, c->mark[i].tick) / r->dots_x, 1, "▲", ROLE_MARK, ATTR_BOLD);
}

static void draw_level(const struct raster *r, const struct chart *c) {
    if (!isfinite(c->level) || c->level < r->y0 || c->level > r->y1) return;
    area_fill(r->plot, (r->height - 1 - height_of(r, c->level)) / r->dots_y, 0, r->plot.cols, "╌", ROLE_AXIS, 0);
}

/* ---- legend ---- */

static int gaps_in(const struct chart_line *l) {
    int n = 0;
    for (int i = 0; i < l->n; i++) n += !isfinite((double)l->value[i]);
    return n;
}

enum legend_form { LEGEND_FULL, LEGEND_SHORT, LEGEND_NAMES, N_LEGEND_FORMS }; /* names with values; first words with values; first words */

static void legend_text(const struct chart_line *l, enum legend_form form, char out[96]) {
    const double v = l->n ? (double)l->value[l->n - 1] : (double)NAN;
    const int name = (int)(form == LEGEND_FULL ? strlen(l->name) : strcspn(l->name, " ")), gaps = gaps_in(l);
    int n = snprintf(out, 96, "%.*s", name > 40 ? 40 : name, l->name);
    if (form != LEGEND_NAMES) n += snprintf(out + n, 96 - (size_t)n, " %s", l->percent ? format_percent(v).s : format_number(v).s);
    if (gaps) snprintf(out + n, 96 - (size_t)n, " (%d not finite)", gaps);
}

/* Cells that the legend takes in a form; draws it when `draw`. */
static int put_legend(struct area a, const struct chart *c, enum legend_form form, bool draw) {
    int col = 0;
    char text[96];
    for (int i = 0; i < c->n_lines; i++) {
        legend_text(&c->line[i], form, text);
        if (draw) {
            area_text(a, 0, col, a.cols - col, c->line[i].role, 0, text);
            area_text_n(a, 0, col, 1, c->line[i].role, ATTR_BOLD | ATTR_UNDERLINE, c->line[i].name, 1);
        }
        col += text_cells(text) + 2;
    }
    if (isfinite(c->level) && c->level_name) {
        snprintf(text, sizeof text, "╌ %s", c->level_name);
        if (draw) area_text(a, 0, col, a.cols - col, ROLE_AXIS, 0, text);
        col += text_cells(text) + 2;
    }
    if (c->note) {
        if (draw) area_text(a, 0, col, a.cols - col, ROLE_MARK, 0, c->note);
        col += text_cells(c->note) + 2;
    }
    return col - 2;
}

static void draw_legend(struct area a, const struct chart *c) {
    int form = LEGEND_FULL;
    while (form + 1 < N_LEGEND_FORMS && put_legend(a, c, form, false) > a.cols) form++;
    put_legend(a, c, form, true);
}

static void draw_empty(struct area a, const char *text) {
    struct wrapped w;
    wrap_text(&w, text, a.cols - 2);
    const int top = w.n < a.rows ? (a.rows - w.n) / 2 : 0;
    area_wrapped(area_sub(a, top, 1, a.rows - top, a.cols - 2), &w, text, 0, ROLE_DIM);
    wrapped_free(&w);
}

static bool raster_open(struct raster *r, enum glyphs glyphs, struct area plot) {
    r->plot = plot;
    r->dots_x = glyphs == GLYPHS_BRAILLE ? 2 : 1;
    r->dots_y = glyphs == GLYPHS_BRAILLE ? 4 : glyphs == GLYPHS_BLOCKS ? 8 : 1;
    r->width = plot.cols * r->dots_x;
    r->height = plot.rows * r->dots_y;
    if (r->width < 2 || r->height < 2) return false;
    const size_t cells = (size_t)plot.rows * (size_t)plot.cols;
    r->bits = mem_small(2 * cells);
    r->owner = r->bits + cells;
    memset(r->owner, NO_LINE, cells);
    return true;
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
        draw_legend(a, c);
        return;
    }
    const double step = finish_range(&r, c, rows);
    const int label_cols = widest_label(&r, step), left = label_cols + 1, cols = a.cols - left - TAG_COLS;
    if (cols < 4 || !raster_open(&r, a.canvas->glyphs, area_sub(a, 1, left, rows, cols))) {
        draw_legend(a, c);
        return;
    }
    draw_legend(a, c);
    draw_y_axis(area_sub(a, 1, 0, rows, left), &r, step, label_cols);
    draw_x_axis(a, &r, c, left, 1 + rows);
    draw_level(&r, c);
    for (int i = c->n_lines - 1; i >= 0; i--) draw_line(&r, &c->line[i], (unsigned char)i);
    draw_band(&r, c);
    put_cells(&r, c, a.canvas->glyphs);
    put_tags(area_sub(a, 1, left + cols, rows, TAG_COLS), &r, c);
    free(r.bits);
}
