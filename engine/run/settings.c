/* Options that a person changes while the run goes on.
 *
 * A setting takes effect between two micro-steps, at once or, where its option says so, when the next iteration begins.
 * While the acts of an earlier session are still coming back every setting waits, because the run has to go through the
 * states of that session first. What waits is journalled when it is asked for ("set-asked"), so that neither a quit nor
 * a crash loses it; a second line says at which tick it took effect ("set") or that it did not fit any more
 * ("set-refused"). A replay applies the lines "set" alone, and what is still unanswered when the journal ends waits
 * on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/game/options_check.h"
#include "engine/run/session_private.h"

enum { PAYLOAD_MAX = OPTION_TEXT_MAX + 80 };

static bool at_iteration_start(const struct session *s) {
    const struct game_state *st = &s->game.st;
    return (st->phase == PHASE_COLLECT && st->step == 0) ||
           st->phase == PHASE_END; /* whatever follows the end begins one */
}

static bool may_change(const struct session *s, const struct option_info *info) {
    return commands_caught_up(s) && (info->when != OPTION_ITERATION || at_iteration_start(s));
}

/* ---- the settings that wait ---- */

static void show_newest(struct session *s) {
    s->draft->pending_option = -1;
    if (s->n_pending == 0) return;
    const struct command *c = &s->pending[s->n_pending - 1].c;
    s->draft->pending_option = option_index(option_find(c->name));
    snprintf(s->draft->pending_value, sizeof s->draft->pending_value, "%.60s", c->value);
}

static void add_pending(struct session *s, const struct queued_command *q) {
    s->pending = mem_grow(s->pending, (size_t)(s->n_pending + 1) * sizeof *s->pending);
    s->pending[s->n_pending++] = *q;
    show_newest(s);
}

static void remove_pending(struct session *s, int i) {
    memmove(s->pending + i, s->pending + i + 1, (size_t)(s->n_pending - i - 1) * sizeof *s->pending);
    s->n_pending--;
    show_newest(s);
}

/* ---- taking effect ---- */

static bool set_option(struct session *s, const struct command *c, char *message, size_t size, struct err *e) {
    const struct option_info *info = option_find(c->name);
    char before[OPTION_TEXT_MAX], after[OPTION_TEXT_MAX];
    option_format(&s->options, info, before, sizeof before);
    if (!option_set(&s->options, c->name, c->value, e)) return false;
    game_option_set(&s->game, c->name);
    option_format(&s->options, info, after, sizeof after);
    snprintf(message, size, "%s %.50s -> %.50s", c->name, before, after);
    publisher_mark(s, message);
    return true;
}

/* It fitted when it was sent; what was set since may not. `asked`: the journal knows that it waited. */
static bool apply(struct session *s, const struct queued_command *q, bool asked, struct err *e) {
    char message[160], payload[PAYLOAD_MAX];
    struct err refused = {0};
    snprintf(payload, sizeof payload, "%s=%s", q->c.name, q->c.value);
    if (!options_check_set(&s->options, q->c.name, q->c.value, &refused)) {
        publisher_ack(s, q->id, false, "%s is refused now: %s", payload, refused.msg);
        session_log(s, ALERT_WARNING, refused.msg);
        return !asked || session_journal(s, JOURNAL_SET_REFUSED, payload, e);
    }
    if (!set_option(s, &q->c, message, sizeof message, e) || !session_journal(s, JOURNAL_SET, payload, e)) return false;
    publisher_ack(s, q->id, true, "%s at tick %lld", message, (long long)s->game.st.tick);
    return true;
}

bool settings_request(struct session *s, const struct queued_command *q, struct err *e) {
    char payload[PAYLOAD_MAX];
    if (may_change(s, option_find(q->c.name))) return apply(s, q, false, e);
    snprintf(payload, sizeof payload, "%s=%s", q->c.name, q->c.value);
    add_pending(s, q);
    return session_journal(s, JOURNAL_SET_ASKED, payload, e);
}

bool settings_apply_due(struct session *s, bool *any, struct err *e) {
    for (int i = 0; i < s->n_pending;) {
        const struct queued_command q = s->pending[i];
        if (!may_change(s, option_find(q.c.name))) {
            i++;
            continue;
        }
        remove_pending(s, i);
        if (!apply(s, &q, true, e)) return false;
        *any = true;
    }
    return true;
}

/* ---- an earlier session ---- */

static bool read_payload(const char *payload, struct command *c, struct err *e) {
    const char *value = "";
    *c = (struct command){.kind = COMMAND_SET};
    if (!option_split(payload, c->name, sizeof c->name, &value, e)) return false;
    snprintf(c->value, sizeof c->value, "%s", value);
    return option_find(c->name) || err_set(e, "unknown option \"%s\"", c->name);
}

bool settings_replay(struct session *s, const struct journal_entry *j, bool again, struct err *e) {
    struct queued_command q = {0};
    char message[160];
    const bool asked = strcmp(j->kind, JOURNAL_SET_ASKED) == 0, set = strcmp(j->kind, JOURNAL_SET) == 0;
    if (!asked && !set && strcmp(j->kind, JOURNAL_SET_REFUSED) != 0) return true;
    if (!read_payload(j->payload, &q.c, e)) return err_wrap(e, "journal %lld", (long long)j->seq);
    if (asked) {
        add_pending(s, &q);
        return true;
    }
    for (int i = 0; i < s->n_pending; i++) {
        if (strcmp(s->pending[i].c.name, q.c.name) != 0 || strcmp(s->pending[i].c.value, q.c.value) != 0) continue;
        remove_pending(s, i);
        break;
    }
    return !set || again || set_option(s, &q.c, message, sizeof message, e) ||
           err_wrap(e, "journal %lld", (long long)j->seq);
}
