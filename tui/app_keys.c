/* Where a key goes: see app_keys.h. */
#include "tui/app_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/commands.h"
#include "tui/keys.h"

static void press_row(struct app *app, const struct global_key *k, int key) {
    if (app->session || !k->needs_run) k->press(app, key);
}

static void press(struct app *app, int key) {
    const struct global_key *k = key_find_bound(&app->bindings, key);
    if (k && k->scope != SCOPE_UNLESS_TAKEN)
        press_row(app, k, key);
    else if (!action_view_key(app, key) && k)
        press_row(app, k, key);
}

/* The confirming key is never the one that asked. */
static void answer(struct app *app, int key) {
    if (key == KEY_ESCAPE)
        app->question = ASK_NOTHING;
    else if (app->question == ASK_QUIT && key == 'c')
        app_leave(app, true);
    else if (app->question == ASK_QUIT && key == 'd')
        app_leave(app, false);
}

/* The row of a key that works whatever has the keyboard, NULL when the key is none. */
static const struct global_key *everywhere_key(const struct app *app, int key) {
    const struct global_key *k = key_find(key);
    const enum key_scope least = prompt_is_open(app->prompt) ? SCOPE_EVERYWHERE : SCOPE_UNLESS_TYPING;
    return k && k->scope >= least ? k : NULL;
}

static void prompt_step(struct app *app, int key, int next) {
    if (prompt_key(app->prompt, key, next) != PROMPT_ACCEPTED) return;
    char *line = strdup(prompt_text(app->prompt));
    switch (prompt_kind(app->prompt)) {
    case PROMPT_COMMAND: command_run(app, line); break;
    case PROMPT_SEARCH: action_search(app, line); break;
    case PROMPT_FILTER: action_filter(app, line); break;
    }
    free(line);
}

static void help_step(struct app *app, int key) {
    struct help_line line;
    const enum help_result r = help_key(&app->help, key, &line);
    if (r == HELP_RUN_KEY) press(app, line.key);
    if (r == HELP_RUN_COMMAND) {
        char text[80];
        snprintf(text, sizeof text, "%s ", line.command);
        app_open_prompt(app, PROMPT_COMMAND, text);
    }
}

void app_key(struct app *app, int key, int next) {
    const struct global_key *everywhere = everywhere_key(app, key);
    app->message[0] = '\0';
    if (app->leaving) {
        if (everywhere && everywhere->scope == SCOPE_UNLESS_TYPING) press_row(app, everywhere, key);
        app_say(app, ALERT_INFO, "leaving: waiting for the engine (^C: leave without a new checkpoint)");
    } else if (everywhere) {
        press_row(app, everywhere, key);
    } else if (prompt_is_open(app->prompt)) {
        prompt_step(app, key, next);
    } else if (app->question != ASK_NOTHING) {
        answer(app, key);
    } else if (app->help.open) {
        help_step(app, key);
    } else {
        press(app, key);
    }
}
