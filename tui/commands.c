/* The ':' commands: see commands.h. Those that change the run go through the session's door like keys do; the engine's
 * own table (COMMANDS) says what it takes, this one says what a person types. */
#include "tui/commands.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/pref/dpref.h"
#include "tui/app_private.h"

/* ---- changing the run ---- */

static void show_option(struct app *app, const char *name) {
    const struct option_info *o = option_find(name);
    char hint[600], line[200];
    if (!o) {
        app_say(app, ALERT_ERROR, "there is no option \"%s\"", name);
        return;
    }
    snprintf(line, sizeof line, "set %s ", name);
    command_hint(app->newest, line, hint, sizeof hint);
    app_say(app, ALERT_INFO, "%s", hint);
}

/* "beta 10 -> 12 (1.2x) at the next step" */
static void say_pending(struct app *app, const struct option_info *o, const char *before, const char *value) {
    char ratio[32] = "";
    const double from = o->type == OPTION_REAL ? strtod(before, NULL) : 0, to = strtod(value, NULL);
    if (from > 0) snprintf(ratio, sizeof ratio, " (%.3gx)", to / from);
    app_say(app, ALERT_INFO, "%s %.100s -> %.100s%s at the %s", o->name, before, value, ratio,
            option_when_text(o->when));
}

static void do_set(struct app *app, const char *argument) {
    struct command c = {.kind = COMMAND_SET};
    const size_t n = strcspn(argument, " =?");
    const char *value = argument + n;
    while (*value == ' ' || *value == '=') value++;
    if (n == 0 || n >= sizeof c.name) {
        app_say(app, ALERT_ERROR, "set NAME VALUE changes an option, set NAME? shows it");
        return;
    }
    memcpy(c.name, argument, n);
    const struct option_info *o = option_find(c.name);
    if (argument[n] == '?' || (!*value && !(o && o->type == OPTION_TEXT))) {
        show_option(app, c.name);
        return;
    }
    snprintf(c.value, sizeof c.value, "%s", value);
    char before[OPTION_TEXT_MAX] = "";
    if (o && app->newest) option_format(&app->newest->options, o, before, sizeof before);
    if (!app_send(app, &c)) return;
    if (o) say_pending(app, o, before, c.value);
}

static void do_pause(struct app *app, const char *argument) {
    (void)argument;
    if (app_send_simple(app, COMMAND_PAUSE, "")) app_say(app, ALERT_INFO, "pausing");
}

static void do_resume(struct app *app, const char *argument) {
    (void)argument;
    if (app_send_simple(app, COMMAND_RESUME, "")) app_say(app, ALERT_INFO, "going on");
}

static void do_step(struct app *app, const char *argument) {
    app_send_simple(app, COMMAND_STEP, argument[0] ? argument : "1");
}

static void do_undo(struct app *app, const char *argument) {
    (void)argument;
    app->actions.undo(app->actions.ctx);
}

static void do_checkpoint(struct app *app, const char *argument) {
    (void)argument;
    if (app_send_simple(app, COMMAND_CHECKPOINT, "")) app_say(app, ALERT_INFO, "a checkpoint at the next micro-step");
}

static void do_gate(struct app *app, const char *argument) {
    app_send_simple(app, COMMAND_GATE, argument);
}

/* ---- looking and leaving ---- */

static void do_goto(struct app *app, const char *argument) {
    for (int i = 0; i < N_VIEWS; i++)
        if (strcmp(VIEWS[i]->name, argument) == 0 || (VIEWS[i]->digit == atoi(argument) && argument[0])) {
            app_go_to(app, i);
            return;
        }
    app_say(app, ALERT_ERROR, "there is no view \"%s\"", argument);
}

static void do_help(struct app *app, const char *argument) {
    help_open(&app->help, app->session ? VIEWS[app->view] : NULL, argument);
}

static void do_quit(struct app *app, const char *argument) {
    if (strcmp(argument, "save") == 0 || strcmp(argument, "discard") == 0)
        app_leave(app, argument[0] == 's');
    else if (argument[0])
        app_say(app, ALERT_ERROR, "quit save writes a checkpoint first, quit discard removes the run");
    else if (app_run_over(app))
        app_leave(app, true);
    else
        app->question = ASK_QUIT;
}

/* ---- files ---- */

static void do_save_screen(struct app *app, const char *argument) {
    struct err e = {0};
    if (!argument[0]) {
        app_say(app, ALERT_ERROR, "save-screen needs a file name");
        return;
    }
    app_draw(app); /* the picture without this command's line */
    char *text = canvas_dump(&app->canvas, false);
    if (atomic_write(argument, text, strlen(text), &e))
        app_say(app, ALERT_INFO, "the screen is in %s", argument);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
    free(text);
}

/* Paths in a config file are relative to it, wherever it is put: written out in full they stay right. */
static void full_paths(struct options *o) {
    for (int i = 0; i < N_OPTIONS; i++) {
        const char *dot = strrchr(OPTIONS[i].name, '.');
        const bool is_path = OPTIONS[i].type == OPTION_TEXT && dot &&
                             (strcmp(dot, ".model") == 0 ||
                              (strncmp(OPTIONS[i].name, "prompts.", 8) == 0 && strcmp(dot, ".system") != 0));
        char *text = (char *)o + OPTIONS[i].offset, full[PATH_MAX];
        if (is_path && text[0] && realpath(text, full) && strlen(full) < OPTION_TEXT_MAX) strcpy(text, full);
    }
}

