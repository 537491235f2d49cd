/* What helps while a command is typed: completion and the hint line, both from the tables of commands, options and
 * views. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/run/snapshot.h"
#include "tui/commands.h"
#include "tui/keys.h"
#include "views/view.h"

/* Call add for each "a|b|c". */
static void add_choices(const char *choices, void (*add)(void *to, const char *candidate), void *to) {
    char *copy = mem_strdup(choices), *rest = NULL;
    for (char *word = strtok_r(copy, "|", &rest); word; word = strtok_r(NULL, "|", &rest)) add(to, word);
    free(copy);
}

static int words_before(const char *line, int start) {
    int n = 0;
    for (int i = 0; i < start; i++) n += line[i] != ' ' && (i == 0 || line[i - 1] == ' ');
    return n;
}

/* The option named by the line's second word, NULL when there is none. */
static const struct option_info *second_word_option(const char *line) {
    const char *name = line + strspn(line, " ");
    name += strcspn(name, " ");
    name += strspn(name, " ");
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(strcspn(name, " =?") < 63 ? strcspn(name, " =?") : 63), name);
    return option_find(text);
}

static void add_option_words(const char *line, int before, void (*add)(void *to, const char *candidate), void *to) {
    if (before == 1)
        for (int i = 0; i < N_OPTIONS; i++)
            if (OPTIONS[i].when != OPTION_START) add(to, OPTIONS[i].name);
    const struct option_info *o = before == 2 ? second_word_option(line) : NULL;
    if (o && o->choices) add_choices(o->choices, add, to);
}

bool command_complete(void *ctx, const char *line, int start, const char *word,
                      void (*add)(void *to, const char *candidate), void *to) {
    (void)ctx;
    (void)word;
    const int before = words_before(line, start);
    if (before == 0) {
        for (int i = 0; i < N_UI_COMMANDS; i++) add(to, UI_COMMANDS[i].name);
        return false;
    }
    int n_fit;
    const char *name = line + strspn(line, " ");
    const struct ui_command *c = command_find(name, strcspn(name, " "), &n_fit);
    if (n_fit != 1) return false;
    switch (c->words) {
    case WORDS_NONE: break;
    case WORDS_OPTION: add_option_words(line, before, add, to); break;
    case WORDS_CHOICE:
        if (before == 1) add_choices(c->choices, add, to);
        break;
    case WORDS_VIEW:
        for (int i = 0; before == 1 && i < N_VIEWS; i++) add(to, VIEWS[i]->name);
        break;
    case WORDS_COMMAND:
        for (int i = 0; before == 1 && i < N_UI_COMMANDS; i++) add(to, UI_COMMANDS[i].name);
        break;
    case WORDS_FILE: return before == 1;
    case WORDS_ACTION:
        for (int i = 0; before == 2 && i < N_KEYS; i++)
            if (KEYS[i].name) add(to, KEYS[i].name);
        if (before == 2) add_choices("none|default", add, to);
        break;
    case WORDS_FORMAT_FILE:
        if (before == 1) add_choices(c->choices, add, to);
        return before == 2;
    }
    return false;
}

/* "beta 10 (default 10, 0 .. 1e+06), next step, set by a person: weight of ..." */
static void option_hint(const struct snapshot *s, const struct option_info *o, char *out, size_t size) {
    char now[200] = "-", start[200] = "-", range[120] = "", def[160] = "";
    struct options *defaults = mem_small(sizeof *defaults);
    options_default(defaults);
    option_format(defaults, o, def, sizeof def);
    free(defaults);
    if (s) option_format(&s->options, o, now, sizeof now);
    if (s) option_format(&s->options_start, o, start, sizeof start);
    if (o->choices)
        snprintf(range, sizeof range, ", %s", o->choices);
    else if (o->type != OPTION_TEXT)
        snprintf(range, sizeof range, ", %.6g .. %.6g", o->min, o->max);
    const char *source = !s || strcmp(now, def) == 0 ? ""
                         : strcmp(now, start) != 0   ? ", changed in this run"
                                                     : ", from the configuration";
    snprintf(out, size, "%s %s%s%s (default %s%s)%s; %s: %s", o->name, now, o->unit && o->unit[0] ? " " : "",
             o->unit ? o->unit : "", def, range, source, option_when_text(o->when), o->help);
}

void command_hint(const struct snapshot *s, const char *line, char *out, size_t size) {
    const char *name = line + strspn(line, " ");
    const size_t n = strcspn(name, " ");
    out[0] = '\0';
    if (n == 0) {
        snprintf(out, size, "Tab completes, Up recalls, Esc cancels");
        return;
    }
    int n_fit;
    const struct ui_command *c = command_find(name, n, &n_fit);
    const struct option_info *o = c && n_fit == 1 && c->words == WORDS_OPTION ? second_word_option(line) : NULL;
    if (o) {
        option_hint(s, o, out, size);
    } else if (n_fit == 1) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one command fits, so it was found */
        snprintf(out, size, "%s: %s", c->usage, c->help);
    } else {
        size_t len = 0;
        for (int i = 0; i < N_UI_COMMANDS && len + 1 < size; i++)
            if (n_fit && strncmp(UI_COMMANDS[i].name, name, n) == 0)
                len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "  " : "", UI_COMMANDS[i].name);
        if (!n_fit) snprintf(out, size, "no such command");
    }
}
