/* D_pref: pairs through the file and back, label events as an append-only record, the label in force after votes and
 * undos in any order, two connections at once, counts and exports from the file alone, hostile files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/base/json_string.h"
#include "engine/base/mem.h"
#include "tests/support/dpref_fixture.h"

static struct pref_pair new_pair(int i, int64_t tick, enum label_source source) {
    char text[64];
    struct pref_pair p = {.tick = tick,
                          .iteration = 1 + i / 10,
                          .n_x = 2,
                          .n_y0 = 3,
                          .n_y1 = 1,
                          .truncated1 = i % 2 == 1,
                          .source = source,
                          .active = source != SOURCE_NONE,
                          .o = 1.0,
                          .weight = 1.0,
                          .flip = 0.05,
                          .by0 = {ORIGIN_TEACHER, 0},
                          .by1 = {i % 3 ? ORIGIN_STUDENT : ORIGIN_CANDIDATE, i % 5}};
    p.tokens = mem_small(6 * sizeof *p.tokens);
    for (int k = 0; k < 6; k++) p.tokens[k] = 100 * i + k;
    snprintf(text, sizeof text, "prompt %d", i / 4); /* four pairs share one */
    p.prompt = mem_strdup(text);
    snprintf(text, sizeof text, "teacher \"%d\"\n", i);
    p.text0 = mem_strdup(text);
    snprintf(text, sizeof text, "student %d", i);
    p.text1 = mem_strdup(text);
    return p;
}

static void add_pairs(struct dpref_fixture *f, int n, enum label_source source) {
    struct err e;
    must(db_begin(&f->db, &e), &e);
    for (int i = 0; i < n; i++) {
        struct pref_pair p = new_pair(f->d.n, 10 * f->d.n, source);
        must(dpref_add(&f->d, &p, &e), &e);
    }
    must(db_commit(&f->db, &e), &e);
}

static void assert_same_pair(const struct pref_pair *a, const struct pref_pair *b) {
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->tick, b->tick);
    assert_int_equal(a->iteration, b->iteration);
    assert_true(a->prompt_hash == b->prompt_hash && a->pair_hash == b->pair_hash && a->heldout == b->heldout);
    assert_true(a->n_x == b->n_x && a->n_y0 == b->n_y0 && a->n_y1 == b->n_y1);
    assert_memory_equal(a->tokens, b->tokens, (size_t)(a->n_x + a->n_y0 + a->n_y1) * sizeof *a->tokens);
    assert_true(a->truncated0 == b->truncated0 && a->truncated1 == b->truncated1);
    assert_string_equal(a->prompt, b->prompt);
    assert_string_equal(a->text0, b->text0);
    assert_string_equal(a->text1, b->text1);
    assert_true(a->source == b->source && a->active == b->active && a->o == b->o && a->weight == b->weight);
    assert_true(a->flip == b->flip && a->event == b->event);
    assert_true(a->by0.origin == b->by0.origin && a->by0.item == b->by0.item);
    assert_true(a->by1.origin == b->by1.origin && a->by1.item == b->by1.item);
}

/* ---- pairs ---- */

static void pairs_come_back_as_they_were_added(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    struct err e;
    add_pairs(f, 50, SOURCE_TEACHER);
    must(dpref_load(&again, &f->db, &e), &e);
    assert_int_equal(again.n, 50);
    assert_int_equal(again.n_by_source[SOURCE_TEACHER], 50);
    int heldout = 0;
    for (int i = 0; i < again.n; i++) heldout += again.pair[i].heldout;
    assert_true(heldout > 0 && f->d.n_heldout == heldout && again.n_heldout == heldout);
    for (int i = 0; i < 50; i++) {
        assert_same_pair(&again.pair[i], &f->d.pair[i]);
        assert_int_equal(again.pair[i].id, i + 1);
        assert_ptr_equal(dpref_find(&again, i + 1), &again.pair[i]);
        assert_true(again.pair[i].heldout == dpref_is_heldout(again.pair[i].prompt_hash));
        for (int k = 0; k < i; k++) assert_true(again.pair[i].pair_hash != again.pair[k].pair_hash);
    }
    assert_null(dpref_find(&again, 0));
    assert_null(dpref_find(&again, 51));
    dpref_free(&again);
    int64_t prompts;
    must(db_get_int(&f->db, &e, &prompts, 0, "SELECT count(*) FROM prompt", ""), &e);
    assert_int_equal(prompts, 13); /* shared by the pairs of one prompt */
}

