/* Figures in words: see figures.h. */
#include "views/figures.h"

struct figure *figures_add(struct figures *t, const char *name, const char *brief) {
    struct figure *f = &t->f[t->n++];
    *f = (struct figure){.name = name, .brief = brief, .role = ROLE_TEXT};
    return f;
}

void figures_draw(struct area a, const struct figures *t, int first) {
    const bool wide = a.cols >= 44;
    const int name_cols = wide ? 20 : a.cols >= 26 ? 9 : 0;
    for (int i = first, row = 0; i < t->n && row < a.rows; i++, row++) {
        const struct figure *f = &t->f[i];
        const int used = area_text(a, row, 0, a.cols, ROLE_DIM, 0, wide ? f->name : f->brief);
        const int col = used + 1 > name_cols ? used + 1 : name_cols;
        const bool fits = text_cells(f->value) <= a.cols - col;
        area_text(a, row, col, a.cols - col, f->role, i == 0 ? ATTR_BOLD : 0, fits ? f->value : f->short_value);
    }
}
