/* Commands and the journal: what a person's act does to the run, between two micro-steps, and the same acts brought
 * back from the journal of an earlier session at the ticks where they took effect. Settings: settings.c; labels:
 * labels.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/game/gate_answer.h"
#include "engine/run/session_private.h"

bool session_journal(struct session *s, const char *kind, const char *payload, struct err *e) {
    if (!journal_add(&s->rd, s->game.st.tick, kind, payload, e)) return false;
    s->last_journal_seq = sqlite3_last_insert_rowid(s->rd.db.h);
    return true;
}

bool commands_caught_up(const struct session *s) { return s->replay_at == s->replay.n && !labels_wait(s); }

static bool apply_gate(struct session *s, const char *word, struct err *e) {
    enum gate_answer a;
    if (!gate_answer_parse(word, &a, e)) return false;
    s->game.st.gate_answer = a;
    return true;
}

static bool replay(struct session *s, const struct journal_entry *j, struct err *e) {
    if (strcmp(j->kind, JOURNAL_LABEL) == 0) return labels_replay(s, j, false, e);
    if (strcmp(j->kind, JOURNAL_GATE) == 0)
        return apply_gate(s, j->payload, e) || err_wrap(e, "journal %lld", (long long)j->seq);
    return settings_replay(s, j, false, e);
}

/* Entries of an earlier session whose tick has come. */
bool commands_replay_due(struct session *s, struct err *e) {
    for (; s->replay_at < s->replay.n && s->replay.entry[s->replay_at].tick <= s->game.st.tick; s->replay_at++) {
        const struct journal_entry *j = &s->replay.entry[s->replay_at];
        if (!replay(s, j, e)) return false;
        if (j->seq > s->last_journal_seq) s->last_journal_seq = j->seq;
    }
    return true;
}

/* Apply one command; false only on failures that end the run (disk). */
static bool apply(struct session *s, const struct queued_command *q, struct err *e) {
    const struct command *c = &q->c;
    const long long tick = (long long)s->game.st.tick;
    switch (c->kind) {
    case COMMAND_SET: return settings_request(s, q, e);
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
    case COMMAND_GATE:
        if (!apply_gate(s, c->value, e) || !session_journal(s, JOURNAL_GATE, c->value, e)) return false;
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

/* Overrides of `--resume` are settings like any other: they wait until the earlier session's acts have come back. */
static bool request_overrides(struct session *s, struct err *e) {
    const int n = s->n_overrides;
    s->n_overrides = 0;
    for (int i = 0; i < n; i++)
        if (!settings_request(s, &(struct queued_command){0, s->override[i]}, e)) return false;
    return true;
}

bool commands_process(struct session *s, struct err *e) {
    struct queued_command q;
    bool any = s->n_overrides > 0;
    if (!labels_take(s, &any, e) || !settings_apply_due(s, &any, e) || !request_overrides(s, e)) return false;
    while (!s->quit && take(s, &q)) {
        if (!apply(s, &q, e)) return false;
        any = true;
    }
    if (any) publish(s, true);
    return true;
}

/* Cleared before anybody looks: what comes in between wakes the next wait. */
void commands_wait(struct session *s) {
    wake_wait(&s->orders);
    wake_clear(&s->orders);
}
