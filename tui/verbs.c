/* The table of verbs and what is generated from it: dispatch and help. The rows are in tui/verbs/, each beside the
 * function that it runs, which gets arguments that the row has checked. */
#include "tui/verbs.h"

#include <stdarg.h>
#include <string.h>

#include "tui/safe_text.h"

#define ROW(id) &verb_##id,
const struct verb *const VERBS[] = {VERB_ROWS(ROW)};
#undef ROW
const int N_VERBS = sizeof VERBS / sizeof VERBS[0];

const struct verb *verb_find(int argc, char *const *argv, int *used) {
    *used = 0;
    if (argc < 2 || argv[1][0] == '-') return VERBS[0];
    for (int i = 1; i < N_VERBS; i++) {
        const char *name = VERBS[i]->name, *space = strchr(name, ' ');
        const size_t first = space ? (size_t)(space - name) : strlen(name);
        if (strlen(argv[1]) != first || memcmp(argv[1], name, first) != 0) continue;
        if (space && (argc < 3 || strcmp(argv[2], space + 1) != 0)) continue;
        *used = space ? 2 : 1;
        return VERBS[i];
    }
    return NULL;
}

/* Paragraph text wrapped at 78 columns with an indent. */
static void print_wrapped(FILE *out, const char *text, int indent) {
    const int width = 78 - indent;
    while (*text) {
        int n = (int)strnlen(text, (size_t)width + 1);
        if (n > width) {
            n = width;
            while (n > 0 && text[n] != ' ') n--;
            if (n == 0) n = width;
        }
        safe_printf(out, "%*s%.*s\n", indent, "", n, text);
        text += n;
        while (*text == ' ') text++;
    }
}

void verb_print_help(const struct verb *v, FILE *out) {
    safe_printf(out, "usage: pbkd%s%s%s%s%s\n\n", v->name[0] ? " " : "", v->name, v->arguments[0] ? " " : "",
                v->arguments, v->args[0].name ? " [OPTIONS]" : "");
    print_wrapped(out, v->help, 0);
    safe_printf(out, "\n");
    print_wrapped(out, v->details, 0);
    if (v->args[0].name) safe_printf(out, "\noptions:\n");
    for (const struct arg_spec *s = v->args; s->name; s++) {
        safe_printf(out, "  %s%s%s\n", s->name, s->value ? " " : "", s->value ? s->value : "");
        char line[400];
        const char *note = s->fallback;
        snprintf(line, sizeof line, "%s%s%s%s", s->help, note ? " (" : "", note ? note : "", note ? ")" : "");
        print_wrapped(out, line, 8);
    }
}

void verbs_print_help(FILE *out) {
    safe_lines(out, "pbkd: a workbench for preference-based knowledge distillation\n\nusage:\n");
    for (int i = 0; i < N_VERBS; i++) {
        char synopsis[80];
        snprintf(synopsis, sizeof synopsis, "pbkd %s%s%s", VERBS[i]->name, VERBS[i]->arguments[0] ? " " : "",
                 VERBS[i]->arguments);
        safe_printf(out, "  %-28s %s\n", synopsis, VERBS[i]->help);
    }
    safe_lines(out, "  pbkd VERB --help             options of a verb\n"
                    "  pbkd --version               version\n\n"
                    "exit status: 0 done, 1 failed, 2 wrong usage, 128 + N ended by signal N\n");
}

/* `pbkd prefs` and `pbkd prefs --help`: the first word of two-word verbs. */
static int print_group_help(int argc, char *const *argv) {
    const size_t n = strlen(argv[1]);
    bool found = false;
    const bool asked = argc >= 3 && strcmp(argv[2], "--help") == 0;
    for (int i = 1; i < N_VERBS; i++) {
        if (strncmp(VERBS[i]->name, argv[1], n) != 0 || VERBS[i]->name[n] != ' ') continue;
        if (found) safe_printf(asked ? stdout : stderr, "\n");
        verb_print_help(VERBS[i], asked ? stdout : stderr);
        found = true;
    }
    if (!found) return verb_usage("", "unknown verb \"%s\"", argv[1]);
    return asked ? EXIT_DONE : EXIT_USAGE;
}

int verbs_main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        safe_printf(stdout, "pbkd " PBKD_VERSION "\n");
        return EXIT_DONE;
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
        verbs_print_help(stdout);
        return EXIT_DONE;
    }
    int used;
    const struct verb *v = verb_find(argc, argv, &used);
    if (!v) return print_group_help(argc, argv);
    struct args a;
    struct err e = {0};
    if (!args_parse(&a, v->args, v->max_positional, argc - 1 - used, argv + 1 + used, &e))
        return verb_usage(v->name, "%s", e.msg);
    if (a.help) {
        verb_print_help(v, stdout);
        return EXIT_DONE;
    }
    return v->run(&a);
}
