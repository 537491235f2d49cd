/* An option in one line: value, default, bounds, when a change takes effect and where the value comes from. */
#ifndef PBKD_TUI_OPTION_HINT_H
#define PBKD_TUI_OPTION_HINT_H

#include <stddef.h>

struct option_info;
struct snapshot;

/* "beta 10 (default 10, 0 .. 1e+06), next step, set by a person: weight of ..."; s may be NULL. */
void option_hint(const struct snapshot *s, const struct option_info *o, char *out, size_t size);

#endif