static void do_write_config(struct app *app, const char *argument) {
    struct err e = {0};
    if (!argument[0]) {
        app_say(app, ALERT_ERROR, "write-config needs a file name");
        return;
    }
    struct options *o = mem_small(sizeof *o);
    *o = app->newest->options;
    full_paths(o);
    char *json = options_to_json(o, true);
    if (atomic_write(argument, json, strlen(json), &e))
        app_say(app, ALERT_INFO, "the options that differ from their defaults are in %s", argument);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
    free(json);
    free(o);
}

static void do_export(struct app *app, const char *argument) {
    struct err e = {0};
    struct db db = {0};
    int64_t n = 0;
    const size_t format_len = strcspn(argument, " ");
    const char *path = argument + format_len + strspn(argument + format_len, " ");
    char format[16], db_path[4096];
    snprintf(format, sizeof format, "%.*s", (int)(format_len < sizeof format ? format_len : sizeof format - 1),
             argument);
    if ((strcmp(format, "trl") != 0 && strcmp(format, "audit") != 0) || !path[0]) {
        app_say(app, ALERT_ERROR, "export trl FILE or export audit FILE");
        return;
    }
    snprintf(db_path, sizeof db_path, "%s/run.db", app->run_path);
    bool ok = db_open(&db, db_path, DB_READ, false, &e);
    if (ok) {
        ok = dpref_export(&db, format, path, &n, &e);
        db_close(&db);
    }
    if (ok)
        app_say(app, ALERT_INFO, "%" PRId64 " lines in %s", n, path);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}

static void do_demo(struct app *app, const char *argument) {
    (void)argument;
    start_demo(app);
}

const struct ui_command UI_COMMANDS[] = {
    {"set", "set NAME VALUE", "change an option; set NAME? shows value, default, bounds and where the value comes from",
     WORDS_OPTION, NULL, true, do_set},
    {"pause", "pause", "stop before the next micro-step", WORDS_NONE, NULL, true, do_pause},
    {"resume", "resume", "go on", WORDS_NONE, NULL, true, do_resume},
    {"step", "step [N]", "while paused: N micro-steps (1), then pause again", WORDS_NONE, NULL, true, do_step},
    {"undo", "undo", "take back my last label", WORDS_NONE, NULL, true, do_undo},
    {"checkpoint", "checkpoint", "write a checkpoint at the next micro-step", WORDS_NONE, NULL, true, do_checkpoint},
    {"gate", "gate continue|train|stop", "answer when the reward did not reach the gate", WORDS_CHOICE,
     "continue|train|stop", true, do_gate},
    {"goto", "goto VIEW", "go to a view", WORDS_VIEW, NULL, true, do_goto},
    {"save-screen", "save-screen FILE", "write what is on the screen as text", WORDS_FILE, NULL, false, do_save_screen},
    {"write-config", "write-config FILE", "write the options in force as a configuration file", WORDS_FILE, NULL, true,
     do_write_config},
    {"export", "export trl|audit FILE", "write the preference records", WORDS_FORMAT_FILE, "trl|audit", true,
     do_export},
    {"demo", "demo", "start the built-in game (from the start screen)", WORDS_NONE, NULL, false, do_demo},
    {"run", "run CONFIG.json", "start a run (from the start screen)", WORDS_FILE, NULL, false, start_config},
    {"help", "help [TEXT]", "help, shown where TEXT occurs", WORDS_COMMAND, NULL, false, do_help},
    {"quit", "quit [save|discard]", "leave; without a word it asks", WORDS_CHOICE, "save|discard", false, do_quit},
};
const int N_UI_COMMANDS = sizeof UI_COMMANDS / sizeof UI_COMMANDS[0];

const struct ui_command *command_find(const char *name, size_t n, int *n_fit) {
    const struct ui_command *found = NULL;
    *n_fit = 0;
    for (int i = 0; i < N_UI_COMMANDS; i++) {
        if (strncmp(UI_COMMANDS[i].name, name, n) != 0) continue;
        if (UI_COMMANDS[i].name[n] == '\0') {
            *n_fit = 1;
            return &UI_COMMANDS[i];
        }
        found = &UI_COMMANDS[i];
        ++*n_fit;
    }
    return found;
}

void command_run(struct app *app, const char *line) {
    while (*line == ' ') line++;
    const size_t n = strcspn(line, " ");
    if (n == 0) return;
    int n_fit;
    const struct ui_command *c = command_find(line, n, &n_fit);
    if (n_fit != 1) {
        app_say(app, ALERT_ERROR,
                n_fit ? "\"%.*s\" fits several commands" : "there is no command \"%.*s\"; :help lists them", (int)n,
                line);
        return;
    }
    if (c->needs_run && !app->session) {
        app_say(app, ALERT_ERROR, "%s needs a run: start one with :demo or :run CONFIG.json", c->name);
        return;
    }
    char *argument = mem_strdup(line + n + strspn(line + n, " "));
    for (size_t k = strlen(argument); k > 0 && argument[k - 1] == ' '; k--) argument[k - 1] = '\0';
    c->run(app, argument);
    free(argument);
}
