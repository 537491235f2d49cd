/* A pair as plain text, for the clipboard. */
#ifndef PBKD_VIEWS_PAIR_TEXT_H
#define PBKD_VIEWS_PAIR_TEXT_H

#include <stddef.h>

#include "engine/run/snapshot.h"

/* Prompt and both answers under their names; caller frees. what (size bytes) gets "pair 12: prompt and both answers". */
char *pair_text(const struct shown_pair *p, char *what, size_t size);

#endif
