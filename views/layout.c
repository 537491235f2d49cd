/* Layouts: see layout.h. */
#include "views/layout.h"

const struct layout *layout_for(const struct layout *table, struct area a) {
    while (a.rows < table->min_rows || a.cols < table->min_cols) table++;
    return table;
}

bool layout_shows(const struct layout *l, int panel) {
    for (int i = 0; i < LAYOUT_ROWS; i++)
        for (int k = 0; k < l->row[i].n; k++)
            if (l->row[i].panel[k].id == panel) return true;
    return false;
}

int layout_last(const struct layout *l) {
    int last = 0;
    for (int i = 0; i < LAYOUT_ROWS && l->row[i].n; i++) last = l->row[i].panel[l->row[i].n - 1].id;
    return last;
}

void layout_draw(const struct layout *l, struct area a, void (*draw)(void *ctx, int panel, struct area part),
                 void *ctx) {
    int weights = 0, row = 0, passed = 0;
    for (int i = 0; i < LAYOUT_ROWS; i++) weights += l->row[i].weight;
    for (int i = 0; i < LAYOUT_ROWS && l->row[i].n; i++) {
        const struct layout_row *r = &l->row[i];
        passed += r->weight;
        const int next = a.rows * passed / weights;
        int width = 0, col = 0, before = 0;
        for (int k = 0; k < r->n; k++) width += r->panel[k].weight;
        for (int k = 0; k < r->n; k++) {
            before += r->panel[k].weight;
            const int right = a.cols * before / width;
            draw(ctx, r->panel[k].id, area_sub(a, row, col, next - row, right - col));
            col = right;
        }
        row = next;
    }
}
