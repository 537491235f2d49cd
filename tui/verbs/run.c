/* pbkd, pbkd demo and pbkd run: everything that starts or continues a game. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "engine/run/rundir.h"
#include "tui/run_game.h"
#include "tui/start.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"
#include "tui/verbs/overview.h"

/* clang-format off */
#define HEADLESS_ARG {"--headless", NULL, ARG_FLAG, 0, 0, NULL, \
                      "no screen: progress as text, the result as one JSON line"}
#define RUN_DIR_ARG {"--run-dir", "DIR", ARG_TEXT, 0, 0, NULL, "folder of the run (default: a new one under runs/)"}
/* clang-format on */
#define STOPPING                                                                                                       \
    "TERM, INT, HUP and QUIT write a checkpoint before the program ends; `pbkd run --resume --run-dir DIR` goes on "   \
    "from there. When standard input or output is no terminal, or the terminal cannot move its cursor, the run is "    \
    "headless."

struct overrides {
    const char *text[ARGS_LIST_MAX + 1];
    char seed[32];
};

/* --set and --seed as session_start takes them; each is checked by name and bounds now, because a typing error is wrong
 * usage and not a failed run. */
static bool take_overrides(struct launch *l, struct overrides *o, const struct args *a, struct err *e) {
    int n = 0;
    struct options scratch;
    options_default(&scratch);
    for (int i = 0; i < a->n_list; i++) {
        if (!option_set_assignment(&scratch, a->list[i], e)) return err_wrap(e, "--set");
        o->text[n++] = a->list[i];
    }
    if (args_given(a, "--seed")) {
        snprintf(o->seed, sizeof o->seed, "seed=%d", args_int(a, "--seed"));
        o->text[n++] = o->seed;
    }
    l->session.overrides = o->text;
    l->session.n_overrides = n;
    l->session.run_dir = args_text(a, "--run-dir");
    l->headless = args_given(a, "--headless");
    l->ascii = args_given(a, "--ascii");
    return true;
}

static int demo(const struct args *a) {
    struct launch l = {0};
    struct overrides o;
    struct err e = {0};
    if (!take_overrides(&l, &o, a, &e)) return verb_usage("demo", "%s", e.msg);
    return launch_demo(&l, &e) ? launch_run(&l) : verb_fail(&e);
}

static const struct arg_spec DEMO_ARGS[] = {HEADLESS_ARG, RUN_DIR_ARG, SET_ARG, SEED_ARG("short for --set seed=N"),
                                            ASCII_ARG,    {0}};
const struct verb verb_demo = {
    .name = "demo",
    .arguments = "",
    .help = "play the built-in game: a small teacher and a smaller student on arithmetic",
    .details = "The configuration and data are those of sample_data/arithmetic, looked for beside the program, in the "
               "current folder, in the installed share/pbkd, and in $PBKD_DATA. " STOPPING,
    .args = DEMO_ARGS,
    .run = demo,
};

/* The newest run under runs/ into l; false without a message when there is none. */
static bool take_newest(struct launch *l, char *path, size_t size, struct err *e) {
    if (!rundir_newest("runs", path, size, e)) return false;
    l->session.run_dir = path;
    l->session.resume = true;
    return true;
}

static int run(const struct args *a) {
    struct launch l = {0};
    struct overrides o;
    struct err e = {0};
    char path[PATH_MAX];
    if (!take_overrides(&l, &o, a, &e)) return verb_usage("run", "%s", e.msg);
    const char *config = a->n_positional ? a->positional[0] : NULL;
    if (!args_given(a, "--resume")) {
        if (!config) return verb_usage("run", "a configuration file is needed (or --resume)");
        return launch_config(&l, config, &e) ? launch_run(&l) : verb_fail(&e);
    }
    l.session.resume = true;
    if (!l.session.run_dir && !take_newest(&l, path, sizeof path, &e)) {
        if (!e.msg[0]) err_set(&e, "there is no run under runs/ to resume; name one with --run-dir");
        return verb_fail(&e);
    }
    if (config)
        safe_printf(stderr, "pbkd: resuming with the options stored in %s; %s is not read\n", l.session.run_dir,
                    config);
    options_default(&l.session.options); /* session_start replaces them by the stored ones */
    return launch_run(&l);
}

static const struct arg_spec RUN_ARGS[] = {
    HEADLESS_ARG,
    RUN_DIR_ARG,
    {"--resume", NULL, ARG_FLAG, 0, 0, NULL, "go on with the run in --run-dir (default: the newest under runs/)"},
    SET_ARG,
    SEED_ARG("short for --set seed=N"),
    ASCII_ARG,
    {0}};
const struct verb verb_run = {
    .name = "run",
    .arguments = "[CONFIG.json]",
    .max_positional = 1,
    .help = "train a student as a configuration file says",
    .details = "CONFIG.json holds options; paths in it are relative to the file. With --resume the options stored in "
               "the run are used, changed by --set only, and CONFIG.json may be left out. " STOPPING,
    .args = RUN_ARGS,
    .run = run,
};

static int workbench(const struct args *a) {
    struct launch l = {.ascii = args_given(a, "--ascii")};
    struct err e = {0};
    char path[PATH_MAX];
    const char *why;
    const bool screen = launch_has_screen(&why), found = take_newest(&l, path, sizeof path, &e);
    if (!found && e.msg[0]) return verb_fail(&e);
    /* Without a screen nothing was asked for: a run is not started behind somebody's back. */
    if (!screen) {
        safe_printf(stderr, "pbkd: %s: the facts as text\n", why);
        if (!found) start_print(stdout);
        return !found || overview_print(stdout, path, &e) ? EXIT_DONE : verb_fail(&e);
    }
    if (!found) return launch_start_screen(l.ascii);
    options_default(&l.session.options);
    return launch_run(&l);
}

static const struct arg_spec WORKBENCH_ARGS[] = {ASCII_ARG, {0}};
const struct verb verb_workbench = {
    .name = "",
    .arguments = "",
    .help = "open the workbench on the newest run under runs/",
    .details = "Without a run under runs/ a start screen says what can be done. A run that was interrupted goes on. "
               "When standard input or output is no terminal, or the terminal cannot move its cursor, the same facts "
               "are printed as text and nothing is started.",
    .args = WORKBENCH_ARGS,
    .run = workbench,
};
