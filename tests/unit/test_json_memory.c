/* JSON that runs out of memory while it is made: whichever allocation fails, the whole text comes out or an error does,
 * never a text that lacks a field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/game/game.h"
#include "tests/support/tiny_runs.h"
#include "tui/verbs.h"

/* The allocation that fails, counted down; 0: none. One only: what comes after it goes on as if nothing had been. */
static long fail_at;

static void *allocate(size_t n) { return fail_at > 0 && --fail_at == 0 ? NULL : malloc(n); }

static void fail_after(long n) {
    fail_at = n;
    cJSON_Hooks hooks = {allocate, free};
    cJSON_InitHooks(n > 0 ? &hooks : NULL);
}

/* ---- the builders ---- */

static cJSON *make_tree(void) {
    const double x[3] = {0.1, -2, 1e300};
    cJSON *root = cJSON_CreateObject(), *list = cJSON_CreateArray();
    json_put(&root, "reals", json_reals(x, 3));
    json_push(&list, cJSON_CreateString("a"));
    json_push(&list, cJSON_CreateNumber(7));
    json_put(&root, "list", list);
    json_put(&root, "none", json_reals(x, 0));
    return root;
}

static void a_tree_is_whole_or_not_there(void **state) {
    (void)state;
    cJSON *whole = make_tree();
    char *text = cJSON_PrintUnformatted(whole);
    assert_string_equal(text, "{\"reals\":[\"0x1.999999999999ap-4\",\"-0x1p+1\",\"0x1.7e43c8800759cp+996\"],"
                              "\"list\":[\"a\",7],\"none\":[]}");
    bool failed = true;
    long n = 1;
    for (; failed; n++) {
        fail_after(n);
        cJSON *tree = make_tree();
        failed = fail_at == 0;
        fail_after(0);
        assert_true(failed == !tree);
        if (tree) assert_true(cJSON_Compare(tree, whole, true));
        cJSON_Delete(tree);
    }
    assert_true(n > 15);
    cJSON_Delete(whole);
    cJSON_free(text);
}

/* ---- a game's state ---- */

static void the_state_is_whole_or_not_there(void **state) {
    (void)state;
    static const char *const GAMES[] = {"iterations=1", "iterations=1 game.scope=head head.rank=3"};
    for (int i = 0; i < 2; i++) {
        struct options o = tiny_options(GAMES[i]);
        struct db db;
        static struct game g;
        const struct game_observer nobody = {0};
        struct err e = {""};
        unlink(tiny_path("game.db"));
        if (!db_open(&db, tiny_path("game.db"), DB_CREATE, false, &e) || !game_open(&g, &o, &db, &nobody, false, &e))
            fail_msg("%s", e.msg);
        while (g.st.phase != PHASE_CHECKPOINT)
            if (game_step(&g, false, &e) != GAME_OK) fail_msg("%s", e.msg);
        char *whole = game_state_json(&g, &e);
        assert_non_null(strstr(whole, "\"diagnostics\":[\""));
        int failures = 0;
        bool failed = true;
        for (long n = 1; failed; n += n < 50 ? 1 : 17) { /* thousands: every one of the first, then samples */
            fail_after(n);
            e.msg[0] = 0;
            char *text = game_state_json(&g, &e);
            failed = fail_at == 0;
            fail_after(0);
            failures += failed;
            assert_true(failed == !text && failed == (e.msg[0] != 0));
            if (text) assert_string_equal(text, whole);
            free(text);
        }
        assert_true(failures > 60);
        free(whole);
        game_close(&g);
        db_close(&db);
    }
}

/* ---- answers ---- */

static int answer(const char *out) {
    char *argv[] = {"pbkd", "generate", "--model", NULL, "--prompts", NULL, "--max-new-tokens", "3", "-o", NULL, NULL};
    char model[256], prompts[256], path[256];
    snprintf(model, sizeof model, "%s", tiny_path("student.gguf"));
    snprintf(prompts, sizeof prompts, "%s", tiny_path("few.jsonl"));
    snprintf(path, sizeof path, "%s", tiny_path(out));
    argv[3] = model;
    argv[5] = prompts;
    argv[9] = path;
    return verbs_main(10, argv);
}

static char *contents(const char *name) {
    char *text;
    size_t n;
    struct err e;
    if (!file_read_all(tiny_path(name), 1 << 20, &text, &n, &e)) fail_msg("%s", e.msg);
    return text;
}

static void answers_are_whole_or_an_error(void **state) {
    (void)state;
    tiny_write_prompts("few.jsonl", 3, 0, "");
    assert_int_equal(answer("whole.jsonl"), EXIT_DONE);
    char *whole = contents("whole.jsonl");
    assert_non_null(strstr(whole, "{\"prompt\":\"what is 0 plus 80?\",\"response\":\""));
    bool failed = true;
    for (long n = 1; failed; n++) {
        unlink(tiny_path("part.jsonl"));
        fail_after(n);
        const int code = answer("part.jsonl");
        failed = fail_at == 0;
        fail_after(0);
        if (code != EXIT_DONE) {
            assert_false(file_exists(tiny_path("part.jsonl")));
            continue;
        }
        char *text = contents("part.jsonl");
        assert_string_equal(text, whole);
        mem_free(text);
    }
    mem_free(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_whole_or_not_there),
        cmocka_unit_test(the_state_is_whole_or_not_there),
        cmocka_unit_test(answers_are_whole_or_an_error),
    };
    return cmocka_run_group_tests(tests, tiny_folder, tiny_remove);
}
