/* Bindings of keys on top of the table, and what goes to the clipboard: the sequence, and what each view selects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/signature/signature.h"
#include "tests/support/make_snapshot.h"
#include "tui/clipboard.h"
#include "tui/commands.h"
#include "tui/key_names.h"
#include "tui/keys.h"
#include "views/views.h"

static void keys_have_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int key;
    } want[] = {{"x", 'x'},
                {"^X", KEY_CTRL('x')},
                {"^x", KEY_CTRL('x')},
                {"Tab", KEY_TAB},
                {"^I", KEY_TAB},
                {"^M", KEY_ENTER_},
                {"F1", KEY_F1_},
                {"F12", KEY_F12_},
                {"Space", ' '},
                {"\xC3\xA9", 0xE9},
                {"^", '^'},
                {"", 0},
                {"xy", 0},
                {"F13", 0},
                {"^1", 0},
                {"^XY", 0},
                {"\xC3", 0}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) assert_int_equal(key_named(want[i].name), want[i].key);
}

static void bindings_go_before_the_table(void **state) {
    (void)state;
    struct key_bindings b = {0};
    struct err e = {0};
    assert_string_equal(key_find_bound(&b, 'p')->name, "pause");
    assert_null(key_find_bound(&b, KEY_F1_ + 1));
    assert_true(key_bind(&b, "F2", "pause", &e));
    assert_true(key_bind(&b, "p", "undo", &e));
    assert_string_equal(key_find_bound(&b, KEY_F1_ + 1)->name, "pause");
    assert_string_equal(key_find_bound(&b, 'p')->name, "undo");
    assert_string_equal(key_find('p')->name, "pause");
    assert_true(key_bind(&b, "p", "none", &e));
    assert_null(key_find_bound(&b, 'p'));
    assert_int_equal(b.n, 2); /* a second binding of a key takes the place of the first */
    assert_true(key_bind(&b, "p", "default", &e));
    assert_string_equal(key_find_bound(&b, 'p')->name, "pause");
    assert_int_equal(b.n, 1);
    assert_string_equal(b.at[0].label, "F2");
}

static void some_keys_stay(void **state) {
    (void)state;
    static const struct {
        const char *key, *action, *message;
    } wrong[] = {{":", "pause", ": cannot be bound: it always means command"},
                 {"^C", "none", "^C cannot be bound: it always means interrupt"},
                 {"F1", "pause", "F1 cannot be bound: it always means help"},
                 {"j", "quit", "j cannot be bound: views move with it"},
                 {"^D", "quit", "^D cannot be bound: views move with it"},
                 {"nokey", "quit", "there is no key \"nokey\": expected a character, ^X, F1 to F12, Tab, PgUp ..."},
                 {"w", "nothing", "there is no action \"nothing\" (Tab behind :bind KEY shows them)"}};
    struct key_bindings b = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err e = {0};
        assert_false(key_bind(&b, wrong[i].key, wrong[i].action, &e));
        assert_string_equal(e.msg, wrong[i].message);
    }
    assert_int_equal(b.n, 0);
}

static void bindings_are_bounded(void **state) {
    (void)state;
    struct key_bindings b = {0};
    struct err e = {0};
    int n = 0;
    char name[3] = {0};
    for (int c = 0x80; c < 0xC0; c++) { /* U+0400 .. U+043F */
        name[0] = (char)0xD0, name[1] = (char)c;
        n += key_bind(&b, name, "pause", &e);
    }
    assert_int_equal(n, MAX_BINDINGS);
    assert_false(key_bind(&b, "w", "pause", &e));
    assert_string_equal(e.msg, "64 keys are bound already");
    assert_true(key_bind(&b, name, "undo", &e)); /* one that is bound already can change */
}

/* Every action can be bound, but for the views' digits; names are told apart. */
static void actions_have_names(void **state) {
    (void)state;
    for (int i = 0; i < N_KEYS; i++) {
        assert_int_equal(KEYS[i].name == NULL, KEYS[i].first == '1');
        for (int k = 0; k < i && KEYS[i].name; k++)
            if (KEYS[k].name) assert_string_not_equal(KEYS[i].name, KEYS[k].name);
    }
}

