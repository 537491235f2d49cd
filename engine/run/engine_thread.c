/* The engine's side of the door: a loop that applies commands between micro-steps, plays the game, writes checkpoints, and publishes.
 *
 * Determinism: a command takes effect between two micro-steps and is journalled with the tick at which it did. A resumed run starts from the newest
 * checkpoint and applies the journal's later entries at their ticks, so it goes through the same states as the run that was cut off. When a
 * person pauses or quits inside a long generation, the micro-step is abandoned without a trace and done again later. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/formats/quant.h"
#include "engine/math/parallel.h"
#include "engine/model/model_io.h"
#include "engine/run/session_private.h"

/* ---- what the game tells ---- */

static void see_series(void *ctx, enum series_id id, double value) {
    struct session *s = ctx;
    publisher_series(s, id, s->game.st.tick, value);
    if (s->n_metrics == s->cap_metrics) {
        s->cap_metrics = s->cap_metrics ? s->cap_metrics * 2 : 64;
        s->metric = mem_grow(s->metric, (size_t)s->cap_metrics * sizeof *s->metric);
    }
    s->metric[s->n_metrics++] = (struct metric_row){s->game.st.tick, (int)s->game.st.iteration, id, value};
}

static void see_log(void *ctx, enum alert_level level, const char *text) {
    static const char *const LEVELS[] = {"info", "warning", "error"};
    struct session *s = ctx;
    publisher_log(s, level, text);
    struct err ignored; /* a log line that cannot be stored is still on the screen; the next checkpoint reports the disk */
    log_add(&s->rd, s->game.st.tick, LEVELS[level], text, &ignored);
}

static void see_pair(void *ctx, const struct pref_pair *p, double r0, double r1) {
    publisher_pair(ctx, p, r0, r1);
    publish(ctx, false);
}

static bool see_safe_point(void *ctx) {
    struct session *s = ctx;
    publish(s, false);
    return !atomic_load(&s->interrupt) && atomic_load(&s->urgent) == 0;
}

static void see_loading(void *ctx, const char *what, double done) {
    struct session *s = ctx;
    s->draft->phase_done = done;
    snprintf(s->draft->state_text, sizeof s->draft->state_text, "%s", what);
    publish(s, false);
}

/* ---- commands ---- */

static bool journal(struct session *s, const char *kind, const char *payload, struct err *e) {
    if (!journal_add(&s->rd, s->game.st.tick, kind, payload, e)) return false;
    s->last_journal_seq = sqlite3_last_insert_rowid(s->rd.db.h);
    return true;
}

static bool set_option(struct session *s, const char *name, const char *value, char *message, size_t size, struct err *e) {
    const struct option_info *info = option_find(name);
    char before[OPTION_TEXT_MAX], after[OPTION_TEXT_MAX];
    if (!info) return err_set(e, "unknown option \"%s\"", name);
    option_format(&s->options, info, before, sizeof before);
    if (!option_set(&s->options, name, value, e)) return false;
    option_format(&s->options, info, after, sizeof after);
    snprintf(message, size, "%s %.50s -> %.50s", name, before, after);
    publisher_mark(s, message);
    return true;
}

/* In a transaction, because a written answer adds pairs. */
static bool apply_label(struct session *s, int64_t seq, double flip, double weight, bool again, struct err *e) {
    struct label_event ev;
    if (!label_event_read(&s->rd.db, seq, &ev, e)) return false;
    const bool ok = game_apply_label(&s->game, &ev, flip, weight, again, e);
    free(ev.text);
    if (!ok) return false;
    char what[48];
    snprintf(what, sizeof what, "label %s", decision_name(ev.decision));
    publisher_mark(s, what);
    publisher_label(s, ev.pair_id);
    int first;
    const int n = ev.decision == DECISION_UNDO ? dpref_find_edit(&s->game.dpref, ev.undo_of, &first) : 0;
    for (int i = 0; i < n; i++) publisher_label(s, s->game.dpref.pair[first + i].id); /* withdrawn with the answer */
    return true;
}

