/* Inside the charts: a raster of dots that lines and bands are drawn on before they become cells. */
#ifndef PBKD_VIEWS_CHART_RASTER_H
#define PBKD_VIEWS_CHART_RASTER_H

#include "views/chart_data.h"

enum { TAG_COLS = 2 }; /* right of the plot: the lines' letters */

struct raster {
    struct area plot;
    int dots_x, dots_y;          /* dots in a cell */
    int width, height;           /* dots in all */
    unsigned char *bits, *owner; /* per cell: dots, and the line they belong to; one allocation at bits */
    int64_t x0, x1;              /* ticks at the ends */
    double y0, y1;               /* values at the ends */
};

/* Dots for a plot, all clear; false when it is too small. Free r->bits. The ranges are the caller's to set. */
bool raster_open(struct raster *r, enum glyphs glyphs, struct area plot);
bool raster_has(const struct raster *r, int64_t tick);
int raster_column(const struct raster *r, int64_t tick); /* dots; outside the raster for ticks out of range */
int raster_height(const struct raster *r, double value); /* dots from the bottom, within the raster */
/* The line between points i and i + 1 at a tick between theirs; NAN beside a gap. */
double line_between(const struct chart_line *l, int i, int64_t tick);

void raster_line(struct raster *r, const struct chart_line *l, unsigned char owner);
void raster_band(struct raster *r, const struct chart *c);                          /* where no line is */
void raster_put(const struct raster *r, const struct chart *c, enum glyphs glyphs); /* dots to cells */
bool raster_is_free(const struct raster *r, int row, int col, int n);               /* n cells without a dot */
/* First letter of each line's name beside its newest point. */
void raster_tags(struct area gutter, const struct raster *r, const struct chart *c);

#endif
