/* Options: the table and its default values come out of options.def, everything else here is driven by the table.
 * Values are parsed strictly (no hexadecimal, no "inf", no trailing text), because a setting that is silently read as
 * something else costs hours of training; and every message says the name, what was expected and what was found.
 *
 * Numbers are read and written with the C library's own functions: the program keeps LC_NUMERIC at "C". */
#include "engine/option/option.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "engine/base/strbuf.h"
#include "engine/option/mix.h"

static const char ALGORITHM_NAMES[] =
#define ALGORITHM(id, name, ...) "|" name
#include "engine/option/algorithms.def"
    ;
#define ALGORITHM_CHOICES (ALGORITHM_NAMES + 1)

static const char LABELLER_NAMES[] =
#define LABELLER(id, name, ...) "|" name
#include "engine/option/labellers.def"
    ;
#define LABELLER_CHOICES (LABELLER_NAMES + 1)

/* The bounds of an enum are the number of its choices, which are counted where they are needed. */
const struct option_info OPTIONS[N_OPTIONS] = {
#define OPTION_NOW_THEN(effect) OPTION_NOW
#define CHOICE(constant, word) "|" word
#define NUMBER(field, name, type, def, lo, hi, when, unit, help)                                                       \
    {name,           type, offsetof(struct options, field), def, lo, hi, NULL, NULL, OPTION_##when, unit, help,        \
     OPTION_NO_FILE, false},
#define TEXT(field, name, def, choices, when, help, file, needed)                                                      \
    {name, OPTION_TEXT, offsetof(struct options, field), 0, 0, 0, def, choices, OPTION_##when, "", help, file, needed},
#define NEEDED true
#define IF_SET false
#define OPT_INT(field, name, def, lo, hi, when, unit, help)                                                            \
    NUMBER(field, name, OPTION_INT, def, lo, hi, when, unit, help)
#define OPT_REAL(field, name, def, lo, hi, when, unit, help)                                                           \
    NUMBER(field, name, OPTION_REAL, def, lo, hi, when, unit, help)
#define PICK(field, name, choices, def, when, help)                                                                    \
    {name,           OPTION_ENUM, offsetof(struct options, field), def, 0, 0, NULL, choices, OPTION_##when, "", help,  \
     OPTION_NO_FILE, false},
#define OPT_ENUM(field, name, choices, def, when, help) PICK(field, name, &("" choices)[1], def, when, help)
#define OPT_PICK(field, name, choices, def, when, help) PICK(field, name, choices, def, when, help)
#define OPT_TEXT(field, name, def, when, help) TEXT(field, name, def, NULL, when, help, OPTION_NO_FILE, false)
#define OPT_MIX(field, name, choices, def, when, help)                                                                 \
    TEXT(field, name, def, choices, when, help, OPTION_NO_FILE, false)
#define OPT_FILE(field, name, need, when, help) TEXT(field, name, "", NULL, when, help, OPTION_FILE, need)
#define OPT_FILES(field, name, need, when, help) TEXT(field, name, "", NULL, when, help, OPTION_FILES, need)
#include "engine/option/options.def"
};

const struct option_info *option_find(const char *name) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (strcmp(OPTIONS[i].name, name) == 0) return &OPTIONS[i];
    return NULL;
}

int option_index(const struct option_info *o) { return (int)(o - OPTIONS); }

const char *option_when_text(enum option_when w) {
    static const char *const TEXT[] = {[OPTION_NOW] = "next step",
                                       [OPTION_ITERATION] = "next iteration",
                                       [OPTION_START] = "start only",
                                       [OPTION_MACHINE] = "start only"};
    return TEXT[w];
}

bool option_is_fixed(const struct option_info *o) { return o->when == OPTION_START || o->when == OPTION_MACHINE; }

static int *int_at(struct options *o, const struct option_info *info) {
    return (int *)(void *)((char *)o + info->offset);
}
static double *real_at(struct options *o, const struct option_info *info) {
    return (double *)(void *)((char *)o + info->offset);
}
static char *text_at(struct options *o, const struct option_info *info) { return (char *)o + info->offset; }

