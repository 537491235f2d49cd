/* Options: the struct and table generated from options.def, parsing with bounds, and config files. */
#ifndef PBKD_OPTION_OPTION_H
#define PBKD_OPTION_OPTION_H

#include <stddef.h>

#include "engine/base/err.h"

enum option_type { OPTION_INT, OPTION_REAL, OPTION_ENUM, OPTION_TEXT };
enum option_when { OPTION_NOW, OPTION_ITERATION, OPTION_START };

#define OPTION_TEXT_MAX 1024
#define OPTION_LIST_MAX 32 /* items of a list */

/* One field per row of options.def: int, double, int (index of the choice), char[OPTION_TEXT_MAX] (OPT_MIX too). */
struct options {
#define OPT_INT(field, name, def, lo, hi, when, unit, help) int field;
#define OPT_REAL(field, name, def, lo, hi, when, unit, help) double field;
#define OPT_ENUM(field, name, choices, def, when, help) int field;
#define OPT_TEXT(field, name, def, when, help) char field[OPTION_TEXT_MAX];
#define OPT_MIX(field, name, choices, def, when, help) char field[OPTION_TEXT_MAX];
#include "engine/option/options.def"
#undef OPT_INT
#undef OPT_REAL
#undef OPT_ENUM
#undef OPT_TEXT
#undef OPT_MIX
};

/* Names for the choices of OPT_ENUM rows, in the order of options.def (a test compares them). */
enum {
#define ALGORITHM(id, ...) ALGORITHM_##id,
#include "engine/option/algorithms.def"
#undef ALGORITHM
};
enum { DATA_ONLINE, DATA_OFFLINE };
enum { BETA_FIXED, BETA_AUTO };
enum { ZETA_FIXED, ZETA_WILKS };
enum { SCOPE_FULL, SCOPE_HEAD };
enum { HELD_OFF, HELD_ON };
enum { DESCENT_EXACT, DESCENT_SAMPLED };
enum { SCHEDULE_RUN, SCHEDULE_ITERATION };
enum { TEMPLATE_AUTO, TEMPLATE_RAW, TEMPLATE_CHATML };
enum { CHECKER_NONE, CHECKER_NUMBER, CHECKER_WORD };
enum { LEVEL_TOKEN, LEVEL_SEQUENCE };
enum { ACCESS_BLACK_BOX, ACCESS_WHITE_BOX };
enum { GATE_STOP, GATE_CONTINUE, GATE_TRAIN };

struct option_info {
    const char *name; /* "game.rounds" */
    enum option_type type;
    size_t offset;        /* in struct options */
    double def, min, max; /* def of an enum: its index */
    const char *def_text; /* OPTION_TEXT */
    const char *choices;  /* OPTION_ENUM: "a|b|c"; OPTION_TEXT: NULL, or what a mixture is made of */
    enum option_when when;
    const char *unit, *help;
};
extern const struct option_info OPTIONS[];
extern const int N_OPTIONS;

const struct option_info *option_find(const char *name); /* NULL when unknown */
const char *option_when_text(enum option_when w);        /* "next step", "next iteration", "start only" */
int option_index(const struct option_info *o);
bool option_is_path(const struct option_info *o); /* names a file: resolved beside the config, checked at the start */

bool option_is_path_list(const struct option_info *o); /* names several, with commas between them */
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
 * (option_is_path) are resolved beside the file. */
bool options_load(struct options *o, const char *path, struct err *e);
/* The options as a flat JSON object text; only_changed leaves out those at their default. Caller frees. */
char *options_to_json(const struct options *o, bool only_changed);
/* Read such a text back (as stored in run.db); `where` starts messages. */
bool options_from_json(struct options *o, const char *json, const char *where, struct err *e);

#endif
