/* The list of views: the only place that knows all of them. Digits keep their meaning when views are added; a view is
 * one file that defines its table of functions, declared here alone. */
#include "views/views.h"

#include <string.h>

extern const struct view_ops VIEW_DASHBOARD, VIEW_LABEL, VIEW_PAIRS, VIEW_REWARD, VIEW_TUNE, VIEW_LOG;

const struct view_ops *const VIEWS[] = {&VIEW_DASHBOARD, &VIEW_LABEL, &VIEW_PAIRS, &VIEW_REWARD, &VIEW_TUNE, &VIEW_LOG};
const int N_VIEWS = sizeof VIEWS / sizeof VIEWS[0];

const struct view_ops *view_named(const char *name) {
    for (int i = 0; i < N_VIEWS; i++)
        if (strcmp(VIEWS[i]->name, name) == 0) return VIEWS[i];
    return NULL;
}
