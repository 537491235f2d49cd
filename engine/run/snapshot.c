/* Snapshots: names for people, and reference counts. See snapshot.h. */
#include "engine/run/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/run/snapshot_private.h"

const char *run_state_name(enum run_state s) {
    static const char *const NAMES[] = {"LOADING", "RUN", "PAUSED", "WAITING", "DONE", "FAILED"};
    return NAMES[s];
}

const struct snapshot *snapshot_retain(const struct snapshot *s) {
    __atomic_add_fetch(&((struct snapshot *)s)->references, 1, __ATOMIC_RELAXED);
    return s;
}

void shown_pair_free_texts(const struct shown_pair *p) {
    free(p->prompt);
    free(p->teacher);
    free(p->student);
    free(p->tokens0.token);
    free(p->tokens1.token);
}

static void copy_tokens(struct shown_tokens *t) {
    const size_t size = (size_t)t->n * sizeof *t->token;
    const struct shown_token *from = t->token;
    t->token = NULL;
    if (t->n) t->token = memcpy(mem_small(size), from, size);
}

void shown_pair_copy_texts(struct shown_pair *p) {
    p->prompt = mem_strdup(p->prompt);
    p->teacher = mem_strdup(p->teacher);
    p->student = mem_strdup(p->student);
    copy_tokens(&p->tokens0);
    copy_tokens(&p->tokens1);
}

void snapshot_release(const struct snapshot *s) {
    if (!s || __atomic_sub_fetch(&((struct snapshot *)s)->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    for (int i = 0; i < N_METRICS; i++) series_block_release(s->owner[i]);
    reward_block_release(s->reward_owner);
    for (int i = 0; i < s->n_shown; i++) shown_pair_free_texts(&s->pair[i]);
    free((void *)s);
}

void snapshot_take_options(struct snapshot *s, const struct options *o) {
    s->options = *o;
    s->has_reward = algorithm_has_fitted(o);
    s->has_adversary = algorithm_has_adversary(o);
    s->has_ascent = algorithm_info(o)->ascent;
    s->holds_adversary = algorithm_holds_adversary(o);
}

struct interval snapshot_interval(const struct snapshot *s, enum metric_id mean) {
    return (struct interval){s->metric[mean], s->metric[mean + 1], s->metric[mean + 2]};
}

struct series_block *series_block_new(const struct series *from) {
    struct series_block *b = mem_small(sizeof *b);
    atomic_init(&b->references, 1);
    b->series = *from;
    return b;
}

void series_block_release(struct series_block *b) {
    if (b && atomic_fetch_sub(&b->references, 1) == 1) free(b);
}

static struct shown_pair show_listed(const struct diag_pair *l, const struct dpref *d) {
    const struct pref_pair *p = dpref_find(d, l->id);
    return (struct shown_pair){.id = p ? p->id : 0,
                               .pair_hash = p ? p->pair_hash : 0,
                               .iteration = l->iteration,
                               .heldout = l->heldout,
                               .prompt = mem_strdup(p ? p->prompt : ""),
                               .teacher = mem_strdup(p ? p->text0 : ""),
                               .student = mem_strdup(p ? p->text1 : ""),
                               .truncated0 = p && p->truncated0,
                               .truncated1 = p && p->truncated1,
                               .reward_teacher = l->reward0,
                               .reward_student = l->reward1,
                               .source = l->source,
                               .o = l->o,
                               .event = p ? p->event : 0,
                               .edit = p ? p->edit : 0,
                               .by0 = p ? p->by0 : (struct answer_by){ORIGIN_TEACHER, 0},
                               .by1 = p ? p->by1 : (struct answer_by){ORIGIN_STUDENT, 0},
                               .dropped = p && p->event && !p->active};
}

struct reward_block *reward_block_new(const struct diagnostics *figures, const struct dpref *d) {
    struct reward_block *b = mem_small(sizeof *b);
    atomic_init(&b->references, 1);
    b->report.figures = *figures;
    for (int i = 0; i < figures->n_uncertain; i++) b->report.uncertain[i] = show_listed(&figures->uncertain[i], d);
    for (int i = 0; i < figures->n_disputed; i++) b->report.disputed[i] = show_listed(&figures->disputed[i], d);
    return b;
}

void reward_block_release(struct reward_block *b) {
    if (!b || atomic_fetch_sub(&b->references, 1) > 1) return;
    for (int i = 0; i < b->report.figures.n_uncertain; i++) shown_pair_free_texts(&b->report.uncertain[i]);
    for (int i = 0; i < b->report.figures.n_disputed; i++) shown_pair_free_texts(&b->report.disputed[i]);
    free(b);
}
