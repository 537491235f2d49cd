/* Snapshots from the engine's side: one draft that the engine keeps up to date, copied into an immutable snapshot when
 * it is published. Series and the reward's report are copied only when they changed; everything else is one memcpy and
 * at most 64 pairs of text. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/game/phase_order.h"
#include "engine/run/eta.h"
#include "engine/run/session_private.h"

void publisher_init(struct session *s) {
    s->draft = mem_small(sizeof *s->draft);
    s->series = mem_small(N_METRICS * sizeof *s->series);
    struct snapshot *d = s->draft;
    const char *name = strrchr(s->rd.path, '/');
    snprintf(d->run_name, sizeof d->run_name, "%.120s", name && name[1] ? name + 1 : s->rd.path);
    snprintf(d->run_path, sizeof d->run_path, "%.1000s", s->rd.path);
    d->headless = s->headless;
    d->pending_option = -1;
    d->options_start = s->options_start;
    d->eta_seconds = (double)NAN;
    gap_set_init(&d->gap_set);
    for (int i = 0; i < N_METRICS; i++) d->metric[i] = (double)NAN;
    s->began = s->rate_time = clock_seconds();
}

void publisher_free(struct session *s) {
    for (int i = 0; s->draft && i < s->draft->n_shown; i++) shown_pair_free_texts(&s->draft->pair[i]);
    free(s->draft);
    free(s->series);
    for (int i = 0; i < N_METRICS; i++) series_block_release(s->block[i]);
    reward_block_release(s->report);
}

/* What the reward was measured to be, when that has changed. */
static void refresh_report(struct session *s) {
    const struct diagnostics *d = &s->game.rewards.diagnostics;
    if (d->iteration == 0 || (s->report && s->report->report.figures.tick == d->tick)) return;
    reward_block_release(s->report);
    s->report = reward_block_new(d, &s->game.corpus.dpref);
}

_Static_assert((int)ALERTS >= (int)SIGNATURE_MAX_DETECTORS, "every finding has room");

/* Failure signatures that stand, in the game's order. */
static void refresh_alerts(struct session *s) {
    struct snapshot *d = s->draft;
    const struct watch *w = &s->game.watch;
    d->n_alerts = w->n_findings;
    for (int i = 0; i < d->n_alerts; i++) {
        const struct signature_finding *f = &w->finding[i];
        d->alert[i] = (struct shown_alert){signature_name(f->id), signature_advice(f->id), signature_level(f->id),
                                           f->since_tick, ""};
        snprintf(d->alert[i].text, sizeof d->alert[i].text, "%s", f->text);
    }
}

/* Seconds to the end of the run; NAN in its first second, when next to nothing is known. */
static double time_left(const struct session *s) {
    struct eta_phase phase[N_PHASES] = {0};
    const struct costs costs = costs_of(&s->game);
    double spent = 0;
    for (int p = 0; p < N_PHASES; p++) {
        phase[p] = (struct eta_phase){.done = (double)s->phase_steps[p],
                                      .seconds = s->phase_seconds[p],
                                      .left = game_phase_left(&s->game, (enum run_phase)p),
                                      .work = game_step_work(&s->game, &costs, (enum run_phase)p)};
        spent += s->phase_seconds[p];
    }
    return spent > 1.0 ? eta_seconds(phase, N_PHASES) : (double)NAN;
}

/* Figures that follow from the game's state. */
static void refresh(struct session *s) {
    struct snapshot *d = s->draft;
    const double now = clock_seconds();
    snapshot_take_options(d, &s->options);
    d->metric[METRIC_BETA] = s->options.beta;
    d->metric[METRIC_ZETA] = s->options.zeta;
    d->elapsed_seconds = now - s->began;
    if (!s->game_is_open) return;
    const struct game_state *st = &s->game.st;
    refresh_report(s);
    d->tick = st->tick;
    d->iteration = (int)st->iteration;
    d->phase = (enum run_phase)st->phase;
    d->phase_done = game_phase_done(&s->game);
    d->elapsed_seconds = st->seconds + now - s->began;
    d->eta_seconds = time_left(s);
    if (now - s->rate_time > 1.0) {
        d->tokens_per_second = (st->tokens - s->rate_tokens) / (now - s->rate_time);
        s->rate_time = now;
        s->rate_tokens = st->tokens;
    }
    for (int i = 0; i < N_METRICS; i++) d->metric[i] = game_metric_value(&s->game, (enum metric_id)i);
    d->gap_set = s->game.evaluation.gap_set;
    d->n_pairs = s->game.corpus.dpref.n;
    d->n_heldout = s->game.corpus.dpref.n_heldout;
    memcpy(d->n_by_source, s->game.corpus.dpref.n_by_source, sizeof d->n_by_source);
    d->labels_human = d->n_by_source[SOURCE_HUMAN];
    d->labels_waiting = d->n_by_source[SOURCE_NONE];
    refresh_alerts(s);
}

