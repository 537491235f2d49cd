/* What helps while a command is typed: see command_hints.h. */
#include "tui/command_hints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/run/snapshot.h"
#include "tui/app_state.h"
#include "tui/commands.h"
#include "tui/keys.h"
#include "tui/option_hint.h"
#include "views/views.h"

/* Call add for each "a|b|c". */
static void add_choices(const char *choices, void (*add)(void *to, const char *candidate), void *to) {
    char *copy = mem_strdup(choices), *rest = NULL;
    for (char *word = strtok_r(copy, "|", &rest); word; word = strtok_r(NULL, "|", &rest)) add(to, word);
    free(copy);
}

static void add_votes(void (*add)(void *to, const char *candidate), void *to) {
    for (int i = 0; i < N_VIEWS; i++)
        for (const struct view_key *k = VIEWS[i]->keys; k->key[0]; k++)
            for (int n = 0; n < VIEW_KEYS_A_ROW && k->key[n]; n++)
                if (view_key_vote(k, k->key[n])) add(to, view_key_vote(k, k->key[n])->word);
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
            if (!option_is_fixed(&OPTIONS[i])) add(to, OPTIONS[i].name);
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
    case WORDS_VOTE:
        if (before == 1) add_votes(add, to);
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

void command_hint(void *ctx, const char *line, char *out, size_t size) {
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
        const struct app *app = ctx;
        option_hint(app ? app->newest : NULL, o, out, size);
    } else if (c && n_fit == 1) {
        char usage[128];
        command_usage(c, usage, sizeof usage);
        snprintf(out, size, "%s: %s", usage, c->help);
    } else {
        size_t len = 0;
        for (int i = 0; i < N_UI_COMMANDS && len + 1 < size; i++)
            if (n_fit && strncmp(UI_COMMANDS[i].name, name, n) == 0)
                len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "  " : "", UI_COMMANDS[i].name);
        if (!n_fit) snprintf(out, size, "no such command");
    }
}
