/* Whole runs of the engine on tiny random models, in a folder that the tests of one program share: teacher.gguf and
 * student.gguf of one vocabulary, foreign.gguf of another, prompts.jsonl (80 of them) and recorded.jsonl. Everything
 * here fails the test on error. */
#ifndef PBKD_TESTS_SUPPORT_TINY_RUNS_H
#define PBKD_TESTS_SUPPORT_TINY_RUNS_H

#include "engine/run/session.h"

/* Group setups, for tests of what surrounds a game and of what a game does, and the teardown of both. The models of the
 * first are as model_init leaves them; those of the second have weights three times as large, and so opinions. */
int tiny_folder(void **state);
int tiny_folder_of_games(void **state);
int tiny_remove(void **state);

/* A path in the folder; good until seven more have been asked for. */
const char *tiny_path(const char *name);
void tiny_write(const char *name, const char *text);
/* n lines {"prompt": "what is <first + i> plus <80 - i>?"<fields>} */
void tiny_write_prompts(const char *name, int n, int first, const char *fields);
/* Prompts whose right answer, for prompts.checker=word, is what the student says at a temperature of 0.01: random
 * models are right about nothing else. */
void tiny_write_known(const char *name);
/* The models' (280 tokens) or another, trained on the prompts. */
struct tokenizer *tiny_tokenizer(int n_vocab);

/* Two iterations of a few steps (the two groups' differ a little), changed by "a=b c=d", where FOREIGN, TEACHER,
 * STUDENT, PROMPTS and RECORDED stand for the files. */
struct options tiny_options(const char *assignments);

struct session *tiny_start(const char *name, const struct options *o, bool resume, bool headless);
/* The start is refused with words that hold these; it makes no folder and removes none. */
void tiny_start_fails(const char *name, const struct options *o, bool resume, const char *words);
/* Wait for the end. hash, of the student's weights, may be NULL. */
void tiny_finish(struct session *s, char hash[32]);
/* Set the iterations to one more than is under way, resume, and wait for the end. */
void tiny_finish_next(struct session *s, char hash[32]);
/* Start without a screen and wait for the end. */
void tiny_play(const char *name, const struct options *o, bool resume, char hash[32]);
/* The same, for a run that must fail with words that hold these. */
void tiny_play_fails(const char *name, const struct options *o, const char *words);
/* Start without a screen, in a process that dies by SIGKILL once the run has come to the tick. */
void tiny_kill(const char *name, const struct options *o, int tick);

/* Wait until a snapshot is so, or shows this state; false: the run ended otherwise, stood still for two minutes, or
 * went on for ten. */
bool tiny_wait(struct session *s, bool (*holds)(const struct snapshot *));
bool tiny_wait_state(struct session *s, enum run_state state);
void tiny_send(struct session *s, enum command_kind kind, const char *name, const char *value);
/* Hold a run that was just started before its first micro-step; then go on by single micro-steps until one leaves it
 * so: a busy machine cannot run past it. */
void tiny_pause(struct session *s);
void tiny_step_until(struct session *s, bool (*holds)(const struct snapshot *));
/* The setting is refused with words that hold these. */
void tiny_set_fails(struct session *s, const char *name, const char *value, const char *words);
/* What "tester" says about a pair that was shown. */
struct label_event tiny_event(const struct shown_pair *p, enum decision decision);

/* The first column of the first row from a run's database; NAN when it is NULL. */
double tiny_number(const char *name, const char *sql);
int64_t tiny_count(const char *name, const char *sql); /* the same of integers; -1 without a row */
/* All rows, a line each, columns ended by a space, "-" for NULL; caller frees. */
char *tiny_rows(const char *name, const char *sql);
void tiny_exec(const char *name, const char *sql);
/* For tiny_exec: as if nobody had ever labelled. */
#define TINY_FORGET_LABELS                                                                                             \
    "DROP TRIGGER label_event_no_delete; DELETE FROM label_event; DELETE FROM journal WHERE kind LIKE 'label%';"
/* Means of a metric over the first and the last ten of its values. */
void tiny_first_and_last(const char *name, const char *metric, double *first, double *last);

#endif
