/* The manual may not drift from the tables in the source. Its tables of options, metrics, keys, commands and verbs
 * stand between `<!-- NAME -->` and `<!-- end -->` and are made here from those tables; the test compares line by line.
 * UPDATE_MANUAL=1 writes them into MANUAL.md instead (`make manual-tables`): change a help text where it stands, never
 * in the manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/game/algorithm.h"
#include "engine/game/phase_order.h"
#include "engine/metric/series.h"
#include "engine/option/option.h"
#include "engine/pref/labeller.h"
#include "tui/commands.h"
#include "tui/keys.h"
#include "tui/verbs.h"
#include "views/view.h"

#define MANUAL "MANUAL.md"

static char *manual;

/* ---- writing table cells ---- */

static void head(struct strbuf *b, const char *names, int columns) {
    strbuf_printf(b, "%s\n|", names);
    for (int i = 0; i < columns; i++) strbuf_puts(b, "---|");
    strbuf_puts(b, "\n");
}

/* A bar would end the cell. */
static void escaped(struct strbuf *b, const char *text) {
    for (; *text; text++) {
        if (*text == '|') strbuf_puts(b, "\\");
        strbuf_add(b, text, 1);
    }
}

static void cell(struct strbuf *b, const char *text) {
    strbuf_puts(b, " ");
    escaped(b, text);
    strbuf_puts(b, " |");
}

static void code(struct strbuf *b, const char *text) {
    strbuf_puts(b, "`");
    escaped(b, text);
    strbuf_puts(b, "`");
}

static void code_cell(struct strbuf *b, const char *text) {
    strbuf_puts(b, " ");
    code(b, text);
    strbuf_puts(b, " |");
}

static void start_row(struct strbuf *b) { strbuf_puts(b, "|"); }

/* ---- the tables ---- */

static void bounds_text(const struct option_info *o, char *out, size_t size) {
    if (o->choices)
        snprintf(out, size, "%s", o->choices);
    else if (o->type == OPTION_TEXT)
        snprintf(out, size, "text");
    else
        snprintf(out, size, "%g to %g%s%s", o->min, o->max, o->unit && o->unit[0] ? " " : "", o->unit ? o->unit : "");
    if (!o->choices) return;
    char *bar;
    while ((bar = strchr(out, '|')) && strlen(out) + 2 < size) {
        memmove(bar + 2, bar + 1, strlen(bar));
        memcpy(bar, ", ", 2);
    }
}

static void options_table(struct strbuf *b) {
    struct options o;
    options_default(&o);
    head(b, "| option | default | bounds | takes effect | meaning |", 5);
    for (int i = 0; i < N_OPTIONS; i++) {
        char value[OPTION_TEXT_MAX], bounds[512];
        option_format(&o, &OPTIONS[i], value, sizeof value);
        bounds_text(&OPTIONS[i], bounds, sizeof bounds);
        start_row(b);
        code_cell(b, OPTIONS[i].name);
        if (value[0])
            code_cell(b, value);
        else
            cell(b, "(empty)");
        cell(b, bounds);
        cell(b, option_when_text(OPTIONS[i].when));
        cell(b, OPTIONS[i].help);
        strbuf_puts(b, "\n");
    }
}

/* The phases of a later iteration, as they follow each other in the game. */
static void phases_cell(struct strbuf *b, const struct options *o) {
    enum { LATER = 2 };
    strbuf_puts(b, " ");
    for (enum run_phase p = phase_first(o, LATER); p != PHASE_CHECKPOINT;
         p = phase_next(o, LATER, p))
        strbuf_printf(b, "%s%s", p == phase_first(o, LATER) ? "" : ", ", run_phase_name(p));
    strbuf_puts(b, " |");
}

