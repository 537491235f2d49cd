/* Dots of a chart: see chart_raster.h.
 *
 * Every cell keeps a bit per dot and the line that owns it. A line first reduces its points to one (first, min, max,
 * last) per dot column, then draws the column's span and the link from the column before; this costs the number of
 * points plus the number of dots, whatever the shape. */
#include "views/chart_raster.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"

enum { NO_LINE = 255, BAND_LINE = 254 };

bool raster_open(struct raster *r, enum glyphs glyphs, struct area plot) {
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

bool raster_has(const struct raster *r, int64_t tick) { return tick >= r->x0 && tick <= r->x1; }

double line_between(const struct chart_line *l, int i, int64_t tick) {
    const double v = (double)l->value[i], span = (double)(l->tick[i + 1] - l->tick[i]);
    return span > 0 ? v + ((double)l->value[i + 1] - v) * (double)(tick - l->tick[i]) / span : v;
}

int raster_column(const struct raster *r, int64_t tick) {
    const double share = ((double)tick - (double)r->x0) / ((double)r->x1 - (double)r->x0);
    return share < -1e4 ? -1000000 : share > 1e4 ? 1000000 : (int)lround(share * (r->width - 1));
}

int raster_height(const struct raster *r, double v) { /* dots from the bottom */
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
    const unsigned bit = r->dots_x == 2 ? BRAILLE[y % 4][x % 2] : 1U << (r->dots_y - 1 - y % r->dots_y);
    r->bits[cell] = (unsigned char)(r->bits[cell] | bit);
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
    bool linked;              /* to the column before */
};

/* A point without neighbours is four dots: one alone is easily missed. */
static void pen_lift(struct pen *p) {
    if (p->column < 0) return;
    draw_span(p->r, p->column, p->lo, p->hi, p->owner);
    if (!p->linked && p->hi - p->lo < 2 && p->r->dots_x == 2)
        for (int i = 0; i < 2; i++) draw_span(p->r, p->column ^ i, p->lo ^ 1, p->lo, p->owner);
    p->column = -1;
}

/* Go on to (tick, v), which is in range. */
static void pen_to(struct pen *p, int64_t tick, double v) {
    const int x = raster_column(p->r, tick), h = raster_height(p->r, v);
    if (x == p->column) {
        p->lo = h < p->lo ? h : p->lo, p->hi = h > p->hi ? h : p->hi;
    } else {
        p->linked = p->column >= 0;
        if (p->linked) {
            draw_span(p->r, p->column, p->lo, p->hi, p->owner);
            draw_link(p->r, p->column, p->last, x, h, p->owner);
        }
        p->column = x, p->lo = p->hi = h;
    }
    p->last = h;
}

void raster_line(struct raster *r, const struct chart_line *l, unsigned char owner) {
    struct pen pen = {.r = r, .owner = owner, .column = -1};
    for (int i = 0; i < l->n; i++) {
        if (!isfinite((double)l->value[i])) {
            pen_lift(&pen);
            continue;
        }
        if (raster_has(r, l->tick[i])) pen_to(&pen, l->tick[i], (double)l->value[i]);
        if (i + 1 == l->n || !isfinite((double)l->value[i + 1])) continue;
        const int64_t here = l->tick[i], next = l->tick[i + 1];
        if (here < r->x0 && next > r->x0) pen_to(&pen, r->x0, line_between(l, i, r->x0));
        if (here < r->x1 && next > r->x1) pen_to(&pen, r->x1, line_between(l, i, r->x1));
    }
    pen_lift(&pen);
}

/* Sparse dots between the two lines, where nothing else is. */
void raster_band(struct raster *r, const struct chart *c) {
    const struct chart_line *lo = &c->band_lo, *hi = &c->band_hi;
    for (int i = 0; i + 1 < lo->n; i++) {
        if (lo->tick[i + 1] < r->x0 || lo->tick[i] > r->x1) continue;
        const int xa = raster_column(r, lo->tick[i]), xb = raster_column(r, lo->tick[i + 1]);
        for (int x = xa < 0 ? 0 : xa; x <= xb && x < r->width; x++) {
            const double t = xb > xa ? (double)(x - xa) / (xb - xa) : 0;
            const double from = (double)lo->value[i] + t * (double)(lo->value[i + 1] - lo->value[i]);
            const double to = (double)hi->value[i] + t * (double)(hi->value[i + 1] - hi->value[i]);
            if (!isfinite(from) || !isfinite(to)) break;
            for (int h = raster_height(r, from), end = raster_height(r, to); h <= end; h++)
                if (r->dots_x == 1 || (x % 2 == 0 && h % 4 == x % 4)) set_dot(r, x, h, BAND_LINE, true);
        }
    }
}

void raster_put(const struct raster *r, const struct chart *c, enum glyphs glyphs) {
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

bool raster_is_free(const struct raster *r, int row, int col, int n) {
    const unsigned char *owner = r->owner + row * r->plot.cols + col;
    for (int i = 0; i < n; i++)
        if (owner[i] != NO_LINE) return false;
    return true;
}

/* The row nearest to `wanted` that is not taken; -1: none. */
static int free_row(const bool *taken, int rows, int wanted) {
    for (int d = 0; d < rows; d++) {
        if (wanted + d < rows && !taken[wanted + d]) return wanted + d;
        if (wanted - d >= 0 && !taken[wanted - d]) return wanted - d;
    }
    return -1;
}

void raster_tags(struct area gutter, const struct raster *r, const struct chart *c) {
    bool taken[512] = {false};
    const int rows = gutter.rows < 512 ? gutter.rows : 512;
    for (int i = 0; i < c->n_lines; i++) {
        const struct chart_line *l = &c->line[i];
        int newest = l->n - 1;
        while (newest >= 0 && (!isfinite((double)l->value[newest]) || !raster_has(r, l->tick[newest]))) newest--;
        if (newest < 0) continue;
        const int row = free_row(taken, rows, (r->height - 1 - raster_height(r, (double)l->value[newest])) / r->dots_y);
        if (row < 0) continue;
        taken[row] = true;
        area_text_n(gutter, row, 1, 1, l->role, ATTR_BOLD, l->name, 1);
    }
}
