/* Configurations of runs: see launch.h. */
#include "tui/launch.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"

#ifndef PBKD_PREFIX
#define PBKD_PREFIX "/usr/local"
#endif

/* Folder of the running program, "" when it cannot be told. */
static void program_folder(char *out, size_t size) {
    const ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n <= 0) {
        out[0] = '\0';
        return;
    }
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash) *slash = '\0';
}

/* A file of sample_data/, looked for where launch.h says. */
static bool find_sample_data(const char *name, char *path, size_t size, struct err *e) {
    char folder[PATH_MAX];
    program_folder(folder, sizeof folder);
    const char *env = getenv("PBKD_DATA");
    const struct {
        const char *root, *below;
    } places[] = {{folder, "/sample_data"},
                  {".", "/sample_data"},
                  {folder, "/../share/pbkd/sample_data"},
                  {PBKD_PREFIX, "/share/pbkd/sample_data"},
                  {env ? env : "", ""},
                  {env ? env : "", "/sample_data"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!places[i].root[0]) continue;
        const int n = snprintf(path, size, "%s%s/%s", places[i].root, places[i].below, name);
        if (n > 0 && (size_t)n < size && file_exists(path)) return true;
    }
    return err_set(e, "%s is not in %s/sample_data, ./sample_data, %s/share/pbkd/sample_data or $PBKD_DATA", name,
                   folder, PBKD_PREFIX);
}

/* Overrides are applied here for a new run; on resume session_start applies them to the stored options. */
static bool apply_overrides(struct launch *l, struct err *e) {
    for (int i = 0; i < l->session.n_overrides; i++)
        if (!option_set_assignment(&l->session.options, l->session.overrides[i], e))
            return err_wrap(e, "--set %s", l->session.overrides[i]);
    return true;
}

bool launch_config(struct launch *l, const char *path, struct err *e) {
    options_default(&l->session.options);
    if (!options_load(&l->session.options, path, e) || !apply_overrides(l, e)) return false;
    if (!l->session.title) {
        const char *slash = strrchr(path, '/');
        l->session.title = slash ? slash + 1 : path;
    }
    return true;
}

bool launch_demo(struct launch *l, struct err *e) {
    char path[PATH_MAX];
    l->session.title = "demo";
    return find_sample_data("arithmetic/online.json", path, sizeof path, e) && launch_config(l, path, e);
}
