/* What list-like views share: a selection that moves with the usual keys and stays on the screen, and finding text in
 * rows. */
#ifndef PBKD_VIEWS_LIST_H
#define PBKD_VIEWS_LIST_H

#include <stdbool.h>

/* Move the selection in a list of n rows of which `page` are shown; true when the key was a movement key. */
bool list_key(int key, int *selected, int page, int n);
/* Bring *selected into 0..n-1 and *top to where the selection is shown. */
void list_fit(int *selected, int *top, int page, int n);
/* Whether text holds part, whatever the case; an empty part is in every text. NULL text is empty. */
bool text_has(const char *text, const char *part);

#endif
