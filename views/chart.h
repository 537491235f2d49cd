/* A line chart over ticks (or over the logarithm of something else): axes with round labels, a legend that also tells
 * the lines apart without colour, a band between two series, a level line, marks where a person acted.
 *
 * Dots are braille (2 x 4 in a cell), eighth blocks (1 x 8) or ASCII (1 x 1), as the canvas says. Many points in one
 * column become the column's minimum-to-maximum line, so spikes survive any width. A non-finite value is a gap in its
 * line; gaps are counted. */
#ifndef PBKD_VIEWS_CHART_H
#define PBKD_VIEWS_CHART_H

#include "views/canvas.h"
#include "views/chart_data.h"

struct chart chart_make(void); /* no lines, no level, no bounds */
/* Append s (NULL while empty) as a line. */
void chart_add(struct chart *c, const struct series *s, const char *name, enum role role);
void chart_set_band(struct chart *c, const struct series *lo, const struct series *hi);
void chart_draw(struct area a, const struct chart *c);

/* Round tick positions: the step (1, 2 or 5 times a power of ten) that gives at most max_ticks steps over [lo, hi]. */
double chart_step(double lo, double hi, int max_ticks);

#endif
