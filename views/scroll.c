/* Movement keys: see scroll.h. */
#include "views/scroll.h"

#include <stddef.h>

#include "views/view.h"

const struct scroll_row SCROLL_KEYS[] = {
    {"j k arrows",
     "line by line",
     {{'j', 1, SCROLL_LINE}, {KEY_DOWN_, 1, SCROLL_LINE}, {'k', -1, SCROLL_LINE}, {KEY_UP_, -1, SCROLL_LINE}}},
    {"g G",
     "to the start, to the end",
     {{'g', -1, SCROLL_ALL}, {KEY_HOME_, -1, SCROLL_ALL}, {'G', 1, SCROLL_ALL}, {KEY_END_, 1, SCROLL_ALL}}},
    {"^D ^U PgDn PgUp",
     "by half pages and pages",
     {{KEY_CTRL('d'), 1, SCROLL_HALF},
      {KEY_CTRL('u'), -1, SCROLL_HALF},
      {KEY_PAGE_DOWN, 1, SCROLL_PAGE},
      {KEY_PAGE_UP, -1, SCROLL_PAGE}}},
};
const int N_SCROLL_KEYS = sizeof SCROLL_KEYS / sizeof SCROLL_KEYS[0];

static const struct scroll_move *find_move(int key) {
    for (int i = 0; i < N_SCROLL_KEYS; i++)
        for (size_t k = 0; k < sizeof SCROLL_KEYS[i].move / sizeof SCROLL_KEYS[i].move[0]; k++)
            if (SCROLL_KEYS[i].move[k].key == key) return &SCROLL_KEYS[i].move[k];
    return NULL;
}

bool scroll_key(int key, int *top, int page, int n) {
    const struct scroll_move *m = find_move(key);
    if (!m) return false;
    const int last = n > page ? n - page : 0;
    const int lines[] = {[SCROLL_LINE] = 1,
                         [SCROLL_HALF] = page > 1 ? page / 2 : 1,
                         [SCROLL_PAGE] = page > 1 ? page - 1 : 1,
                         [SCROLL_ALL] = last};
    if (m->unit == SCROLL_ALL)
        *top = m->direction > 0 ? last : 0;
    else
        *top += m->direction * lines[m->unit];
    if (*top > last) *top = last;
    if (*top < 0) *top = 0;
    return true;
}
