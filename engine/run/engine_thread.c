/* The engine's side of the door: a loop that applies commands between micro-steps, plays the game, writes checkpoints,
 * and publishes.
 *
 * Determinism: a command takes effect between two micro-steps and is journalled with the tick at which it did. A
 * resumed run starts from the newest checkpoint and applies the journal's later entries at their ticks, so it goes
 * through the same states as the run that was cut off. When a person pauses or quits inside a long generation, the
 * micro-step is abandoned without a trace and done again later. */
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/thread.h"
#include "engine/math/parallel.h"
#include "engine/run/own_files.h"
#include "engine/run/session_private.h"

/* ---- what the game tells ---- */

static void see_series(void *ctx, enum metric_id id, double value) {
    struct session *s = ctx;
    publisher_series(s, id, s->game.st.tick, value);
    if (s->n_metrics == s->cap_metrics) {
        s->cap_metrics = s->cap_metrics ? s->cap_metrics * 2 : 64;
        s->metric = mem_grow(s->metric, (size_t)s->cap_metrics * sizeof *s->metric);
    }
    s->metric[s->n_metrics++] = (struct metric_row){s->game.st.tick, (int)s->game.st.iteration, id, value};
}

void session_log(void *ctx, enum alert_level level, const char *text) {
    static const char *const LEVELS[] = {"info", "warning", "error"};
    struct session *s = ctx;
    publisher_log(s, level, text);
    /* a log line that cannot be stored is still on the screen; the next checkpoint reports the disk */
    struct err ignored;
    log_add(&s->rd, s->game.st.tick, LEVELS[level], text, &ignored);
}

static void see_pair(void *ctx, const struct judged_pair *p) {
    publisher_pair(ctx, p);
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

/* ---- the loop ---- */

static bool flush_metrics(struct session *s, struct err *e) {
    if (s->n_metrics == 0) return true;
    bool ok = db_begin(&s->rd.db, e);
    for (int i = 0; ok && i < s->n_metrics; i++) {
        const struct metric_row *m = &s->metric[i];
        ok = metric_add(&s->rd, m->tick, m->iteration, METRICS[m->id].name, m->value, e);
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
    commands_wait(s);
    return LOOP_ON;
}

/* With what a person needs to decide: how far the reward is, and what knows nothing of the answers reaches. */
static enum loop wait_at_gate(struct session *s) {
    char why[200];
    const struct game *g = &s->game;
    snprintf(why, sizeof why,
             "the reward ranks %.0f %% of held-out pairs right, the gate is %.0f %% (length alone %.0f %%, always the "
             "same side %.0f %%): :gate continue, :gate train or :gate stop",
             100 * g->st.metric[METRIC_RM_HELDOUT], 100 * s->options.reward_gate, 100 * g->st.metric[METRIC_RM_LENGTH],
             100 * g->rewards.diagnostics.majority);
    return wait_for_person(s, why);
}

/* Something is not finite: a person looks at it before the game goes on. Nobody is there in a headless run, unless it
 * only repeats what a person's journal says went on. */
static enum loop stop_and_look(struct session *s, const char *why) {
    if (s->replay_at < s->replay.n) return LOOP_ON;
    if (s->headless) return LOOP_FAIL;
    s->paused = true;
    s->steps_left = 0;
    publisher_state(s, RUN_PAUSED, "%s", why);
    return LOOP_ON;
}

static enum loop one_step(struct session *s, struct err *e) {
    const int64_t phase = s->game.st.phase;
    const double began = clock_seconds();
    if (checkpoint_is_due(s) && !session_write_checkpoint(s, e)) return LOOP_FAIL;
    const enum game_result r = game_step(&s->game, !s->headless, e);
    s->phase_seconds[phase] += clock_seconds() - began;
    if (r == GAME_OK)
        s->phase_steps[phase]++;
    else
        s->n_metrics = 0;
    switch (r) {
    case GAME_OK:
        if (s->steps_left > 0) s->steps_left--;
        if (s->draft->state != RUN_RUNNING && !s->paused) publisher_state(s, RUN_RUNNING, "%s", "");
        publish(s, s->paused); /* nothing follows a single step that would show it */
        if (!own_files_held(s->rd.path, s->rd.lock_fd, e) || !flush_metrics(s, e)) return LOOP_FAIL;
        if (s->game.watch.found_not_finite && !s->headless)
            return stop_and_look(s, "a figure is not finite: see the log (9), then resume");
        return LOOP_ON;
    case GAME_ABANDONED: return LOOP_ON;
    case GAME_NEEDS_LABELS:
        if (!s->headless) return wait_for_person(s, "waiting for labels: open the Label view (2)");
        err_set(e, "labeller %s: the run waits for a person's labels, and headless there is nobody to ask",
                s->options.labeller);
        return LOOP_FAIL;
    case GAME_NEEDS_DECISION: return wait_at_gate(s);
    case GAME_REFUSED: return stop_and_look(s, e->msg);
    case GAME_DONE: return LOOP_END;
    default: return LOOP_FAIL;
    }
}

static enum loop turn(struct session *s, struct err *e) {
    if (!commands_replay_due(s, e) || !commands_process(s, e)) return LOOP_FAIL;
    if (s->quit || atomic_load(&s->interrupt)) return LOOP_END;
    if (s->paused && s->steps_left == 0) {
        if (s->draft->state != RUN_PAUSED)
            publisher_state(s, RUN_PAUSED, "paused at tick %lld", (long long)s->game.st.tick);
        commands_wait(s);
        return LOOP_ON;
    }
    return one_step(s, e);
}

static void run_game(struct session *s, struct err *e) {
    s->rate_tokens = s->game.st.tokens;
    publisher_state(s, RUN_RUNNING, "%s", "");
    enum loop l = LOOP_ON;
    while (l == LOOP_ON) l = turn(s, e);
    bool ok = l == LOOP_END;
    if (ok && !s->discard) ok = session_write_checkpoint(s, e) && session_save_student(s, e);
    s->failed = !ok;
    if (!ok) {
        s->failure = *e;
        session_log(s, ALERT_ERROR, e->msg);
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
    thread_set_nice(10); /* keys stay instant while both processors train */
    parallel_init(s->options.threads);
    s->began = clock_seconds();
    const struct game_observer see = {s, see_series, session_log, see_pair, see_safe_point, see_loading};
    if (session_open_game(s, &see, &e)) {
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
