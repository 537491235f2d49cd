/* 2 Label: a person says which of two answers is better, without knowing who wrote them.
 *
 * What keeps the votes honest: the sides are drawn by a random number per showing; a vote counts only 250 ms after the
 * pair's first frame, so keys typed ahead or held down never vote; how much of each text was on the screen is stored
 * with the vote. The view copies the pair it asks about, because the run goes on and the pair may leave the snapshot
 * meanwhile. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/strbuf.h"
#include "views/label.h"
#include "views/pair_text.h"
#include "views/scroll.h"
#include "views/view.h"

#define GUARD_SECONDS 0.25  /* after a new pair */
#define REPEAT_SECONDS 0.75 /* a held key comes again sooner than this, a second thought does not */
#define SCISSORS "------ write the better answer above; everything from this line on is ignored ------"

int label_side(const struct labelled_pair *p, int shown_as) { return shown_as ? !p->left : p->left; }

double label_seen(const struct label_view *v, int side) {
    const char *text = v->pair.text[side];
    size_t all = 0, seen = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == ' ' || text[i] == '\n') continue;
        all++;
        seen += v->seen[side][i];
    }
    return all ? (double)seen / (double)all : 1;
}

int label_agrees(const struct labelled_pair *p, enum decision d) {
    if ((d != DECISION_A && d != DECISION_B) || !isfinite(p->reward[0]) || !isfinite(p->reward[1]) ||
        p->reward[0] == p->reward[1])
        return -1;
    const int preferred = label_side(p, d == DECISION_B), by_reward = p->reward[0] > p->reward[1] ? 0 : 1;
    return preferred == by_reward;
}

/* ---- which pair ---- */

static void pair_free(struct labelled_pair *p) {
    free(p->prompt);
    free(p->text[0]);
    free(p->text[1]);
    *p = (struct labelled_pair){.id = 0};
}

static void drop_pair(struct label_view *v) {
    pair_free(&v->pair);
    for (int i = 0; i < 2; i++) {
        free(v->seen[i]);
        v->seen[i] = NULL;
    }
}

static struct finished *find_finished(const struct label_view *v, int64_t id) {
    for (int i = 0; i < v->n_finished; i++)
        if (v->finished[i].id == id) return &v->finished[i];
    return NULL;
}

/* What a person said about the pair, in this session or an earlier one, in force yet or not; 0 nothing. */
static int64_t said(const struct shown_pair *p) { return p->vote ? p->vote : p->event; }

/* The pair of the previous vote as the run has it now. A written answer decides nothing about its pair: there the pairs
 * that were made of it tell. */
static void refresh_previous(struct label_view *v, const struct shown_pair *p) {
    if (v->decision == DECISION_EDIT && p->edit == v->seq) {
        v->undone = p->dropped;
    } else if (v->decision != DECISION_EDIT && p->id == v->previous.id && said(p)) {
        v->undone = false;
        v->seq = said(p); /* another one when it was given again */
    }
}

/* Keep the list of finished pairs in step with the run: an undone label makes its pair askable again. */
static void refresh_finished(struct label_view *v, const struct snapshot *s) {
    for (int i = 0; i < s->n_shown; i++) {
        struct finished *f = find_finished(v, s->pair[i].id);
        refresh_previous(v, &s->pair[i]);
        if (!f) continue;
        if (said(&s->pair[i])) {
            f->event_seen = true;
        } else if (f->event_seen) {
            v->undone |= f->id == v->previous.id;
            *f = v->finished[--v->n_finished];
        }
    }
}

static bool can_be_asked(const struct label_view *v, const struct shown_pair *p) {
    return !said(p) && !find_finished(v, p->id) && strcmp(p->teacher, p->student) != 0;
}

/* Pairs come newest first; those that wait for a person go before those with an automatic label. */
static const struct shown_pair *next_pair(struct label_view *v, const struct snapshot *s) {
    const struct shown_pair *best = NULL;
    v->queue = 0;
    for (int i = 0; i < s->n_shown; i++) {
        const struct shown_pair *p = &s->pair[i];
        if (p->id == v->pair.id || !can_be_asked(v, p)) continue;
        v->queue++;
        if (!best || (best->source != SOURCE_NONE && p->source == SOURCE_NONE)) best = p;
    }
    return best;
}

