/* The command line's verbs, one table: dispatch, --help, VERB --help and the manual's chapter come from it. To add a verb
 * add its row to VERB_ROWS and a file under tui/verbs/ that defines it, flags and all; nothing else knows verbs. */
#ifndef PBKD_TUI_VERBS_H
#define PBKD_TUI_VERBS_H

#include <stdint.h>
#include <stdio.h>

#include "tui/args.h"
#include "tui/exit_codes.h"

#define PBKD_VERSION "0.1.0"

struct verb {
    const char *name;      /* "run", "prefs stats"; "" is `pbkd` without a verb */
    const char *arguments; /* "CONFIG.json" as the synopsis shows it */
    int max_positional;
    const char *help;    /* one line */
    const char *details; /* paragraphs for VERB --help and the manual */
    const struct arg_spec *args;
    int (*run)(const struct args *a); /* returns the exit code; messages are its own */
};

/* In the order of --help; the first is what `pbkd` alone does. Row X(id) is `const struct verb verb_id` in tui/verbs/. */
#define VERB_ROWS(X)                                                                                                   \
    X(workbench)                                                                                                       \
    X(demo)                                                                                                            \
    X(run)                                                                                                             \
    X(pretrain)                                                                                                        \
    X(sft)                                                                                                             \
    X(init_student)                                                                                                    \
    X(generate)                                                                                                        \
    X(info)                                                                                                            \
    X(prefs_stats)                                                                                                     \
    X(prefs_export)                                                                                                    \
    X(export)                                                                                                          \
    X(study)                                                                                                           \
    X(compare)                                                                                                         \
    X(manual)
#define X(id) extern const struct verb verb_##id;
VERB_ROWS(X)
#undef X
extern const struct verb *const VERBS[];
extern const int N_VERBS;

/* The verb that argv[1..] names (the longest match of one or two words), *used gets the number of words; NULL when it
 * names none. */
const struct verb *verb_find(int argc, char *const *argv, int *used);
void verb_print_help(const struct verb *v, FILE *out);
void verbs_print_help(FILE *out);
/* Everything after main's set-up; returns the exit code. */
int verbs_main(int argc, char **argv);

/* Flags that several verbs have, as rows of their tables. */
/* clang-format off */
#define SET_ARG {"--set", "NAME=VALUE", ARG_LIST, 0, 0, NULL, \
                 "set an option; may be repeated (`pbkd manual` lists them)"}
#define SEED_ARG(text) {"--seed", "N", ARG_INT, 0, 2147483647, NULL, text}
#define THREADS_ARG {"--threads", "N", ARG_INT, 0, 64, "0", "computing threads, 0 = one per processor"}
#define TYPE_ARG {"--type", "f32|f16|bf16|q8_0", ARG_CHOICE, 0, 0, "f32", "how matrices are stored in the output"}
#define ASCII_ARG {"--ascii", NULL, ARG_FLAG, 0, 0, NULL, "draw with ASCII characters only"}
#define JSON_ARG {"--json", NULL, ARG_FLAG, 0, 0, NULL, "one JSON object instead of text"}
/* clang-format on */

/* The value of TYPE_ARG, as enum quant_type. */
uint32_t verb_save_type(const struct args *a);

#endif