static void algorithms_table(struct strbuf *b) {
    const struct option_info *info = option_find("algorithm");
    struct options o;
    options_default(&o);
    head(b, "| algorithm | what trains the student | phases of an iteration |", 3);
    int n = 1;
    for (const char *c = info->choices; *c; c++) n += *c == '|';
    for (o.algorithm = 0; o.algorithm < n; o.algorithm++) {
        char name[64];
        option_format(&o, info, name, sizeof name);
        start_row(b);
        code_cell(b, name);
        cell(b, algorithm_info(&o)->help);
        phases_cell(b, &o);
        strbuf_puts(b, "\n");
    }
}

static void labellers_table(struct strbuf *b) {
    static const struct {
        unsigned bit;
        const char *text;
    } NEEDS[] = {{NEEDS_PERSON, "the workbench"},
                 {NEEDS_CHECKER, "`prompts.checker`"},
                 {NEEDS_SAMPLES, "`samples_per_prompt` of 2 or more"},
                 {NEEDS_FILE, "`label.import`"}};
    head(b, "| labeller | how it labels a new pair | needs |", 3);
    for (int i = 0; i < N_LABELLERS; i++) {
        start_row(b);
        code_cell(b, LABELLERS[i].name);
        cell(b, LABELLERS[i].help);
        const char *needs = "";
        for (size_t k = 0; k < sizeof NEEDS / sizeof NEEDS[0]; k++)
            if (LABELLERS[i].needs & NEEDS[k].bit) needs = NEEDS[k].text;
        cell(b, needs);
        strbuf_puts(b, "\n");
    }
}

static void metrics_table(struct strbuf *b) {
    head(b, "| metric | unit | meaning |", 3);
    for (int i = 0; i < N_SERIES; i++) {
        start_row(b);
        code_cell(b, series_name((enum series_id)i));
        cell(b, series_unit((enum series_id)i));
        cell(b, series_help((enum series_id)i));
        strbuf_puts(b, "\n");
    }
}

static void synopsis(const struct verb *v, char *out, size_t size) {
    snprintf(out, size, "pbkd%s%s%s%s", v->name[0] ? " " : "", v->name, v->arguments[0] ? " " : "", v->arguments);
}

static void verbs_table(struct strbuf *b) {
    head(b, "| command | what it does |", 2);
    for (int i = 0; i < N_VERBS; i++) {
        char text[128];
        synopsis(VERBS[i], text, sizeof text);
        start_row(b);
        code_cell(b, text);
        cell(b, VERBS[i]->help);
        strbuf_puts(b, "\n");
    }
}

static void argument_rows(struct strbuf *b, const struct arg_spec *args) {
    for (const struct arg_spec *s = args; s->name; s++) {
        char option[128];
        snprintf(option, sizeof option, "%s%s%s", s->name, s->value ? " " : "", s->value ? s->value : "");
        start_row(b);
        code_cell(b, option);
        cell(b, s->fallback ? s->fallback : "");
        cell(b, s->help);
        strbuf_puts(b, "\n");
    }
}

static void arguments_tables(struct strbuf *b) {
    for (int i = 0; i < N_VERBS; i++) {
        const struct verb *v = VERBS[i];
        char text[128];
        synopsis(v, text, sizeof text);
        strbuf_printf(b, "%s### `%s`\n\n%s\n", i ? "\n" : "", text, v->details);
        if (!v->args->name) continue;
        strbuf_puts(b, "\n");
        head(b, "| option | default | meaning |", 3);
        argument_rows(b, v->args);
    }
}

static void keys_table(struct strbuf *b) {
    head(b, "| key | what it does | action |", 3);
    for (int i = 0; i < N_KEYS; i++) {
        start_row(b);
        code_cell(b, KEYS[i].label);
        cell(b, KEYS[i].help);
        if (KEYS[i].name)
            code_cell(b, KEYS[i].name);
        else
            cell(b, "");
        strbuf_puts(b, "\n");
    }
}

static void views_tables(struct strbuf *b) {
    for (int i = 0; i < N_VIEWS; i++) {
        const struct view_ops *v = VIEWS[i];
        strbuf_printf(b, "%s### %d %s\n\n%s\n\n", i ? "\n" : "", v->digit, v->title, v->help);
        head(b, "| key | what it does |", 2);
        for (const struct view_key *k = v->keys; k->key; k++) {
            start_row(b);
            code_cell(b, k->label);
            cell(b, k->help);
            strbuf_puts(b, "\n");
        }
    }
}

