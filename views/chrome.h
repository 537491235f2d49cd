/* What stands around the active view: the header above, the hints below. */
#ifndef PBKD_VIEWS_CHROME_H
#define PBKD_VIEWS_CHROME_H

#include "views/view.h"

void draw_header(struct area a, const struct snapshot *s, bool frozen);
/* v NULL: help alone, and the views. */
void draw_hints(struct area a, const struct view_ops *v);

#endif
