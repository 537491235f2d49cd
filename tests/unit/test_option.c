/* Options: the table itself, strict parsing with exact messages, config files, the stored form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/game/options_check.h"
#include "engine/option/option.h"

static char folder[] = "/tmp/pbkd_option_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int remove_folder(void **state) {
    (void)state;
    return dir_remove_tree(folder, NULL) ? 0 : -1;
}

static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *write_config(const char *text) {
    const char *path = in_folder("config.json");
    struct err e;
    assert_true(atomic_write(path, text, strlen(text), &e));
    return path;
}

static void set_fails(const char *name, const char *value, const char *message) {
    struct options o, before;
    struct err e = {""};
    options_default(&o);
    before = o;
    assert_false(option_set(&o, name, value, &e));
    assert_string_equal(e.msg, message);
    assert_memory_equal(&o, &before, sizeof o);
}

/* ---- the table ---- */

static int count_choices(const char *choices) {
    int n = 1;
    for (; *choices; choices++) n += *choices == '|';
    return n;
}

static void every_default_is_within_its_bounds(void **state) {
    (void)state;
    struct options o;
    struct err e;
    options_default(&o);
    assert_true(N_OPTIONS > 50);
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option_info *info = &OPTIONS[i];
        char value[OPTION_TEXT_MAX];
        assert_true(info->help[0] != '\0');
        assert_ptr_equal(option_find(info->name), info); /* so names are unique */
        assert_int_equal(option_index(info), i);
        if (info->type == OPTION_INT || info->type == OPTION_REAL) {
            assert_true(info->min < info->max && info->def >= info->min && info->def <= info->max);
            assert_true(option_number(&o, info) == info->def);
        }
        if (info->type == OPTION_INT) assert_true(info->def == floor(info->def) && info->max <= INT32_MAX);
        if (info->type == OPTION_ENUM) assert_in_range((int)info->def, 0, count_choices(info->choices) - 1);
        option_format(&o, info, value, sizeof value);
        if (!option_set(&o, info->name, value, &e)) fail_msg("%s", e.msg);
    }
}

/* Every choice by the word and the constant of its row. */
static void enum_constants_match_the_choices(void **state) {
    (void)state;
    static const struct {
        const char *name, *word;
        int constant;
    } ROWS[] = {
#define CHOICE(constant, word) {NULL, word, constant},
#define OPT_ENUM(field, name, choices, def, when, help) {name, NULL, 0}, choices
#include "engine/option/options.def"
#undef CHOICE
        {"algorithm", NULL, 0},
#define ALGORITHM(id, name, ...) {NULL, name, ALGORITHM_##id},
#include "engine/option/algorithms.def"
    };
    const char *name = NULL;
    struct options o;
    struct err e;
    int choices = 0;
    options_default(&o);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ROWS[i].name) name = ROWS[i].name;
        if (ROWS[i].name) continue;
        char back[64];
        choices++;
        if (!option_set(&o, name, ROWS[i].word, &e)) fail_msg("%s", e.msg);
        assert_int_equal(option_number(&o, option_find(name)), ROWS[i].constant);
        option_format(&o, option_find(name), back, sizeof back);
        assert_string_equal(back, ROWS[i].word);
    }
    for (int i = 0; i < N_OPTIONS; i++)
        if (OPTIONS[i].type == OPTION_ENUM) choices -= count_choices(OPTIONS[i].choices);
    assert_int_equal(choices, 0);
}

/* ---- values ---- */

static void bad_values_name_what_was_expected_and_found(void **state) {
    (void)state;
    set_fails("beta", "-3", "beta: must be between 0 and 1e+06, found -3");
    set_fails("beta", "1e999", "beta: must be between 0 and 1e+06, found 1e999");
    set_fails("beta", "nan", "beta: must be a number, found \"nan\"");
    set_fails("beta", "inf", "beta: must be a number, found \"inf\"");
    set_fails("beta", "0x10", "beta: must be a number, found \"0x10\"");
    set_fails("beta", " 1", "beta: must be a number, found \" 1\"");
    set_fails("beta", "1 ", "beta: must be a number, found \"1 \"");
    set_fails("beta", "", "beta: must be a number, found \"\"");
    set_fails("seed", "2147483648", "seed: must be between 0 and 2147483647, found 2147483648");
    set_fails("iterations", "1.5", "iterations: must be a whole number, found 1.5");
    set_fails("iterations", "many", "iterations: must be a whole number, found \"many\"");
    set_fails("reward.gate_action", "halt", "reward.gate_action: must be one of stop, continue, train, found \"halt\"");
    set_fails("reward.level", "tok", "reward.level: must be one of token, sequence, found \"tok\"");
    set_fails("reward.level", "", "reward.level: must be one of token, sequence, found \"\"");
    set_fails("reward.level", "token|sequence",
              "reward.level: must be one of token, sequence, found \"token|sequence\"");
    set_fails("prompts.system", "a\xff", "prompts.system: must be UTF-8, found byte FF at position 1");
    char *longest = mem_small(OPTION_TEXT_MAX + 1);
    memset(longest, 'a', OPTION_TEXT_MAX);
    set_fails("prompts.system", longest, "prompts.system: at most 1023 bytes are accepted, found 1024");
    free(longest);
}

