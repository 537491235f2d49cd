/* The list of views: the only place that knows all of them. Digits keep their meaning when views are added. */
#include "views/views.h"

const struct view_ops *const VIEWS[] = {&VIEW_DASHBOARD, &VIEW_LABEL, &VIEW_PAIRS, &VIEW_REWARD, &VIEW_TUNE, &VIEW_LOG};
const int N_VIEWS = sizeof VIEWS / sizeof VIEWS[0];
