/* The tables that people type against: verbs and their arguments, ':' commands with completion and hints, global keys;
 * and the text filter on the way to the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/run/session.h"
#include "tui/command_hints.h"
#include "tui/commands.h"
#include "tui/keys.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"
#include "views/view.h"
#include "views/views.h"

/* ---- arguments ---- */

static const struct arg_spec SPEC[] = {{"--flag", NULL, ARG_FLAG, 0, 0, NULL, "a flag"},
                                       {"--count", "N", ARG_INT, 1, 10, "3", "a whole number"},
                                       {"--rate", "X", ARG_REAL, 0, 1, NULL, "a number"},
                                       {"--type", "f32|f16", ARG_CHOICE, 0, 0, "f32", "a choice"},
                                       {"--set", "NAME=VALUE", ARG_LIST, 0, 0, NULL, "a list"},
                                       {"-o", "FILE", ARG_TEXT, 0, 0, NULL, "a text"},
                                       {0}};

static bool parse(struct args *a, struct err *e, int argc, const char *const *argv) {
    *e = (struct err){0};
    return args_parse(a, SPEC, 1, argc, (char *const *)(uintptr_t)argv, e);
}
#define PARSE(...)                                                                                                     \
    parse(&a, &e, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})

static void args_are_read(void **state) {
    (void)state;
    struct args a;
    struct err e;
    assert_true(PARSE("file", "--count", "7", "--rate=0.5", "--set", "a=1", "--set=b=2", "-o", "-", "--flag"));
    assert_int_equal(a.n_positional, 1);
    assert_string_equal(a.positional[0], "file");
    assert_int_equal(args_int(&a, "--count"), 7);
    assert_true(args_real(&a, "--rate") == 0.5);
    assert_int_equal(a.n_list, 2);
    assert_string_equal(a.list[1], "b=2");
    assert_string_equal(args_text(&a, "-o"), "-");
    assert_true(args_given(&a, "--flag"));
    assert_string_equal(args_text(&a, "--type"), "f32");
}

static void args_fall_back(void **state) {
    (void)state;
    struct args a;
    struct err e;
    assert_true(PARSE("--", "--flag"));
    assert_string_equal(a.positional[0], "--flag");
    assert_false(args_given(&a, "--flag"));
    assert_int_equal(args_int(&a, "--count"), 3);
    assert_null(args_text(&a, "-o"));
    assert_true(PARSE("-")); /* a lone dash is a name */
    assert_string_equal(a.positional[0], "-");
    assert_true(PARSE("--unknown", "--help"));
    assert_true(a.help);
}

