/* Whole screens compared with golden text: header, view, hints, at every size that must work. UPDATE_GOLDEN=1 writes
 * the files again; read the difference before you keep it. */
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
#include "views/pair_text.h"
#include "views/chart.h"
#include "views/chrome.h"
#include "views/views.h"

static bool accept_label(void *ctx, struct label_event *ev) {
    (void)ctx;
    ev->seq = 18;
    return true;
}
static void no_message(void *ctx, enum alert_level level, const char *text) { (void)ctx, (void)level, (void)text; }

/* One screen: a view at a size, after some keys. */
struct shot {
    const char *name; /* of the golden file */
    const char *view;
    enum snapshot_kind kind;
    int rows, cols;
    enum glyphs glyphs;
    const char *keys; /* typed one second apart, the screen drawn after each; '\r' is Enter */
    const char *filter;
    bool frozen, roles;
};

static const struct view_ops *find_view(const char *name) {
    for (int i = 0; i < N_VIEWS; i++)
        if (strcmp(VIEWS[i]->name, name) == 0) return VIEWS[i];
    fail_msg("no view %s", name);
    return NULL;
}

static void draw_screen(struct canvas *c, const struct view_ops *v, void *state, const struct snapshot *s,
                        struct actions *act, bool frozen) {
    struct area all = canvas_area(c);
    canvas_clear(c);
    draw_header(area_sub(all, 0, 0, 1, all.cols), s, frozen);
    if (all.rows >= 5 && all.cols >= 20) {
        v->draw(state, area_sub(all, 1, 0, all.rows - 3, all.cols), s, act);
        draw_hints(area_sub(all, all.rows - 2, 0, 1, all.cols), v);
    }
}

static char *take_shot(const struct shot *shot) {
    const struct view_ops *v = find_view(shot->view);
    struct snapshot *s = make_snapshot(shot->kind);
    struct actions act = {.label = accept_label, .message = no_message, .annotator = "me", .now = 100};
    struct canvas c;
    canvas_init(&c, shot->rows, shot->cols, shot->glyphs);
    void *state = mem_small(v->state_size);
    if (v->init) v->init(state);
    if (shot->filter) v->filter(state, shot->filter);
    draw_screen(&c, v, state, s, &act, shot->frozen);
    for (const char *k = shot->keys; k && *k; k++) {
        act.now += 1;
        view_press(v, state, *k == '\r' ? KEY_ENTER_ : *k == '\t' ? KEY_TAB : *k, s, &act);
        draw_screen(&c, v, state, s, &act, shot->frozen);
    }
    char *text = canvas_dump(&c, shot->roles);
    if (v->destroy) v->destroy(state);
    free(state);
    free(act.editor_text);
    canvas_free(&c);
    snapshot_release(s);
    return text;
}

static void print_difference(const char *path, const char *want, const char *got) {
    print_message("%s differs ('-' golden, '+' now):\n", path);
    for (int line = 1; *want || *got; line++) {
        const int n = (int)strcspn(want, "\n"), m = (int)strcspn(got, "\n");
        if (n != m || memcmp(want, got, (size_t)n) != 0) print_message("%3d -%.*s\n    +%.*s\n", line, n, want, m, got);
        want += n + (want[n] == '\n');
        got += m + (got[m] == '\n');
    }
}

