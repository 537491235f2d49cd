/* Bars of a share of an area. A share above 0 always shows something, a share of NAN nothing. */
#ifndef PBKD_VIEWS_BARS_H
#define PBKD_VIEWS_BARS_H

#include "views/canvas.h"

/* Along the top row from its left, in whole cells of half their height, so that bars in rows below each other stay
 * apart. Returns the cells drawn. */
int bar_right(struct area a, double share, enum role role);
/* From the bottom over the whole width, in eighths of a cell; whole cells in ASCII, a dot for less than half of one. */
void bar_up(struct area a, double share, enum role role);

#endif
