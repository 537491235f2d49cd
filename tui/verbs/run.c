/* pbkd, pbkd demo and pbkd run: everything that starts or continues a game. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "engine/run/rundir.h"
#include "tui/launch.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

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

int verb_demo(const struct args *a) {
    struct launch l = {0};
    struct overrides o;
    struct err e = {0};
    if (!take_overrides(&l, &o, a, &e)) return verb_usage("demo", "%s", e.msg);
    return launch_demo(&l, &e) ? launch_run(&l) : verb_fail(&e);
}

/* The newest run under runs/ into l; false without a message when there is none. */
static bool take_newest(struct launch *l, char *path, size_t size, struct err *e) {
    if (!rundir_newest("runs", path, size, e)) return false;
    l->session.run_dir = path;
    l->session.resume = true;
    return true;
}

int verb_run(const struct args *a) {
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

int verb_workbench(const struct args *a) {
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