/* A label of an earlier session, from its line in the journal. `again`: see game_apply_label. */
static bool replay_label(struct session *s, const struct journal_entry *j, bool again, struct err *e) {
    long long seq;
    double flip, weight;
    const int n_pairs = s->game.dpref.n;
    if (sscanf(j->payload, "%lld %la %la", &seq, &flip, &weight) != 3) return err_set(e, "journal %lld: damaged", (long long)j->seq);
    if (!db_begin(&s->rd.db, e)) return false;
    if (!apply_label(s, seq, flip, weight, again, e)) {
        db_rollback(&s->rd.db);
        return err_wrap(e, "journal %lld", (long long)j->seq);
    }
    return db_commit(&s->rd.db, e) && game_show_pairs(&s->game, n_pairs, e);
}

static void apply_gate(struct session *s, const char *word) {
    s->game.st.gate_answer = strcmp(word, "continue") == 0 ? 1 : strcmp(word, "train") == 0 ? 2 : 3;
}

/* Entries of an earlier session whose tick has come. */
static bool replay_due(struct session *s, struct err *e) {
    for (; s->replay_at < s->replay.n && s->replay.entry[s->replay_at].tick <= s->game.st.tick; s->replay_at++) {
        const struct journal_entry *j = &s->replay.entry[s->replay_at];
        char message[160];
        if (strcmp(j->kind, "set") == 0) {
            char name[64];
            const char *equals = strchr(j->payload, '=');
            if (!equals) return err_set(e, "journal %lld: damaged", (long long)j->seq);
            snprintf(name, sizeof name, "%.*s", (int)(equals - j->payload), j->payload);
            if (!set_option(s, name, equals + 1, message, sizeof message, e)) return false;
        } else if (strcmp(j->kind, "label") == 0) {
            if (!replay_label(s, j, false, e)) return false;
        } else if (strcmp(j->kind, "gate") == 0) {
            apply_gate(s, j->payload);
        }
        if (j->seq > s->last_journal_seq) s->last_journal_seq = j->seq;
    }
    return true;
}

static bool write_checkpoint(struct session *s, struct err *e);

static bool apply_set(struct session *s, const struct queued_command *q, struct err *e) {
    char message[160], payload[OPTION_TEXT_MAX + 80];
    snprintf(payload, sizeof payload, "%s=%s", q->c.name, q->c.value);
    if (!set_option(s, q->c.name, q->c.value, message, sizeof message, e) || !journal(s, "set", payload, e)) return false;
    s->draft->pending_option = -1;
    publisher_ack(s, q->id, true, "%s at tick %lld", message, (long long)s->game.st.tick);
    return true;
}

/* Pairs of a written answer and the line in the journal that makes them again reach the disk together or not at all. */
static bool apply_label_command(struct session *s, const struct queued_command *q, struct err *e) {
    const long long seq = atoll(q->c.value);
    const int n_pairs = s->game.dpref.n;
    char payload[120];
    struct err refused = {0};
    snprintf(payload, sizeof payload, "%lld %a %a", seq, s->options.label_flip_human, s->options.label_weight_human);
    if (!db_set_durable(&s->rd.db, true, e) || !db_begin(&s->rd.db, e)) return false;
    const bool applied = apply_label(s, seq, s->options.label_flip_human, s->options.label_weight_human, false, &refused);
    const bool ok = !applied || (journal(s, "label", payload, e) && db_commit(&s->rd.db, e));
    db_rollback(&s->rd.db); /* of what was refused; nothing after the commit */
    if (!ok || !db_set_durable(&s->rd.db, false, e)) return false;
    if (applied) {
        publisher_ack(s, q->id, true, "label #%lld counts from tick %lld", seq, (long long)s->game.st.tick);
        return game_show_pairs(&s->game, n_pairs, e);
    }
    publisher_ack(s, q->id, false, "label #%lld is saved but cannot be used: %s", seq, refused.msg);
    see_log(s, ALERT_WARNING, refused.msg);
    return true;
}

static bool at_iteration_start(const struct session *s) { return s->game.st.phase == PHASE_COLLECT && s->game.st.step == 0; }

