/* Options: the struct and table generated from options.def, parsing with bounds, and config files. */
#ifndef PBKD_OPTION_OPTION_H
#define PBKD_OPTION_OPTION_H

#include <stddef.h>

#include "engine/base/err.h"

enum option_type { OPTION_INT, OPTION_REAL, OPTION_ENUM, OPTION_TEXT };
enum option_when { OPTION_NOW, OPTION_ITERATION, OPTION_START, OPTION_MACHINE };
enum option_file { OPTION_NO_FILE, OPTION_FILE, OPTION_FILES };

#define OPTION_TEXT_MAX 1024
#define OPTION_LIST_MAX 32 /* items of a list */

/* One field per row of options.def: int, double, int (index of the choice), else char[OPTION_TEXT_MAX]. */
struct options {
#define OPT_INT(field, name, def, lo, hi, when, unit, help) int field;
#define OPT_REAL(field, name, def, lo, hi, when, unit, help) double field;
#define OPT_ENUM(field, name, choices, def, when, help) int field;
#define OPT_PICK(field, name, choices, def, when, help) int field;
#define OPTION(field, when) char field[OPTION_TEXT_MAX];
#include "engine/option/options.def"
};

enum {
#define ALGORITHM(id, ...) ALGORITHM_##id,
#include "engine/option/algorithms.def"
};

/* The choices of OPT_ENUM rows, numbered from 0 within each. */
#define CHOICE(constant, word) constant,
#define OPT_ENUM(field, name, choices, def, when, help) enum { choices };
#include "engine/option/options.def"
#undef CHOICE

/* The place of a row in OPTIONS: OPTION_ID_ and its field. */
enum option_id {
#define OPTION(field, when) OPTION_ID_##field,
#include "engine/option/options.def"
    N_OPTIONS
};

struct option_info {
    const char *name; /* "game.rounds" */
    enum option_type type;
    size_t offset;        /* in struct options */
    double def, min, max; /* def of an enum: its index */
    const char *def_text; /* OPTION_TEXT */
    const char *choices;  /* OPTION_ENUM: "a|b|c"; OPTION_TEXT: NULL, or what a mixture is made of */
    enum option_when when;
    const char *unit, *help;
    enum option_file file; /* OPTION_TEXT: resolved beside the config, checked at the start */
    bool needed;           /* a file without which no run starts */
};
extern const struct option_info OPTIONS[N_OPTIONS];

const struct option_info *option_find(const char *name); /* NULL when unknown */
const char *option_when_text(enum option_when w);        /* "next step", "next iteration", "start only" */
int option_index(const struct option_info *o);
bool option_is_fixed(const struct option_info *o); /* nobody can set it while a run goes on */
/* Every path written out in full, so that it means the same in any folder; false when a file is not there or its path
 * is too long. */
bool options_full_paths(struct options *o, struct err *e);
/* A text that is a list with commas: how many items ("" has none), and item i without blanks around it; false when
 * there is none. */
int option_list_length(const char *list);
bool option_list_item(const char *list, int i, char *out, size_t size);

void options_default(struct options *o);
/* Parse value and store it. Unknown names (with the nearest known one), wrong types and values out of bounds are errors
 * that name the option, what was expected (type, range, choices) and what was found. Nothing is stored on error. */
bool option_set(struct options *o, const char *name, const char *value, struct err *e);
/* "name=value" as --set takes it. */
bool option_set_assignment(struct options *o, const char *assignment, struct err *e);
/* The two halves of NAME=VALUE; *value points into the assignment. */
bool option_split(const char *assignment, char *name, size_t size, const char **value, struct err *e);
/* The value as option_set would read it back ("10", "0.05", "exact", text). Reals print the shortest form that
 * round-trips. */
void option_format(const struct options *o, const struct option_info *info, char *out, size_t size);
double option_number(const struct options *o, const struct option_info *info); /* INT, REAL, ENUM index */

/* Read a JSON config into o (which holds defaults or earlier settings). Keys are option names; an object nests them
 * ({"game": {"rounds": 5}} = "game.rounds"). Unknown key, wrong type and bounds are errors "FILE: "key": ...". Paths
 * (OPTION_FILE, OPTION_FILES) are resolved beside the file. */
bool options_load(struct options *o, const char *path, struct err *e);
/* The options as a flat JSON object text; only_changed leaves out those at their default. Caller frees. */
char *options_to_json(const struct options *o, bool only_changed);
/* Read such a text back (as stored in run.db); `where` starts messages. */
bool options_from_json(struct options *o, const char *json, const char *where, struct err *e);

#endif
