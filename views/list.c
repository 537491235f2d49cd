/* Lists: see list.h. */
#include "views/list.h"

#include <string.h>

#include "views/scroll.h"

bool list_key(int key, int *selected, int page, int n) {
    return scroll_key(key, selected, page, n + page - 1); /* the last place of the selection is row n-1 */
}

void list_fit(int *selected, int *top, int page, int n) {
    if (*selected >= n) *selected = n - 1;
    if (*selected < 0) *selected = 0;
    if (*selected < *top) *top = *selected;
    if (*selected >= *top + page) *top = *selected - page + 1;
    if (*top > n - page) *top = n - page;
    if (*top < 0) *top = 0;
}

bool text_has(const char *text, const char *part) { return strcasestr(text ? text : "", part) != NULL; }
