/* The interface's side of the door: see session.h. Nothing here waits for training: the mutex guards a queue and a
 * pointer and is held for microseconds on both sides. */
#include "engine/run/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/game/options_check.h"
#include "engine/run/own_files.h"
#include "engine/run/session_private.h"

const struct command_info COMMANDS[N_COMMANDS] = {
#define X(id, name, argument, help) {name, argument, help},
    COMMAND_TABLE(X)
#undef X
};

/* Overrides of a resumed run are acts of a person like any other: checked now, journalled when they take effect. The
 * number of threads shapes nothing in a run, so it changes at once. */
static bool take_overrides(struct session *s, const struct session_config *c, struct err *e) {
    s->override = mem_small((size_t)c->n_overrides * sizeof *s->override);
    for (int i = 0; i < c->n_overrides; i++) {
        struct command *o = &s->override[s->n_overrides];
        char before[OPTION_TEXT_MAX] = "", after[OPTION_TEXT_MAX];
        const char *value;
        if (!option_split(c->overrides[i], o->name, sizeof o->name, &value, e)) return false;
        const struct option_info *info = option_find(o->name);
        if (info) option_format(&s->options, info, before, sizeof before);
        if (!option_set(&s->options, o->name, value, e)) return false;
        option_format(&s->options, info, after, sizeof after);
        snprintf(o->value, sizeof o->value, "%s", value);
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): option_set refuses an unknown name */
        if (info->when != OPTION_START)
            s->n_overrides++;
        else if (strcmp(before, after) != 0 && strcmp(o->name, "threads") != 0)
            return err_set(e, "--resume: %s is fixed when a run starts (%s)", o->name, before);
    }
    return true;
}

static bool open_run(struct session *s, const struct session_config *c, struct err *e) {
    s->options = c->options;
    if (c->resume) {
        if (!c->run_dir) return err_set(e, "--resume needs --run-dir");
        if (!rundir_open(&s->rd, c->run_dir, &s->options, e)) return false;
    }
    if (c->resume && !take_overrides(s, c, e)) return false;
    /* a run can be resumed from any folder */
    if (!options_check(&s->options, e) || !options_full_paths(&s->options, e)) return false;
    if (c->headless && options_need_person(&s->options))
        return err_set(e, "labeller: human needs the workbench; a headless run has nobody to ask");
    return c->resume || rundir_create(&s->rd, c->run_dir, &s->options, c->title, e);
}

struct session *session_start(const struct session_config *c, struct err *e) {
    struct session *s = mem_small(sizeof *s);
    s->rd.lock_fd = -1;
    s->news = s->orders = WAKE_NONE;
    s->headless = c->headless;
    s->resume = c->resume;
    snprintf(s->title, sizeof s->title, "%s", c->title ? c->title : "");
    pthread_mutex_init(&s->mutex, NULL);
    char name[4200];
    bool ok = open_run(s, c, e);
    snprintf(name, sizeof name, "%s/run.db", s->rd.path);
    ok = ok && db_open(&s->label_db, name, DB_WRITE, true, e) && dpref_create_tables(&s->label_db, e);
    ok = ok && wake_init(&s->news, e) && wake_init(&s->orders, e);
    if (ok) {
        s->options_start = s->options;
        publisher_init(s);
        publisher_state(s, RUN_LOADING, "loading models and prompts");
        if (pthread_create(&s->thread, NULL, engine_thread, s) != 0)
            ok = err_errno(e, "cannot start the engine thread");
    }
    if (ok) return s;
    const bool made = !c->resume && s->rd.db.h;
    db_close(&s->label_db);
    rundir_close(&s->rd);
    if (made) rundir_remove(s->rd.path, NULL);
    wake_free(&s->news);
    wake_free(&s->orders);
    if (s->draft) publisher_free(s);
    snapshot_release(s->current);
    free(s->override);
    free(s);
    return NULL;
}

/* A new value has to fit its own bounds and the other options in force. */
static bool validate_set(struct session *s, const struct command *c, struct err *e) {
    const struct option_info *info = option_find(c->name);
    if (info && info->when == OPTION_START) return err_set(e, "%s: is fixed when a run starts", c->name);
    const struct snapshot *now = session_snapshot(s);
    const bool ok = options_check_set(&now->options, c->name, c->value, e);
    snapshot_release(now);
    return ok;
}

