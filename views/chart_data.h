/* What a chart shows, for those who fill it in (chart.h) and for those who draw it (chart_raster.h). */
#ifndef PBKD_VIEWS_CHART_DATA_H
#define PBKD_VIEWS_CHART_DATA_H

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

#endif
