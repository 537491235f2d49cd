/* The views, each in its own file; only views.c includes this beside them. */
#ifndef PBKD_VIEWS_VIEWS_H
#define PBKD_VIEWS_VIEWS_H

#include "views/view.h"

extern const struct view_ops VIEW_DASHBOARD, VIEW_LABEL, VIEW_PAIRS, VIEW_REWARD, VIEW_TUNE, VIEW_LOG;

#endif
