/* What the views call a pair's two answers, and a pair as plain text, for the clipboard. */
#ifndef PBKD_VIEWS_PAIR_TEXT_H
#define PBKD_VIEWS_PAIR_TEXT_H

#include <stddef.h>

#include "engine/run/snapshot.h"
#include "views/canvas.h"
#include "views/format.h"

/* Who gave the answer of side 0 or 1: "teacher", "student", "model" (another one, of an offline D_pref); "written" (by
 * a person) and "earlier" (one of the two that it was preferred to); "first" and "second" where both are of one kind,
 * as in a file of labels. At most 7 cells; static text. */
const char *answer_name(const struct shown_pair *p, int side);
/* The same in a sentence: "teacher's answer", "written answer", "first answer". */
struct short_text answer_phrase(const struct shown_pair *p, int side);
/* The colour of that side: the student's where it is the student's, else the other; by side where neither is, or both
 * are. */
enum role answer_role(const struct shown_pair *p, int side);
/* Which of the sources of an offline D_pref gave it: "temperature 0.7", "NAME.gguf"; empty for an answer whose name
 * says all. */
struct short_text answer_source(const struct options *o, const struct shown_pair *p, int side);
/* Prompt and both answers under their names; caller frees. what (size bytes) gets "pair 12: prompt and both
 * answers". */
char *pair_text(const struct shown_pair *p, char *what, size_t size);

#endif