/* The vectors of RFC 4648, section 10. */
static void the_clipboard_takes_base64(void **state) {
    (void)state;
    static const char *const vector[][2] = {{"", ""},
                                            {"f", "Zg=="},
                                            {"fo", "Zm8="},
                                            {"foo", "Zm9v"},
                                            {"foob", "Zm9vYg=="},
                                            {"fooba", "Zm9vYmE="},
                                            {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vector / sizeof vector[0]; i++) {
        struct strbuf b = {0};
        clipboard_sequence(&b, vector[i][0], strlen(vector[i][0]));
        assert_memory_equal(strbuf_str(&b), "\033]52;c;", 7);
        assert_int_equal(b.len, 7 + strlen(vector[i][1]) + 1);
        assert_memory_equal(b.s + 7, vector[i][1], strlen(vector[i][1]));
        assert_int_equal(b.s[b.len - 1], '\a');
        strbuf_free(&b);
    }
    struct strbuf b = {0};
    clipboard_sequence(&b, "\xFF\xFE\x00", 3);
    assert_string_equal(b.s, "\033]52;c;//4A\a");
    strbuf_free(&b);
}

static void too_much_for_the_clipboard(void **state) {
    (void)state;
    struct err e = {0};
    char *text = mem_small(CLIPBOARD_MAX + 2);
    memset(text, 'a', CLIPBOARD_MAX + 1);
    setenv("TERM", "xterm", 1);
    assert_false(clipboard_copy(text, CLIPBOARD_MAX + 1, &e));
    assert_non_null(strstr(e.msg, "74995 bytes are more"));
    setenv("TERM", "linux", 1);
    assert_false(clipboard_copy("x", 1, &e));
    assert_string_equal(e.msg, "the terminal linux has no clipboard");
    free(text);
}

/* What `y` takes from a view after some keys; caller frees. */
static char *copied(const char *view, struct snapshot *s, const char *keys, const char *search, char what[80]) {
    const struct view_ops *v = view_named(view);
    assert_non_null(v);
    struct actions act = {.annotator = "me", .now = 1};
    struct canvas c;
    void *state = mem_small(v->state_size);
    canvas_init(&c, 24, 80, GLYPHS_ASCII);
    if (v->init) v->init(state);
    v->draw(state, canvas_area(&c), s, &act);
    if (search) v->search(state, search);
    v->draw(state, canvas_area(&c), s, &act);
    for (; *keys; keys++) view_press(v, state, *keys, s, &act);
    char *text = v->copy(state, s, what, 80);
    if (v->destroy) v->destroy(state);
    free(state);
    canvas_free(&c);
    return text;
}

static void views_copy_what_is_selected(void **state) {
    (void)state;
    char what[80];
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    assert_null(copied("pairs", s, "", NULL, what));
    assert_null(copied("dashboard", s, "", NULL, what));
    snapshot_add_pair(s, 9, "p9", "t9", "s9");
    snapshot_add_pair(s, 8, "p8", "t8", "s8");
    char *text = copied("pairs", s, "j", NULL, what);
    assert_string_equal(text, "prompt:\np8\n\nteacher:\nt8\n\nstudent:\ns8\n");
    assert_string_equal(what, "pair 8: prompt and both answers");
    free(text);
    text = copied("dashboard", s, "", NULL, what);
    assert_string_equal(text, "prompt:\np9\n\nteacher:\nt9\n\nstudent:\ns9\n");
    free(text);
    text = copied("tune", s, "", "beta", what);
    assert_string_equal(text, "beta=10");
    assert_string_equal(what, "beta and its value");
    free(text);
    snapshot_release(s);
}

static void the_log_copies_lines(void **state) {
    (void)state;
    char what[80];
    struct snapshot *s = make_snapshot(SNAPSHOT_LOADING);
    s->n_log = 0;
    assert_null(copied("log", s, "", NULL, what));
    static const char *const lines[] = {"first", "second", "third"};
    for (int i = 0; i < 3; i++) {
        s->log[i] = (struct log_line){.tick = i};
        strcpy(s->log[i].text, lines[i]);
    }
    s->n_log = 3;
    char *text = copied("log", s, "", NULL, what);
    assert_string_equal(text, "0 first\n1 second\n2 third\n");
    assert_string_equal(what, "3 log lines");
    free(text);
    text = copied("log", s, "", "sec", what);
    assert_string_equal(text, "1 second\n");
    assert_string_equal(what, "1 log line");
    free(text);
    snapshot_release(s);
}

/* What a signature advises can be done: the commands that it names are there, and none goes back to a checkpoint. */
static void advice_can_be_followed(void **state) {
    (void)state;
    int n = 0;
    for (int i = 0; i < N_SIGNATURES; i++) {
        const char *text = signature_advice((enum signature_id)i);
        assert_null(strstr(text, "back to"));
        for (const char *at = text; (at = strstr(at, "(:")); n++) {
            int n_fit;
            const char *name = at += 2;
            const struct ui_command *c = command_find(name, strcspn(name, " ,)"), &n_fit);
            assert_int_equal(n_fit, 1);
            assert_int_equal(strlen(c->name), strcspn(name, " ,)"));
        }
    }
    assert_int_equal(n, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_names),
        cmocka_unit_test(bindings_go_before_the_table),
        cmocka_unit_test(some_keys_stay),
        cmocka_unit_test(bindings_are_bounded),
        cmocka_unit_test(actions_have_names),
        cmocka_unit_test(the_clipboard_takes_base64),
        cmocka_unit_test(too_much_for_the_clipboard),
        cmocka_unit_test(views_copy_what_is_selected),
        cmocka_unit_test(the_log_copies_lines),
        cmocka_unit_test(advice_can_be_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
