/* The interface's side of labels: stored durably on a connection of its own before anything else happens, so that what
 * the screen calls saved is saved; labels.c brings it into training. Taking back works on whatever the annotator
 * labelled last, also in an earlier session. What was taken back here is remembered by its number in run.db and given
 * again as a new event with the same contents; a new label ends that memory, as in an editor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/run/own_files.h"
#include "engine/run/session_private.h"

/* The label is on disk; the engine finds it there at its next safe point, or the run's next session does. */
static bool store(struct session *s, struct label_event *ev, struct err *e) {
    if (!own_files_held(s->rd.path, s->rd.lock_fd, e) || !label_event_commit(&s->label_db, ev, e)) return false;
    atomic_store(&s->labels_given, true);
    wake_set(&s->orders);
    return true;
}

bool session_label(struct session *s, struct label_event *ev, struct err *e) {
    if (!store(s, ev, e)) return false;
    s->n_undone = 0;
    return true;
}

static void remember(struct session *s, int64_t seq) {
    if (s->n_undone == UNDO_MEMORY) memmove(s->undone, s->undone + 1, --s->n_undone * sizeof *s->undone);
    s->undone[s->n_undone++] = seq;
}

bool session_undo(struct session *s, const char *annotator, char message[200], struct err *e) {
    int64_t seq, used;
    if (!label_event_last(&s->label_db, annotator, &seq, e)) return false;
    if (seq == 0) return err_set(e, "nothing to undo");
    struct label_event ev = {
        .decision = DECISION_UNDO, .undo_of = seq, .sampler = "undo"}; /* the pair is its label's */
    snprintf(ev.annotator, sizeof ev.annotator, "%s", annotator);
    if (!db_get_int(&s->label_db, e, &used, -1,
                    "SELECT tick FROM journal WHERE kind='" JOURNAL_LABEL "' AND CAST(payload AS INTEGER)=?", "i",
                    seq) ||
        !store(s, &ev, e))
        return false;
    remember(s, seq);
    if (used < 0)
        snprintf(message, 200, "label #%lld withdrawn; training had not used it", (long long)seq);
    else
        snprintf(message, 200, "label #%lld retracted; training has used it since tick %lld", (long long)seq,
                 (long long)used);
    return true;
}

bool session_redo(struct session *s, char message[200], struct err *e) {
    struct label_event ev;
    if (s->n_undone == 0)
        return err_set(e, "nothing to give again: undo takes a label back, a new label ends what redo remembers");
    const int64_t seq = s->undone[s->n_undone - 1];
    if (!label_event_read(&s->label_db, seq, &ev, e)) return false;
    const bool ok = store(s, &ev, e) || err_wrap(e, "the label was not saved");
    if (ok) {
        s->n_undone--;
        snprintf(message, 200, "label #%lld (%s) given again as #%lld", (long long)seq, decision_name(ev.decision),
                 (long long)ev.seq);
    }
    free(ev.text);
    return ok;
}

bool session_export(struct session *s, const char *format, const char *path, int64_t *n, struct err *e) {
    struct db db = {0};
    char name[4200];
    snprintf(name, sizeof name, "%s/run.db", s->rd.path);
    if (!db_open(&db, name, DB_READ, false, e)) return false;
    const bool ok = dpref_export(&db, format, path, n, e);
    db_close(&db);
    return ok;
}
