/* Commands and the journal: what a person's act does to the run, between two micro-steps, and the same acts brought
 * back from the journal of an earlier session at the ticks where they took effect. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/game/gate_answer.h"
#include "engine/game/options_check.h"
#include "engine/run/session_private.h"

static bool journal(struct session *s, const char *kind, const char *payload, struct err *e) {
    if (!journal_add(&s->rd, s->game.st.tick, kind, payload, e)) return false;
    s->last_journal_seq = sqlite3_last_insert_rowid(s->rd.db.h);
    return true;
}

static bool set_option(struct session *s, const char *name, const char *value, char *message, size_t size,
                       struct err *e) {
    const struct option_info *info = option_find(name);
    char before[OPTION_TEXT_MAX], after[OPTION_TEXT_MAX];
    if (!info) return err_set(e, "unknown option \"%s\"", name);
    option_format(&s->options, info, before, sizeof before);
    if (!option_set(&s->options, name, value, e)) return false;
    game_option_set(&s->game, name);
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
    const int n = ev.decision == DECISION_UNDO ? dpref_find_edit(&s->game.corpus.dpref, ev.undo_of, &first) : 0;
    for (int i = 0; i < n; i++)
        publisher_label(s, s->game.corpus.dpref.pair[first + i].id); /* withdrawn with the answer */
    return true;
}

/* A label of an earlier session, from its line in the journal. `again`: see game_apply_label. */
bool commands_replay_label(struct session *s, const struct journal_entry *j, bool again, struct err *e) {
    long long seq;
    double flip, weight;
    const int n_pairs = s->game.corpus.dpref.n;
    if (sscanf(j->payload, "%lld %la %la", &seq, &flip, &weight) != 3)
        return err_set(e, "journal %lld: damaged", (long long)j->seq);
    if (!db_begin(&s->rd.db, e)) return false;
    if (!apply_label(s, seq, flip, weight, again, e)) {
        db_rollback(&s->rd.db);
        return err_wrap(e, "journal %lld", (long long)j->seq);
    }
    return db_commit(&s->rd.db, e) && game_show_pairs(&s->game, n_pairs, e);
}

static bool apply_gate(struct session *s, const char *word, struct err *e) {
    enum gate_answer a;
    if (!gate_answer_parse(word, &a, e)) return false;
    s->game.st.gate_answer = a;
    return true;
}

/* Entries of an earlier session whose tick has come. */
bool commands_replay_due(struct session *s, struct err *e) {
    for (; s->replay_at < s->replay.n && s->replay.entry[s->replay_at].tick <= s->game.st.tick; s->replay_at++) {
        const struct journal_entry *j = &s->replay.entry[s->replay_at];
        char message[160];
        if (strcmp(j->kind, "set") == 0) {
            char name[64];
            const char *value = "";
            if (!option_split(j->payload, name, sizeof name, &value, e) ||
                !set_option(s, name, value, message, sizeof message, e))
                return err_wrap(e, "journal %lld", (long long)j->seq);
        } else if (strcmp(j->kind, "label") == 0) {
            if (!commands_replay_label(s, j, false, e)) return false;
        } else if (strcmp(j->kind, "gate") == 0) {
            if (!apply_gate(s, j->payload, e)) return err_wrap(e, "journal %lld", (long long)j->seq);
        }
        if (j->seq > s->last_journal_seq) s->last_journal_seq = j->seq;
    }
    return true;
}

static bool apply_set(struct session *s, const struct queued_command *q, struct err *e) {
    char message[160], payload[OPTION_TEXT_MAX + 80];
    struct err refused = {0};
    snprintf(payload, sizeof payload, "%s=%s", q->c.name, q->c.value);
    /* it fitted when it was sent; what was set since may not */
    if (!options_check_set(&s->options, q->c.name, q->c.value, &refused)) {
        s->draft->pending_option = -1;
        publisher_ack(s, q->id, false, "%s is refused now: %s", payload, refused.msg);
        session_log(s, ALERT_WARNING, refused.msg);
        return true;
    }
    if (!set_option(s, q->c.name, q->c.value, message, sizeof message, e) || !journal(s, "set", payload, e))
        return false;
    s->draft->pending_option = -1;
    publisher_ack(s, q->id, true, "%s at tick %lld", message, (long long)s->game.st.tick);
    return true;
}

/* Pairs of a written answer and the line in the journal that makes them again reach the disk together or not at all. */
static bool apply_label_command(struct session *s, const struct queued_command *q, struct err *e) {
    const long long seq = atoll(q->c.value);
    const int n_pairs = s->game.corpus.dpref.n;
    char payload[120];
    struct err refused = {0};
    snprintf(payload, sizeof payload, "%lld %a %a", seq, s->options.label_flip_human, s->options.label_weight_human);
    if (!db_set_durable(&s->rd.db, true, e) || !db_begin(&s->rd.db, e)) return false;
    const bool applied =
        apply_label(s, seq, s->options.label_flip_human, s->options.label_weight_human, false, &refused);
    const bool ok = !applied || (journal(s, "label", payload, e) && db_commit(&s->rd.db, e));
    db_rollback(&s->rd.db); /* of what was refused; nothing after the commit */
    if (!ok || !db_set_durable(&s->rd.db, false, e)) return false;
    if (applied) {
        publisher_ack(s, q->id, true, "label #%lld counts from tick %lld", seq, (long long)s->game.st.tick);
        return game_show_pairs(&s->game, n_pairs, e);
    }
    publisher_ack(s, q->id, false, "label #%lld is saved but cannot be used: %s", seq, refused.msg);
    session_log(s, ALERT_WARNING, refused.msg);
    return true;
}

static bool at_iteration_start(const struct session *s) {
    return s->game.st.phase == PHASE_COLLECT && s->game.st.step == 0;
}

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
    case COMMAND_RESUME:
        s->paused = false;
        s->steps_left = 0;
        break;
    case COMMAND_STEP:
        s->steps_left += c->value[0] ? atoll(c->value) : 1;
        s->paused = true;
        break;
    case COMMAND_CHECKPOINT:
        if (!session_write_checkpoint(s, e)) return false;
        break;
    case COMMAND_LABEL: return apply_label_command(s, q, e);
    case COMMAND_GATE:
        if (!apply_gate(s, c->value, e) || !journal(s, "gate", c->value, e)) return false;
        break;
    case COMMAND_QUIT:
        s->quit = true;
        s->discard = strcmp(c->value, "discard") == 0;
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

bool commands_process(struct session *s, struct err *e) {
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

/* Sleep until a command comes or the interrupt flag is set (looked at ten times a second, since a signal handler cannot
 * signal a condition). */
void commands_wait(struct session *s) {
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
