/* Screen or text: see run_game.h. */
#include "tui/run_game.h"

#include <stdio.h>
#include <unistd.h>

#include "tui/app.h"
#include "tui/headless.h"
#include "tui/safe_text.h"
#include "tui/signals.h"
#include "tui/terminal.h"

bool launch_has_screen(const char **why) {
    *why = NULL;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        *why = isatty(STDIN_FILENO) ? "standard output is no terminal" : "standard input is no terminal";
    else if (!terminal_can_draw())
        *why = "the terminal cannot move its cursor";
    return *why == NULL;
}

int launch_run(struct launch *l) {
    const char *why;
    signals_install();
    if (!l->headless && launch_has_screen(&why)) return app_run(&l->session, l->ascii);
    if (!l->headless) safe_printf(stderr, "pbkd: %s: running as text\n", why);
    l->session.headless = true;
    return headless_run(&l->session);
}

int launch_start_screen(bool ascii) {
    signals_install();
    return app_run(NULL, ascii);
}
