/* Studies in a folder of their own under /tmp, with a shell script in the place of the program: what it answers follows
 * from seed and options, files beside it make it fail, and every call of it is noted. */
#ifndef PBKD_TESTS_SUPPORT_STUDY_FIXTURE_H
#define PBKD_TESTS_SUPPORT_STUDY_FIXTURE_H

#include "engine/eval/study.h"

/* cmocka's group set-up and tear-down, and the set-up of a test: no calls yet, nothing fails. */
int fake_set_up(void **state);
int fake_tear_down(void **state);
int fake_forget(void **state);

/* A path in the folder, good for eight calls; and a file there, written whole. */
char *fake_path(const char *name);
void fake_file(const char *name, const char *text);

extern const char *fake_variants; /* --variants of the next plans; NULL: all */
/* A study of config.json on the script, two jobs at once. set: "NAME=VALUE" or NULL. Free with study_free. */
struct study *fake_try_plan(const char *kind, const char *out, int seeds, const char *set, struct err *e);
struct study *fake_plan(const char *kind, const char *out, int seeds, const char *set);
void fake_plan_fails(const char *kind, const char *out, const char *set, const char *message);
void fake_run(struct study *s);

/* What the script was called with, all calls; free with mem_free. NULL: never called. And how many they were. */
char *fake_calls(void);
int fake_n_calls(void);
int count_text(const char *text, const char *what);

#endif
