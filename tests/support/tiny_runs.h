/* Whole runs of the engine on tiny random models, in a folder that the tests of one program share: teacher.gguf and student.gguf of one vocabulary,
 * foreign.gguf of another, prompts.jsonl (80 of them) and recorded.jsonl. Everything here fails the test on error. */
#ifndef PBKD_TESTS_TINY_RUNS_H
#define PBKD_TESTS_TINY_RUNS_H

#include "engine/run/session.h"

/* Group setup and teardown. */
int tiny_folder(void **state);
int tiny_remove(void **state);
/* A path in the folder; good until three more have been asked for. */
const char *tiny_path(const char *name);

/* Two iterations of a few steps, changed by "a=b c=d", where FOREIGN, TEACHER and PROMPTS stand for the files. */
struct options tiny_options(const char *assignments);
struct session *tiny_start(const char *name, const struct options *o, bool resume, bool headless);
/* Wait for the end; `what` starts the message of a failure. */
void tiny_finish(const char *what, struct session *s, char weights_hash[32]);

/* The first column of the first row from a run's database; NAN when it is NULL. */
double tiny_number(const char *name, const char *sql);
/* Means of a metric over the first and the last ten of its values. */
void tiny_first_and_last(const char *name, const char *metric, double *first, double *last);

#endif
