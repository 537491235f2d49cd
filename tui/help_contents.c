/* The help's lines: see help_contents.h. */
#include "tui/help_contents.h"

#include "tui/commands.h"
#include "tui/keys.h"
#include "views/scroll.h"
#include "views/views.h"

static void add_heading(struct help *h, const char *text) { help_add(h, text, NULL, 0, NULL); }

static void add_view(struct help *h, const struct view_ops *view) {
    add_heading(h, view->title);
    help_add(h, "", view->help, 0, NULL);
    for (const struct view_key *k = view->keys; k->key[0]; k++)
        if (k->label) help_add(h, k->label, k->help, k->key[0], NULL);
}

static void add_bindings(struct help *h, const struct key_bindings *b) {
    if (b->n) add_heading(h, "Bound in this session");
    for (int i = 0; i < b->n; i++)
        help_add(h, b->at[i].label, b->at[i].row ? b->at[i].row->help : "nothing", b->at[i].key, NULL);
}

void help_contents(struct help *h, const struct view_ops *view, const struct key_bindings *b) {
    char usage[128];
    if (view) add_view(h, view);
    add_bindings(h, b);
    add_heading(h, "In every view");
    for (int i = 0; i < N_KEYS; i++)
        help_add(h, KEYS[i].label, KEYS[i].help, KEYS[i].first == KEYS[i].last ? KEYS[i].first : 0, NULL);
    add_heading(h, "Moving");
    for (int i = 0; i < N_SCROLL_KEYS; i++) help_add(h, SCROLL_KEYS[i].label, SCROLL_KEYS[i].help, 0, NULL);
    add_heading(h, "Views");
    for (int i = 0; i < N_VIEWS; i++) help_add(h, VIEWS[i]->title, VIEWS[i]->help, '0' + VIEWS[i]->digit, NULL);
    add_heading(h, "Commands after :");
    for (int i = 0; i < N_UI_COMMANDS; i++) {
        command_usage(&UI_COMMANDS[i], usage, sizeof usage);
        help_add(h, usage, UI_COMMANDS[i].help, 0, UI_COMMANDS[i].name);
    }
}
