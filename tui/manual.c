/* The chapters of the reference: see manual.h. */
#include "tui/manual.h"

#include <stdio.h>
#include <string.h>

#include "engine/eval/study.h"
#include "engine/game/algorithm.h"
#include "engine/game/phase_order.h"
#include "engine/metric/metric.h"
#include "engine/option/option.h"
#include "engine/pref/labeller.h"
#include "engine/signature/signature.h"
#include "tui/commands.h"
#include "tui/keys.h"
#include "tui/manual_facts.h"
#include "tui/verbs.h"
#include "views/views.h"

void manual_wrap(struct strbuf *b, const char *text, int columns) {
    int at = 0;
    while (*text) {
        const size_t n = strcspn(text, " \n");
        int cells = 0;
        for (size_t i = 0; i < n; i++) cells += ((unsigned char)text[i] & 0xC0) != 0x80;
        if (at > 0 && at + 1 + cells > columns) {
            strbuf_putc(b, '\n');
            at = 0;
        }
        if (at > 0) strbuf_putc(b, ' ');
        strbuf_add(b, text, n);
        at += cells + (at > 0);
        text += n;
        text += strspn(text, " \n");
    }
    strbuf_putc(b, '\n');
}

/* ---- verbs ---- */

static void synopsis(const struct verb *v, const char *quote, char *out, size_t size) {
    snprintf(out, size, "%spbkd%s%s%s%s%s", quote, v->name[0] ? " " : "", v->name, v->arguments[0] ? " " : "",
             v->arguments, quote);
}

static void flags(const struct manual_format *f, struct strbuf *b, const struct arg_spec *args) {
    static const struct manual_table t = {3, {{"flag", true}, {"default", false}, {"meaning", false}}, 2};
    if (!args->name) return;
    f->table(b, &t);
    for (const struct arg_spec *s = args; s->name; s++) {
        char flag[128], meaning[400];
        snprintf(flag, sizeof flag, "%s%s%s", s->name, s->value ? " " : "", s->value ? s->value : "");
        const bool required = s->fallback == ARG_REQUIRED;
        snprintf(meaning, sizeof meaning, "%s%s", s->help, required ? " (required)" : "");
        f->row(b, &t, (const char *const[]){flag, s->fallback && !required ? s->fallback : "", meaning});
    }
    f->end(b);
}

static void verbs(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {2, {{"command", true}, {"what it does", false}}, 1};
    f->heading(b, 1, "Verbs");
    f->paragraph(b, "`pbkd --help` lists the verbs, `pbkd VERB --help` shows the flags of one, `pbkd --version` the "
                    "version. A flag takes its value as the next word or after `=`; `--` ends the flags.");
    f->table(b, &t);
    for (int i = 0; i < N_VERBS; i++) {
        char text[128];
        synopsis(VERBS[i], "", text, sizeof text);
        f->row(b, &t, (const char *const[]){text, VERBS[i]->help});
    }
    f->end(b);
    for (int i = 0; i < N_VERBS; i++) {
        char text[128];
        synopsis(VERBS[i], "`", text, sizeof text);
        f->heading(b, 2, text);
        f->paragraph(b, VERBS[i]->details);
        flags(f, b, VERBS[i]->args);
    }
}

static void studies(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {
        3, {{"kind", true}, {"what it varies or asks", false}, {"variants", false}}, 1};
    f->heading(b, 1, "Studies");
    f->paragraph(b, "The kinds of `pbkd study`, with the variants that `--variants` chooses from.");
    f->table(b, &t);
    for (int i = 0; i < N_STUDY_KINDS; i++) {
        struct strbuf names = {0};
        for (const struct study_variant *v = STUDIES[i].variant; v->label; v++)
            strbuf_printf(&names, "%s%s", names.len ? ", " : "", v->label);
        f->row(b, &t, (const char *const[]){STUDIES[i].name, STUDIES[i].help, strbuf_str(&names)});
        strbuf_free(&names);
    }
    f->end(b);
}

/* ---- the workbench ---- */

