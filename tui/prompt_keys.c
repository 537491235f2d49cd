/* readline's bindings cut down to a list of what is allowed: see prompt_keys.h.
 *
 * readline has commands that draw a prompt of their own (searches), print (dump-functions), read files, run recorded
 * keys, or take the next key from the terminal themselves. Inside another program's screen they do harm: the
 * incremental search of 8.2, driven through the callback interface, takes a null pointer when a prefix key ends it, and
 * history-search-backward and vi mode free a line's undo list twice. A list of what may be done stays right when readline
 * learns more. */
#include "tui/prompt_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <readline/readline.h>

#define ESCAPE 27

static const char *const ALLOWED[] = {
    "self-insert", "accept-line", "delete-char", "backward-delete-char", "forward-backward-delete-char",
    /* moving */
    "forward-char", "backward-char", "forward-word", "backward-word", "beginning-of-line", "end-of-line",
    /* killing and yanking */
    "kill-line", "backward-kill-line", "unix-line-discard", "kill-whole-line", "kill-word", "backward-kill-word",
    "unix-word-rubout", "unix-filename-rubout", "delete-horizontal-space", "yank", "yank-pop", "yank-last-arg",
    /* changing */
    "transpose-chars", "transpose-words", "upcase-word", "downcase-word", "capitalize-word", "undo", "revert-line",
    /* lines typed before */
    "previous-history", "next-history", "beginning-of-history", "end-of-history",
    /* completion */
    "complete", "menu-complete", "menu-complete-backward", "possible-completions", "tilde-expand"};

static bool is_allowed(rl_command_func_t *f) {
    for (size_t i = 0; i < sizeof ALLOWED / sizeof ALLOWED[0]; i++)
        if (rl_named_function(ALLOWED[i]) == f) return true;
    return false;
}

/* prefix: whether sequences of several keys may start here. Below Esc lie the cursor keys and Alt. */
static void restrict_keymap(Keymap map, bool prefix) {
    for (int i = 0; i < KEYMAP_SIZE; i++) {
        KEYMAP_ENTRY *k = &map[i];
        if (k->type == ISKMAP && (prefix || i == ESCAPE)) {
            restrict_keymap((Keymap)k->function, true);
        } else if (k->type != ISFUNC || (k->function && !is_allowed(k->function))) {
            k->type = ISFUNC;
            k->function = NULL;
        }
    }
}

void prompt_keys_restrict(int (*end_line)(int count, int key)) {
    Keymap map = rl_get_keymap_by_name("emacs-standard");
    rl_variable_bind("editing-mode", "emacs");
    restrict_keymap(map, false);
    rl_bind_key_in_map(CTRL('G'), end_line, map);
}