/* What can be said about a command at once. */
static bool validate(struct session *s, const struct command *c, struct err *e) {
    if (c->kind == COMMAND_SET) return validate_set(s, c, e);
    if (c->kind == COMMAND_QUIT && strcmp(c->value, "save") != 0 && strcmp(c->value, "discard") != 0)
        return err_set(e, "quit: expected save or discard, found \"%s\"", c->value);
    if (c->kind == COMMAND_GATE && strcmp(c->value, "continue") != 0 && strcmp(c->value, "train") != 0 &&
        strcmp(c->value, "stop") != 0)
        return err_set(e, "gate: expected continue, train or stop, found \"%s\"", c->value);
    if (c->kind == COMMAND_STEP && c->value[0]) {
        char *end;
        const long n = strtol(c->value, &end, 10);
        if (*end || n < 1 || n > 1000000)
            return err_set(e, "step: expected a count from 1 to 1000000, found \"%s\"", c->value);
    }
    return true;
}

uint64_t session_send(struct session *s, const struct command *c, struct err *e) {
    if (!validate(s, c, e)) return 0;
    if (atomic_load(&s->ended)) {
        if (c->kind != COMMAND_QUIT) {
            err_set(e, "%s: the run has ended", COMMANDS[c->kind].name);
            return 0;
        }
        s->discard = strcmp(c->value, "discard") == 0;
        return ++s->next_id;
    }
    uint64_t id = 0;
    pthread_mutex_lock(&s->mutex);
    if (s->count < QUEUE_LENGTH) {
        id = ++s->next_id;
        s->queue[(s->head + s->count++) % QUEUE_LENGTH] = (struct queued_command){id, *c};
        if (c->kind == COMMAND_PAUSE || c->kind == COMMAND_QUIT) atomic_fetch_add(&s->urgent, 1);
    }
    pthread_mutex_unlock(&s->mutex);
    wake_set(&s->orders);
    if (!id) err_set(e, "%d commands wait already; try again in a moment", QUEUE_LENGTH);
    return id;
}

bool session_label(struct session *s, struct label_event *ev, struct err *e) {
    if (!own_files_held(s->rd.path, s->rd.lock_fd, e) || !label_event_commit(&s->label_db, ev, e)) return false;
    struct command c = {.kind = COMMAND_LABEL};
    snprintf(c.value, sizeof c.value, "%lld", (long long)ev->seq);
    struct err ignored; /* the label is on disk; a run that has ended has no more use for it */
    session_send(s, &c, &ignored);
    return true;
}

bool session_undo(struct session *s, const char *annotator, char message[200], struct err *e) {
    int64_t seq, used;
    struct label_event old;
    if (!label_event_last(&s->label_db, annotator, &seq, e)) return false;
    if (seq == 0) return err_set(e, "nothing to undo");
    if (!label_event_read(&s->label_db, seq, &old, e)) return false;
    struct label_event ev = {.pair_id = old.pair_id,
                             .pair_hash = old.pair_hash,
                             .left = old.left,
                             .decision = DECISION_UNDO,
                             .undo_of = seq};
    snprintf(ev.annotator, sizeof ev.annotator, "%s", annotator);
    snprintf(ev.sampler, sizeof ev.sampler, "undo");
    free(old.text);
    if (!db_get_int(&s->label_db, e, &used, -1,
                    "SELECT tick FROM journal WHERE kind='label' AND CAST(payload AS INTEGER)=?", "i", seq) ||
        !session_label(s, &ev, e))
        return false;
    if (used < 0)
        snprintf(message, 200, "label #%lld withdrawn; training had not used it", (long long)seq);
    else
        snprintf(message, 200, "label #%lld retracted; training has used it since tick %lld", (long long)seq,
                 (long long)used);
    return true;
}

const struct snapshot *session_snapshot(struct session *s) {
    wake_clear(&s->news);
    pthread_mutex_lock(&s->mutex);
    const struct snapshot *n = snapshot_retain(s->current);
    pthread_mutex_unlock(&s->mutex);
    return n;
}

int session_fd(const struct session *s) { return wake_fd(&s->news); }

void session_interrupt(struct session *s) {
    atomic_store(&s->interrupt, 1);
    wake_set(&s->orders);
}

bool session_ended(const struct session *s) { return atomic_load(&s->ended); }

void session_finish(struct session *s, bool *ok, char **json, struct err *e) {
    pthread_join(s->thread, NULL);
    if (ok) *ok = !s->failed;
    if (s->failed && e) *e = s->failure;
    if (json) *json = result_json(s);
    if (s->game_is_open) game_close(&s->game);
    db_close(&s->label_db);
    rundir_close(&s->rd);
    if (s->discard) rundir_remove(s->rd.path, NULL);
    journal_list_free(&s->replay);
    publisher_free(s);
    snapshot_release(s->current);
    free(s->metric);
    free(s->override);
    wake_free(&s->news);
    wake_free(&s->orders);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}