static void check_shot(void **state) {
    const struct shot *shot = *state;
    char path[256];
    char *got = take_shot(shot), *want = NULL;
    snprintf(path, sizeof path, "tests/screens/golden/%s.txt", shot->name);
    if (getenv("UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(got, f);
        assert_int_equal(fclose(f), 0);
    }
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is missing: UPDATE_GOLDEN=1 writes it", path);
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    want = mem_small((size_t)size + 1);
    assert_int_equal(fread(want, 1, (size_t)size, f), size);
    fclose(f);
    const bool same = strcmp(want, got) == 0;
    if (!same) print_difference(path, want, got);
    free(want);
    free(got);
    assert_true(same);
}

/* Every view at any size, after any keys, on every kind of run: nothing breaks, the grid stays whole (the sanitizers
 * watch). */
static void test_any_size_any_key(void **state) {
    (void)state;
    static const int keys[] = {'j',           'G', KEY_ENTER_, KEY_TAB, '+', 'h', 'J',        'n', 'v', 'a',
                               KEY_PAGE_DOWN, 'k', 'N',        'l',     '-', 'r', KEY_ESCAPE, 'g', 'K', '0'};
    for (int i = 0; i < N_VIEWS; i++)
        for (int kind = SNAPSHOT_LOADING; kind <= SNAPSHOT_HOSTILE; kind++) {
            const struct view_ops *v = VIEWS[i];
            struct snapshot *s = make_snapshot((enum snapshot_kind)kind);
            struct actions act = {.label = accept_label, .message = no_message, .annotator = "me", .now = 1};
            void *view = mem_small(v->state_size);
            if (v->init) v->init(view);
            if (v->search) v->search(view, "a");
            for (int rows = 1; rows <= 34; rows += 3)
                for (int cols = 1; cols <= 170; cols += 13) {
                    struct canvas c;
                    canvas_init(&c, rows, cols, (enum glyphs)((rows + cols) % 3));
                    act.now += 1;
                    view_press(v, view, keys[(rows * 7 + cols) % (int)(sizeof keys / sizeof *keys)], s, &act);
                    canvas_clear(&c);
                    v->draw(view, canvas_area(&c), s, &act);
                    draw_hints(canvas_area(&c), v);
                    draw_header(canvas_area(&c), s, cols % 2);
                    for (int k = 0; k < rows * cols; k++)
                        assert_true((unsigned char)c.cell[k].text[0] >= 32 || c.cell[k].width == 0);
                    canvas_free(&c);
                }
            if (v->destroy) v->destroy(view);
            free(view);
            free(act.editor_text);
            snapshot_release(s);
        }
}

/* One measurement is four dots wherever it falls, and the level keeps its name where the legend has no room for it. */
static void test_lone_points_and_levels(void **state) {
    (void)state;
    static const int64_t tick[] = {0, 10};
    for (int i = 0; i < 40; i++) {
        const float value[] = {(float)i, NAN};
        struct chart c = chart_make();
        struct canvas canvas;
        int dots = 0;
        c.line[c.n_lines++] = (struct chart_line){.name = "a", .role = ROLE_A, .n = 2, .tick = tick, .value = value};
        c.x0 = -i, c.x1 = 40;
        c.level = 50;
        c.level_name = "the level";
        canvas_init(&canvas, 12, 20, GLYPHS_BRAILLE);
        chart_draw(canvas_area(&canvas), &c);
        for (int k = 0; k < 12 * 20; k++) {
            const unsigned char *s = (const unsigned char *)canvas.cell[k].text;
            if (s[0] == 0xe2 && s[1] >= 0xa0 && s[1] <= 0xa3)
                dots += __builtin_popcount((unsigned)(s[1] & 3) << 6 | (s[2] & 0x3f));
        }
        assert_int_equal(dots, 4);
        char *text = canvas_dump(&canvas, false);
        assert_non_null(strstr(text, "the level"));
        assert_true(strchr(text, '\n') < strstr(text, "the level"));
        free(text);
        canvas_free(&canvas);
    }
}

static char *draw_pairs(struct snapshot *s) {
    const struct view_ops *v = find_view("pairs");
    struct actions act = {.message = no_message, .now = 1};
    struct canvas c;
    void *state = mem_small(v->state_size);
    canvas_init(&c, 36, 120, GLYPHS_BRAILLE);
    if (v->init) v->init(state);
    v->draw(state, canvas_area(&c), s, &act);
    char *text = canvas_dump(&c, false);
    if (v->destroy) v->destroy(state);
    free(state);
    canvas_free(&c);
    return text;
}

/* A person's answer is not called the teacher's, and a pair that no longer trains says so instead of its last label. */
static void test_written_and_dropped_pairs(void **state) {
    (void)state;
    struct snapshot *s = make_snapshot(SNAPSHOT_PLAYING);
    s->pair[0].edit = s->pair[0].event = 17;
    s->pair[0].source = SOURCE_HUMAN;
    s->pair[0].o = 1;
    char *text = draw_pairs(s);
    assert_non_null(strstr(text, "written human"));
    assert_non_null(strstr(text, "\u2502written  reward"));
    assert_non_null(strstr(text, "\u2502earlier  reward"));
    assert_non_null(strstr(text, "label: the written answer is better, by human, event #17"));
    free(text);
    s->pair[0].dropped = true;
    text = draw_pairs(s);
    assert_non_null(strstr(text, "out     human"));
    assert_non_null(strstr(text, "out of training: the written answer was taken back"));
    assert_null(strstr(text, "is better, by"));
    free(text);
    snapshot_release(s);
}

/* Answers of an offline D_pref are called what they are, by their source; two of one kind are the first and the
 * second. */
static void test_ranked_pairs(void **state) {
    (void)state;
    struct snapshot *s = make_snapshot(SNAPSHOT_PLAYING);
    option_set(&s->options, "game.data", "offline", NULL);
    option_set(&s->options, "offline.temperatures", "0.7, 1.3", NULL);
    option_set(&s->options, "offline.candidates", "/models/earlier.gguf", NULL);
    s->pair[0].by0 = (struct answer_by){ORIGIN_STUDENT, 1};
    s->pair[0].by1 = (struct answer_by){ORIGIN_CANDIDATE, 0};
    s->pair[0].source = SOURCE_ORACLE;
    s->pair[0].o = 0;
    char *text = draw_pairs(s);
    assert_non_null(strstr(text, "pair  it.   first  second"));
    assert_non_null(strstr(text, "model   oracle"));
    assert_non_null(strstr(text, "\u2502student  reward"));
    assert_non_null(strstr(text, "  temperature 1.3"));
    assert_non_null(strstr(text, "  earlier.gguf"));
    assert_non_null(strstr(text, "label: the model's answer is better, by oracle"));
    assert_true(answer_role(&s->pair[0], 0) == ROLE_STUDENT && answer_role(&s->pair[0], 1) == ROLE_TEACHER);
    assert_true(answer_role(&s->pair[1], 0) == ROLE_TEACHER && answer_role(&s->pair[1], 1) == ROLE_STUDENT);
    free(text);
    s->pair[0].by1 = (struct answer_by){ORIGIN_STUDENT, 7}; /* no such temperature */
    text = draw_pairs(s);
    assert_non_null(strstr(text, "label: the second answer is better, by oracle"));
    assert_null(strstr(text, "earlier.gguf"));
    free(text);
    snapshot_release(s);
}

/* The line on the vote before follows the run: taken back, given again. What is copied shows no more than the
 * screen. */
static void test_label_taken_back(void **state) {
    (void)state;
    const struct view_ops *v = find_view("label");
    struct snapshot *s = make_snapshot(SNAPSHOT_PLAYING);
    struct actions act = {.label = accept_label, .message = no_message, .annotator = "me", .now = 1};
    static const struct {
        int64_t event;
        const char *want;
    } STEPS[] = {{0, "saved #18: "}, {18, "saved #18: "}, {0, "taken back #18: "}, {20, "saved #20: "}};
    struct canvas c;
    void *view = mem_small(v->state_size);
    char what[80];
    int asked = 0;
    canvas_init(&c, 24, 80, GLYPHS_BRAILLE);
    v->init(view);
    v->draw(view, canvas_area(&c), s, &act);
    char *copied = v->copy(view, s, what, sizeof what);
    assert_non_null(strstr(copied, "\nA:\n"));
    assert_null(strstr(copied, "teacher"));
    free(copied);
    while (asked < s->n_shown) {
        char id[32];
        snprintf(id, sizeof id, "pair %lld:", (long long)s->pair[asked].id);
        if (strstr(what, id)) break;
        asked++;
    }
    assert_true(asked < s->n_shown);
    act.now = 2;
    view_press(v, view, 'a', s, &act);
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        s->pair[asked].event = STEPS[i].event;
        canvas_clear(&c);
        v->draw(view, canvas_area(&c), s, &act);
        char *text = canvas_dump(&c, false);
        assert_non_null(strstr(text, STEPS[i].want));
        assert_non_null(strstr(text, i == 2 ? "U gives it again" : "u takes it back"));
        free(text);
    }
    v->destroy(view);
    free(view);
    canvas_free(&c);
    snapshot_release(s);
}

