/* What a run needs before it can start: files that can be read and options that fit each other. Found here, a mistake
 * costs a second; found by the game, it costs the loading of every model. */
#ifndef PBKD_GAME_OPTIONS_CHECK_H
#define PBKD_GAME_OPTIONS_CHECK_H

#include "engine/option/option.h"

/* Everything: required paths given, every named file readable, one vocabulary where it is needed, and
 * options_check_values. */
bool options_check(const struct options *o, struct err *e);
/* The part that reads no file: options that do not fit each other. It holds at every moment of a run, so a change is
 * checked by it too. */
bool options_check_values(const struct options *o, struct err *e);
/* Whether a new value of one option fits its own bounds and the others; *o is left alone. */
bool options_check_set(const struct options *o, const char *name, const char *value, struct err *e);
/* Whether the labeller leaves pairs to a person. */
bool options_need_person(const struct options *o);

#endif
