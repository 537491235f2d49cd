/* Bars: see bars.h. */
#include "views/bars.h"

#include <math.h>

/* The share of n steps, at least one when there is anything. */
static int steps_of(double share, int n) {
    if (!(share > 0) || n < 1) return 0;
    const int steps = (int)lround(fmin(share, 1) * n);
    return steps < 1 ? 1 : steps;
}

int bar_right(struct area a, double share, enum role role) {
    const int cells = steps_of(share, a.cols);
    area_fill(a, 0, 0, cells, a.canvas->glyphs == GLYPHS_ASCII ? "#" : "▄", role, 0);
    return cells;
}

static const char *top_glyph(int eighths, enum glyphs glyphs) {
    static const char *const LOWER[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇"};
    if (glyphs == GLYPHS_ASCII) return eighths < 4 ? "." : "#";
    return LOWER[eighths - 1];
}

void bar_up(struct area a, double share, enum role role) {
    const bool ascii = a.canvas->glyphs == GLYPHS_ASCII;
    const int eighths = steps_of(share, a.rows * 8), whole = eighths / 8, rest = eighths % 8;
    for (int i = 0; i < whole; i++) area_fill(a, a.rows - 1 - i, 0, a.cols, "█", role, 0);
    if (rest && (!ascii || rest >= 4 || !whole))
        area_fill(a, a.rows - 1 - whole, 0, a.cols, top_glyph(rest, a.canvas->glyphs), role, 0);
}
