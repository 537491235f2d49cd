/* The Label view through its keys: what is asked, what a vote stores, and what must not become a vote. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "tests/support/make_snapshot.h"
#include "views/views.h"

enum { MAX_EVENTS = 64 };

struct desk { /* a person at a screen */
    const struct view_ops *view;
    void *state;
    struct snapshot *s;
    struct canvas canvas;
    struct actions act;
    struct label_event event[MAX_EVENTS];
    char text[MAX_EVENTS][200];
    int n_events;
    bool refuse;
    char message[200];
};

static bool take_label(void *ctx, struct label_event *ev) {
    struct desk *d = ctx;
    if (d->refuse) return false;
    ev->seq = 100 + d->n_events;
    snprintf(d->text[d->n_events], sizeof d->text[0], "%s", ev->text ? ev->text : "");
    d->event[d->n_events] = *ev;
    d->event[d->n_events++].text = NULL;
    return true;
}

static void take_message(void *ctx, enum alert_level level, const char *text) {
    struct desk *d = ctx;
    (void)level;
    snprintf(d->message, sizeof d->message, "%s", text);
}

static void look(struct desk *d) {
    canvas_clear(&d->canvas);
    d->view->draw(d->state, canvas_area(&d->canvas), d->s, &d->act);
}

static int press(struct desk *d, int key) { return view_press(d->view, d->state, key, d->s, &d->act); }

static void sit_down(struct desk *d, struct snapshot *s, int rows, int cols) {
    *d = (struct desk){.s = s, .act = {.label = take_label, .message = take_message, .annotator = "ann", .now = 50}};
    d->act.ctx = d;
    d->view = view_named("label");
    d->state = mem_small(d->view->state_size);
    d->view->init(d->state);
    canvas_init(&d->canvas, rows, cols, GLYPHS_BRAILLE);
    look(d);
}

static void get_up(struct desk *d) {
    d->view->destroy(d->state);
    free(d->state);
    free(d->act.editor_text);
    canvas_free(&d->canvas);
    snapshot_release(d->s);
}

static bool screen_has(const struct desk *d, const char *text) {
    char *dump = canvas_dump(&d->canvas, false);
    const bool has = strstr(dump, text) != NULL;
    free(dump);
    return has;
}

static struct snapshot *few_pairs(int n) {
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    for (int i = n; i > 0; i--) snapshot_add_pair(s, i, "How many?", "teacher says four", "student says five");
    return s;
}

/* Wait until a vote is taken, then vote. */
static void vote(struct desk *d, int key) {
    look(d);
    d->act.now += 1;
    press(d, key);
    look(d);
}

static void test_what_a_vote_stores(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(3), 24, 80);
    d.act.now += 2.5;
    press(&d, 'a');
    assert_int_equal(d.n_events, 1);
    const struct label_event *ev = &d.event[0];
    assert_int_equal(ev->pair_id, 3); /* the newest */
    assert_int_equal(ev->pair_hash, d.s->pair[0].pair_hash);
    assert_int_equal(ev->decision, DECISION_A);
    assert_true(ev->strength == 1);
    assert_int_equal(ev->dwell_ms, 2500);
    assert_true(ev->seen_a == 1 && ev->seen_b == 1);
    assert_string_equal(ev->annotator, "ann");
    assert_string_equal(ev->sampler, "newest");
    assert_true(ev->propensity == 1);
    assert_true(fabs(ev->reward_delta - (d.s->pair[0].reward_teacher - d.s->pair[0].reward_student)) < 1e-12);
    look(&d);
    assert_true(screen_has(&d, "saved #100"));
    assert_true(screen_has(&d, "you preferred A"));
    get_up(&d);
}

