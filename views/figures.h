/* Figures in words: a name and a value a row, the most important first, shorter where there is little room. */
#ifndef PBKD_VIEWS_FIGURES_H
#define PBKD_VIEWS_FIGURES_H

#include "views/canvas.h"

enum { MAX_FIGURES = 20 };

struct figure {
    const char *name, *brief;
    char value[96], short_value[48];
    enum role role;
};
struct figures { /* `struct figures t = {.n = 0};` is an empty one */
    struct figure f[MAX_FIGURES];
    int n;
};

/* Append one without a value; the caller fills in both forms of it, and perhaps the role. */
struct figure *figures_add(struct figures *t, const char *name, const char *brief);
/* Draw from figure `first` on, as many as there are rows; the names' column is as wide in all areas of a kind. */
void figures_draw(struct area a, const struct figures *t, int first);

#endif
