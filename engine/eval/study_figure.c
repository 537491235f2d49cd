/* A study's figures: one panel per metric, the variants side by side with their 95 % intervals. As SVG without scripts
 * or outside resources, and as text for a terminal. See study_table.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/eval/study_table.h"

/* ---- what is shown ---- */

/* In the order of what a reader asks first; the first three that were measured. */
int study_figure_metrics(const struct study_table *t, enum study_metric out[3]) {
    static const enum study_metric ORDER[] = {STUDY_METRIC_AFTER, STUDY_METRIC_GAP_WORST, STUDY_METRIC_REWARD};
    static const enum study_metric SANITY[] = {STUDY_METRIC_REWARD, STUDY_METRIC_AFTER, STUDY_METRIC_GAP_WORST};
    static const enum study_metric COVERAGE[] = {STUDY_METRIC_REDRAWN, STUDY_METRIC_COVERAGE, STUDY_METRIC_GAP_WORST};
    const enum study_metric *order = t->kind == &STUDIES[STUDY_SANITY]     ? SANITY
                                     : t->kind == &STUDIES[STUDY_COVERAGE] ? COVERAGE
                                                                           : ORDER;
    int n = 0;
    for (int i = 0; i < 3; i++)
        if (study_table_has(t, order[i])) out[n++] = order[i];
    return n;
}

static double in_unit(enum study_metric m, double v) { return STUDY_METRIC[m].factor * v; }

static const char *unit(enum study_metric m) { return STUDY_METRIC[m].factor > 1 ? ", %" : ""; }

static double seed_value(const struct study_table *t, int row, enum study_metric m, int seed) {
    return t->row[row].value[(int)m * t->n_seeds + seed];
}

static void widen(double *lo, double *hi, double v) {
    if (!isfinite(v)) return;
    *lo = fmin(*lo, v);
    *hi = fmax(*hi, v);
}

/* The line that a sanity check must pass; NAN: none. */
static double level(const struct study_table *t, enum study_metric m) {
    return t->kind == &STUDIES[STUDY_SANITY] && m == STUDY_METRIC_REWARD ? 90.0 : (double)NAN;
}

/* 1, 2 or 5 times a power of ten: at most n steps over the range. */
static double round_step(double range, int n) {
    const double raw = range / n, power = pow(10, floor(log10(raw)));
    const double f = raw / power;
    return power * (f <= 1 ? 1 : f <= 2 ? 2 : f <= 5 ? 5 : 10);
}

bool study_axis(const struct study_table *t, enum study_metric m, double *lo, double *hi, double *step) {
    double a = HUGE_VAL, b = -HUGE_VAL;
    for (int r = 0; r < t->n_rows; r++) {
        const struct study_cell *c = &t->row[r].cell[m];
        if (c->n == 0) continue;
        widen(&a, &b, in_unit(m, c->v.lo));
        widen(&a, &b, in_unit(m, c->v.hi));
        widen(&a, &b, in_unit(m, c->v.mean));
        for (int i = 0; i < t->n_seeds; i++) widen(&a, &b, in_unit(m, seed_value(t, r, m, i)));
    }
    if (a > b) return false;
    widen(&a, &b, level(t, m));
    const double least = 1e-6 * fmax(1e-3, fmax(fabs(a), fabs(b)));
    if (b - a < least) { /* all the same: an axis around it */
        const double half = a != 0 ? 0.05 * fabs(a) : 0.5;
        a -= half;
        b += half;
    }
    *step = round_step(b - a, 5);
    *lo = *step * floor(a / *step + 1e-9);
    *hi = *step * ceil(b / *step - 1e-9);
    return true;
}

/* Decimals that tell two ticks of this step apart. */
static int tick_decimals(double step) {
    const int d = (int)-floor(log10(step) + 1e-9);
    return d < 0 ? 0 : d > 9 ? 9 : d;
}

/* ---- SVG ---- */

enum { WIDTH = 900, PANEL = 250, TOP = 56, LEFT = 76, RIGHT = 24, PANEL_TOP = 34, PANEL_BOTTOM = 50 };
static const char DARK[] = "#1b1f24", SOFT[] = "#8c959f", GRID[] = "#e3e6ea", DOT[] = "#0b62b0", SEED[] = "#e08a1e";

