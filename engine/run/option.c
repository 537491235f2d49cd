/* The option table and its parsing: see option.h. Every fact about an option stands in options.def once. */
#include "engine/run/option.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW OPTION_NOW
#define ITERATION OPTION_ITERATION
#define START OPTION_START
const struct option_info OPTIONS[] = {
#define OPT_INT(field, name, def, lo, hi, when, unit, help) \
    {name, OPTION_INT, offsetof(struct options, field), def, lo, hi, NULL, NULL, when, unit, help},
#define OPT_REAL(field, name, def, lo, hi, when, unit, help) \
    {name, OPTION_REAL, offsetof(struct options, field), def, lo, hi, NULL, NULL, when, unit, help},
#define OPT_ENUM(field, name, choices, def, when, help) \
    {name, OPTION_ENUM, offsetof(struct options, field), def, 0, 0, NULL, choices, when, "", help},
#define OPT_TEXT(field, name, def, when, help) {name, OPTION_TEXT, offsetof(struct options, field), 0, 0, 0, def, NULL, when, "", help},
#include "engine/run/options.def"
};
const int N_OPTIONS = sizeof OPTIONS / sizeof *OPTIONS;

const struct option_info *option_find(const char *name) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (strcmp(OPTIONS[i].name, name) == 0) return &OPTIONS[i];
    return NULL;
}

int option_index(const struct option_info *o) { return (int)(o - OPTIONS); }

const char *option_when_text(enum option_when w) {
    static const char *const TEXT[] = {"next step", "next iteration", "start only"};
    return TEXT[w];
}

static void *field(struct options *o, const struct option_info *i) { return (char *)o + i->offset; }
static const void *field_const(const struct options *o, const struct option_info *i) { return (const char *)o + i->offset; }

void options_default(struct options *o) {
    memset(o, 0, sizeof *o);
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option_info *info = &OPTIONS[i];
        if (info->type == OPTION_REAL) *(double *)field(o, info) = info->def;
        else if (info->type == OPTION_TEXT) snprintf(field(o, info), OPTION_TEXT_MAX, "%s", info->def_text);
        else *(int *)field(o, info) = (int)info->def;
    }
}

/* Edit distance, for "did you mean"; names are short. */
static int distance(const char *a, const char *b) {
    int row[80];
    const int n = (int)strlen(b);
    if (n >= 79) return 1000;
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int up = row[j];
            int best = diagonal + (a[i - 1] != b[j - 1]);
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
            diagonal = up;
        }
    }
    return row[n];
}

static bool unknown(const char *name, struct err *e) {
    const struct option_info *best = NULL;
    int least = 4;
    for (int i = 0; i < N_OPTIONS; i++) {
        const int d = distance(name, OPTIONS[i].name);
        if (d < least) least = d, best = &OPTIONS[i];
    }
    return best ? err_set(e, "unknown option \"%s\" (did you mean \"%s\"?)", name, best->name) : err_set(e, "unknown option \"%s\"", name);
}

static bool set_number(struct options *o, const struct option_info *info, const char *value, struct err *e) {
    char *end;
    errno = 0;
    const double v = strtod(value, &end);
    const bool whole = info->type == OPTION_INT;
    if (end == value || *end || !isfinite(v) || (whole && v != floor(v)))
        return err_set(e, "%s: expected %s, found \"%s\"", info->name, whole ? "an integer" : "a finite number", value);
    if (v < info->min || v > info->max)
        return err_set(e, "%s: must be between %.10g and %.10g, found %s", info->name, info->min, info->max, value);
    if (whole) *(int *)field(o, info) = (int)v;
    else *(double *)field(o, info) = v;
    return true;
}

static bool set_choice(struct options *o, const struct option_info *info, const char *value, struct err *e) {
    const size_t n = strlen(value);
    int index = 0;
    for (const char *p = info->choices; p; index++) {
        const char *bar = strchr(p, '|');
        const size_t len = bar ? (size_t)(bar - p) : strlen(p);
        if (len == n && n > 0 && memcmp(p, value, n) == 0) {
            *(int *)field(o, info) = index;
            return true;
        }
        p = bar ? bar + 1 : NULL;
    }
    return err_set(e, "%s: expected one of %s, found \"%s\"", info->name, info->choices, value);
}

bool option_set(struct options *o, const char *name, const char *value, struct err *e) {
    const struct option_info *info = option_find(name);
    if (!info) return unknown(name, e);
    if (info->type == OPTION_ENUM) return set_choice(o, info, value, e);
    if (info->type != OPTION_TEXT) return set_number(o, info, value, e);
    if (strlen(value) >= OPTION_TEXT_MAX) return err_set(e, "%s: longer than %d bytes", name, OPTION_TEXT_MAX - 1);
    snprintf(field(o, info), OPTION_TEXT_MAX, "%s", value);
    return true;
}

bool option_set_assignment(struct options *o, const char *assignment, struct err *e) {
    const char *equals = strchr(assignment, '=');
    char name[80];
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof name)
        return err_set(e, "expected name=value, found \"%s\"", assignment);
    snprintf(name, sizeof name, "%.*s", (int)(equals - assignment), assignment);
    return option_set(o, name, equals + 1, e);
}

static void format_real(double v, char *out, size_t size) {
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, v);
        if (strtod(out, NULL) == v) return;
    }
}

void option_format(const struct options *o, const struct option_info *info, char *out, size_t size) {
    const void *f = field_const(o, info);
    if (info->type == OPTION_INT) snprintf(out, size, "%d", *(const int *)f);
    else if (info->type == OPTION_REAL) format_real(*(const double *)f, out, size);
    else if (info->type == OPTION_TEXT) snprintf(out, size, "%s", (const char *)f);
    else {
        const char *p = info->choices;
        for (int i = *(const int *)f; i > 0 && p; i--) p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL;
        snprintf(out, size, "%.*s", p ? (int)strcspn(p, "|") : 0, p ? p : "");
    }
}

double option_number(const struct options *o, const struct option_info *info) {
    const void *f = field_const(o, info);
    if (info->type == OPTION_REAL) return *(const double *)f;
    return info->type == OPTION_TEXT ? 0 : *(const int *)f;
}

bool options_check(const struct options *o, struct err *e) {
    const struct {
        const char *name, *value;
    } required[] = {{"teacher.model", o->teacher_model}, {"student.model", o->student_model}, {"prompts.train", o->prompts_train}};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++)
        if (!required[i].value[0]) return err_set(e, "%s: must be set", required[i].name);
    if (o->temperature != 1.0 && o->game_descent == DESCENT_SAMPLED)
        return err_set(e, "temperature: must be 1 with game.descent sampled (samples are scored at temperature 1), found %g", o->temperature);
    if (o->game_descent == DESCENT_EXACT && o->reward_level == LEVEL_SEQUENCE)
        return err_set(e, "game.descent: exact needs reward.level token; use sampled with sequence");
    if (o->game_descent == DESCENT_SAMPLED && o->samples_per_prompt < 2)
        return err_set(e, "samples_per_prompt: must be at least 2 with game.descent sampled (leave-one-out), found %d", o->samples_per_prompt);
    return true;
}