static void test_keys(void **state) {
    (void)state;
    static const struct {
        int key;
        enum decision decision;
        double strength;
    } want[] = {{'a', DECISION_A, 1},   {'b', DECISION_B, 1},   {'A', DECISION_A, 2},    {'B', DECISION_B, 2},
                {'t', DECISION_TIE, 1}, {'x', DECISION_BAD, 1}, {'s', DECISION_SKIP, 1}, {'f', DECISION_FLAG, 1}};
    enum { N = sizeof want / sizeof *want };
    struct desk d;
    sit_down(&d, few_pairs(N), 24, 80);
    for (int i = 0; i < N; i++) {
        vote(&d, want[i].key);
        assert_int_equal(d.n_events, i + 1);
        assert_int_equal(d.event[i].decision, want[i].decision);
        assert_true(d.event[i].strength == want[i].strength);
        assert_int_equal(d.event[i].pair_id, N - i);
    }
    vote(&d, 'a'); /* nothing is left */
    assert_int_equal(d.n_events, N);
    assert_true(screen_has(&d, "Nothing waits for a label"));
    get_up(&d);
}

/* Blind: the names appear only after the vote. Both orders occur, and `left` says which was shown. */
static void test_blind_and_shuffled(void **state) {
    (void)state;
    struct desk d;
    int left[2] = {0, 0};
    sit_down(&d, few_pairs(40), 24, 80);
    for (int i = 0; i < 40; i++) {
        const char *shown =
            screen_has(&d, "│teacher says four                     ││student says five") ? "teacher" : "student";
        if (i == 0) assert_false(screen_has(&d, "A was the"));
        vote(&d, i % 2 ? 'a' : 'b');
        assert_int_equal(d.n_events, i + 1);
        assert_int_equal(d.event[i].left, strcmp(shown, "teacher") == 0 ? 0 : 1);
        assert_true(screen_has(&d, d.event[i].left ? "A was the student" : "A was the teacher"));
        left[d.event[i].left]++;
    }
    assert_in_range(left[0], 10, 30);
    get_up(&d);
}

static void test_guard_after_a_new_pair(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(5), 24, 80);
    press(&d, 'a'); /* in the frame that showed it */
    d.act.now += 0.24;
    press(&d, 'b');
    assert_int_equal(d.n_events, 0);
    assert_string_equal(d.message, "ignored: the pair had just appeared");
    d.act.now += 0.02;
    press(&d, 't');
    assert_int_equal(d.n_events, 1);
    d.act.now += 5; /* the next pair has not been drawn yet: keys were typed for the one before */
    press(&d, 'b');
    press(&d, 'x');
    assert_int_equal(d.n_events, 1);
    look(&d);
    d.act.now += 0.3;
    press(&d, 't');
    assert_int_equal(d.n_events, 2);
    get_up(&d);
}

/* A key held down for ten seconds: one vote. Let go and pressed again: another. */
static void test_auto_repeat_votes_once(void **state) {
    (void)state;
    static const double delays[] = {0.25, 0.5, 0.66};
    for (int k = 0; k < 3; k++) {
        struct desk d;
        sit_down(&d, few_pairs(5), 24, 80);
        d.act.now += 3;
        press(&d, 'a');
        look(&d);
        d.act.now += delays[k];
        for (int i = 0; i < 300; i++, d.act.now += 1.0 / 30) {
            press(&d, 'a');
            look(&d);
        }
        assert_int_equal(d.n_events, 1);
        d.act.now += 1;
        press(&d, 'a');
        assert_int_equal(d.n_events, 2);
        get_up(&d);
    }
}

static void test_identical_and_labelled_pairs_are_not_asked(void **state) {
    (void)state;
    struct desk d;
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    snapshot_add_pair(s, 9, "p", "same", "same")->source = SOURCE_NONE;
    snapshot_add_pair(s, 8, "p", "one", "two")->event = 4;
    snapshot_add_pair(s, 7, "p", "one", "two");                       /* automatic label */
    snapshot_add_pair(s, 6, "p", "one", "two")->source = SOURCE_NONE; /* waits for a person: first */
    sit_down(&d, s, 24, 80);
    vote(&d, 'a');
    vote(&d, 'b');
    vote(&d, 'a');
    assert_int_equal(d.n_events, 2);
    assert_int_equal(d.event[0].pair_id, 6);
    assert_int_equal(d.event[1].pair_id, 7);
    get_up(&d);
}

static void test_an_undone_pair_is_asked_again(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(1), 24, 80);
    vote(&d, 'a');
    d.s->pair[0].event = 100; /* the run has taken the label */
    vote(&d, 'b');
    assert_int_equal(d.n_events, 1);
    d.s->pair[0].event = 0; /* undone */
    look(&d);
    vote(&d, 'b');
    assert_int_equal(d.n_events, 2);
    assert_int_equal(d.event[1].pair_id, 1);
    get_up(&d);
}

