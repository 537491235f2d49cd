/* Labels on their way to the run: saved, taken back, given again. Taking back works on whatever this annotator labelled
 * last, also in an earlier session; what was taken back here is remembered by its number in run.db, so that it can be
 * given again as a new event with the same contents. A new label ends that memory, as in an editor. */
#include "tui/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pref/dpref.h"

static bool open_records(const struct app *app, struct db *db, struct err *e) {
    char path[sizeof app->run_path + 8];
    snprintf(path, sizeof path, "%s/run.db", app->run_path);
    return db_open(db, path, DB_READ, false, e);
}

/* What session_undo would take back now; 0 when nothing or when it cannot be told. */
static int64_t newest_label(const struct app *app) {
    struct db db = {0};
    struct err ignored;
    int64_t seq = 0;
    if (!open_records(app, &db, &ignored)) return 0;
    if (!label_event_last(&db, app->annotator, &seq, &ignored)) seq = 0;
    db_close(&db);
    return seq;
}

static bool read_label(const struct app *app, int64_t seq, struct label_event *ev, struct err *e) {
    struct db db = {0};
    if (!open_records(app, &db, e)) return false;
    const bool ok = label_event_read(&db, seq, ev, e);
    db_close(&db);
    return ok;
}

bool app_label(struct app *app, struct label_event *ev) {
    struct err e = {0};
    if (!app->session) return false;
    const bool ok = session_label(app->session, ev, &e);
    if (ok)
        app_say(app, ALERT_INFO, "saved (label %lld)", (long long)ev->seq);
    else
        app_say(app, ALERT_ERROR, "the label was not saved: %s", e.msg);
    if (ok) app->n_undone = 0;
    return ok;
}

void app_undo(struct app *app) {
    struct err e = {0};
    char text[200];
    if (!app->session) return;
    const int64_t seq = newest_label(app);
    if (!session_undo(app->session, app->annotator, text, &e)) {
        app_say(app, ALERT_ERROR, "%s", e.msg);
        return;
    }
    if (app->n_undone == MAX_UNDONE) memmove(app->undone, app->undone + 1, --app->n_undone * sizeof app->undone[0]);
    if (seq) app->undone[app->n_undone++] = seq;
    app_say(app, ALERT_INFO, "%s%s", text, seq ? " (U gives it again)" : "");
}

void app_redo(struct app *app) {
    struct err e = {0};
    struct label_event ev;
    if (!app->session) return;
    if (app->n_undone == 0) {
        app_say(app, ALERT_ERROR, "nothing to give again: u takes a label back, a new label ends what U remembers");
        return;
    }
    const int64_t seq = app->undone[app->n_undone - 1];
    if (!read_label(app, seq, &ev, &e)) {
        app_say(app, ALERT_ERROR, "%s", e.msg);
        return;
    }
    if (session_label(app->session, &ev, &e)) {
        app->n_undone--;
        app_say(app, ALERT_INFO, "label #%lld (%s) given again as #%lld", (long long)seq, decision_name(ev.decision),
                (long long)ev.seq);
    } else {
        app_say(app, ALERT_ERROR, "the label was not saved: %s", e.msg);
    }
    free(ev.text);
}