static struct snapshot *copy_draft(struct session *s) {
    struct snapshot *n = mem_small(sizeof *n);
    *n = *s->draft;
    for (int i = 0; i < n->n_shown; i++) shown_pair_copy_texts(&n->pair[i]);
    n->n_series_points = 0;
    for (int i = 0; i < N_METRICS; i++) {
        if (s->series_changed[i]) {
            series_block_release(s->block[i]);
            s->block[i] = series_block_new(&s->series[i]);
            s->series_changed[i] = false;
        }
        if (!s->block[i]) continue;
        atomic_fetch_add(&s->block[i]->references, 1);
        n->owner[i] = s->block[i];
        n->series[i] = &s->block[i]->series;
        n->n_series_points += n->series[i]->n;
    }
    if (s->report) {
        atomic_fetch_add(&s->report->references, 1);
        n->reward_owner = s->report;
        n->reward = &s->report->report;
    }
    if (n->n_alerts > 0 && n->alert[0].level >= ALERT_WARNING) {
        snprintf(n->alert_line, sizeof n->alert_line, "%s: %.190s", n->alert[0].name, n->alert[0].text);
        n->alert_now = n->alert_line;
    }
    n->references = 1;
    return n;
}

void publish(struct session *s, bool now) {
    const double t = clock_seconds();
    if (!now && t - s->published < 1.0 / 15) return;
    s->published = t;
    refresh(s);
    s->draft->version++;
    const struct snapshot *fresh = copy_draft(s), *old;
    pthread_mutex_lock(&s->mutex);
    old = s->current;
    s->current = fresh;
    pthread_mutex_unlock(&s->mutex);
    snapshot_release(old);
    wake_set(&s->news);
}

void publisher_state(struct session *s, enum run_state state, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->draft->state_text, sizeof s->draft->state_text, fmt, ap);
    va_end(ap);
    s->draft->state = state;
    publish(s, true);
}

void publisher_series(struct session *s, enum metric_id id, int64_t tick, double value) {
    struct series *x = &s->series[id];
    if (x->n == SERIES_POINTS) { /* thin the older half */
        int n = 0;
        for (int i = 0; i < SERIES_POINTS; i++)
            if (i >= SERIES_POINTS / 2 || i % 2 == 0) {
                x->tick[n] = x->tick[i];
                x->value[n++] = x->value[i];
            }
        x->n = n;
    }
    x->tick[x->n] = tick;
    x->value[x->n++] = (float)value;
    s->series_changed[id] = true;
}

static void add_log(struct snapshot *d, int64_t tick, enum alert_level level, const char *text) {
    if (d->n_log == LOG_LINES) memmove(d->log, d->log + 1, sizeof d->log - sizeof *d->log), d->n_log--;
    struct log_line *l = &d->log[d->n_log++];
    l->tick = tick;
    l->level = level;
    snprintf(l->text, sizeof l->text, "%.*s", (int)sizeof l->text - 1, text);
}

static int64_t current_tick(const struct session *s) { return s->game_is_open ? s->game.st.tick : 0; }

void publisher_log(struct session *s, enum alert_level level, const char *text) {
    add_log(s->draft, current_tick(s), level, text);
}

/* The tokens of a text with their rewards; none where they do not spell the text, as after a template has trimmed
 * it. */
static struct shown_tokens show_tokens(const struct tokenizer *tok, const char *text, const int32_t *id, int n,
                                       const float *reward, double scale) {
    struct shown_tokens t = {0};
    if (!reward || n == 0) return t;
    struct strbuf b = {0};
    t.token = mem_small((size_t)n * sizeof *t.token);
    for (; t.n < n; t.n++) {
        tokenizer_decode(tok, id + t.n, 1, false, &b);
        t.token[t.n] = (struct shown_token){(int)b.len, (float)(scale * (double)reward[t.n])};
    }
    if (strcmp(strbuf_str(&b), text) != 0) {
        free(t.token);
        t = (struct shown_tokens){0};
    }
    strbuf_free(&b);
    return t;
}

static int64_t vote_on(struct session *s, const struct pref_pair *p) {
    int64_t seq;
    struct err ignored; /* the pair is asked again: better than none */
    return label_event_vote(&s->rd.db, p->id, p->pair_hash, &seq, &ignored) ? seq : 0;
}

