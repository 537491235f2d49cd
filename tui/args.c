/* Argument parsing: see args.h. Written out instead of getopt_long because errors must read like all others of this
 * program and because one table has to drive parsing and help. */
#include "tui/args.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char ARG_REQUIRED[] = "required";

bool parse_number(const char *text, bool whole, double min, double max, const char *what, double *out, struct err *e) {
    char *end;
    errno = 0;
    const double v = strtod(text, &end);
    const char *kind = whole ? "a whole number" : "a number";
    if (end == text || *end != '\0' || !isfinite(v) || (whole && v != floor(v)))
        return err_set(e, "%s must be %s, found \"%s\"", what, kind, text);
    if (v < min || v > max) return err_set(e, "%s must be from %.15g to %.15g, found %s", what, min, max, text);
    *out = v;
    return true;
}

static int find_spec(const struct arg_spec *spec, const char *name, size_t len) {
    for (int i = 0; spec[i].name; i++)
        if (strlen(spec[i].name) == len && memcmp(spec[i].name, name, len) == 0) return i;
    return -1;
}

static bool is_choice(const char *choices, const char *text) {
    const size_t n = strlen(text);
    if (n == 0 || strchr(text, '|')) return false;
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0')) return true;
    return false;
}

static bool store(struct args *a, int i, const char *text, struct err *e) {
    const struct arg_spec *s = &a->spec[i];
    if (s->type == ARG_LIST) {
        if (a->n_list == ARGS_LIST_MAX) return err_set(e, "%s is given more than %d times", s->name, ARGS_LIST_MAX);
        a->list[a->n_list++] = text;
        a->value[i].given = true;
        return true;
    }
    if (a->value[i].given) return err_set(e, "%s is given twice", s->name);
    if (s->type == ARG_CHOICE && !is_choice(s->value, text))
        return err_set(e, "%s must be one of %s, found \"%s\"", s->name, s->value, text);
    if ((s->type == ARG_INT || s->type == ARG_REAL) &&
        !parse_number(text, s->type == ARG_INT, s->min, s->max, s->name, &a->value[i].number, e))
        return false;
    a->value[i].given = true;
    a->value[i].text = text;
    return true;
}

/* One option word at argv[*at]; moves *at past its value. */
static bool take_option(struct args *a, int argc, char *const *argv, int *at, struct err *e) {
    const char *word = argv[*at], *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    const int i = find_spec(a->spec, word, equals ? (size_t)(equals - word) : strlen(word));
    if (i < 0) return err_set(e, "unknown option %s", word);
    if (a->spec[i].type == ARG_FLAG) {
        if (equals) return err_set(e, "%s takes no value", a->spec[i].name);
        a->value[i].given = true;
        return true;
    }
    if (equals) return store(a, i, equals + 1, e);
    if (*at + 1 >= argc) return err_set(e, "%s needs a value: %s", word, a->spec[i].value);
    return store(a, i, argv[++*at], e);
}

bool args_parse(struct args *a, const struct arg_spec *spec, int max_positional, int argc, char *const *argv,
                struct err *e) {
    *a = (struct args){.spec = spec};
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        a->help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    if (a->help) return true;
    bool options = true;
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!take_option(a, argc, argv, &i, e)) return false;
        } else if (a->n_positional == max_positional) {
            return err_set(e, "unexpected argument \"%s\"", argv[i]);
        } else {
            a->positional[a->n_positional++] = argv[i];
        }
    }
    for (int i = 0; spec[i].name; i++)
        if (spec[i].fallback == ARG_REQUIRED && !a->value[i].given) return err_set(e, "%s is missing", spec[i].name);
    return true;
}

static int known(const struct args *a, const char *name) {
    const int i = find_spec(a->spec, name, strlen(name));
    assert(i >= 0);
    return i;
}

bool args_given(const struct args *a, const char *name) { return a->value[known(a, name)].given; }

const char *args_text(const struct args *a, const char *name) {
    const int i = known(a, name);
    return a->value[i].given ? a->value[i].text : a->spec[i].fallback;
}

double args_real(const struct args *a, const char *name) {
    const int i = known(a, name);
    if (a->value[i].given) return a->value[i].number;
    return a->spec[i].fallback ? strtod(a->spec[i].fallback, NULL) : 0.0;
}

int args_int(const struct args *a, const char *name) { return (int)args_real(a, name); }