/* A skip, or a label of an earlier session that is not in force yet, has no event that counts. */
static void test_what_a_person_dealt_with_is_not_asked(void **state) {
    (void)state;
    struct desk d;
    struct snapshot *s = few_pairs(2);
    s->pair[0].vote = 3;
    s->pair[1].vote = 4;
    sit_down(&d, s, 24, 80);
    vote(&d, 'a');
    assert_int_equal(d.n_events, 0);
    d.s->pair[1].vote = 0; /* undone */
    look(&d);
    vote(&d, 's');
    assert_int_equal(d.n_events, 1);
    assert_int_equal(d.event[0].pair_id, 1);
    d.s->pair[1].vote = 100;
    look(&d);
    d.s->pair[1].vote = 0;
    look(&d);
    vote(&d, 'b');
    assert_int_equal(d.n_events, 2);
    assert_int_equal(d.event[1].pair_id, 1);
    get_up(&d);
}

static void test_a_refused_label_keeps_the_pair(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(2), 24, 80);
    d.refuse = true;
    vote(&d, 'a');
    assert_true(screen_has(&d, "pair 2"));
    assert_false(screen_has(&d, "saved"));
    d.refuse = false;
    d.act.now += 1;
    press(&d, 'a');
    assert_int_equal(d.n_events, 1);
    assert_int_equal(d.event[0].pair_id, 2);
    get_up(&d);
}

/* The pair stays on the screen and can be labelled after it has left the snapshot. */
static void test_pair_outlives_its_snapshot(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(1), 24, 80);
    snapshot_release(d.s);
    d.s = make_snapshot(SNAPSHOT_LOADING);
    look(&d);
    assert_true(screen_has(&d, "teacher says four"));
    vote(&d, 'b');
    assert_int_equal(d.event[0].pair_id, 1);
    get_up(&d);
}

static void test_seen_grows_with_scrolling(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, make_snapshot(SNAPSHOT_HOSTILE), 24, 80);
    assert_true(screen_has(&d, "% seen, more: J"));
    for (int i = 0; i < 6; i++) press(&d, 'J'), look(&d);
    for (int diff = 0; diff < 2; diff++) press(&d, 'v'), look(&d);
    d.act.now += 1;
    press(&d, 'a');
    const struct label_event *ev = &d.event[0];
    const double longer = ev->left == 0 ? ev->seen_a : ev->seen_b, shorter = ev->left == 0 ? ev->seen_b : ev->seen_a;
    assert_true(shorter == 1);
    assert_true(longer > 0.15 && longer < 0.6);
    get_up(&d);
    sit_down(&d, make_snapshot(SNAPSHOT_HOSTILE), 24, 80);
    for (int i = 0; i < 400; i++) press(&d, 'J'), look(&d);
    d.act.now += 1;
    press(&d, 'a');
    assert_true(d.event[0].seen_a == 1 && d.event[0].seen_b == 1);
    get_up(&d);
}

static void test_writing_a_better_answer(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(2), 24, 80);
    d.act.now += 1;
    assert_true(press(&d, 'e') & REACT_EDITOR);
    assert_non_null(strstr(d.act.editor_text, "How many?"));
    assert_non_null(strstr(d.act.editor_text, "teacher says four"));
    d.view->edited(d.state, d.act.editor_text, d.s, &d.act); /* nothing written */
    assert_int_equal(d.n_events, 0);
    press(&d, 'e');
    char text[2000];
    snprintf(text, sizeof text, "\n  It is four.\nReally.\n%s", d.act.editor_text);
    d.view->edited(d.state, text, d.s, &d.act);
    assert_int_equal(d.n_events, 1);
    assert_int_equal(d.event[0].decision, DECISION_EDIT);
    assert_string_equal(d.text[0], "It is four.\nReally.");
    look(&d);
    assert_true(screen_has(&d, "pair 1"));
    get_up(&d);
}