static void a_pair_with_a_nonsense_label_is_refused(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    struct pref_pair p = new_pair(0, 0, SOURCE_TEACHER);
    must(db_begin(&f->db, &e), &e);
    p.o = NAN;
    assert_false(dpref_add(&f->d, &p, &e));
    p.o = 1.0;
    p.flip = 0.5;
    assert_false(dpref_add(&f->d, &p, &e));
    assert_int_equal(f->d.n, 0);
    p.flip = 0.0;
    must(dpref_add(&f->d, &p, &e), &e);
    must(db_commit(&f->db, &e), &e);
}

static void one_prompt_in_ten_is_held_out(void **state) {
    (void)state;
    int n = 0;
    uint64_t hash = 0x9E3779B97F4A7C15u;
    for (int i = 0; i < 10000; i++) {
        hash = hash * 6364136223846793005u + 1442695040888963407u;
        n += dpref_is_heldout(hash);
    }
    assert_in_range(n, 900, 1100);
}

static void ids_are_the_same_after_forgetting(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    struct err e;
    add_pairs(f, 20, SOURCE_TEACHER);
    const uint64_t hash = dpref_find(&f->d, 13)->pair_hash;
    must(dpref_truncate_after(&f->d, 110, &e), &e); /* ticks 0, 10, ... */
    assert_int_equal(f->d.n, 12);
    assert_int_equal(f->d.n_by_source[SOURCE_TEACHER], 12);
    int heldout = 0;
    for (int i = 0; i < f->d.n; i++) heldout += f->d.pair[i].heldout;
    assert_int_equal(f->d.n_heldout, heldout);
    must(dpref_load(&again, &f->db, &e), &e);
    assert_int_equal(again.n, 12);
    dpref_free(&again);
    add_pairs(f, 8, SOURCE_TEACHER);
    assert_true(dpref_find(&f->d, 13)->pair_hash == hash);
    must(dpref_truncate_after(&f->d, -1, &e), &e);
    assert_int_equal(f->d.n, 0);
    add_pairs(f, 1, SOURCE_TEACHER);
    assert_int_equal(f->d.pair[0].id, 1);
}

/* Adding costs the same whether there are few or many pairs, and every pair is there after a load. */
static void a_hundred_thousand_pairs_load(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    struct err e;
    add_pairs(f, 100000, SOURCE_TEACHER);
    must(dpref_load(&again, &f->db, &e), &e);
    assert_int_equal(again.n, 100000);
    assert_same_pair(&again.pair[99999], &f->d.pair[99999]);
    dpref_free(&again);
}

/* ---- label events ---- */

static int64_t vote(struct dpref_fixture *f, int64_t pair, enum decision decision, int left, double strength,
                    int64_t undo_of, double weight) {
    const struct pref_pair *p = dpref_find(&f->d, pair);
    struct label_event ev = {.annotator = "ann",
                             .pair_id = pair,
                             .pair_hash = p->pair_hash,
                             .left = left,
                             .decision = decision,
                             .strength = strength,
                             .seen_a = 1.0,
                             .seen_b = 0.4,
                             .sampler = "random",
                             .propensity = 0.5,
                             .reward_delta = NAN,
                             .undo_of = undo_of};
    struct err e;
    must(label_event_commit(&f->db, &ev, &e), &e);
    must(dpref_apply_event(&f->d, &ev, DPREF_FLIP, weight, &e), &e);
    return ev.seq;
}

static void label_is(struct dpref_fixture *f, int64_t pair, enum label_source source, bool active, double o,
                     double weight, double flip, int64_t event) {
    const struct pref_pair *p = dpref_find(&f->d, pair);
    assert_int_equal(p->source, source);
    assert_int_equal(p->active, active);
    assert_true(p->o == o && p->weight == weight && p->flip == flip);
    assert_int_equal(p->event, event);
}