static const struct shot SHOTS[] = {
#define EVERY_SIZE(view, kind, keys)                                                                                   \
    {view "-200x60", view, kind, 60, 200, GLYPHS_BRAILLE, keys, NULL, false, false},                                   \
        {view "-120x36", view, kind, 36, 120, GLYPHS_BRAILLE, keys, NULL, false, false},                               \
        {view "-80x24", view, kind, 24, 80, GLYPHS_BRAILLE, keys, NULL, false, false}, {                               \
        view "-40x12", view, kind, 12, 40, GLYPHS_BRAILLE, keys, NULL, false, false                                    \
    }
    EVERY_SIZE("dashboard", SNAPSHOT_PLAYING, NULL),
    {"dashboard-exact-200x60", "dashboard", SNAPSHOT_EXACT, 60, 200, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"dashboard-exact-120x36", "dashboard", SNAPSHOT_EXACT, 36, 120, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"pairs-exact-80x24", "pairs", SNAPSHOT_EXACT, 24, 80, GLYPHS_BRAILLE, "\r", NULL, false, true},
    {"pairs-exact-120x36", "pairs", SNAPSHOT_EXACT, 36, 120, GLYPHS_BRAILLE, "j", NULL, false, false},
    EVERY_SIZE("label", SNAPSHOT_PLAYING, "b"),
    EVERY_SIZE("pairs", SNAPSHOT_PLAYING, "jj"),
    EVERY_SIZE("reward", SNAPSHOT_PLAYING, NULL),
    /* Filtered: a new option should not change what these are about. */
    {"tune-200x60", "tune", SNAPSHOT_PLAYING, 60, 200, GLYPHS_BRAILLE, "j", "label", false, false},
    {"tune-120x36", "tune", SNAPSHOT_PLAYING, 36, 120, GLYPHS_BRAILLE, "j", "label", false, false},
    {"tune-80x24", "tune", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, "j", NULL, false, false},
    {"tune-40x12", "tune", SNAPSHOT_PLAYING, 12, 40, GLYPHS_BRAILLE, "j", NULL, false, false},
    EVERY_SIZE("log", SNAPSHOT_PLAYING, NULL),
    {"dashboard-20x5", "dashboard", SNAPSHOT_PLAYING, 5, 20, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"label-20x5", "label", SNAPSHOT_PLAYING, 5, 20, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"status-19x4", "dashboard", SNAPSHOT_PLAYING, 4, 19, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"dashboard-ascii-120x36", "dashboard", SNAPSHOT_PLAYING, 36, 120, GLYPHS_ASCII, NULL, NULL, false, false},
    {"dashboard-blocks-80x24", "dashboard", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BLOCKS, NULL, NULL, false, false},
    {"dashboard-full-80x24", "dashboard", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, "\r+", NULL, true, true},
    {"dashboard-loading-80x24", "dashboard", SNAPSHOT_LOADING, 24, 80, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"dashboard-waiting-120x36", "dashboard", SNAPSHOT_WAITING, 36, 120, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"dashboard-hostile-120x36", "dashboard", SNAPSHOT_HOSTILE, 36, 120, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"label-loading-80x24", "label", SNAPSHOT_LOADING, 24, 80, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"label-hostile-80x24", "label", SNAPSHOT_HOSTILE, 24, 80, GLYPHS_BRAILLE, "vJJ", NULL, false, true},
    {"label-hostile-ascii-40x12", "label", SNAPSHOT_HOSTILE, 12, 40, GLYPHS_ASCII, NULL, NULL, false, false},
    {"label-reveal-80x24", "label", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, "ar", NULL, false, false},
    {"pairs-full-80x24", "pairs", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, "jj\r", NULL, false, true},
    {"pairs-hostile-ascii-80x24", "pairs", SNAPSHOT_HOSTILE, 24, 80, GLYPHS_ASCII, NULL, NULL, false, false},
    {"pairs-filter-80x24", "pairs", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, NULL, "human", false, false},
    {"reward-20x5", "reward", SNAPSHOT_PLAYING, 5, 20, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"reward-60x50", "reward", SNAPSHOT_PLAYING, 50, 60, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"reward-ascii-120x36", "reward", SNAPSHOT_PLAYING, 36, 120, GLYPHS_ASCII, NULL, NULL, false, false},
    {"reward-pair-80x24", "reward", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, "\tj\rl", NULL, false, true},
    {"reward-back-80x24", "reward", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, "\tj\rlq", NULL, false, false},
    {"reward-reliability-40x12", "reward", SNAPSHOT_PLAYING, 12, 40, GLYPHS_BRAILLE, "\t", NULL, false, true},
    {"reward-disputed-40x12", "reward", SNAPSHOT_PLAYING, 12, 40, GLYPHS_ASCII, "\t\t\t\t\tj", NULL, false, false},
    {"reward-loading-80x24", "reward", SNAPSHOT_LOADING, 24, 80, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"reward-hostile-120x36", "reward", SNAPSHOT_HOSTILE, 36, 120, GLYPHS_BRAILLE, NULL, NULL, false, false},
    {"tune-filter-80x24", "tune", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, NULL, "learning rate", false, false},
    {"log-filter-80x24", "log", SNAPSHOT_PLAYING, 24, 80, GLYPHS_BRAILLE, NULL, "reward", false, false},
};

int main(void) {
    enum { N = sizeof SHOTS / sizeof *SHOTS };
    struct CMUnitTest tests[N + 5];
    tests[N] = (struct CMUnitTest)cmocka_unit_test(test_any_size_any_key);
    tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(test_lone_points_and_levels);
    tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(test_written_and_dropped_pairs);
    tests[N + 3] = (struct CMUnitTest)cmocka_unit_test(test_label_taken_back);
    tests[N + 4] = (struct CMUnitTest)cmocka_unit_test(test_ranked_pairs);
    for (int i = 0; i < N; i++)
        tests[i] =
            (struct CMUnitTest){.name = SHOTS[i].name, .test_func = check_shot, .initial_state = (void *)&SHOTS[i]};
    return _cmocka_run_group_tests("screens", tests, N + 5, NULL, NULL);
}