static void keys(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {3, {{"key", true}, {"what it does", false}, {"action", true}}, 1};
    f->heading(b, 1, "Keys in every view");
    f->paragraph(b, "A view's own keys come first. `:bind KEY ACTION` lets another key do one of these, where KEY is a "
                    "character, `^X`, `F1` to `F12`, `Tab`, `PgUp` and so on. Movement is the same everywhere: `j` `k` "
                    "and arrows by line, `g` `G` to the ends, `^D` `^U` by half pages, PgDn PgUp by pages.");
    f->table(b, &t);
    for (int i = 0; i < N_KEYS; i++)
        f->row(b, &t, (const char *const[]){KEYS[i].label, KEYS[i].help, KEYS[i].name ? KEYS[i].name : ""});
    f->end(b);
}

static void views(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {2, {{"key", true}, {"what it does", false}}, 1};
    f->heading(b, 1, "Views");
    for (int i = 0; i < N_VIEWS; i++) {
        const struct view_ops *v = VIEWS[i];
        char title[64];
        snprintf(title, sizeof title, "%d %s", v->digit, v->title);
        f->heading(b, 2, title);
        f->paragraph(b, v->help);
        f->table(b, &t);
        for (const struct view_key *k = v->keys; k->key[0]; k++)
            if (k->label) f->row(b, &t, (const char *const[]){k->label, k->help});
        f->end(b);
    }
}

static void commands(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {2, {{"command", true}, {"what it does", false}}, 1};
    f->heading(b, 1, "Command line of the workbench");
    f->paragraph(b, "After `:`, in full or as a beginning that fits one command only. Tab completes; the hint row says "
                    "what is typed.");
    f->table(b, &t);
    for (int i = 0; i < N_UI_COMMANDS; i++) {
        char usage[128];
        usage[0] = ':';
        command_usage(&UI_COMMANDS[i], usage + 1, sizeof usage - 1);
        f->row(b, &t, (const char *const[]){usage, UI_COMMANDS[i].help});
    }
    f->end(b);
}

/* ---- the game ---- */

static int n_choices(const struct option_info *o) {
    int n = 1;
    for (const char *c = o->choices; *c; c++) n += *c == '|';
    return n;
}

/* The phases of a later iteration, as they follow each other in the game. */
static void phases_text(struct strbuf *b, const struct options *o) {
    enum { LATER = 2 };
    for (enum run_phase p = phase_first(o, LATER); p != PHASE_CHECKPOINT; p = phase_next(o, LATER, p))
        strbuf_printf(b, "%s%s", b->len ? ", " : "", run_phase_name(p));
}

static void algorithms(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {
        3, {{"algorithm", true}, {"what trains the student", false}, {"phases of an iteration", false}}, 1};
    const struct option_info *info = &OPTIONS[OPTION_ID_algorithm];
    struct options o;
    options_default(&o);
    f->heading(b, 1, "Algorithms");
    f->paragraph(b, "What the option `algorithm` may be.");
    f->table(b, &t);
    const int n = n_choices(info);
    for (o.algorithm = 0; o.algorithm < n; o.algorithm++) {
        char name[64];
        struct strbuf phases = {0};
        option_format(&o, info, name, sizeof name);
        phases_text(&phases, &o);
        f->row(b, &t, (const char *const[]){name, algorithm_info(&o)->help, strbuf_str(&phases)});
        strbuf_free(&phases);
    }
    f->end(b);
}

static const char *needs_text(unsigned needs) {
    static const struct {
        unsigned bit;
        const char *text;
    } NEEDS[] = {{NEEDS_PERSON, "the workbench"},
                 {NEEDS_CHECKER, "`prompts.checker`"},
                 {NEEDS_SAMPLES, "`samples_per_prompt` of 2 or more"},
                 {NEEDS_FILE, "`label.import`"}};
    for (size_t i = 0; i < sizeof NEEDS / sizeof NEEDS[0]; i++)
        if (needs & NEEDS[i].bit) return NEEDS[i].text;
    return "";
}

