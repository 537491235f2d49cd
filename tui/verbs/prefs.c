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

static int prefs_stats(const struct args *a) {
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

static const struct arg_spec STATS_ARGS[] = {JSON_ARG, {0}};
const struct verb verb_prefs_stats = {
    .name = "prefs stats",
    .arguments = "RUNDIR",
    .max_positional = 1,
    .help = "count the preference records of a run",
    .details = "Reads run.db only; the run may be going on.",
    .args = STATS_ARGS,
    .run = prefs_stats,
};

static int prefs_export(const struct args *a) {
    if (a->n_positional != 1) return verb_usage("prefs export", "the folder of a run is needed");
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

static const struct arg_spec EXPORT_ARGS[] = {
    {"--format", "trl|audit", ARG_CHOICE, 0, 0, "trl",
     "trl: prompt, chosen, rejected; audit: every field of every pair and label"},
    {"-o", "FILE.jsonl", ARG_TEXT, 0, 0, ARG_REQUIRED, "the file to write"},
    {0}};
const struct verb verb_prefs_export = {
    .name = "prefs export",
    .arguments = "RUNDIR",
    .max_positional = 1,
    .help = "write the preference records of a run to a file",
    .details = "Reads run.db only; the file is replaced as a whole.",
    .args = EXPORT_ARGS,
    .run = prefs_export,
};
