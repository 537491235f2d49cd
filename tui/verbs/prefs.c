/* pbkd prefs stats / export: the preference records of a run, read from run.db alone, so that it works beside a running
 * game. */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/json.h"
#include "engine/pref/dpref.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

static bool open_run(struct db *db, const char *folder, struct err *e) {
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/run.db", folder) >= sizeof path)
        return err_set(e, "%s: the path is too long", folder);
    return db_open(db, path, DB_READ, false, e);
}

/* "by_source.teacher   120", a line per figure. */
static void print_figures(const cJSON *o, const char *prefix) {
    for (const cJSON *v = o->child; v; v = v->next) {
        char name[120];
        snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", v->string);
        if (cJSON_IsObject(v))
            print_figures(v, name);
        else if (cJSON_IsNumber(v))
            safe_printf(stdout, "%-24s %.15g\n", name, v->valuedouble);
        else if (cJSON_IsString(v))
            safe_printf(stdout, "%-24s %s\n", name, v->valuestring);
    }
}

int verb_prefs_stats(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("prefs stats", "the folder of a run is needed");
    struct db db = {0};
    struct err e = {0};
    if (!open_run(&db, a->positional[0], &e)) return verb_fail(&e);
    char *json = dpref_stats_json(&db, &e);
    db_close(&db);
    if (!json) return verb_fail(&e);
    cJSON *figures = cJSON_Parse(json);
    if (args_given(a, "--json") || !figures)
        safe_json(stdout, json);
    else
        print_figures(figures, "");
    cJSON_Delete(figures);
    free(json);
    return EXIT_DONE;
}

int verb_prefs_export(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("prefs export", "the folder of a run is needed");
    if (!args_given(a, "-o")) return verb_usage("prefs export", "-o is missing");
    struct db db = {0};
    struct err e = {0};
    int64_t n = 0;
    if (!open_run(&db, a->positional[0], &e)) return verb_fail(&e);
    const bool ok = dpref_export(&db, args_text(a, "--format"), args_text(a, "-o"), &n, &e);
    db_close(&db);
    if (!ok) return verb_fail(&e);
    safe_printf(stderr, "pbkd: %" PRId64 " lines written to %s\n", n, args_text(a, "-o"));
    return EXIT_DONE;
}