static void an_event_comes_back_as_it_was_committed(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    add_pairs(f, 1, SOURCE_NONE);
    char note[] = "why \"so\"?";
    struct label_event ev = {.annotator = "ann",
                             .pair_id = 1,
                             .pair_hash = f->d.pair[0].pair_hash,
                             .left = 1,
                             .decision = DECISION_NOTE,
                             .strength = 2.0,
                             .dwell_ms = 1234,
                             .seen_a = 0.25,
                             .seen_b = 1.0,
                             .sampler = "uncertain",
                             .propensity = 0.125,
                             .reward_delta = -0.5,
                             .undo_of = 99,
                             .text = note};
    must(label_event_commit(&f->db, &ev, &e), &e);
    struct label_event back;
    must(label_event_read(&f->db, ev.seq, &back, &e), &e);
    assert_int_equal(back.seq, 1);
    assert_string_equal(back.time, ev.time);
    assert_int_equal(strlen(back.time), 20);
    assert_string_equal(back.annotator, "ann");
    assert_true(back.pair_id == 1 && back.pair_hash == ev.pair_hash && back.left == 1);
    assert_int_equal(back.decision, DECISION_NOTE);
    assert_true(back.strength == 2.0 && back.dwell_ms == 1234 && back.seen_a == 0.25 && back.seen_b == 1.0);
    assert_string_equal(back.sampler, "uncertain");
    assert_true(back.propensity == 0.125 && back.reward_delta == -0.5);
    assert_int_equal(back.undo_of, 0); /* only an undo undoes */
    assert_string_equal(back.text, note);
    free(back.text);
    assert_false(label_event_read(&f->db, 2, &back, &e));
    assert_null(back.text);
}

static void nothing_can_be_changed_or_deleted(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    add_pairs(f, 1, SOURCE_TEACHER);
    vote(f, 1, DECISION_A, 0, 1, 0, 5);
    assert_false(db_exec(&f->db, "UPDATE label_event SET annotator='x'", &e));
    assert_non_null(strstr(e.msg, "append-only"));
    assert_false(db_exec(&f->db, "DELETE FROM label_event", &e));
    assert_non_null(strstr(e.msg, "append-only"));
}

static void votes_set_the_label_as_seen_through_the_sides(void **state) {
    struct dpref_fixture *f = *state;
    add_pairs(f, 8, SOURCE_TEACHER);
    int64_t s = vote(f, 1, DECISION_A, 0, 1, 0, 5);
    label_is(f, 1, SOURCE_HUMAN, true, 1.0, 5, 0.02, s);
    s = vote(f, 2, DECISION_A, 1, 2, 0, 5);
    label_is(f, 2, SOURCE_HUMAN, true, 0.0, 10, 0.02, s);
    s = vote(f, 3, DECISION_B, 0, 1, 0, 5);
    label_is(f, 3, SOURCE_HUMAN, true, 0.0, 5, 0.02, s);
    s = vote(f, 4, DECISION_B, 1, 1, 0, 5);
    label_is(f, 4, SOURCE_HUMAN, true, 1.0, 5, 0.02, s);
    s = vote(f, 5, DECISION_TIE, 1, 1, 0, 5);
    label_is(f, 5, SOURCE_HUMAN, true, 0.5, 5, 0.02, s);
    s = vote(f, 6, DECISION_BAD, 1, 1, 0, 5);
    label_is(f, 6, SOURCE_HUMAN, false, 0.5, 5, 0.02, s);
    s = vote(f, 7, DECISION_FLAG, 0, 1, 0, 5);
    label_is(f, 7, SOURCE_TEACHER, false, 1.0, 1, 0.05, s);
    vote(f, 8, DECISION_SKIP, 0, 1, 0, 5);
    vote(f, 8, DECISION_NOTE, 0, 1, 0, 5);
    vote(f, 8, DECISION_EDIT, 0, 1, 0, 5);
    label_is(f, 8, SOURCE_TEACHER, true, 1.0, 1, 0.05, 0);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 6);
    assert_int_equal(f->d.n_by_source[SOURCE_TEACHER], 2);
}