static void wrong_args_are_named(void **state) {
    (void)state;
    struct args a;
    struct err e;
    static const struct {
        const char *word[3], *message;
    } wrong[] = {
        {{"--nope"}, "unknown option --nope"},
        {{"--count"}, "--count needs a value: N"},
        {{"--count", "0"}, "--count must be from 1 to 10, found 0"},
        {{"--count", "2.5"}, "--count must be a whole number, found \"2.5\""},
        {{"--count", "2x"}, "--count must be a whole number, found \"2x\""},
        {{"--count="}, "--count must be a whole number, found \"\""},
        {{"--rate", "nan"}, "--rate must be a number, found \"nan\""},
        {{"--rate", "1e999"}, "--rate must be a number, found \"1e999\""},
        {{"--type", "f3"}, "--type must be one of f32|f16, found \"f3\""},
        {{"--type", "f32|f16"}, "--type must be one of f32|f16, found \"f32|f16\""},
        {{"--type", ""}, "--type must be one of f32|f16, found \"\""},
        {{"--flag=1"}, "--flag takes no value"},
        {{"-o", "x", "-o"}, "-o needs a value: FILE"},
        {{"x", "y"}, "unexpected argument \"y\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int n = 0;
        while (n < 3 && wrong[i].word[n]) n++;
        assert_false(parse(&a, &e, n, wrong[i].word));
        assert_string_equal(e.msg, wrong[i].message);
    }
    assert_false(PARSE("-o", "a", "-o", "b"));
    assert_string_equal(e.msg, "-o is given twice");
}

static void required_args_are_asked_for(void **state) {
    (void)state;
    static const struct arg_spec spec[] = {{"--data", "FILE", ARG_TEXT, 0, 0, ARG_REQUIRED, "a file"}, {0}};
    char *const help[] = {"--help", NULL};
    struct args a;
    struct err e = {0};
    assert_false(args_parse(&a, spec, 0, 0, help, &e));
    assert_string_equal(e.msg, "--data is missing");
    assert_true(args_parse(&a, spec, 0, 1, help, &e));
    assert_true(a.help);
}

static void too_long_lists_are_refused(void **state) {
    (void)state;
    const char *words[2 * ARGS_LIST_MAX + 2];
    for (int i = 0; i <= ARGS_LIST_MAX; i++) words[2 * i] = "--set", words[2 * i + 1] = "a=1";
    struct args a;
    struct err e;
    assert_true(parse(&a, &e, 2 * ARGS_LIST_MAX, words));
    assert_false(parse(&a, &e, 2 * ARGS_LIST_MAX + 2, words));
}

/* ---- verbs ---- */

static void verbs_are_found(void **state) {
    (void)state;
    int used;
    char *const prefs[] = {"pbkd", "prefs", "stats", "run1", NULL}, *const run[] = {"pbkd", "run", "c.json", NULL},
                *const none[] = {"pbkd", NULL}, *const option[] = {"pbkd", "--ascii", NULL},
                *const half[] = {"pbkd", "prefs", NULL}, *const longer[] = {"pbkd", "runs", NULL};
    assert_string_equal(verb_find(4, prefs, &used)->name, "prefs stats");
    assert_int_equal(used, 2);
    assert_string_equal(verb_find(3, run, &used)->name, "run");
    assert_int_equal(used, 1);
    assert_string_equal(verb_find(1, none, &used)->name, "");
    assert_string_equal(verb_find(2, option, &used)->name, "");
    assert_int_equal(used, 0);
    assert_null(verb_find(2, half, &used));
    assert_null(verb_find(2, longer, &used));
}

/* Every row of every verb: what the parser and the help rely on. */
static void verb_table_is_whole(void **state) {
    (void)state;
    assert_string_equal(VERBS[0]->name, "");
    for (int i = 0; i < N_VERBS; i++) {
        const struct verb *v = VERBS[i];
        assert_non_null(v->run);
        assert_true(v->help[0] && v->details[0]);
        assert_true(v->max_positional <= ARGS_POSITIONAL_MAX);
        for (int k = 0; k < i; k++) assert_string_not_equal(v->name, VERBS[k]->name);
        int n = 0;
        for (const struct arg_spec *s = v->args; s->name; s++, n++) {
            assert_int_equal(s->name[0], '-');
            assert_true(s->help[0]);
            assert_int_equal(s->value == NULL, s->type == ARG_FLAG);
            if (s->type == ARG_INT || s->type == ARG_REAL) assert_true(s->min < s->max);
            for (const struct arg_spec *t = v->args; t != s; t++) assert_string_not_equal(s->name, t->name);
            if (!s->fallback) continue;
            if (s->fallback == ARG_REQUIRED) continue;
            /* A fallback must pass its own check. */
            const struct arg_spec alone[] = {*s, {0}};
            struct args a;
            struct err e = {0};
            char *const argv[] = {(char *)(uintptr_t)s->name, (char *)(uintptr_t)s->fallback};
            assert_true(args_parse(&a, alone, 0, 2, argv, &e));
        }
        assert_true(n < ARGS_MAX);
    }
}

/* ---- ':' commands ---- */

struct found {
    char names[4000];
    int n;
};

static void note(void *to, const char *candidate) {
    struct found *f = to;
    f->n++;
    strncat(f->names, candidate, sizeof f->names - strlen(f->names) - 1);
    strncat(f->names, " ", sizeof f->names - strlen(f->names) - 1);
}

static struct found complete(const char *line, bool files) {
    struct found f = {0};
    const char *space = strrchr(line, ' ');
    const int start = space ? (int)(space - line) + 1 : 0;
    assert_int_equal(command_complete(NULL, line, start, line + start, note, &f), files);
    return f;
}

/* The words of the Label view's votes, in the order of its keys, each with `after` behind it; the last without one, unless
 * that is a blank. */
static const char *votes(char after) {
    static char words[200];
    const struct view_ops *label = VIEWS[1];
    words[0] = '\0';
    for (const struct view_key *k = label->keys; k->key[0]; k++)
        for (int i = 0; i < VIEW_KEYS_A_ROW && k->key[i]; i++) {
            const struct label_vote *v = view_key_vote(k, k->key[i]);
            if (v) snprintf(words + strlen(words), sizeof words - strlen(words), "%s%c", v->word, after);
        }
    assert_true(strncmp(words, "a", 1) == 0 && strstr(words, "much-a") && strstr(words, "skip"));
    if (after != ' ') words[strlen(words) - 1] = '\0';
    return words;
}

static void commands_complete(void **state) {
    (void)state;
    assert_int_equal(complete("", false).n, N_UI_COMMANDS);
    const struct found options = complete("set ", false);
    assert_non_null(strstr(options.names, "beta "));
    assert_non_null(strstr(options.names, "game.kl "));
    assert_null(strstr(options.names, "teacher.model ")); /* fixed at the start: not offered */
    assert_string_equal(complete("set game.descent ", false).names, "exact sampled ");
    assert_int_equal(complete("set beta ", false).n, 0);
    assert_string_equal(complete("gate ", false).names, "continue train stop ");
    assert_string_equal(complete("label ", false).names, votes(' '));
    assert_string_equal(complete("export ", false).names, "trl audit ");
    assert_int_equal(complete("export trl ", true).n, 0);
    assert_int_equal(complete("save-screen ", true).n, 0);
    assert_int_equal(complete("goto ", false).n, N_VIEWS);
    assert_int_equal(complete("nothing ", false).n, 0);
    assert_int_equal(complete("pause ", false).n, 0);
}

static void hints_say_what_is_typed(void **state) {
    (void)state;
    char hint[600];
    command_hint(NULL, "set beta ", hint, sizeof hint);
    assert_non_null(strstr(hint, "default 10"));
    assert_non_null(strstr(hint, "0 .. 1e+06"));
    command_hint(NULL, "gate", hint, sizeof hint);
    assert_non_null(strstr(hint, "continue|train|stop"));
    command_hint(NULL, "label", hint, sizeof hint);
    assert_non_null(strstr(hint, votes('|')));
    assert_non_null(strstr(hint, ": vote"));
    command_hint(NULL, "s", hint, sizeof hint);
    assert_non_null(strstr(hint, "set"));
    assert_non_null(strstr(hint, "step"));
    command_hint(NULL, "nothing", hint, sizeof hint);
    assert_string_equal(hint, "no such command");
    char tiny[8];
    command_hint(NULL, "set beta ", tiny, sizeof tiny);
    assert_int_equal(strlen(tiny), 7);
}

/* Every engine command can be typed. */
static void engine_commands_can_be_typed(void **state) {
    (void)state;
    for (int i = 0; i < N_COMMANDS; i++) {
        int n = 0;
        for (int k = 0; k < N_UI_COMMANDS; k++) n += strcmp(UI_COMMANDS[k].name, COMMANDS[i].name) == 0;
        assert_int_equal(n, 1);
    }
}

/* ---- keys ---- */

static void keys_are_unambiguous(void **state) {
    (void)state;
    for (int i = 0; i < N_KEYS; i++) {
        assert_ptr_equal(key_find(KEYS[i].first), &KEYS[i]);
        assert_ptr_equal(key_find(KEYS[i].last), &KEYS[i]);
        if (KEYS[i].other) assert_ptr_equal(key_find(KEYS[i].other), &KEYS[i]);
        assert_true(KEYS[i].label[0] && KEYS[i].help[0]);
        assert_non_null(KEYS[i].press);
    }
    assert_null(key_find('j')); /* movement is never an action */
    assert_null(key_find(KEY_ENTER_));
}

/* ---- text on its way out ---- */

static void check_text(const char *in, size_t len, bool keep_lines, const char *expected, int cells) {
    struct strbuf b = {0};
    assert_int_equal(safe_text(&b, in, len, keep_lines), cells);
    assert_string_equal(strbuf_str(&b), expected);
    strbuf_free(&b);
}
#define CHECK_TEXT(in, keep_lines, expected, cells) check_text(in, sizeof(in) - 1, keep_lines, expected, cells)

static void text_is_made_safe(void **state) {
    (void)state;
    CHECK_TEXT("plain \xC3\xA9\n\t", true, "plain \xC3\xA9\n\t", 7);
    CHECK_TEXT("a\nb\tc", false, "a^Jb^Ic", 7); /* a name cannot fake a line */
    CHECK_TEXT("\x1b[2J\x07\x7f", true, "^[[2J^G^?", 9);
    CHECK_TEXT("a\0b", true, "a^@b", 4);
    CHECK_TEXT("\xC2\x9B" /* C1 */ "31m", true, "<9B>31m", 7);
    CHECK_TEXT("\x9B\xFF\xC3", true, "<9B><FF><C3>", 12);                   /* no UTF-8 */
    CHECK_TEXT("\xE2\x80\xAE", true, "<U+202E>", 8);                        /* bidi override */
    CHECK_TEXT("\xE2\x81\xA6x\xE2\x81\xA9", true, "<U+2066>x<U+2069>", 17); /* bidi isolate */
    CHECK_TEXT("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xAC", true, "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xAC", 4);
    CHECK_TEXT("", true, "", 0);
}

static void check_json(const char *in, const char *expected) {
    struct strbuf b = {0};
    safe_json_text(&b, in);
    assert_string_equal(strbuf_str(&b), expected);
    strbuf_free(&b);
}

static void json_stays_json(void **state) {
    (void)state;
    check_json("{\"a\":\"\xC3\xA9 \\u001b\",\n\t\"b\":[1]}", "{\"a\":\"\xC3\xA9 \\u001b\",\n\t\"b\":[1]}");
    check_json("\"\xC2\x9B\x7f\xE2\x80\xAE\xFF\"", "\"\\u009b\\u007f\\u202e\\ufffd\"");
    check_json("\"\xF3\xA0\x80\x81\"", "\"\\udb40\\udc01\""); /* a tag character, beyond 16 bits */
}

static void check_printed(const char *expected, void (*print)(FILE *out)) {
    char text[400];
    FILE *f = tmpfile();
    assert_non_null(f);
    print(f);
    rewind(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, expected);
}

static void write_message(FILE *out) { safe_printf(out, "\n%s: %d\n", "a\n\x1b]0;x\x07", 7); }
static void write_newline(FILE *out) { safe_printf(out, "\n"); }
static void write_long(FILE *out) {
    char text[100];
    memset(text, 'x', sizeof text);
    memcpy(text + 70, "\xE2\x80\xAE", 3); /* a mark of 8 cells across the edge is left out as a whole */
    text[99] = '\0';
    safe_live_line(out, text);
}

static void messages_are_lines(void **state) {
    (void)state;
    check_printed("\na^J^[]0;x^G: 7\n", write_message);
    check_printed("\n", write_newline);
    check_printed("\rxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\033[K", write_long);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(args_are_read),
        cmocka_unit_test(args_fall_back),
        cmocka_unit_test(wrong_args_are_named),
        cmocka_unit_test(required_args_are_asked_for),
        cmocka_unit_test(too_long_lists_are_refused),
        cmocka_unit_test(verbs_are_found),
        cmocka_unit_test(verb_table_is_whole),
        cmocka_unit_test(commands_complete),
        cmocka_unit_test(hints_say_what_is_typed),
        cmocka_unit_test(engine_commands_can_be_typed),
        cmocka_unit_test(keys_are_unambiguous),
        cmocka_unit_test(text_is_made_safe),
        cmocka_unit_test(json_stays_json),
        cmocka_unit_test(messages_are_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
