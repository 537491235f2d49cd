/* The command line's verbs, one table: dispatch, --help, VERB --help and the manual's chapter come from it. */
#ifndef PBKD_TUI_VERBS_H
#define PBKD_TUI_VERBS_H

#include <stdint.h>
#include <stdio.h>

#include "tui/args.h"

#define PBKD_VERSION "0.1.0"

/* Exit codes; a signal gives 128 + its number. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct verb {
    const char *name;      /* "run", "prefs stats"; "" is `pbkd` without a verb */
    const char *arguments; /* "CONFIG.json" as the synopsis shows it */
    int max_positional;
    const char *help;    /* one line */
    const char *details; /* paragraphs for VERB --help and the manual */
    const struct arg_spec *args;
    int (*run)(const struct args *a); /* returns the exit code; messages are its own */
};
extern const struct verb VERBS[];
extern const int N_VERBS;

/* The verb that argv[1..] names (the longest match of one or two words), *used gets the number of words; NULL when it
 * names none. */
const struct verb *verb_find(int argc, char *const *argv, int *used);
void verb_print_help(const struct verb *v, FILE *out);
void verbs_print_help(FILE *out);
/* Everything after main's set-up; returns the exit code. */
int verbs_main(int argc, char **argv);

/* `pbkd: message` on standard error; returns the code, so that a verb can `return verb_fail(...)`. */
int verb_fail(const struct err *e);
int verb_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The value of --type, as enum quant_type. */
uint32_t verb_save_type(const struct args *a);

/* tui/verbs: the run functions. */
int verb_workbench(const struct args *a);
int verb_demo(const struct args *a);
int verb_run(const struct args *a);
int verb_pretrain(const struct args *a);
int verb_sft(const struct args *a);
int verb_init_student(const struct args *a);
int verb_generate(const struct args *a);
int verb_info(const struct args *a);
int verb_prefs_stats(const struct args *a);
int verb_prefs_export(const struct args *a);
int verb_export(const struct args *a);
int verb_study(const struct args *a);
int verb_compare(const struct args *a);

#endif
