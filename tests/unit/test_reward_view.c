/* The Reward view under a reward that is fitted again: what is selected and what is read stay, whatever the lists do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/run/snapshot_private.h"
#include "tests/support/make_snapshot.h"
#include "views/view.h"

extern const struct view_ops VIEW_REWARD; /* views.c alone knows them all */

enum { PAIRS = 40 };

/* A run whose reward is the less sure of a pair the nearer its id is to `worst`, and prefers the student from there on.
 */
static struct snapshot *fitted(int worst, int64_t tick) {
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    struct scored_pair scored[PAIRS];
    struct pref_pair pair[PAIRS];
    char prompt[PAIRS][32];
    for (int i = 0; i < PAIRS; i++) {
        scored[i] = (struct scored_pair){.id = i + 1,
                                         .reward0 = (worst - i - 0.9) / 10,
                                         .o = 1,
                                         .weight = 1,
                                         .source = SOURCE_TEACHER,
                                         .iteration = 1};
        snprintf(prompt[i], sizeof prompt[i], "prompt %d", i + 1);
        pair[i] = (struct pref_pair){.id = i + 1,
                                     .prompt = prompt[i],
                                     .text0 = (char *)"yes",
                                     .text1 = (char *)"no",
                                     .by1 = {ORIGIN_STUDENT, 0}};
    }
    struct diagnostics d;
    diagnostics_measure(&d, scored, PAIRS, 1, tick);
    const struct dpref all = {.pair = pair, .n = PAIRS};
    struct reward_block *b = reward_block_new(&d, &all);
    s->reward_owner = b;
    s->reward = &b->report;
    return s;
}

struct seen {
    struct canvas c;
    void *view;
    struct actions act;
};

static struct seen open_view(int rows, int cols) {
    struct seen v = {.view = mem_small(VIEW_REWARD.state_size)};
    canvas_init(&v.c, rows, cols, GLYPHS_ASCII);
    VIEW_REWARD.init(v.view);
    return v;
}

static void close_view(struct seen *v) {
    canvas_free(&v->c);
    free(v->view);
}

/* The keys, the view drawn after each; the text on the screen in the end. Caller frees. */
static char *show(struct seen *v, const struct snapshot *s, const char *keys) {
    canvas_clear(&v->c);
    VIEW_REWARD.draw(v->view, canvas_area(&v->c), s, &v->act);
    for (const char *k = keys; *k; k++) {
        view_press(&VIEW_REWARD, v->view, *k == '\r' ? KEY_ENTER_ : *k == '\t' ? KEY_TAB : *k, s, &v->act);
        canvas_clear(&v->c);
        VIEW_REWARD.draw(v->view, canvas_area(&v->c), s, &v->act);
    }
    return canvas_dump(&v->c, false);
}

static void assert_shows(struct seen *v, const struct snapshot *s, const char *keys, const char *text) {
    char *screen = show(v, s, keys);
    if (!strstr(screen, text)) fail_msg("\"%s\" is not on the screen:\n%s", text, screen);
    free(screen);
}

static void assert_copies(struct seen *v, const struct snapshot *s, const char *text) {
    char what[64], *copy = VIEW_REWARD.copy(v->view, s, what, sizeof what);
    assert_non_null(copy);
    assert_non_null(strstr(copy, text));
    free(copy);
}

/* |Delta| rises with the distance from 11: 11, 12, 10 ... */
static void test_selection_is_a_pair(void **state) {
    (void)state;
    struct snapshot *a = fitted(11, 5), *b = fitted(13, 9), *c = fitted(35, 12);
    struct seen v = open_view(24, 80);
    assert_shows(&v, a, "", ">   11");
    assert_shows(&v, a, "j", ">   12");
    assert_copies(&v, a, "prompt 12\n");
    assert_shows(&v, b, "", ">   12"); /* third now */
    assert_shows(&v, c, "", ">   36"); /* gone: what stands in its row */
    assert_copies(&v, c, "prompt 36\n");
    assert_shows(&v, b, "", ">   12");
    close_view(&v);
    snapshot_release(a);
    snapshot_release(b);
    snapshot_release(c);
}

static void test_open_pair_stays(void **state) {
    (void)state;
    struct snapshot *a = fitted(11, 5), *c = fitted(35, 12);
    struct seen v = open_view(24, 80);
    assert_shows(&v, a, "\r", "pair 11, iteration 1");
    assert_shows(&v, a, "", "sure of the teacher's answer");
    assert_shows(&v, a, "l", "pair 12, iteration 1");
    assert_shows(&v, a, "", "no, the teacher's answer is better, by teacher");
    assert_shows(&v, c, "", "no longer among these");
    char what[64];
    assert_null(VIEW_REWARD.copy(v.view, c, what, sizeof what));
    snapshot_add_pair(c, 12, "prompt 12 of the newest pairs", "yes", "no");
    assert_shows(&v, c, "", "prompt 12 of the newest pairs");
    assert_shows(&v, c, "l", "pair 34, iteration 1"); /* from its row on: 35, 36, 34 */
    assert_shows(&v, c, "q", "Least sure of");
    close_view(&v);
    snapshot_release(a);
    snapshot_release(c);
}

/* Every panel can be seen where there is room for one only, and Tab comes round. */
static void test_every_panel_has_a_place(void **state) {
    (void)state;
    static const char *const titles[] = {"The fitted reward", "Reliability",   "Margins",       "Ranked right",
                                         "Least sure of",     "Most disputed", "Selected pair", "The fitted reward"};
    struct snapshot *a = fitted(11, 5);
    struct seen v = open_view(10, 44);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) assert_shows(&v, a, i ? "\t" : "", titles[i]);
    close_view(&v);
    v = open_view(22, 80);
    assert_shows(&v, a, "", "Least sure of"); /* where the keys go at first */
    assert_shows(&v, a, "\t\t", "Selected pair");
    assert_shows(&v, a, "\t\t\t\t", "Ranked right");
    close_view(&v);
    snapshot_release(a);
}

static void test_nothing_measured(void **state) {
    (void)state;
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    struct seen v = open_view(24, 80);
    char what[64];
    assert_shows(&v, s, "\rjhl\t", "Nothing measured yet");
    assert_null(VIEW_REWARD.copy(v.view, s, what, sizeof what));
    assert_int_equal(view_press(&VIEW_REWARD, v.view, 'q', s, &v.act), REACT_UNHANDLED);
    s->iteration = 2;
    assert_shows(&v, s, "", "Measured at the next fit");
    s->options.algorithm = ALGORITHM_DPO;
    snapshot_take_options(s, &s->options);
    assert_shows(&v, s, "", "The algorithm dpo fits no reward");
    close_view(&v);
    snapshot_release(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_is_a_pair),
        cmocka_unit_test(test_open_pair_stays),
        cmocka_unit_test(test_every_panel_has_a_place),
        cmocka_unit_test(test_nothing_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
