/* Mixtures: one choice of an option, or several with their shares. */
#ifndef PBKD_OPTION_MIX_H
#define PBKD_OPTION_MIX_H

#include "engine/base/err.h"

/* "NAME" or "NAME:SHARE,NAME:SHARE" over the n choices "a|b|c": share[i] >= 0 of each, their sum is 1. Without shares
 * all named ones are equal. Errors say what is wrong, not where it was set. */
bool mix_parse(const char *choices, const char *text, double *share, int n, struct err *e);
/* How many choices there are, and the i-th of them: *len bytes. */
int mix_n_choices(const char *choices);
const char *mix_choice(const char *choices, int i, int *len);

#endif