static void labellers(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {
        3, {{"labeller", true}, {"how it labels a new pair", false}, {"needs", false}}, 1};
    f->heading(b, 1, "Labellers");
    f->paragraph(b, "What the option `labeller` may be, alone or mixed by share (`teacher:0.8,human:0.2`).");
    f->table(b, &t);
    for (int i = 0; i < N_LABELLERS; i++)
        f->row(b, &t, (const char *const[]){LABELLERS[i].name, LABELLERS[i].help, needs_text(LABELLERS[i].needs)});
    f->end(b);
}

static void bounds_text(struct strbuf *b, const struct option_info *o) {
    if (o->choices)
        for (const char *c = o->choices; *c; c++) {
            if (*c == '|')
                strbuf_puts(b, ", ");
            else
                strbuf_putc(b, *c);
        }
    else if (o->type == OPTION_TEXT)
        strbuf_puts(b, "text");
    else
        strbuf_printf(b, "%g to %g%s%s", o->min, o->max, o->unit && o->unit[0] ? " " : "", o->unit ? o->unit : "");
}

static void options(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {
        5, {{"option", true}, {"default", true}, {"bounds", false}, {"takes effect", false}, {"meaning", false}}, 4};
    struct options o;
    options_default(&o);
    f->heading(b, 1, "Options");
    f->paragraph(b, "Set in the configuration file (nested objects or dotted names), by `--set NAME=VALUE`, or live by "
                    "`:set` where it says so.");
    f->table(b, &t);
    for (int i = 0; i < N_OPTIONS; i++) {
        char value[OPTION_TEXT_MAX];
        struct strbuf bounds = {0};
        option_format(&o, &OPTIONS[i], value, sizeof value);
        bounds_text(&bounds, &OPTIONS[i]);
        f->row(b, &t,
               (const char *const[]){OPTIONS[i].name, value, strbuf_str(&bounds), option_when_text(OPTIONS[i].when),
                                     OPTIONS[i].help});
        strbuf_free(&bounds);
    }
    f->end(b);
}

static void metrics(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {3, {{"metric", true}, {"unit", false}, {"meaning", false}}, 2};
    f->heading(b, 1, "Metrics");
    f->paragraph(b, "The rows of table `metric` in run.db, which the charts are drawn from.");
    f->table(b, &t);
    for (int i = 0; i < N_METRICS; i++)
        f->row(b, &t, (const char *const[]){METRICS[i].name, METRICS[i].unit, METRICS[i].help});
    f->end(b);
}

static void signatures(const struct manual_format *f, struct strbuf *b) {
    static const struct manual_table t = {
        4, {{"signature", false}, {"level", false}, {"what was seen", false}, {"what to do", false}}, 2};
    static const char *const level[] = {[ALERT_INFO] = "info", [ALERT_WARNING] = "warning", [ALERT_ERROR] = "error"};
    f->heading(b, 1, "Failure signatures");
    f->paragraph(b, "What a run finds in its own figures. Alerts go to the log, the Dashboard and the bottom row.");
    f->table(b, &t);
    for (int i = 0; i < N_SIGNATURES; i++) {
        const enum signature_id id = (enum signature_id)i;
        f->row(b, &t,
               (const char *const[]){signature_name(id), level[signature_level(id)], signature_seen(id),
                                     signature_advice(id)});
    }
    f->end(b);
}

/* ---- around the program ---- */

static void facts(const struct manual_format *f, struct strbuf *b, const char *title, const char *what,
                  const struct manual_fact *list) {
    const struct manual_table t = {2, {{what, true}, {"meaning", false}}, 1};
    f->heading(b, 1, title);
    f->table(b, &t);
    for (; list->what; list++) f->row(b, &t, (const char *const[]){list->what, list->meaning});
    f->end(b);
}

void manual_chapters(const struct manual_format *f, struct strbuf *b) {
    verbs(f, b);
    studies(f, b);
    keys(f, b);
    views(f, b);
    commands(f, b);
    options(f, b);
    algorithms(f, b);
    labellers(f, b);
    metrics(f, b);
    signatures(f, b);
    facts(f, b, "Exit status", "status", MANUAL_EXIT_STATUS);
    facts(f, b, "Environment", "variable", MANUAL_ENVIRONMENT);
    facts(f, b, "Files", "file", MANUAL_FILES);
    facts(f, b, "Examples", "command", MANUAL_EXAMPLES);
}
