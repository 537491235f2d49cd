/* Which panels a view shows: a table of layouts by size, the roomiest first, each a few rows of panels with weights. */
#ifndef PBKD_VIEWS_LAYOUT_H
#define PBKD_VIEWS_LAYOUT_H

#include "views/canvas.h"

enum { LAYOUT_ROWS = 4, LAYOUT_IN_ROW = 4 };

struct layout_row {
    int weight; /* share of the height */
    int n;
    struct {
        int id;     /* the view's own */
        int weight; /* share of the width */
    } panel[LAYOUT_IN_ROW];
};
struct layout {
    int min_rows, min_cols;
    bool boxes;
    struct layout_row row[LAYOUT_ROWS]; /* n = 0 ends them */
};

/* The first of a table that fits; the last row of a table fits everywhere. */
const struct layout *layout_for(const struct layout *table, struct area a);
bool layout_shows(const struct layout *l, int panel);
int layout_last(const struct layout *l); /* its last panel */
/* Call draw for every panel with its part of a. */
void layout_draw(const struct layout *l, struct area a, void (*draw)(void *ctx, int panel, struct area part),
                 void *ctx);

#endif
