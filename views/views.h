/* The list of views: digits, help, hints, `:goto` completion and the manual come from it. */
#ifndef PBKD_VIEWS_VIEWS_H
#define PBKD_VIEWS_VIEWS_H

#include "views/view.h"

extern const struct view_ops *const VIEWS[];
extern const int N_VIEWS;

/* By the name that `:goto` takes; NULL when there is none. */
const struct view_ops *view_named(const char *name);

#endif