static void undo_goes_back_through_the_labels_before(void **state) {
    struct dpref_fixture *f = *state;
    add_pairs(f, 2, SOURCE_NONE);
    label_is(f, 1, SOURCE_NONE, false, 1.0, 1, 0.05, 0);
    const int64_t a = vote(f, 1, DECISION_A, 0, 1, 0, 5);
    const int64_t b = vote(f, 1, DECISION_B, 0, 1, 0, 5);
    const int64_t other = vote(f, 2, DECISION_A, 0, 1, 0, 5);
    const int64_t flag = vote(f, 1, DECISION_FLAG, 0, 1, 0, 5);
    label_is(f, 1, SOURCE_HUMAN, false, 0.0, 5, 0.02, flag);
    vote(f, 1, DECISION_UNDO, 0, 1, flag, 5);
    label_is(f, 1, SOURCE_HUMAN, true, 0.0, 5, 0.02, b);
    vote(f, 1, DECISION_UNDO, 0, 1, a, 5); /* not the newest: nothing changes yet */
    label_is(f, 1, SOURCE_HUMAN, true, 0.0, 5, 0.02, b);
    vote(f, 1, DECISION_UNDO, 0, 1, b, 5); /* both are gone: the automatic label */
    label_is(f, 1, SOURCE_NONE, false, 1.0, 1, 0.05, 0);
    const int64_t redo = vote(f, 1, DECISION_B, 1, 1, 0, 5);
    label_is(f, 1, SOURCE_HUMAN, true, 1.0, 5, 0.02, redo);
    label_is(f, 2, SOURCE_HUMAN, true, 1.0, 5, 0.02, other);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 2);
    assert_int_equal(f->d.n_by_source[SOURCE_NONE], 0);
}

/* Events of a pair count in the order in which they were given, whatever the order in which they come into force. */
static void a_late_event_changes_nothing(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref late;
    struct err e;
    add_pairs(f, 2, SOURCE_TEACHER);
    vote(f, 1, DECISION_A, 0, 1, 0, 5);                   /* 1 */
    const int64_t b = vote(f, 1, DECISION_B, 0, 1, 0, 5); /* 2 */
    vote(f, 2, DECISION_A, 0, 1, 0, 5);                   /* 3 */
    vote(f, 2, DECISION_UNDO, 0, 1, 3, 5);                /* 4 */
    const int64_t tie = vote(f, 2, DECISION_TIE, 0, 1, 0, 5);
    static const int64_t ORDER[] = {2, 1, 3, 5, 4};
    must(dpref_load(&late, &f->db, &e), &e);
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++) {
        struct label_event ev;
        must(label_event_read(&f->db, ORDER[i], &ev, &e) && dpref_apply_event(&late, &ev, DPREF_FLIP, 5, &e), &e);
        free(ev.text);
    }
    for (int i = 0; i < 2; i++) assert_same_pair(&late.pair[i], &f->d.pair[i]);
    assert_true(late.pair[0].event == b && late.pair[1].event == tie);
    dpref_free(&late);
}

/* Load and replay, as a resume does, gives the same labels as living through the events. */
static void replay_of_the_events_gives_the_same_labels(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref again;
    struct err e;
    uint32_t random = 7;
    int64_t seq[300], n = 0;
    add_pairs(f, 6, SOURCE_TEACHER);
    for (int i = 0; i < 200; i++) {
        random = random * 1664525u + 1013904223u;
        const enum decision d = (enum decision)((random >> 8) % DECISION_UNDO);
        seq[n] = vote(f, 1 + (random >> 16) % 6, d, (int)(random >> 24) % 2, 1 + (random >> 25) % 2, 0, 5);
        n++;
        if ((random >> 28) % 3 != 0) continue;
        int64_t last;
        struct label_event old;
        must(label_event_last(&f->db, "ann", &last, &e), &e);
        must(label_event_read(&f->db, last, &old, &e), &e);
        free(old.text);
        seq[n++] = vote(f, old.pair_id, DECISION_UNDO, 0, 1, last, 5);
        if (n > 290) break;
    }
    assert_int_equal(seq[n - 1], n);
    dpref_load_again(f, &again, n);
    for (int i = 0; i < 6; i++) assert_same_pair(&again.pair[i], &f->d.pair[i]);
    assert_memory_equal(again.n_by_source, f->d.n_by_source, sizeof again.n_by_source);
    dpref_free(&again);
}

static void commit_fails(struct dpref_fixture *f, struct label_event ev, const char *part) {
    struct err e = {""};
    int64_t before, after;
    must(db_get_int(&f->db, &e, &before, 0, "SELECT count(*) FROM label_event", ""), &e);
    assert_false(label_event_commit(&f->db, &ev, &e));
    if (!strstr(e.msg, part)) fail_msg("expected ...%s..., found %s", part, e.msg);
    must(db_get_int(&f->db, &e, &after, 0, "SELECT count(*) FROM label_event", ""), &e);
    assert_int_equal(before, after);
}