static void unknown_names_get_the_nearest_known_one(void **state) {
    (void)state;
    set_fails("betta", "1", "unknown option \"betta\" (did you mean \"beta\"?)");
    set_fails("ebta", "1", "unknown option \"ebta\" (did you mean \"beta\"?)");
    set_fails("reward.gait", "1", "unknown option \"reward.gait\" (did you mean \"reward.gate\"?)");
    set_fails("rounds", "1", "unknown option \"rounds\" (did you mean \"game.rounds\"?)");
    set_fails("chocolate", "1", "unknown option \"chocolate\"");
    set_fails("", "1", "unknown option \"\"");
}

static void assignments_split_at_the_first_equals_sign(void **state) {
    (void)state;
    struct options o;
    struct err e;
    options_default(&o);
    assert_true(option_set_assignment(&o, "prompts.system=a=b", &e));
    assert_string_equal(o.prompts_system, "a=b");
    assert_true(option_set_assignment(&o, "prompts.system=", &e));
    assert_string_equal(o.prompts_system, "");
    assert_false(option_set_assignment(&o, "beta", &e));
    assert_string_equal(e.msg, "\"beta\": must be NAME=VALUE");
    assert_false(option_set_assignment(&o, "=3", &e));
    assert_string_equal(e.msg, "\"=3\": must be NAME=VALUE");
}

static void reals_print_the_shortest_form_that_reads_back(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } ROWS[] = {{0.1, "0.1"},
                {12.0, "12"},
                {1e-4, "0.0001"},
                {1.0 / 3.0, "0.3333333333333333"},
                {0.1 + 0.2, "0.30000000000000004"}};
    struct options o;
    struct err e;
    options_default(&o);
    const struct option_info *beta = option_find("beta");
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[64];
        o.beta = ROWS[i].value;
        option_format(&o, beta, text, sizeof text);
        assert_string_equal(text, ROWS[i].text);
        assert_true(option_set(&o, "beta", text, &e) && o.beta == ROWS[i].value);
    }
    assert_true(option_set(&o, "beta", "-0", &e) && !signbit(o.beta));
}

static void equal_settings_have_equal_bytes(void **state) {
    (void)state;
    struct options a, b;
    struct err e;
    options_default(&a);
    options_default(&b);
    assert_true(option_set(&a, "prompts.system", "something long", &e) && option_set(&a, "prompts.system", "x", &e));
    assert_true(option_set(&b, "prompts.system", "x", &e));
    assert_memory_equal(&a, &b, sizeof a);
}

/* ---- config files ---- */

static void nested_and_flat_configs_mean_the_same(void **state) {
    (void)state;
    struct options nested, flat;
    struct err e;
    options_default(&nested);
    options_default(&flat);
    const char *path = write_config(
        "{\"beta\": 3, \"game\": {\"rounds\": 7, \"descent\": \"sampled\"}, \"prompts\": {\"system\": \"x\\ny\"}}");
    assert_true(options_load(&nested, path, &e));
    path =
        write_config("{\"beta\": 3, \"game.rounds\": 7, \"game.descent\": \"sampled\", \"prompts.system\": \"x\\ny\"}");
    assert_true(options_load(&flat, path, &e));
    assert_int_equal(nested.game_rounds, 7);
    assert_int_equal(nested.game_descent, DESCENT_SAMPLED);
    assert_string_equal(nested.prompts_system, "x\ny");
    assert_memory_equal(&nested, &flat, sizeof flat);
}

static void paths_are_taken_from_the_folder_of_the_config(void **state) {
    (void)state;
    struct options o;
    struct err e;
    options_default(&o);
    assert_true(options_load(&o,
                             write_config("{\"teacher.model\": \"t.gguf\", \"prompts.train\": \"/data/p.jsonl\","
                                          " \"reward.model\": \"\", \"prompts.system\": \"s\"}"),
                             &e));
    assert_string_equal(o.teacher_model, in_folder("t.gguf"));
    assert_string_equal(o.prompts_train, "/data/p.jsonl");
    assert_string_equal(o.reward_model, "");
    assert_string_equal(o.prompts_system, "s");
}

static void load_fails(const char *text, const char *place_and_message) {
    struct options o, before;
    struct err e = {""};
    char expected[800];
    options_default(&o);
    o.beta = 4.0;
    before = o;
    const char *path = write_config(text);
    snprintf(expected, sizeof expected, "%s%s", path, place_and_message);
    assert_false(options_load(&o, path, &e));
    assert_string_equal(e.msg, expected);
    assert_memory_equal(&o, &before, sizeof o); /* all or nothing */
}