static void svg_escaped(struct strbuf *out, const char *s) {
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '&')
            strbuf_puts(out, "&amp;");
        else if (c == '<')
            strbuf_puts(out, "&lt;");
        else if (c == '>')
            strbuf_puts(out, "&gt;");
        else if (c == '"')
            strbuf_puts(out, "&quot;");
        else
            strbuf_putc(out, c < 0x20 ? ' ' : (char)c);
    }
}

static void svg_text(struct strbuf *out, double x, double y, const char *anchor, int size, const char *fill,
                     const char *text) {
    strbuf_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\" fill=\"%s\">", x, y, anchor,
                  size, fill);
    svg_escaped(out, text);
    strbuf_puts(out, "</text>\n");
}

static void svg_line(struct strbuf *out, double x0, double y0, double x1, double y1, const char *stroke, double width) {
    strbuf_printf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n",
                  x0, y0, x1, y1, stroke, width);
}

struct panel {
    const struct study_table *t;
    enum study_metric m;
    double top, lo, hi, step;
};

static double px(const struct panel *p, int row) { return LEFT + (WIDTH - LEFT - RIGHT) * (row + 0.5) / p->t->n_rows; }

static double py(const struct panel *p, double value) {
    const double share = (value - p->lo) / (p->hi - p->lo);
    return p->top + PANEL - PANEL_BOTTOM - share * (PANEL - PANEL_TOP - PANEL_BOTTOM);
}

static void svg_axes(struct strbuf *out, const struct panel *p) {
    const int decimals = tick_decimals(p->step), n = (int)lround((p->hi - p->lo) / p->step);
    char title[120];
    snprintf(title, sizeof title, "%s%s", STUDY_METRIC[p->m].help, unit(p->m));
    svg_text(out, LEFT, p->top + 18, "start", 14, DARK, title);
    for (int i = 0; i <= n; i++) {
        const double v = p->lo + i * p->step, y = py(p, v);
        char label[32];
        snprintf(label, sizeof label, "%.*f", decimals, fabs(v) < p->step * 1e-6 ? 0.0 : v);
        svg_line(out, LEFT, y, WIDTH - RIGHT, y, GRID, 1);
        svg_text(out, LEFT - 8, y + 4, "end", 12, SOFT, label);
    }
    for (int r = 0; r < p->t->n_rows; r++)
        svg_text(out, px(p, r), p->top + PANEL - PANEL_BOTTOM + 20, "middle", 12, DARK, p->t->row[r].label);
}

static void svg_row(struct strbuf *out, const struct panel *p, int r) {
    const struct study_cell *c = &p->t->row[r].cell[p->m];
    const double x = px(p, r);
    if (c->n == 0) return;
    if (c->over != OVER_NONE) {
        const double lo = py(p, in_unit(p->m, c->v.lo)), hi = py(p, in_unit(p->m, c->v.hi));
        svg_line(out, x, lo, x, hi, DOT, 2);
        svg_line(out, x - 6, lo, x + 6, lo, DOT, 2);
        svg_line(out, x - 6, hi, x + 6, hi, DOT, 2);
    }
    for (int i = 0; i < p->t->n_seeds && p->t->n_seeds > 1; i++) {
        const double v = seed_value(p->t, r, p->m, i);
        if (isfinite(v))
            strbuf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", x + 14,
                          py(p, in_unit(p->m, v)), SEED);
    }
    strbuf_printf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" fill=\"%s\"/>\n", x, py(p, in_unit(p->m, c->v.mean)),
                  DOT);
}

static void svg_panel(struct strbuf *out, const struct panel *p) {
    svg_axes(out, p);
    const double pass = level(p->t, p->m);
    if (isfinite(pass)) svg_line(out, LEFT, py(p, pass), WIDTH - RIGHT, py(p, pass), SEED, 1.5);
    for (int r = 0; r < p->t->n_rows; r++) svg_row(out, p, r);
}

static void svg_head(const struct study_table *t, int height, struct strbuf *out) {
    char line[200];
    strbuf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
        "font-family=\"sans-serif\">\n<title>",
        WIDTH, height, WIDTH, height);
    svg_escaped(out, t->kind->help);
    strbuf_printf(out, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", WIDTH, height);
    snprintf(line, sizeof line, "study %s: %s", t->kind->name, t->kind->help);
    svg_text(out, LEFT, 26, "start", 16, DARK, line);
    if (t->n_seeds > 1)
        snprintf(line, sizeof line, "mean and 95 %% interval over %d seeds; small dots: single seeds", t->n_seeds);
    else
        snprintf(line, sizeof line, "one seed; 95 %% interval over its prompts, where the run reports one");
    svg_text(out, LEFT, 46, "start", 12, SOFT, line);
}

