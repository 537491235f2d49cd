/* The ':' commands: see commands.h. Those that change the run go through the session's door like keys do; the engine's
 * own table (COMMANDS) says what it takes, this one says what a person types. */
#include "tui/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "tui/actions.h"
#include "tui/command_files.h"
#include "tui/keys.h"
#include "tui/labels.h"
#include "tui/option_hint.h"
#include "tui/start.h"
#include "views/views.h"

/* ---- changing the run ---- */

static void show_option(struct app *app, const char *name) {
    const struct option_info *o = option_find(name);
    char hint[600];
    if (!o) {
        app_say(app, ALERT_ERROR, "there is no option \"%s\"", name);
        return;
    }
    option_hint(app->newest, o, hint, sizeof hint);
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
    action_pause(app, true);
}

static void do_resume(struct app *app, const char *argument) {
    (void)argument;
    action_pause(app, false);
}

static void do_step(struct app *app, const char *argument) {
    app_send_simple(app, COMMAND_STEP, argument[0] ? argument : "1");
}

static void do_undo(struct app *app, const char *argument) {
    (void)argument;
    app_undo(app);
}

static void do_redo(struct app *app, const char *argument) {
    (void)argument;
    app_redo(app);
}

/* The key that a vote's word stands for, 0 when the view has none. */
static int vote_key(const struct view_ops *v, const char *word) {
    for (const struct view_key *k = v->keys; k->key[0]; k++)
        for (int i = 0; i < VIEW_KEYS_A_ROW && k->key[i]; i++) {
            const struct label_vote *vote = view_key_vote(k, k->key[i]);
            if (vote && strcmp(vote->word, word) == 0) return k->key[i];
        }
    return 0;
}

static bool has_votes(const struct view_ops *v) {
    for (const struct view_key *k = v->keys; k->key[0]; k++)
        if (k->vote) return true;
    return false;
}

/* Votes as words; what a key does in the Label view, its guards included. */
static void do_label(struct app *app, const char *argument) {
    const int key = vote_key(VIEWS[app->view], argument);
    if (!has_votes(VIEWS[app->view]))
        app_say(app, ALERT_ERROR, "label votes on the pair that the Label view shows: go there first (2)");
    else if (key)
        action_view_key(app, key);
    else
        app_say(app, ALERT_ERROR, "there is no label \"%s\"", argument);
}

static void do_checkpoint(struct app *app, const char *argument) {
    (void)argument;
    action_checkpoint(app);
}

static void do_gate(struct app *app, const char *argument) { app_send_simple(app, COMMAND_GATE, argument); }

/* ---- looking and leaving ---- */

static void do_goto(struct app *app, const char *argument) {
    for (int i = 0; i < N_VIEWS; i++)
        if (strcmp(VIEWS[i]->name, argument) == 0 || (VIEWS[i]->digit == atoi(argument) && argument[0])) {
            action_go_to(app, i);
            return;
        }
    app_say(app, ALERT_ERROR, "there is no view \"%s\"", argument);
}

static void do_filter(struct app *app, const char *argument) { action_filter(app, argument); }

static void do_yank(struct app *app, const char *argument) {
    (void)argument;
    action_yank(app);
}

static void do_bind(struct app *app, const char *argument) {
    struct err e = {0};
    char key[16];
    const size_t n = strcspn(argument, " ");
    const char *action = argument + n + strspn(argument + n, " ");
    snprintf(key, sizeof key, "%.*s", (int)(n < sizeof key ? n : sizeof key - 1), argument);
    if (n == 0 || !action[0])
        app_say(app, ALERT_ERROR, "bind KEY ACTION (Tab shows the actions; none, default)");
    else if (key_bind(&app->bindings, key, action, &e))
        app_say(app, ALERT_INFO, "%s: %s, where the view has no %s of its own", key, action, key);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}

static void do_help(struct app *app, const char *argument) { action_help(app, argument); }

static void do_source(struct app *app, const char *argument) { command_source(app, argument, command_run); }

static void do_quit(struct app *app, const char *argument) {
    if (strcmp(argument, "save") == 0 || strcmp(argument, "discard") == 0)
        app_leave(app, argument[0] == 's');
    else if (argument[0])
        app_say(app, ALERT_ERROR, "quit save writes a checkpoint first, quit discard removes the run");
    else
        action_ask_quit(app);
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
    {"redo", "redo", "give the label that undo took back again", WORDS_NONE, NULL, true, do_redo},
    {"label", "label", "vote on the pair that the Label view shows", WORDS_VOTE, NULL, true, do_label},
    {"checkpoint", "checkpoint", "write a checkpoint at the next micro-step", WORDS_NONE, NULL, true, do_checkpoint},
    {"gate", "gate continue|train|stop", "answer when the reward did not reach the gate", WORDS_CHOICE,
     "continue|train|stop", true, do_gate},
    {"goto", "goto VIEW", "go to a view", WORDS_VIEW, NULL, true, do_goto},
    {"filter", "filter [TEXT]", "filter the view (without TEXT: show everything)", WORDS_NONE, NULL, true, do_filter},
    {"yank", "yank", "copy what is selected to the terminal's clipboard (OSC 52)", WORDS_NONE, NULL, true, do_yank},
    {"bind", "bind KEY ACTION", "let a key do what ACTION says (none: nothing, default: as in the table), this session",
     WORDS_ACTION, NULL, false, do_bind},
    {"save-screen", "save-screen FILE", "write what is on the screen as text", WORDS_FILE, NULL, false,
     command_save_screen},
    {"write-config", "write-config FILE", "write the options in force as a configuration file", WORDS_FILE, NULL, true,
     command_write_config},
    {"export", "export trl|audit FILE", "write the preference records", WORDS_FORMAT_FILE, "trl|audit", true,
     command_export},
    {"source", "source FILE", "run the commands in a file, one a line, # starts a comment; stops at the first error",
     WORDS_FILE, NULL, false, do_source},
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

void command_usage(const struct ui_command *c, char *out, size_t size) {
    const char *before = " ";
    int len = snprintf(out, size, "%s", c->usage);
    for (int i = 0; i < N_VIEWS && c->words == WORDS_VOTE; i++)
        for (const struct view_key *k = VIEWS[i]->keys; k->key[0]; k++)
            for (int n = 0; n < VIEW_KEYS_A_ROW && k->key[n]; n++) {
                const struct label_vote *vote = view_key_vote(k, k->key[n]);
                if (!vote || (size_t)len >= size) continue;
                len += snprintf(out + len, size - (size_t)len, "%s%s", before, vote->word);
                before = "|";
            }
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
    if (c->words == WORDS_FILE) {
        char *path = command_path(argument);
        free(argument);
        argument = path;
    }
    c->run(app, argument);
    free(argument);
}