static void events_that_make_no_sense_are_refused(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    add_pairs(f, 2, SOURCE_TEACHER);
    const uint64_t hash = f->d.pair[0].pair_hash;
    struct label_event ev = {
        .annotator = "ann", .pair_id = 3, .pair_hash = hash, .decision = DECISION_A, .strength = 1};
    commit_fails(f, ev, "there is no pair 3 to label");
    assert_false(dpref_apply_event(&f->d, &ev, 0.02, 5, &e));
    ev.pair_id = 2;
    commit_fails(f, ev, "pair 2 holds other texts than the ones that were shown");
    assert_false(dpref_apply_event(&f->d, &ev, 0.02, 5, &e));
    ev.pair_id = 1;
    ev.left = 2;
    commit_fails(f, ev, "left must be 0 or 1, found 2");
    ev.left = 0;
    ev.strength = NAN;
    commit_fails(f, ev, "must be finite");
    ev.strength = 1;
    ev.decision = N_DECISIONS;
    commit_fails(f, ev, "unknown decision");
    ev.decision = DECISION_UNDO;
    ev.undo_of = 77;
    commit_fails(f, ev, "there is no label event 77");
    const int64_t a = vote(f, 1, DECISION_A, 0, 1, 0, 5), undo = vote(f, 1, DECISION_UNDO, 0, 1, a, 5);
    ev.undo_of = a;
    commit_fails(f, ev, "label event 1 was already undone by event 2");
    ev.undo_of = undo;
    commit_fails(f, ev, "label event 2 is an undo itself");
}

static void undo_finds_the_newest_act_of_its_own_annotator(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    int64_t seq;
    add_pairs(f, 2, SOURCE_TEACHER);
    must(label_event_last(&f->db, "ann", &seq, &e), &e);
    assert_int_equal(seq, 0);
    const int64_t a = vote(f, 1, DECISION_A, 0, 1, 0, 5), skip = vote(f, 2, DECISION_SKIP, 0, 1, 0, 5);
    struct label_event other = {.annotator = "bob", .pair_id = 1, .pair_hash = f->d.pair[0].pair_hash, .strength = 1};
    must(label_event_commit(&f->db, &other, &e), &e);
    must(label_event_last(&f->db, "ann", &seq, &e), &e);
    assert_int_equal(seq, skip);
    vote(f, 2, DECISION_UNDO, 0, 1, skip, 5);
    must(label_event_last(&f->db, "ann", &seq, &e), &e);
    assert_int_equal(seq, a);
    vote(f, 1, DECISION_UNDO, 0, 1, a, 5);
    must(label_event_last(&f->db, "ann", &seq, &e), &e);
    assert_int_equal(seq, 0);
    must(label_event_last(&f->db, "bob", &seq, &e), &e);
    assert_int_equal(seq, other.seq);
}

/* ---- two connections ---- */

struct labeller {
    const char *path;
    uint64_t hash;
    int saved;
    struct err e;
};

static void *label_away(void *arg) {
    struct labeller *l = arg;
    struct db db;
    if (!db_open(&db, l->path, DB_WRITE, true, &l->e)) return NULL;
    for (int i = 0; i < 60; i++) {
        struct label_event ev = {.annotator = "ann", .pair_id = 1, .pair_hash = l->hash, .strength = 1};
        if (!label_event_commit(&db, &ev, &l->e)) break;
        l->saved++;
    }
    db_close(&db);
    return NULL;
}

static void engine_and_interface_write_at_once(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    add_pairs(f, 1, SOURCE_TEACHER);
    struct labeller l = {.path = f->path, .hash = f->d.pair[0].pair_hash};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, label_away, &l), 0);
    for (int i = 0; i < 100; i++) add_pairs(f, 5, SOURCE_TEACHER);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (l.saved != 60) fail_msg("%d saved: %s", l.saved, l.e.msg);
    int64_t n;
    must(db_get_int(&f->db, &e, &n, 0, "SELECT count(*) FROM label_event", ""), &e);
    assert_int_equal(n, 60);
    must(db_get_int(&f->db, &e, &n, 0, "SELECT count(*) FROM pair", ""), &e);
    assert_int_equal(n, 501);
}