/* Apply one command; false only on failures that end the run (disk). */
static bool apply(struct session *s, const struct queued_command *q, struct err *e) {
    const struct command *c = &q->c;
    const long long tick = (long long)s->game.st.tick;
    switch (c->kind) {
    case COMMAND_SET:
        if (option_find(c->name)->when == OPTION_ITERATION && !at_iteration_start(s) && s->n_deferred < 32) {
            s->deferred[s->n_deferred++] = *q;
            s->draft->pending_option = option_index(option_find(c->name));
            snprintf(s->draft->pending_value, sizeof s->draft->pending_value, "%.60s", c->value);
            return true;
        }
        return apply_set(s, q, e);
    case COMMAND_PAUSE: s->paused = true; break;
    case COMMAND_RESUME: s->paused = false; s->steps_left = 0; break;
    case COMMAND_STEP: s->steps_left += c->value[0] ? atoll(c->value) : 1; s->paused = true; break;
    case COMMAND_CHECKPOINT:
        if (!write_checkpoint(s, e)) return false;
        break;
    case COMMAND_LABEL: return apply_label_command(s, q, e);
    case COMMAND_GATE:
        apply_gate(s, c->value);
        if (!journal(s, "gate", c->value, e)) return false;
        break;
    case COMMAND_QUIT:
        s->quit = true;
        s->discard = strcmp(c->value, "discard") == 0;
        s->save_on_quit = !s->discard;
        break;
    default: break;
    }
    publisher_ack(s, q->id, true, "%s at tick %lld", COMMANDS[c->kind].name, tick);
    return true;
}

static bool take(struct session *s, struct queued_command *q) {
    pthread_mutex_lock(&s->mutex);
    const bool any = s->count > 0;
    if (any) {
        *q = s->queue[s->head];
        s->head = (s->head + 1) % QUEUE_LENGTH;
        s->count--;
        if (q->c.kind == COMMAND_PAUSE || q->c.kind == COMMAND_QUIT) atomic_fetch_sub(&s->urgent, 1);
    }
    pthread_mutex_unlock(&s->mutex);
    return any;
}

/* Overrides of `--resume` follow the acts of the earlier session, which the journal brings back first. */
static bool apply_overrides(struct session *s, struct err *e) {
    if (s->replay_at < s->replay.n) return true;
    const int n = s->n_overrides;
    s->n_overrides = 0;
    for (int i = 0; i < n; i++) {
        const struct queued_command q = {0, s->override[i]};
        if (!apply(s, &q, e)) return false;
    }
    return true;
}

static bool process_commands(struct session *s, struct err *e) {
    struct queued_command q;
    bool any = s->n_overrides > 0;
    if (!apply_overrides(s, e)) return false;
    if (at_iteration_start(s)) {
        for (int i = 0; i < s->n_deferred; i++)
            if (!apply_set(s, &s->deferred[i], e)) return false;
        s->n_deferred = 0;
    }
    while (!s->quit && take(s, &q)) {
        if (!apply(s, &q, e)) return false;
        any = true;
    }
    if (any) publish(s, true);
    return true;
}

/* Sleep until a command comes or the interrupt flag is set (looked at ten times a second, since a signal handler cannot signal a condition). */
static void wait_for_command(struct session *s) {
    pthread_mutex_lock(&s->mutex);
    if (s->count == 0 && !atomic_load(&s->interrupt)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
        pthread_cond_timedwait(&s->wake, &s->mutex, &until);
    }
    pthread_mutex_unlock(&s->mutex);
}

/* ---- checkpoints ---- */

static char *checkpoint_state(struct session *s) {
    char *game = game_state_json(&s->game), *options = options_to_json(&s->options, false);
    struct strbuf b = {0};
    strbuf_printf(&b, "{\"journal_seq\":%lld,\"options\":%s,\"game\":%s}", (long long)s->last_journal_seq, options, game);
    cJSON_free(game);
    free(options);
    return strbuf_take(&b);
}

static bool write_checkpoint(struct session *s, struct err *e) {
    struct game_arrays a;
    struct checkpoint_file files[GAME_FILES];
    const double now = clock_seconds();
    s->game.st.seconds += now - s->began;
    s->began = now;
    game_arrays(&s->game, &a);
    for (int i = 0; i < a.n_files; i++) files[i] = (struct checkpoint_file){a.name[i], a.array[i], a.n[i]};
    char *state = checkpoint_state(s);
    const bool ok = checkpoint_write(&s->rd, s->game.st.tick, files, a.n_files, state, s->options.checkpoint_keep, e);
    free(state);
    game_arrays_free(&a);
    return ok;
}