static void show_pair(struct label_view *v, const struct snapshot *s, const struct shown_pair *p) {
    const uint64_t random = rng_u64((uint64_t)s->options.seed, RNG_SIDES, (uint64_t)p->id, v->showings++);
    v->pair = (struct labelled_pair){.id = p->id,
                                     .hash = p->pair_hash,
                                     .iteration = p->iteration,
                                     .heldout = p->heldout,
                                     .prompt = mem_strdup(p->prompt),
                                     .text = {mem_strdup(p->teacher), mem_strdup(p->student)},
                                     .name = {answer_name(p, 0), answer_name(p, 1)},
                                     .truncated = {p->truncated0, p->truncated1},
                                     .reward = {p->reward_teacher, p->reward_student},
                                     .left = (int)(random >> 63)};
    for (int i = 0; i < 2; i++) v->seen[i] = mem_small(strlen(v->pair.text[i]) + 1);
    for (int i = 0; i < N_PANES; i++) v->top[i] = 0;
    if (v->focus == PANE_PROMPT) v->focus = PANE_A;
    v->shown_at = -1;
}

/* Have a pair on the screen when there is one; rewards that arrive later are taken over. */
static void update(struct label_view *v, const struct snapshot *s) {
    refresh_finished(v, s);
    const struct shown_pair *next = next_pair(v, s);
    for (int i = 0; v->pair.id && i < s->n_shown; i++)
        if (s->pair[i].id == v->pair.id)
            v->pair.reward[0] = s->pair[i].reward_teacher, v->pair.reward[1] = s->pair[i].reward_student;
    if (v->pair.id || !next) return;
    show_pair(v, s, next);
    v->queue--;
}

/* ---- votes ---- */

static struct label_event make_event(const struct label_view *v, const struct actions *act, enum decision d,
                                     double strength) {
    struct label_event ev = {.pair_id = v->pair.id,
                             .pair_hash = v->pair.hash,
                             .left = v->pair.left,
                             .decision = d,
                             .strength = strength,
                             .sampler = "newest",
                             .propensity = 1,
                             .reward_delta = v->pair.reward[0] - v->pair.reward[1]};
    snprintf(ev.annotator, sizeof ev.annotator, "%s", act->annotator ? act->annotator : "");
    ev.dwell_ms = v->shown_at >= 0 ? (int64_t)((act->now - v->shown_at) * 1000) : 0;
    ev.seen_a = label_seen(v, label_side(&v->pair, 0));
    ev.seen_b = label_seen(v, label_side(&v->pair, 1));
    return ev;
}

static void count_vote(struct label_view *v, enum decision d, double now) {
    if (v->n_votes++ == 0) v->first_vote_at = now;
    v->n_left += d == DECISION_A;
    const int agrees = label_agrees(&v->pair, d);
    if (agrees >= 0) v->n_compared++, v->n_agreed += agrees;
}

/* The pair is done with: it becomes the previous one and the next takes its place. */
static void finish_pair(struct label_view *v, const struct snapshot *s, const struct label_event *ev) {
    v->finished = mem_grow(v->finished, (size_t)(v->n_finished + 1) * sizeof *v->finished);
    v->finished[v->n_finished++] = (struct finished){v->pair.id, false};
    pair_free(&v->previous);
    v->previous = v->pair;
    v->pair = (struct labelled_pair){.id = 0};
    drop_pair(v);
    v->decision = ev->decision;
    v->seq = ev->seq;
    free(v->written);
    v->written = ev->decision == DECISION_EDIT ? mem_strdup(ev->text) : NULL;
    v->undone = false;
    update(v, s);
}

static void vote(struct label_view *v, const struct snapshot *s, struct actions *act, const struct label_vote *wanted,
                 char *text) {
    const enum decision d = wanted->decision;
    struct label_event ev = make_event(v, act, d, wanted->strength);
    ev.text = text;
    if (!act->label(act->ctx, &ev)) return; /* the reason is on the message row; the pair stays */
    if (d != DECISION_SKIP && d != DECISION_FLAG) count_vote(v, d, act->now);
    v->said = wanted->said;
    finish_pair(v, s, &ev);
}

/* False while a key may have been meant for the pair before, or is one held down. */
static bool may_vote(struct label_view *v, int key, struct actions *act) {
    const bool early = v->shown_at < 0 || act->now - v->shown_at < GUARD_SECONDS;
    const bool repeated = key == v->last_key && act->now - v->last_key_at < REPEAT_SECONDS;
    v->last_key = key;
    v->last_key_at = act->now;
    if (early)
        act->message(act->ctx, ALERT_INFO, "ignored: the pair had just appeared");
    else if (repeated)
        act->message(act->ctx, ALERT_INFO, "ignored: the key was held down");
    return !early && !repeated;
}