/* ---- counts and exports ---- */

static void make_mixture(struct dpref_fixture *f) {
    add_pairs(f, 6, SOURCE_TEACHER);
    add_pairs(f, 2, SOURCE_NONE);
    vote(f, 1, DECISION_B, 0, 1, 0, 5);
    vote(f, 2, DECISION_TIE, 0, 1, 0, 5);
    vote(f, 3, DECISION_BAD, 0, 1, 0, 5);
    vote(f, 4, DECISION_FLAG, 0, 1, 0, 5);
    vote(f, 5, DECISION_UNDO, 0, 1, vote(f, 5, DECISION_B, 0, 1, 0, 5), 5);
    vote(f, 7, DECISION_A, 0, 2, 0, 5);
    vote(f, 8, DECISION_SKIP, 0, 1, 0, 5);
}

static void counts_follow_the_labels_in_force(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    struct db reader;
    make_mixture(f);
    int heldout = 0;
    for (int i = 0; i < f->d.n; i++) heldout += f->d.pair[i].heldout;
    char expected[300];
    snprintf(expected, sizeof expected,
             "{\"records\":8,\"by_source\":{\"none\":1,\"teacher\":3,\"human\":4,\"import\":0,\"oracle\":0,\"self\":0},"
             "\"events\":8,"
             "\"heldout\":%d,\"iterations\":1}",
             heldout);
    must(db_open(&reader, f->path, DB_READ, false, &e), &e);
    char *json = dpref_stats_json(&reader, &e);
    assert_non_null(json);
    assert_string_equal(json, expected);
    free(json);
    assert_false(db_exec(&reader, "DELETE FROM pair", &e)); /* reading only */
    db_close(&reader);
    assert_int_equal(f->d.n_by_source[SOURCE_HUMAN], 4); /* memory agrees */
    assert_int_equal(f->d.n_by_source[SOURCE_TEACHER], 3);
}

struct lines {
    int n, pairs, events;
    char *chosen[8], *rejected[8];
};

static bool take_trl(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct lines *l = ctx;
    const char *prompt, *chosen, *rejected;
    if (!json_get_string(obj, "prompt", where, &prompt, e) || !json_get_string(obj, "chosen", where, &chosen, e) ||
        !json_get_string(obj, "rejected", where, &rejected, e))
        return false;
    assert_int_equal(cJSON_GetArraySize(obj), 3);
    assert_in_range(l->n, 0, 7);
    l->chosen[l->n] = mem_strdup(chosen);
    l->rejected[l->n++] = mem_strdup(rejected);
    return true;
}

static void trl_export_has_the_decided_active_pairs(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    char path[200];
    int64_t n;
    struct lines l = {0};
    make_mixture(f);
    snprintf(path, sizeof path, "%s/out.jsonl", f->folder);
    must(dpref_export(&f->db, "trl", path, &n, &e), &e);
    must(jsonl_each(path, take_trl, &l, &e), &e);
    assert_int_equal(n, 4); /* pairs 1 (a person's), 5 (undone), 6, 7: not the tie, bad, flagged, waiting ones */
    assert_int_equal(l.n, 4);
    assert_string_equal(l.chosen[0], "student 0");
    assert_string_equal(l.rejected[0], "teacher \"0\"\n");
    assert_string_equal(l.chosen[1], "teacher \"4\"\n");
    assert_string_equal(l.chosen[2], "teacher \"5\"\n");
    assert_string_equal(l.chosen[3], "teacher \"6\"\n");
    for (int i = 0; i < l.n; i++) {
        free(l.chosen[i]);
        free(l.rejected[i]);
    }
    assert_false(dpref_export(&f->db, "csv", path, &n, &e));
    assert_string_equal(e.msg, "export format: must be one of trl, audit, found \"csv\"");
    assert_false(dpref_export(&f->db, "trl", "/nonexistent/x.jsonl", &n, &e));
}