static void test_a_note_is_no_vote(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(2), 24, 80);
    assert_true(press(&d, 'n') & REACT_EDITOR);
    d.view->edited(d.state, "odd prompt\n", d.s, &d.act);
    assert_int_equal(d.event[0].decision, DECISION_NOTE);
    assert_string_equal(d.text[0], "odd prompt");
    look(&d);
    assert_true(screen_has(&d, "pair 2"));
    get_up(&d);
}

static void test_no_vote_while_revealing(void **state) {
    (void)state;
    struct desk d;
    sit_down(&d, few_pairs(3), 24, 80);
    press(&d, 'r');
    assert_string_equal(d.message, "no pair was labelled yet");
    vote(&d, 'a');
    vote(&d, 'r');
    assert_true(screen_has(&d, "Pair 3, revealed"));
    vote(&d, 'b');
    assert_int_equal(d.n_events, 1);
    press(&d, KEY_ESCAPE);
    look(&d);
    assert_true(screen_has(&d, "pair 2"));
    get_up(&d);
}

static void test_equal_widths(void **state) {
    (void)state;
    for (int cols = 80; cols < 84; cols++) {
        struct desk d;
        sit_down(&d, few_pairs(1), 24, cols);
        char *dump = canvas_dump(&d.canvas, false), *a = strstr(dump, "┌ A "), *b = a ? strstr(a, "┌ B ") : NULL;
        assert_non_null(b);
        const long first = b - a, second = strcspn(b, "\n");
        assert_int_equal(first, second); /* bytes: both rows are made of the same characters */
        free(dump);
        get_up(&d);
    }
}

/* The border around the view's place, cell by cell. */
static bool border_is_untouched(const struct canvas *c) {
    for (int row = 0; row < c->rows; row++)
        for (int col = 0; col < c->cols; col++) {
            const bool inside = row > 0 && row < c->rows - 1 && col > 0 && col < c->cols - 1;
            if (!inside && strcmp(c->cell[row * c->cols + col].text, "#") != 0) return false;
        }
    return true;
}

static bool something_is_shown(const struct canvas *c) {
    for (int row = 1; row < c->rows - 1; row++)
        for (int col = 1; col < c->cols - 1; col++)
            if (strcmp(c->cell[row * c->cols + col].text, " ") != 0) return true;
    return false;
}

/* Every key at every small size: the view stays in its place, shows something there, and no key typed before the pair
 * was seen becomes a vote. */
static void test_small_screens(void **state) {
    (void)state;
    for (int rows = 1; rows < 14; rows++)
        for (int cols = 1; cols < 100; cols += 7) {
            struct desk d;
            sit_down(&d, make_snapshot(SNAPSHOT_HOSTILE), rows + 2, cols + 2);
            struct area all = canvas_area(&d.canvas);
            for (const char *k = "jJkKgGv\tarq"; *k; k++) {
                press(&d, *k == '\t' ? KEY_TAB : *k);
                for (int row = 0; row < rows + 2; row++) area_fill(all, row, 0, cols + 2, "#", ROLE_TEXT, 0);
                struct area inside = area_sub(all, 1, 1, rows, cols);
                for (int row = 0; row < rows; row++) area_fill(inside, row, 0, cols, " ", ROLE_TEXT, 0);
                d.view->draw(d.state, inside, d.s, &d.act);
                assert_true(border_is_untouched(&d.canvas));
                assert_true(something_is_shown(&d.canvas));
            }
            assert_int_equal(d.n_events, 0);
            get_up(&d);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_vote_stores),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_blind_and_shuffled),
        cmocka_unit_test(test_guard_after_a_new_pair),
        cmocka_unit_test(test_auto_repeat_votes_once),
        cmocka_unit_test(test_identical_and_labelled_pairs_are_not_asked),
        cmocka_unit_test(test_an_undone_pair_is_asked_again),
        cmocka_unit_test(test_what_a_person_dealt_with_is_not_asked),
        cmocka_unit_test(test_a_refused_label_keeps_the_pair),
        cmocka_unit_test(test_pair_outlives_its_snapshot),
        cmocka_unit_test(test_seen_grows_with_scrolling),
        cmocka_unit_test(test_writing_a_better_answer),
        cmocka_unit_test(test_a_note_is_no_vote),
        cmocka_unit_test(test_no_vote_while_revealing),
        cmocka_unit_test(test_equal_widths),
        cmocka_unit_test(test_small_screens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