void options_default(struct options *o) {
    memset(o, 0, sizeof *o); /* also the padding: two equal sets of options compare and hash equal */
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option_info *info = &OPTIONS[i];
        switch (info->type) {
        case OPTION_INT:
        case OPTION_ENUM: *int_at(o, info) = (int)info->def; break;
        case OPTION_REAL: *real_at(o, info) = info->def; break;
        case OPTION_TEXT: snprintf(text_at(o, info), OPTION_TEXT_MAX, "%s", info->def_text); break;
        }
    }
}

/* ---- "did you mean" ---- */

/* Edit distance with transpositions of neighbours as one edit; both at most 63 bytes, else "far". */
static int edit_distance(const char *a, const char *b) {
    enum { MAX = 63, FAR = 1000 };
    const size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX) return FAR;
    int d[MAX + 1][MAX + 1];
    for (size_t i = 0; i <= n; i++) d[i][0] = (int)i;
    for (size_t j = 0; j <= m; j++) d[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

static bool near_enough(int distance, const char *given) { return distance <= 1 + (int)strlen(given) / 4; }

/* The known name that was probably meant: "rounds" for "game.rounds", or the one with the fewest typing errors. */
static const char *nearest_option(const char *given) {
    const char *best = NULL;
    int best_distance = 0;
    const size_t n = strlen(given);
    for (int i = 0; i < N_OPTIONS; i++) {
        const char *name = OPTIONS[i].name;
        const size_t m = strlen(name);
        const bool last_part = n > 0 && m > n && name[m - n - 1] == '.' && strcmp(name + m - n, given) == 0;
        const int distance = last_part ? 0 : edit_distance(given, name);
        if (!best || distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return near_enough(best_distance, given) ? best : NULL;
}

static bool fail_unknown(const char *name, struct err *e) {
    const char *near = nearest_option(name);
    if (near) return err_set(e, "unknown option \"%.80s\" (did you mean \"%s\"?)", name, near);
    return err_set(e, "unknown option \"%.80s\"", name);
}

/* ---- values ---- */

/* The index of the choice in "a|b|c", or -1. */
static int find_choice(const char *choices, const char *value) {
    const size_t n = strlen(value);
    int index = 0;
    for (const char *c = choices;; index++) {
        const size_t len = strcspn(c, "|");
        if (len == n && memcmp(c, value, n) == 0) return index;
        if (!c[len]) return -1;
        c += len + 1;
    }
}

static bool fail_choice(const struct option_info *info, const char *value, struct err *e) {
    struct strbuf list = {0};
    for (const char *c = info->choices; *c; c++) {
        if (*c == '|')
            strbuf_puts(&list, ", ");
        else
            strbuf_putc(&list, *c);
    }
    err_set(e, "%s: must be one of %s, found \"%.80s\"", info->name, strbuf_str(&list), value);
    strbuf_free(&list);
    return false;
}

static bool parse_number(const struct option_info *info, const char *value, double *out, struct err *e) {
    const char *kind = info->type == OPTION_INT ? "a whole number" : "a number";
    char *end = NULL;
    errno = 0;
    const double v = strtod(value, &end);
    if (!*value || *end || value[strspn(value, "0123456789+-.eE")])
        return err_set(e, "%s: must be %s, found \"%.80s\"", info->name, kind, value);
    if (info->type == OPTION_INT && isfinite(v) && floor(v) != v)
        return err_set(e, "%s: must be a whole number, found %.80s", info->name, value);
    if (!(v >= info->min && v <= info->max)) {
        if (info->type == OPTION_INT)
            return err_set(e, "%s: must be between %.0f and %.0f, found %.80s", info->name, info->min, info->max,
                           value);
        return err_set(e, "%s: must be between %g and %g, found %.80s", info->name, info->min, info->max, value);
    }
    *out = v + 0.0; /* -0 becomes 0 */
    return true;
}

/* Texts end up in JSON, in SQLite and on the screen: they must be UTF-8. */
static bool check_text(const struct option_info *info, const char *value, struct err *e) {
    const size_t n = strlen(value);
    if (n >= OPTION_TEXT_MAX)
        return err_set(e, "%s: at most %d bytes are accepted, found %zu", info->name, OPTION_TEXT_MAX - 1, n);
    const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)value;
    for (size_t i = 0; i < n;) {
        utf8proc_int32_t cp;
        const utf8proc_ssize_t k = utf8proc_iterate(s + i, (utf8proc_ssize_t)(n - i), &cp);
        if (k <= 0) return err_set(e, "%s: must be UTF-8, found byte %02X at position %zu", info->name, s[i], i);
        i += (size_t)k;
    }
    return true;
}

static bool check_mix(const struct option_info *info, const char *value, struct err *e) {
    double share[OPTION_LIST_MAX];
    return !info->choices || mix_parse(info->choices, value, share, mix_n_choices(info->choices), e) ||
           err_wrap(e, "%s", info->name);
}

bool option_set(struct options *o, const char *name, const char *value, struct err *e) {
    const struct option_info *info = option_find(name);
    if (!info) return fail_unknown(name, e);
    double number = 0.0;
    switch (info->type) {
    case OPTION_INT:
    case OPTION_REAL:
        if (!parse_number(info, value, &number, e)) return false;
        if (info->type == OPTION_INT)
            *int_at(o, info) = (int)number;
        else
            *real_at(o, info) = number;
        return true;
    case OPTION_ENUM: {
        const int index = find_choice(info->choices, value);
        if (index < 0) return fail_choice(info, value, e);
        *int_at(o, info) = index;
        return true;
    }
    case OPTION_TEXT: break;
    }
    if (!check_text(info, value, e) || !check_mix(info, value, e)) return false;
    const size_t n = strlen(value);
    memmove(text_at(o, info), value, n);
    memset(text_at(o, info) + n, 0, OPTION_TEXT_MAX - n); /* no remains of a longer text: equal settings, equal bytes */
    return true;
}

bool option_split(const char *assignment, char *name, size_t size, const char **value, struct err *e) {
    const char *equals = strchr(assignment, '=');
    const size_t n = equals ? (size_t)(equals - assignment) : 0;
    if (n == 0 || n >= size) return err_set(e, "\"%.80s\": must be NAME=VALUE", assignment);
    memcpy(name, assignment, n);
    name[n] = '\0';
    *value = equals + 1;
    return true;
}

bool option_set_assignment(struct options *o, const char *assignment, struct err *e) {
    char name[128];
    const char *value = NULL;
    return option_split(assignment, name, sizeof name, &value, e) && option_set(o, name, value, e);
}

/* The shortest decimal form that reads back as the same double. */
static void format_real(double v, char *out, size_t size) {
    for (int digits = 6; digits <= 17; digits++) { /* %g drops trailing zeros; fewer digits would give 1e+01 for 10 */
        snprintf(out, size, "%.*g", digits, v);
        if (strtod(out, NULL) == v) return;
    }
}

static void format_choice(const char *choices, int index, char *out, size_t size) {
    for (const char *c = choices;; index--) {
        const size_t len = strcspn(c, "|");
        if (index <= 0 || !c[len]) {
            snprintf(out, size, "%.*s", (int)len, c);
            return;
        }
        c += len + 1;
    }
}

void option_format(const struct options *o, const struct option_info *info, char *out, size_t size) {
    struct options *at = (struct options *)(void *)o; /* only read */
    switch (info->type) {
    case OPTION_INT: snprintf(out, size, "%d", *int_at(at, info)); break;
    case OPTION_REAL: format_real(*real_at(at, info), out, size); break;
    case OPTION_ENUM: format_choice(info->choices, *int_at(at, info), out, size); break;
    case OPTION_TEXT: snprintf(out, size, "%s", text_at(at, info)); break;
    }
}

double option_number(const struct options *o, const struct option_info *info) {
    struct options *at = (struct options *)(void *)o; /* only read */
    return info->type == OPTION_TEXT ? 0.0 : info->type == OPTION_REAL ? *real_at(at, info) : (double)*int_at(at, info);
}