/* ---- writing ---- */

static int open_editor(struct label_view *v, struct actions *act, enum label_edit what) {
    struct strbuf b = {0};
    if (what == EDIT_ANSWER)
        strbuf_printf(&b, "\n%s\nprompt:\n%s\n\nA:\n%s\n\nB:\n%s\n", SCISSORS, v->pair.prompt,
                      v->pair.text[label_side(&v->pair, 0)], v->pair.text[label_side(&v->pair, 1)]);
    free(act->editor_text);
    act->editor_text = strbuf_take(&b);
    v->edit = what;
    return REACT_EDITOR | REACT_REDRAW;
}

/* What stands above the scissors, without blanks at the ends; caller frees. */
static char *written_part(const char *text) {
    const char *end = strstr(text, SCISSORS);
    if (!end) end = text + strlen(text);
    while (*text == '\n' || *text == ' ') text++;
    while (end > text && (end[-1] == '\n' || end[-1] == ' ')) end--;
    return mem_strndup(text, end > text ? (size_t)(end - text) : 0);
}

static void edited(void *state, const char *text, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    const enum label_edit what = v->edit;
    v->edit = EDIT_NONE;
    if (what == EDIT_NONE || !v->pair.id) return;
    char *written = written_part(text);
    if (!*written) {
        act->message(act->ctx, ALERT_INFO, "nothing was written, nothing is saved");
    } else if (what == EDIT_ANSWER) {
        static const struct label_vote own = {"edit", DECISION_EDIT, 1, "your answer is the preferred one"};
        vote(v, s, act, &own, written);
    } else {
        struct label_event ev = make_event(v, act, DECISION_NOTE, 1);
        ev.text = written;
        act->label(act->ctx, &ev); /* the pair stays: a note is no vote */
    }
    free(written);
}

/* ---- the table of functions ---- */

static void init(void *state) {
    struct label_view *v = state;
    v->focus = PANE_A;
    v->shown_at = -1;
}

static void destroy(void *state) {
    struct label_view *v = state;
    drop_pair(v);
    pair_free(&v->previous);
    free(v->written);
    free(v->finished);
}

static void draw(void *state, struct area a, const struct snapshot *s, const struct actions *act) {
    struct label_view *v = state;
    update(v, s);
    label_draw(v, a, s, act);
    if (v->pair.id && !v->reveal && v->shown_at < 0) v->shown_at = act->now;
}

/* ---- keys ---- */

extern const struct view_ops VIEW_LABEL; /* its table knows what a key votes */

/* Back from the pair before; the pair that waits is known already. */
static int end_reveal(struct label_view *v, const struct actions *act) {
    v->reveal = false;
    v->shown_at = v->shown_at < 0 ? v->shown_at : act->now - GUARD_SECONDS;
    return REACT_REDRAW;
}

static int vote_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    if (v->reveal) return REACT_NONE; /* votes wait until the pair is on the screen again */
    if (!v->pair.id) return REACT_UNHANDLED;
    const struct label_vote *wanted = view_key_vote(view_key_find(&VIEW_LABEL, key), key);
    if (may_vote(v, key, act)) vote(v, s, act, wanted, NULL);
    return REACT_REDRAW;
}

static int reveal_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    (void)key, (void)s;
    if (v->reveal) return end_reveal(v, act);
    if (v->previous.id)
        v->reveal = true;
    else
        act->message(act->ctx, ALERT_INFO, "no pair was labelled yet");
    return REACT_REDRAW;
}

static int leave_reveal(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)key, (void)s;
    return ((struct label_view *)state)->reveal ? end_reveal(state, act) : REACT_UNHANDLED;
}

static int toggle_diff(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    (void)key, (void)s, (void)act;
    if (v->reveal) return REACT_UNHANDLED;
    v->diff = !v->diff;
    return REACT_REDRAW;
}

static int focus_pane(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    (void)s, (void)act;
    if (v->reveal) return REACT_UNHANDLED;
    v->focus = (v->focus + (key == KEY_TAB ? 1 : N_PANES - 1)) % N_PANES;
    return REACT_REDRAW;
}

static int write_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    (void)s;
    if (v->reveal || !v->pair.id) return REACT_UNHANDLED;
    return open_editor(v, act, key == 'e' ? EDIT_ANSWER : EDIT_NOTE);
}