static bool save_student(struct session *s, struct err *e) {
    char path[4200];
    snprintf(path, sizeof path, "%s/student.gguf", s->rd.path);
    return model_save(s->game.student.model, s->game.tok, path, QUANT_F32, e);
}

/* Labels that were in force at the checkpoint: those journalled before it. */
static bool reapply_labels(struct session *s, int64_t tick, int64_t seq, struct err *e) {
    struct journal_list all;
    if (!journal_load(&s->rd, -1, &all, e)) return false;
    bool ok = true;
    for (int i = 0; ok && i < all.n; i++) {
        const struct journal_entry *j = &all.entry[i];
        if (strcmp(j->kind, "label") != 0 || j->tick > tick || (j->tick == tick && j->seq > seq)) continue;
        ok = replay_label(s, j, true, e);
    }
    journal_list_free(&all);
    return ok;
}

/* Entries still ahead: later ticks, and those of the checkpoint's own tick that came after it. */
static bool load_replay(struct session *s, int64_t tick, int64_t seq, struct err *e) {
    if (!journal_load(&s->rd, tick - 1, &s->replay, e)) return false;
    while (s->replay_at < s->replay.n && s->replay.entry[s->replay_at].tick == tick && s->replay.entry[s->replay_at].seq <= seq) s->replay_at++;
    return true;
}

static bool restore_from(struct session *s, const char *folder, const char *state, int64_t tick, struct err *e) {
    cJSON *root = json_parse(state, strlen(state), "checkpoint", e);
    if (!root) return false;
    double seq = 0;
    char *game = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "game"));
    bool ok = json_get_number(root, "journal_seq", "checkpoint", &seq, e) && (game || err_set(e, "checkpoint: \"game\" is missing")) &&
              game_restore(&s->game, folder, game, e) && rundir_truncate_after(&s->rd, tick - 1, e);
    cJSON_free(game);
    cJSON_Delete(root);
    s->last_journal_seq = (int64_t)seq;
    return ok && reapply_labels(s, tick, (int64_t)seq, e) && load_replay(s, tick, (int64_t)seq, e);
}

static bool redraw_metric(void *ctx, int64_t tick, int iteration, const char *name, double value) {
    struct session *s = ctx;
    (void)iteration;
    for (int i = 0; i < N_SERIES; i++)
        if (strcmp(series_name((enum series_id)i), name) == 0) publisher_series(s, (enum series_id)i, tick, value);
    return true;
}

/* Options at the checkpoint, before the game opens with them. */
static bool checkpoint_options(struct session *s, const char *state, struct err *e) {
    cJSON *root = json_parse(state, strlen(state), "checkpoint", e);
    char *text = root ? cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "options")) : NULL;
    const bool ok = root && (text || err_set(e, "checkpoint: \"options\" is missing")) && options_from_json(&s->options, text, "checkpoint", e);
    cJSON_free(text);
    cJSON_Delete(root);
    return ok;
}

static bool open_game(struct session *s, struct err *e) {
    const struct game_observer see = {s, see_series, see_log, see_pair, see_safe_point, see_loading};
    bool found = false;
    int64_t tick = 0;
    char folder[4300], *state = NULL;
    bool ok = !s->resume || checkpoint_newest(&s->rd, &found, &tick, folder, sizeof folder, &state, e);
    if (ok && s->resume && !found)
        ok = dpref_create_tables(&s->rd.db, e) && outputs_create_table(&s->rd.db, e) &&
             db_exec(&s->rd.db, "DELETE FROM pair; DELETE FROM teacher_output;", e) && rundir_truncate_after(&s->rd, -1, e);
    ok = ok && (!found || checkpoint_options(s, state, e));
    if (ok) s->game_is_open = ok = game_open(&s->game, &s->options, &s->rd.db, &see, found, e);
    if (ok && found) ok = restore_from(s, folder, state, tick, e);
    else if (ok && s->resume) ok = load_replay(s, 0, 0, e);
    if (ok && s->resume) ok = metric_each(&s->rd, redraw_metric, s, e);
    free(state);
    return ok;
}

/* ---- the loop ---- */