static void bad_configs_are_refused_with_the_line(void **state) {
    (void)state;
    load_fails("{\n  \"beta\": 1,\n  \"reward\": {\n    \"bound\": 3,\n\n\n    \"gait\": 0.5}}",
               ":7: \"reward.gait\": unknown option (did you mean \"reward.gate\"?)");
    load_fails("{\n\"reward.gait\": 1}", ":2: \"reward.gait\": unknown option (did you mean \"reward.gate\"?)");
    load_fails("{\"seed\": 2,\n\"beta\": -3}", ":2: \"beta\": must be between 0 and 1e+06, found -3");
    load_fails("{\"beta\": 2,\n\"seed\": 1.5}", ":2: \"seed\": must be a whole number, found 1.5");
    load_fails("{\n\"beta\": \"3\"}", ":2: \"beta\": must be a number, found string");
    load_fails("{\n\"beta\": true}", ":2: \"beta\": must be a number, found boolean");
    load_fails("{\n\"beta\": {}}", ":2: \"beta\": must be a number, found object");
    load_fails("{\n\"game\": {\"descent\": 1}}", ":2: \"game.descent\": must be a string, found number");
    load_fails("{\n\"game\": 3}", ":2: \"game\": unknown option");
    load_fails("{\n\"gamma\": {}}", ":2: \"gamma\": unknown option");
    load_fails("{\"game\": {\"rounds\": 2},\n\"game.rounds\": 3}", ":2: \"game.rounds\": is set twice");
    load_fails("{\"prompts\": {\"system\": \"\\\"beta\\\": {\"},\n\"beta\": null}",
               ":2: \"beta\": must be a number, found null");
    load_fails("[1]", ": must be an object of options, found array");
}

static void the_stored_form_reads_back_exactly(void **state) {
    (void)state;
    struct options o, back;
    struct err e;
    options_default(&o);
    o.beta = 0.1 + 0.2;
    o.zeta = DBL_MIN;
    o.seed = 2147483647;
    o.game_descent = DESCENT_SAMPLED;
    snprintf(o.prompts_system, sizeof o.prompts_system, "a \"quoted\" \\ line\n\x01 caf\xc3\xa9");
    for (int only_changed = 0; only_changed < 2; only_changed++) {
        char *json = options_to_json(&o, only_changed != 0);
        options_default(&back);
        if (!options_from_json(&back, json, "stored", &e)) fail_msg("%s", e.msg);
        assert_memory_equal(&back, &o, sizeof o);
        assert_int_equal(strstr(json, "iterations") == NULL, only_changed);
        free(json);
    }
    options_default(&back);
    assert_false(options_from_json(&back, "{\"betta\": 1}", "run.db", &e));
    assert_string_equal(e.msg, "run.db: \"betta\": unknown option (did you mean \"beta\"?)");
}

/* ---- what a run needs ---- */

static void check_says(struct options *o, const char *message) {
    struct err e = {""};
    assert_false(options_check(o, &e));
    assert_string_equal(e.msg, message);
}

static void a_run_needs_its_files_and_options_that_fit(void **state) {
    (void)state;
    struct options o;
    struct err e;
    char message[1200];
    options_default(&o);
    check_says(&o, "prompts.train: is missing (JSONL of prompts the game draws from: {\"prompt\", \"answer\"?})");
    snprintf(o.prompts_train, sizeof o.prompts_train, "%s", write_config("{}"));
    check_says(&o, "teacher.model: is missing (GGUF of the teacher)");
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", in_folder("none.gguf"));
    snprintf(message, sizeof message, "teacher.model: cannot read \"%s\": No such file or directory", o.teacher_model);
    check_says(&o, message);
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", folder);
    snprintf(message, sizeof message, "teacher.model: \"%s\" must be a file", folder);
    check_says(&o, message);
    snprintf(o.teacher_model, sizeof o.teacher_model, "%s", o.prompts_train);
    snprintf(o.student_model, sizeof o.student_model, "%s", o.prompts_train);
    if (!options_check(&o, &e)) fail_msg("%s", e.msg);
    o.reward_level = LEVEL_SEQUENCE;
    check_says(&o, "game.descent: must be \"sampled\" with reward.level \"sequence\", found \"exact\" "
                   "(it needs a reward per token)");
    o.game_descent = DESCENT_SAMPLED;
    if (!options_check(&o, &e)) fail_msg("%s", e.msg);
    o.samples_per_prompt = 1;
    assert_false(options_check(&o, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_within_its_bounds),
        cmocka_unit_test(enum_constants_match_the_choices),
        cmocka_unit_test(bad_values_name_what_was_expected_and_found),
        cmocka_unit_test(unknown_names_get_the_nearest_known_one),
        cmocka_unit_test(assignments_split_at_the_first_equals_sign),
        cmocka_unit_test(reals_print_the_shortest_form_that_reads_back),
        cmocka_unit_test(equal_settings_have_equal_bytes),
        cmocka_unit_test(nested_and_flat_configs_mean_the_same),
        cmocka_unit_test(paths_are_taken_from_the_folder_of_the_config),
        cmocka_unit_test(bad_configs_are_refused_with_the_line),
        cmocka_unit_test(the_stored_form_reads_back_exactly),
        cmocka_unit_test(a_run_needs_its_files_and_options_that_fit),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