static void commands_table(struct strbuf *b) {
    head(b, "| command | what it does |", 2);
    for (int i = 0; i < N_UI_COMMANDS; i++) {
        char usage[128];
        snprintf(usage, sizeof usage, ":%s", UI_COMMANDS[i].usage);
        start_row(b);
        code_cell(b, usage);
        cell(b, UI_COMMANDS[i].help);
        strbuf_puts(b, "\n");
    }
}

/* clang-format off */
static const struct table {
    const char *name;
    void (*write)(struct strbuf *b);
} TABLES[] = {
    {"verbs", verbs_table},     {"keys", keys_table},       {"commands", commands_table},    {"views", views_tables},
    {"options", options_table}, {"metrics", metrics_table}, {"arguments", arguments_tables}, {"algorithms", algorithms_table},
    {"labellers", labellers_table},
};
/* clang-format on */
enum { N_TABLES = sizeof TABLES / sizeof TABLES[0] };

/* ---- the manual's side ---- */

/* What stands between a table's marks; fails when they are not there. */
static char *find_table(const char *name, size_t *len) {
    char mark[64];
    snprintf(mark, sizeof mark, "<!-- %s -->\n", name);
    char *start = strstr(manual, mark), *end = start ? strstr(start, "<!-- end -->") : NULL;
    if (!end) fail_msg("%s has no table between %.*s and <!-- end -->", MANUAL, (int)strcspn(mark, "\n"), mark);
    start += strlen(mark);
    *len = (size_t)(end - start);
    return start;
}

static void replace_table(const char *at, size_t len, const struct strbuf *with) {
    struct strbuf b = {0};
    strbuf_add(&b, manual, (size_t)(at - manual));
    strbuf_add(&b, with->s, with->len);
    strbuf_puts(&b, at + len);
    free(manual);
    manual = strbuf_take(&b);
}

static bool lines_are_equal(const char *name, const char *got, size_t len, const char *want) {
    const char *end = got + len;
    while (*want || got < end) {
        const size_t n = strcspn(want, "\n"), m = got < end ? strcspn(got, "\n") : 0;
        if (n != m || memcmp(want, got, n) != 0) {
            print_error("%s, %s, differs (make manual-tables writes it):\n- %.*s\n+ %.*s\n", MANUAL, name, (int)m, got,
                        (int)n, want);
            return false;
        }
        want += n + (want[n] == '\n');
        got += got < end ? m + 1 : 0;
    }
    return true;
}

static void table_is_true(void **state) {
    const struct table *t = *state;
    struct strbuf b = {0};
    size_t len;
    const char *at = find_table(t->name, &len);
    bool equal = true;
    t->write(&b);
    if (getenv("UPDATE_MANUAL"))
        replace_table(at, len, &b);
    else
        equal = lines_are_equal(t->name, at, len, strbuf_str(&b));
    strbuf_free(&b);
    assert_true(equal);
}

static int read_manual(void **state) {
    (void)state;
    size_t len;
    char *text;
    struct err e;
    if (!file_read_all(MANUAL, 1 << 20, &text, &len, &e)) return -1;
    manual = mem_strdup(text);
    mem_free(text);
    return 0;
}

static int end_manual(void **state) {
    (void)state;
    struct err e;
    const bool ok = !getenv("UPDATE_MANUAL") || atomic_write(MANUAL, manual, strlen(manual), &e);
    free(manual);
    return ok ? 0 : -1;
}

int main(void) {
    struct CMUnitTest tests[N_TABLES];
    for (int i = 0; i < N_TABLES; i++)
        tests[i] = (struct CMUnitTest){
            .name = TABLES[i].name, .test_func = table_is_true, .initial_state = (void *)(uintptr_t)&TABLES[i]};
    return _cmocka_run_group_tests("manual", tests, N_TABLES, read_manual, end_manual);
}