static bool flush_metrics(struct session *s, struct err *e) {
    if (s->n_metrics == 0) return true;
    bool ok = db_begin(&s->rd.db, e);
    for (int i = 0; ok && i < s->n_metrics; i++) {
        const struct metric_row *m = &s->metric[i];
        ok = metric_add(&s->rd, m->tick, m->iteration, series_name(m->id), m->value, e);
    }
    s->n_metrics = 0;
    if (!ok) {
        db_rollback(&s->rd.db);
        return false;
    }
    return db_commit(&s->rd.db, e);
}

static bool checkpoint_is_due(const struct session *s) {
    return s->game.st.phase == PHASE_CHECKPOINT &&
           (s->game.st.iteration % s->options.checkpoint_every == 0 || s->game.st.iteration >= s->options.iterations);
}

enum loop { LOOP_ON, LOOP_END, LOOP_FAIL };

static enum loop wait_for_person(struct session *s, const char *why) {
    if (s->draft->state != RUN_WAITING) publisher_state(s, RUN_WAITING, "%s", why);
    wait_for_command(s);
    return LOOP_ON;
}

static enum loop one_step(struct session *s, struct err *e) {
    const int64_t phase = s->game.st.phase;
    const double began = clock_seconds();
    if (checkpoint_is_due(s) && !write_checkpoint(s, e)) return LOOP_FAIL;
    const enum game_result r = game_step(&s->game, !s->headless, e);
    s->phase_seconds[phase] += clock_seconds() - began;
    if (r != GAME_OK) s->n_metrics = 0;
    switch (r) {
    case GAME_OK:
        if (s->steps_left > 0) s->steps_left--;
        if (s->draft->state != RUN_RUNNING && !s->paused) publisher_state(s, RUN_RUNNING, "%s", "");
        publish(s, false);
        return flush_metrics(s, e) ? LOOP_ON : LOOP_FAIL;
    case GAME_ABANDONED: return LOOP_ON;
    case GAME_NEEDS_LABELS: return wait_for_person(s, "waiting for labels: open the Label view (2)");
    case GAME_NEEDS_DECISION: return wait_for_person(s, "the reward did not reach the gate: :gate continue, :gate train or :gate stop");
    case GAME_DONE: return LOOP_END;
    default: return LOOP_FAIL;
    }
}

static enum loop turn(struct session *s, struct err *e) {
    if (!replay_due(s, e) || !process_commands(s, e)) return LOOP_FAIL;
    if (s->quit || atomic_load(&s->interrupt)) return LOOP_END;
    if (s->paused && s->steps_left == 0) {
        if (s->draft->state != RUN_PAUSED) publisher_state(s, RUN_PAUSED, "paused at tick %lld", (long long)s->game.st.tick);
        wait_for_command(s);
        return LOOP_ON;
    }
    return one_step(s, e);
}

static void run_game(struct session *s, struct err *e) {
    s->done_at_start = game_run_done(&s->game);
    s->rate_tokens = s->game.st.tokens;
    publisher_state(s, RUN_RUNNING, "%s", "");
    enum loop l = LOOP_ON;
    while (l == LOOP_ON) l = turn(s, e);
    bool ok = l == LOOP_END;
    if (ok && !s->discard) ok = write_checkpoint(s, e) && save_student(s, e);
    s->failed = !ok;
    if (!ok) {
        s->failure = *e;
        see_log(s, ALERT_ERROR, e->msg);
        publisher_state(s, RUN_FAILED, "%s", e->msg);
    } else if (s->game.st.phase == PHASE_END) {
        publisher_state(s, RUN_DONE, "done: %s/student.gguf", s->rd.path);
    } else {
        publisher_state(s, RUN_PAUSED, "stopped at tick %lld; resumable", (long long)s->game.st.tick);
    }
}

void *engine_thread(void *session) {
    struct session *s = session;
    struct err e = {0};
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10); /* keys stay instant while both processors train */
    parallel_init(s->options.threads);
    s->began = clock_seconds();
    if (open_game(s, &e)) {
        run_game(s, &e);
    } else {
        s->failed = true;
        s->failure = e;
        publisher_state(s, RUN_FAILED, "%s", e.msg);
        s->discard = !s->resume; /* a run that never began leaves no folder */
    }
    parallel_shutdown();
    atomic_store(&s->ended, true);
    publish(s, true);
    return NULL;
}
