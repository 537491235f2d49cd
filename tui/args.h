/* Command-line arguments of a verb, checked against the verb's own table: the table that parses them is the table that
 * --help and the manual print. Numbers are bounded here, so that a run function sees only values that make sense. */
#ifndef PBKD_TUI_ARGS_H
#define PBKD_TUI_ARGS_H

#include "engine/base/err.h"

enum arg_type { ARG_FLAG, ARG_TEXT, ARG_LIST, ARG_INT, ARG_REAL, ARG_CHOICE };

struct arg_spec {      /* a table of these ends with name NULL */
    const char *name;  /* "--seed", "-o" */
    const char *value; /* what stands for its value in help: "N"; NULL for flags; for ARG_CHOICE "a|b|c" */
    enum arg_type type;
    double min, max;
    const char *fallback; /* value when it is not given; NULL: none; ARG_REQUIRED: it must be given */
    const char *help;
};

/* Told apart by its address; reads as a default does in help. */
extern const char ARG_REQUIRED[];

#define ARGS_MAX 24
#define ARGS_LIST_MAX 64
#define ARGS_POSITIONAL_MAX 32

struct args {
    const struct arg_spec *spec;
    const char *positional[ARGS_POSITIONAL_MAX];
    int n_positional;
    struct {
        bool given;
        const char *text;
        double number;
    } value[ARGS_MAX];
    const char *list[ARGS_LIST_MAX]; /* values of the ARG_LIST argument, in order */
    int n_list;
    bool help; /* --help was among them; nothing else was checked */
};

/* Read argv[0..argc) (after the verb). Options take their value as the next word or after '='; "--" ends options; a
 * word given twice, unknown, without its value or out of bounds is an error, and so is a required one that is missing.
 * Strings are borrowed from argv. */
bool args_parse(struct args *a, const struct arg_spec *spec, int max_positional, int argc, char *const *argv,
                struct err *e);

/* Look-ups by name; the name must be in the table. Numbers and texts fall back to the table's `fallback`. */
bool args_given(const struct args *a, const char *name);
const char *args_text(const struct args *a, const char *name); /* NULL when not given and without fallback */
double args_real(const struct args *a, const char *name);
int args_int(const struct args *a, const char *name);

/* Whole text as a finite number within [min, max] (integral when whole); names `what` in the message. */
bool parse_number(const char *text, bool whole, double min, double max, const char *what, double *out, struct err *e);

#endif
