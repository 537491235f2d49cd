/* A line chart over ticks (or over the logarithm of something else): axes with round labels, a legend that also tells
 * the lines apart without colour, a band between two series, a level line, marks where a person acted.
 *
 * Dots are braille (2 x 4 in a cell), eighth blocks (1 x 8) or ASCII (1 x 1), as the canvas says. Many points in one
 * column become the column's minimum-to-maximum line, so spikes survive any width. A non-finite value is a gap in its
 * line; gaps are counted. */
#ifndef PBKD_VIEWS_CHART_H
#define PBKD_VIEWS_CHART_H

#include "engine/run/snapshot.h"
#include "views/canvas.h"

struct chart_line {
    const char *name; /* legend; its first letter, the chart's only such letter, marks the line */
    enum role role;
    int n;
    const int64_t *tick; /* rising, borrowed */
    const float *value;  /* borrowed */
    bool percent;        /* legend prints the newest value as a percentage */
};

#define CHART_LINES 8
struct chart {
    struct chart_line line[CHART_LINES]; /* the first is drawn on top */
    int n_lines;
    struct chart_line band_lo, band_hi; /* n = 0: none. Same ticks in both */
    double level;                       /* horizontal line; NAN: none */
    const char *level_name;             /* said in the legend */
    const char *note;                   /* more to say in the legend, or NULL */
    bool from_zero;                     /* the axis includes 0 */
    double top;                         /* the axis goes no higher; NAN: as the data need */
    int64_t x0, x1;                     /* ticks shown; x1 <= x0: all */
    const char *x_name;                 /* said at the end of the axis */
    bool decades;                       /* a tick is a hundredth of a power of ten: labels are 10^(tick / 100) */
    const struct tick_mark *mark;       /* borrowed */
    int n_marks;
    const char *empty; /* said while there is nothing to draw */
};

struct chart chart_make(void); /* no lines, no level, no bounds */
/* Append s (NULL while empty) as a line. */
void chart_add(struct chart *c, const struct series *s, const char *name, enum role role);
void chart_set_band(struct chart *c, const struct series *lo, const struct series *hi);
void chart_draw(struct area a, const struct chart *c);

/* Round tick positions: the step (1, 2 or 5 times a power of ten) that gives at most max_ticks steps over [lo, hi]. */
double chart_step(double lo, double hi, int max_ticks);

#endif
