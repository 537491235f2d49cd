/* Labels on their way to the run: see labels.h. Everything about them is behind the door (session.h). */
#include "tui/labels.h"

bool app_label(struct app *app, struct label_event *ev) {
    struct err e = {0};
    if (!app->session) return false;
    const bool ok = session_label(app->session, ev, &e);
    if (ok)
        app_say(app, ALERT_INFO, "saved (label %lld)", (long long)ev->seq);
    else
        app_say(app, ALERT_ERROR, "the label was not saved: %s", e.msg);
    return ok;
}

void app_undo(struct app *app) {
    struct err e = {0};
    char text[200];
    if (!app->session) return;
    if (session_undo(app->session, app->annotator, text, &e))
        app_say(app, ALERT_INFO, "%s (U gives it again)", text);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}

void app_redo(struct app *app) {
    struct err e = {0};
    char text[200];
    if (!app->session) return;
    if (session_redo(app->session, text, &e))
        app_say(app, ALERT_INFO, "%s", text);
    else
        app_say(app, ALERT_ERROR, "%s", e.msg);
}