static bool take_audit(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct lines *l = ctx;
    const char *type, *text;
    double v;
    if (!json_get_string(obj, "type", where, &type, e)) return false;
    if (strcmp(type, "event") == 0) {
        l->events++;
        return json_get_string(obj, "decision", where, &text, e) && json_get_number(obj, "seq", where, &v, e);
    }
    l->pairs++;
    const cJSON *label = cJSON_GetObjectItem(obj, "label"), *automatic = cJSON_GetObjectItem(obj, "automatic");
    if (l->pairs == 1) {
        assert_string_equal(cJSON_GetObjectItem(label, "source")->valuestring, "human");
        assert_true(cJSON_GetObjectItem(label, "o")->valuedouble == 0.0);
        assert_string_equal(cJSON_GetObjectItem(automatic, "source")->valuestring, "teacher");
        assert_true(cJSON_GetObjectItem(automatic, "o")->valuedouble == 1.0);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(obj, "tokens_y0")), 3);
    }
    return json_get_string(obj, "text1", where, &text, e);
}

static void audit_export_has_everything(void **state) {
    struct dpref_fixture *f = *state;
    struct err e;
    char path[200];
    int64_t n;
    struct lines l = {0};
    make_mixture(f);
    struct pref_pair p = new_pair(8, 80, SOURCE_TEACHER);
    snprintf(p.text1, strlen(p.text1) + 1, "cut \xe2\x82"); /* a model's output may end inside a character */
    must(db_begin(&f->db, &e) && dpref_add(&f->d, &p, &e) && db_commit(&f->db, &e), &e);
    snprintf(path, sizeof path, "%s/audit.jsonl", f->folder);
    must(dpref_export(&f->db, "audit", path, &n, &e), &e);
    must(jsonl_each(path, take_audit, &l, &e), &e);
    assert_int_equal(l.pairs, 9);
    assert_int_equal(l.events, 8);
    assert_int_equal(n, 17);
}

/* ---- hostile files ---- */

static void a_hostile_file_is_refused(void **state) {
    struct dpref_fixture *f = *state;
    struct dpref d;
    struct err e;
    add_pairs(f, 3, SOURCE_TEACHER);
    dpref_load_fails(f, "UPDATE pair SET n_x=1000000 WHERE id=2", "pair 2: 24 bytes of tokens do not fit the counts");
    dpref_load_fails(f, "UPDATE pair SET n_x=-1, n_y0=6 WHERE id=2", "do not fit the counts");
    dpref_load_fails(f, "UPDATE pair SET n_x=2147483647, n_y0=2147483647, n_y1=2147483647 WHERE id=2",
                     "do not fit the counts");
    dpref_load_fails(f, "UPDATE pair SET tokens=x'FFFFFFFF0000000000000000000000000000000000000000' WHERE id=2",
                     "tokens");
    dpref_load_fails(f, "UPDATE pair SET source=9 WHERE id=2", "pair 2: unknown label source 9");
    dpref_load_fails(f, "UPDATE pair SET origin1=5 WHERE id=2", "pair 2: an answer by origin 0, item 0 and one by 5,");
    dpref_load_fails(f, "UPDATE pair SET item0=-1 WHERE id=2", "pair 2: an answer by origin 0, item -1");
    dpref_load_fails(f, "UPDATE pair SET o=1e300 WHERE id=2", "pair 2: a label of");
    dpref_load_fails(f, "UPDATE pair SET weight=9e999 WHERE id=2", "pair 2: a label of");
    dpref_load_fails(f, "DELETE FROM pair WHERE id=2", "pair 3 found where 2 was expected");
    must(dpref_load(&d, &f->db, &e), &e); /* rolled back: fine again */
    dpref_free(&d);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, dpref_set_up, dpref_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pairs_come_back_as_they_were_added),
        TEST(a_pair_with_a_nonsense_label_is_refused),
        TEST(one_prompt_in_ten_is_held_out),
        TEST(ids_are_the_same_after_forgetting),
        TEST(a_hundred_thousand_pairs_load),
        TEST(an_event_comes_back_as_it_was_committed),
        TEST(nothing_can_be_changed_or_deleted),
        TEST(votes_set_the_label_as_seen_through_the_sides),
        TEST(undo_goes_back_through_the_labels_before),
        TEST(a_late_event_changes_nothing),
        TEST(replay_of_the_events_gives_the_same_labels),
        TEST(events_that_make_no_sense_are_refused),
        TEST(undo_finds_the_newest_act_of_its_own_annotator),
        TEST(engine_and_interface_write_at_once),
        TEST(counts_follow_the_labels_in_force),
        TEST(trl_export_has_the_decided_active_pairs),
        TEST(audit_export_has_everything),
        TEST(a_hostile_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
