/* The interface's side of the door: see session.h. Nothing here waits for training: the mutex guards a queue and a
 * pointer and is held for microseconds on both sides. */
#include "engine/run/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/game/gate_answer.h"
#include "engine/game/options_check.h"
#include "engine/run/own_files.h"
#include "engine/run/session_private.h"

const struct command_info COMMANDS[N_COMMANDS] = {
#define X(id, name, argument, help) {name, argument, help},
    COMMAND_TABLE(X)
#undef X
};

/* Overrides of a resumed run are acts of a person like any other: checked now (in `with`, a copy), journalled when they
 * take effect. What shapes nothing in a run, the number of threads, changes at once. */
static bool take_overrides(struct session *s, const struct session_config *c, struct options *with, struct err *e) {
    s->override = mem_small((size_t)c->n_overrides * sizeof *s->override);
    for (int i = 0; i < c->n_overrides; i++) {
        struct command *o = &s->override[s->n_overrides];
        char before[OPTION_TEXT_MAX] = "", after[OPTION_TEXT_MAX];
        const char *value;
        if (!option_split(c->overrides[i], o->name, sizeof o->name, &value, e)) return false;
        const struct option_info *info = option_find(o->name);
        if (!info) return option_set(with, o->name, value, e); /* which says that there is none of that name */
        option_format(with, info, before, sizeof before);
        if (!option_set(with, o->name, value, e)) return false;
        option_format(with, info, after, sizeof after);
        snprintf(o->value, sizeof o->value, "%s", value);
        if (!option_is_fixed(info))
            s->n_overrides++;
        else if (info->when == OPTION_MACHINE && !option_set(&s->options, o->name, value, e))
            return false;
        else if (info->when != OPTION_MACHINE && strcmp(before, after) != 0)
            return err_set(e, "--resume: %s is fixed when a run starts (%s)", o->name, before);
    }
    return true;
}

/* `with`: the options as they will be with the overrides. */
static bool check_run(struct session *s, const struct session_config *c, struct options *with, struct err *e) {
    *with = s->options;
    if (c->resume && !take_overrides(s, c, with, e)) return false;
    if (!options_check(with, e)) return false;
    if (c->headless && options_need_person(with))
        return err_set(e, "labeller: human needs the workbench; a headless run has nobody to ask");
    return options_full_paths(&s->options, e); /* a run can be resumed from any folder */
}

static bool open_run(struct session *s, const struct session_config *c, struct err *e) {
    s->options = c->options;
    if (c->resume) {
        if (!c->run_dir) return err_set(e, "--resume needs --run-dir");
        if (!rundir_open(&s->rd, c->run_dir, &s->options, e)) return false;
    }
    struct options *with = mem_small(sizeof *with);
    const bool ok = check_run(s, c, with, e);
    free(with);
    return ok && (c->resume || rundir_create(&s->rd, c->run_dir, &s->options, c->title, e));
}

struct session *session_start(const struct session_config *c, struct err *e) {
    struct session *s = mem_small(sizeof *s);
    s->rd.lock_fd = -1;
    s->news = s->orders = WAKE_NONE;
    s->headless = c->headless;
    s->resume = c->resume;
    atomic_init(&s->labels_given, true); /* those of an earlier session that its journal does not know */
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
    if (info && option_is_fixed(info)) return err_set(e, "%s: is fixed when a run starts", c->name);
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
    enum gate_answer answer;
    if (c->kind == COMMAND_GATE) return gate_answer_parse(c->value, &answer, e);
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
    if (json && !(*json = result_json(s)) && s->game_is_open && ok && *ok)
        *ok = err_set(e, "out of memory for the result of the run");
    if (s->game_is_open) game_close(&s->game);
    db_close(&s->label_db);
    rundir_close(&s->rd);
    if (s->discard) rundir_remove(s->rd.path, NULL);
    journal_list_free(&s->replay);
    publisher_free(s);
    snapshot_release(s->current);
    free(s->metric);
    free(s->override);
    free(s->pending);
    free(s->label);
    wake_free(&s->news);
    wake_free(&s->orders);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}