void study_figure_svg(const struct study_table *t, struct strbuf *out) {
    enum study_metric m[3];
    const int n = study_figure_metrics(t, m);
    svg_head(t, TOP + n * PANEL + 16, out);
    for (int i = 0; i < n; i++) {
        struct panel p = {.t = t, .m = m[i], .top = TOP + i * PANEL};
        if (!study_axis(t, m[i], &p.lo, &p.hi, &p.step)) continue;
        svg_panel(out, &p);
        svg_text(out, LEFT + (WIDTH - LEFT - RIGHT) / 2.0, p.top + PANEL - PANEL_BOTTOM + 40, "middle", 12, SOFT,
                 t->kind->x_title);
    }
    strbuf_puts(out, "</svg>\n");
}

/* ---- text ---- */

struct pens {
    const char *dash, *left, *right, *dot, *tick, *axis;
};
static const struct pens UTF8 = {"─", "├", "┤", "●", "┴", "─"}, ASCII = {"-", "|", "|", "o", "+", "-"};

static int column(double v, double lo, double hi, int width) {
    const int c = (int)lround((v - lo) / (hi - lo) * (width - 1));
    return c < 0 ? 0 : c >= width ? width - 1 : c;
}

/* A variant's line: its interval with the mean on top. */
static void text_row(struct strbuf *out, const struct study_cell *c, enum study_metric m, double lo, double hi,
                     int width, const struct pens *pen) {
    if (c->n == 0) {
        strbuf_puts(out, "not measured\n");
        return;
    }
    const int at = column(in_unit(m, c->v.mean), lo, hi, width);
    const int a = c->over == OVER_NONE ? at : column(in_unit(m, c->v.lo), lo, hi, width);
    const int b = c->over == OVER_NONE ? at : column(in_unit(m, c->v.hi), lo, hi, width);
    for (int i = 0; i <= b; i++)
        strbuf_puts(out, i == at ? pen->dot : i < a ? " " : i == a ? pen->left : i == b ? pen->right : pen->dash);
    strbuf_putc(out, '\n');
}

static void text_axis(struct strbuf *out, double lo, double hi, double step, int label, int width,
                      const struct pens *pen) {
    const int n = (int)lround((hi - lo) / step), decimals = tick_decimals(step);
    strbuf_printf(out, "%*s", label, "");
    for (int i = 0; i < width; i++) {
        bool tick = false;
        for (int k = 0; k <= n; k++) tick |= column(lo + k * step, lo, hi, width) == i;
        strbuf_puts(out, tick ? pen->tick : pen->axis);
    }
    strbuf_putc(out, '\n');
    int at = 0;
    for (int k = 0; k <= n; k++) {
        char text[32];
        const double v = lo + k * step;
        const int len = snprintf(text, sizeof text, "%.*f", decimals, fabs(v) < step * 1e-6 ? 0.0 : v);
        const int start = label + column(v, lo, hi, width) - len / 2;
        if (start < at + (k > 0)) continue;
        strbuf_printf(out, "%*s%s", start - at, "", text);
        at = start + len;
    }
    strbuf_putc(out, '\n');
}

void study_figure_text(const struct study_table *t, int columns, bool utf8, struct strbuf *out) {
    enum study_metric m[3];
    const int n = study_figure_metrics(t, m);
    const struct pens *pen = utf8 ? &UTF8 : &ASCII;
    int label = 0;
    for (int r = 0; r < t->n_rows; r++)
        if ((int)strlen(t->row[r].label) > label) label = (int)strlen(t->row[r].label);
    label += 2;
    const int width = columns - label - 4 < 20 ? 20 : columns - label - 4; /* room for half a label at the right */
    for (int i = 0; i < n; i++) {
        double lo, hi, step;
        if (!study_axis(t, m[i], &lo, &hi, &step)) continue;
        strbuf_printf(out, "%s%s%s\n", i ? "\n" : "", STUDY_METRIC[m[i]].help, unit(m[i]));
        for (int r = 0; r < t->n_rows; r++) {
            strbuf_printf(out, "%-*s", label, t->row[r].label);
            text_row(out, &t->row[r].cell[m[i]], m[i], lo, hi, width, pen);
        }
        text_axis(out, lo, hi, step, label, width, pen);
    }
}
