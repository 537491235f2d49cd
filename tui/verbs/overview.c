/* `pbkd` where there is no screen: the newest run's facts as text, read from its folder alone. Nothing is started and
 * no lock is taken, so the run may be going on in another process; whether it is, its lock says. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/base/db.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/eval/run_read.h"
#include "engine/game/phase_table.h"
#include "engine/metric/metric.h"
#include "engine/option/option.h"
#include "engine/pref/dpref.h"
#include "engine/run/rundir.h"
#include "tui/safe_text.h"
#include "tui/verbs/overview.h"
#include "views/format.h"

#define LOG_ROWS 5

/* The process that holds the run's lock; 0: nobody does. */
static long writer(const char *folder) {
    char path[4096], text[32] = "";
    long pid = 0;
    if ((size_t)snprintf(path, sizeof path, "%s/lock", folder) >= sizeof path) return 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK && read(fd, text, sizeof text - 1) > 0)
        pid = strtol(text, NULL, 10);
    close(fd);
    return pid;
}

/* Where the run stands. Its newest checkpoint, from which a resume goes on, knows whether the game has ended. */
static bool print_progress(FILE *out, struct db *db, const struct options *o, long pid, struct err *e) {
    int64_t tick, iteration, saved, phase;
    if (!db_get_int(db, e, &tick, 0,
                    "SELECT max(tick) FROM (SELECT tick FROM metric UNION ALL SELECT tick FROM checkpoint"
                    " UNION ALL SELECT tick FROM log)",
                    "") ||
        !db_get_int(db, e, &iteration, 0, "SELECT max(iteration) FROM metric", "") ||
        !db_get_int(db, e, &saved, -1, "SELECT max(tick) FROM checkpoint", "") ||
        !db_get_int(db, e, &phase, -1,
                    "SELECT json_extract(state,'$.game.state.phase') FROM checkpoint ORDER BY tick DESC LIMIT 1", ""))
        return false;
    safe_printf(out, "%-12s iteration %" PRId64 " of %d, tick %" PRId64 ", ", "progress", iteration, o->iterations,
                tick);
    if (pid)
        safe_printf(out, "going on in process %ld\n", pid);
    else if (phase == PHASE_END)
        safe_printf(out, "ended\n");
    else if (saved > 0)
        safe_printf(out, "stopped, checkpoint of tick %" PRId64 "\n", saved);
    else
        safe_printf(out, "stopped without a checkpoint\n");
    return true;
}

static bool print_head(FILE *out, struct db *db, const char *folder, struct err *e) {
    struct options *o = mem_small(sizeof *o);
    struct err ignored; /* a run may do without a title */
    bool ok = run_read_options_now(db, o, e);
    char *title = ok ? run_read_text(db, "title", &ignored) : NULL,
         *started = ok ? run_read_text(db, "started", &ignored) : NULL;
    if (ok) {
        safe_printf(out, "%-12s %s (%s), started %s\n", "run", folder, title ? title : "", started ? started : "-");
        ok = print_progress(out, db, o, writer(folder), e);
    }
    free(title);
    free(started);
    free(o);
    return ok;
}

/* "preferences  288 pairs (27 held out), 3 labelled by people, 0 wait" */
static bool print_preferences(FILE *out, struct db *db, struct err *e) {
    char *json = dpref_stats_json(db, e);
    if (!json) return false;
    cJSON *o = cJSON_Parse(json);
    const cJSON *by = cJSON_GetObjectItem(o, "by_source");
    safe_printf(out, "%-12s %.0f pairs (%.0f held out), %.0f labelled by people, %.0f wait\n", "preferences",
                cJSON_GetNumberValue(cJSON_GetObjectItem(o, "records")),
                cJSON_GetNumberValue(cJSON_GetObjectItem(o, "heldout")),
                cJSON_GetNumberValue(cJSON_GetObjectItem(by, "human")),
                cJSON_GetNumberValue(cJSON_GetObjectItem(by, "none")));
    cJSON_Delete(o);
    free(json);
    return true;
}

/* The newest value of every metric, in the order of their table. One pass over the file's table, which has no index;
 * SQLite takes the other columns from the row where max() was found. */
static bool print_metrics(FILE *out, struct db *db, struct err *e) {
    double value[N_METRICS];
    int64_t tick[N_METRICS] = {0};
    bool ok, row = true, any = false;
    for (int i = 0; i < N_METRICS; i++) value[i] = (double)NAN;
    sqlite3_stmt *s =
        db_prepare(db, e, "SELECT name,value,tick,max(rowid) FROM metric WHERE value IS NOT NULL GROUP BY name", "");
    ok = s != NULL;
    while (ok && (ok = db_step(db, s, &row, e)) && row) {
        const int i = metric_find((const char *)sqlite3_column_text(s, 0));
        if (i >= 0) value[i] = sqlite3_column_double(s, 1), tick[i] = sqlite3_column_int64(s, 2);
    }
    sqlite3_finalize(s);
    for (int i = 0; i < N_METRICS && ok; i++) {
        if (isnan(value[i])) continue;
        if (!any) safe_printf(out, "\n%-28s %9s %-10s %8s\n", "metric", "newest", "", "tick");
        any = true;
        safe_printf(out, "%-28s %9s %-10s %8" PRId64 "  %s\n", METRICS[i].name, format_number(value[i]).s,
                    METRICS[i].unit, tick[i], METRICS[i].help);
    }
    return ok;
}

struct log_printer {
    FILE *out;
    bool any;
};

static bool print_line(void *ctx, int64_t tick, const char *level, const char *text) {
    struct log_printer *p = ctx;
    const bool info = strcmp(level, "info") == 0;
    if (!p->any) safe_printf(p->out, "\nnewest log lines\n");
    p->any = true;
    safe_printf(p->out, "[%" PRId64 "] %s%s%s\n", tick, info ? "" : level, info ? "" : ": ", text);
    return true;
}

static bool print_log(FILE *out, struct db *db, struct err *e) {
    struct log_printer p = {out, false};
    return log_each(db, LOG_ROWS, print_line, &p, e);
}

bool overview_print(FILE *out, const char *folder, struct err *e) {
    struct db db = {0};
    if (!run_read_open(&db, folder, e)) return false;
    const bool ok = print_head(out, &db, folder, e) && print_preferences(out, &db, e) && print_metrics(out, &db, e) &&
                    print_log(out, &db, e);
    db_close(&db);
    if (ok) safe_printf(out, "\nGo on with: pbkd run --resume --run-dir %s\n", folder);
    return ok;
}