static int scroll_both(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    (void)s, (void)act;
    if (v->reveal || !v->pair.id) return REACT_UNHANDLED;
    for (int i = PANE_A; i <= PANE_B; i++) scroll_key(key == 'J' ? 'j' : 'k', &v->top[i], v->page[i], v->lines[i]);
    return REACT_REDRAW;
}

static int other_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct label_view *v = state;
    (void)s, (void)act;
    if (v->reveal || !v->pair.id) return REACT_UNHANDLED;
    return scroll_key(key, &v->top[v->focus], v->page[v->focus], v->lines[v->focus]) ? REACT_REDRAW : REACT_UNHANDLED;
}

#define VOTES(...)                                                                                                     \
    (const struct label_vote[]) { __VA_ARGS__ }
static const struct view_key KEYS_LABEL[] = {
    {{'a'}, "a", "A better", "A is better", vote_key, VOTES({"a", DECISION_A, 1, "you preferred A"})},
    {{'b'}, "b", "B better", "B is better", vote_key, VOTES({"b", DECISION_B, 1, "you preferred B"})},
    {{'A', 'B'},
     "A B",
     "much",
     "A (or B) is much better: counts twice",
     vote_key,
     VOTES({"much-a", DECISION_A, 2, "you preferred A by far"}, {"much-b", DECISION_B, 2, "you preferred B by far"})},
    {{'t'}, "t", "tie", "both are equally good", vote_key, VOTES({"tie", DECISION_TIE, 1, "a tie"})},
    {{'x'},
     "x",
     "both bad",
     "both are bad: the pair is taken out of training",
     vote_key,
     VOTES({"bad", DECISION_BAD, 1, "both bad, the pair no longer trains"})},
    {{'s'},
     "s",
     "skip",
     "no opinion; the pair is not asked again",
     vote_key,
     VOTES({"skip", DECISION_SKIP, 1, "skipped"})},
    {{'v'}, "v", "diff", "mark the words that the other answer has not, or not", toggle_diff, NULL},
    {{'r'}, "r", "reveal", "show the previous pair with the names of its writers", reveal_key, NULL},
    {{KEY_ESCAPE, 'q', KEY_ENTER_}, NULL, NULL, NULL, leave_reveal, NULL},
    {{'J', 'K'}, "J K", "scroll", "scroll both answers; j k the focused one", scroll_both, NULL},
    {{'e'}, "e", "write", "write a better answer in $EDITOR; it becomes the preferred one", write_key, NULL},
    {{'n'}, "n", "note", "write a note on this pair in $EDITOR", write_key, NULL},
    {{'f'},
     "f",
     "flag",
     "flag the pair as broken: it is taken out of training",
     vote_key,
     VOTES({"flag", DECISION_FLAG, 1, "flagged, the pair no longer trains"})},
    {{KEY_TAB, KEY_BACK_TAB}, "Tab", "pane", "focus the next pane; S-Tab the one before", focus_pane, NULL},
    {{'y'}, "y", NULL, "copy the pair: prompt, A and B", NULL, NULL},
    {{0}, NULL, NULL, NULL, NULL, NULL},
};
#undef VOTES

/* What is on the screen, with the names that it shows there. */
static char *copy(void *state, const struct snapshot *s, char *what, size_t size) {
    const struct label_view *v = state;
    const struct labelled_pair *p = v->reveal ? &v->previous : &v->pair;
    (void)s;
    if (!p->id) return NULL;
    struct strbuf b = {0};
    strbuf_printf(&b, "prompt:\n%s\n", p->prompt);
    for (int i = 0; i < 2; i++) {
        const int side = label_side(p, i);
        strbuf_printf(&b, "\n%c%s%s:\n%s\n", i ? 'B' : 'A', v->reveal ? ", " : "", v->reveal ? p->name[side] : "",
                      p->text[side]);
    }
    snprintf(what, size, "pair %lld: prompt, A and B", (long long)p->id);
    return strbuf_take(&b);
}

const struct view_ops VIEW_LABEL = {
    .digit = 2,
    .name = "label",
    .title = "Label",
    .help = "Say which of two answers is better, without knowing who wrote them; the reward learns from it at its next "
            "step.",
    .state_size = sizeof(struct label_view),
    .init = init,
    .destroy = destroy,
    .draw = draw,
    .other_key = other_key,
    .edited = edited,
    .copy = copy,
    .keys = KEYS_LABEL,
};