void publisher_pair(struct session *s, const struct judged_pair *j) {
    struct snapshot *d = s->draft;
    const struct pref_pair *p = j->pair;
    const struct tokenizer *tok = s->game.players.tok;
    const int32_t *y0 = p->tokens + p->n_x, *y1 = y0 + p->n_y0;
    if (d->n_shown == SHOWN_PAIRS) shown_pair_free_texts(&d->pair[--d->n_shown]);
    memmove(d->pair + 1, d->pair, (size_t)d->n_shown * sizeof *d->pair);
    d->n_shown++;
    d->pair[0] =
        (struct shown_pair){.id = p->id,
                            .pair_hash = p->pair_hash,
                            .iteration = p->iteration,
                            .heldout = p->heldout,
                            .prompt = mem_strdup(p->prompt),
                            .teacher = mem_strdup(p->text0),
                            .student = mem_strdup(p->text1),
                            .truncated0 = p->truncated0,
                            .truncated1 = p->truncated1,
                            .reward_teacher = j->reward[0],
                            .reward_student = j->reward[1],
                            .tokens0 = show_tokens(tok, p->text0, y0, p->n_y0, j->token_reward[0], j->token_scale),
                            .tokens1 = show_tokens(tok, p->text1, y1, p->n_y1, j->token_reward[1], j->token_scale),
                            .source = p->source,
                            .o = p->o,
                            .event = p->event,
                            .vote = vote_on(s, p),
                            .edit = p->edit,
                            .by0 = p->by0,
                            .by1 = p->by1,
                            .dropped = p->event && !p->active};
}

void publisher_label(struct session *s, int64_t pair_id) {
    const struct pref_pair *p = dpref_find(&s->game.corpus.dpref, pair_id);
    for (int i = 0; p && i < s->draft->n_shown; i++) {
        struct shown_pair *q = &s->draft->pair[i];
        if (q->id != pair_id) continue;
        q->source = p->source;
        q->o = p->o;
        q->event = p->event;
        q->vote = vote_on(s, p);
        q->dropped = p->event && !p->active;
    }
}

void publisher_ack(struct session *s, uint64_t id, bool applied, const char *fmt, ...) {
    struct snapshot *d = s->draft;
    if (d->n_acks == ACKS) memmove(d->ack, d->ack + 1, sizeof d->ack - sizeof *d->ack), d->n_acks--;
    struct acknowledgement *a = &d->ack[d->n_acks++];
    *a = (struct acknowledgement){.id = id, .tick = current_tick(s), .applied = applied};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->text, sizeof a->text, fmt, ap);
    va_end(ap);
}

static void add_mark(struct snapshot *d, int64_t tick, const char *what) {
    if (d->n_marks == TICK_MARKS) memmove(d->mark, d->mark + 1, sizeof d->mark - sizeof *d->mark), d->n_marks--;
    d->mark[d->n_marks].tick = tick;
    snprintf(d->mark[d->n_marks++].what, sizeof d->mark->what, "%.47s", what);
}

void publisher_mark(struct session *s, const char *what) { add_mark(s->draft, current_tick(s), what); }

/* ---- an earlier session ---- */

static bool restore_log(void *ctx, int64_t tick, const char *level, const char *text) {
    enum alert_level l = strcmp(level, "error") == 0     ? ALERT_ERROR
                         : strcmp(level, "warning") == 0 ? ALERT_WARNING
                                                         : ALERT_INFO;
    add_log(ctx, tick, l, text);
    return true;
}

static bool restore_marks(struct session *s, int64_t tick, struct err *e) {
    struct journal_list all;
    if (!journal_load(&s->rd, -1, &all, e)) return false;
    for (int i = 0; i < all.n && all.entry[i].tick < tick; i++) {
        char what[80];
        const bool label = strcmp(all.entry[i].kind, JOURNAL_LABEL) == 0; /* its payload is for machines */
        if (!journal_took_effect(&all.entry[i])) continue;
        snprintf(what, sizeof what, "%s%s%.60s", all.entry[i].kind, label ? "" : " ",
                 label ? "" : all.entry[i].payload);
        add_mark(s->draft, all.entry[i].tick, what);
    }
    journal_list_free(&all);
    return true;
}

bool publisher_restore(struct session *s, int64_t tick, struct err *e) {
    const struct dpref *p = &s->game.corpus.dpref;
    for (int i = p->n > SHOWN_PAIRS ? p->n - SHOWN_PAIRS : 0; i < p->n; i++)
        publisher_pair(s, &(struct judged_pair){.pair = &p->pair[i], .reward = {(double)NAN, (double)NAN}});
    return restore_marks(s, tick, e) && log_each(&s->rd.db, LOG_LINES, restore_log, s->draft, e);
}
