/* Movement keys shared by every scrolling view: declared in view.h. */
#include "views/view.h"

bool scroll_key(int key, int *top, int page, int n) {
    const int last = n > page ? n - page : 0, step = page > 1 ? page - 1 : 1, half = page > 1 ? page / 2 : 1;
    switch (key) {
    case 'j':
    case KEY_DOWN_: *top += 1; break;
    case 'k':
    case KEY_UP_: *top -= 1; break;
    case 'g':
    case KEY_HOME_: *top = 0; break;
    case 'G':
    case KEY_END_: *top = last; break;
    case KEY_CTRL('d'): *top += half; break;
    case KEY_CTRL('u'): *top -= half; break;
    case KEY_PAGE_DOWN: *top += step; break;
    case KEY_PAGE_UP: *top -= step; break;
    default: return false;
    }
    if (*top > last) *top = last;
    if (*top < 0) *top = 0;
    return true;
}
