/* The student of a run's checkpoints as model files: the bytes that the run itself wrote, earlier ones too, and what is
 * said when there is nothing to write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/eval/run_export.h"
#include "engine/formats/quant.h"
#include "engine/formats/safetensors.h"
#include "engine/model/model_io.h"
#include "tests/support/tiny_runs.h"

static void same_bytes(const char *a, const char *b, bool same) {
    struct err e = {0};
    size_t n = 0, m = 0;
    char *x = NULL, *y = NULL;
    if (!file_read_all(a, SIZE_MAX / 2, &x, &n, &e) || !file_read_all(b, SIZE_MAX / 2, &y, &m, &e))
        fail_msg("%s", e.msg);
    assert_true((n == m && memcmp(x, y, n) == 0) == same);
    free(x);
    free(y);
}

static void export_fails(const char *run, int64_t tick, const char *words) {
    struct err e = {0};
    int64_t at;
    assert_false(run_export_student(tiny_path(run), tick, tiny_path("none.gguf"), QUANT_F32, &at, &e));
    if (!strstr(e.msg, words)) fail_msg("\"%s\" does not say \"%s\"", e.msg, words);
    assert_false(file_exists(tiny_path("none.gguf")));
}

static void exported(const char *run, int64_t tick, const char *out, uint32_t type, int64_t expected) {
    struct err e = {0};
    int64_t at;
    if (!run_export_student(tiny_path(run), tick, tiny_path(out), type, &at, &e)) fail_msg("%s", e.msg);
    assert_int_equal(at, expected);
}

/* The weights in the file are those of the checkpoint's own. */
static void holds_checkpoint(const char *model, const char *run, int64_t tick) {
    char path[100];
    struct err e = {0};
    struct model *m = NULL;
    snprintf(path, sizeof path, "%s/checkpoints/%lld/student.safetensors", run, (long long)tick);
    struct st_file *f = st_open(tiny_path(path), &e);
    if (!f || !model_open(tiny_path(model), &m, NULL, &e)) fail_msg("%s", e.msg);
    float *params = malloc(m->n_params * sizeof *params);
    if (!st_read_f32(f, "params", params, m->n_params, &e)) fail_msg("%s", e.msg);
    assert_memory_equal(params, m->params, m->n_params * sizeof *params);
    free(params);
    st_close(f);
    model_free(m);
}

static int play(void **state) {
    (void)state;
    tiny_folder_of_games(state);
    const struct options o = tiny_options("algorithm=sft iterations=3 checkpoint.keep=10");
    tiny_play("kept", &o, false, NULL);
    return 0;
}

static void every_checkpoint_can_be_had(void **state) {
    (void)state;
    const int64_t first = tiny_count("kept", "SELECT min(tick) FROM checkpoint"),
                  last = tiny_count("kept", "SELECT max(tick) FROM checkpoint");
    exported("kept", -1, "last.gguf", QUANT_F32, last);
    same_bytes(tiny_path("last.gguf"), tiny_path("kept/student.gguf"), true);
    exported("kept", first, "first.gguf", QUANT_F32, first);
    same_bytes(tiny_path("first.gguf"), tiny_path("last.gguf"), false);
    holds_checkpoint("first.gguf", "kept", first);
    exported("kept", first, "half.gguf", QUANT_F16, first);
    same_bytes(tiny_path("half.gguf"), tiny_path("first.gguf"), false);
}

/* Students at two checkpoints of one run, as candidates of another one's preferences. */
static void checkpoints_can_be_candidates(void **state) {
    (void)state;
    char text[500];
    exported("kept", tiny_count("kept", "SELECT min(tick) FROM checkpoint"), "early.gguf", QUANT_F32,
             tiny_count("kept", "SELECT min(tick) FROM checkpoint"));
    exported("kept", -1, "late.gguf", QUANT_F32, tiny_count("kept", "SELECT max(tick) FROM checkpoint"));
    snprintf(text, sizeof text,
             "algorithm=dpo iterations=1 game.data=offline offline.temperatures=1 offline.candidates=%s,%s",
             tiny_path("early.gguf"), tiny_path("late.gguf"));
    const struct options o = tiny_options(text);
    tiny_play("candidates", &o, false, NULL);
    assert_true(tiny_number("candidates", "SELECT count(DISTINCT item1) FROM pair WHERE origin1=4") == 2);
}

static void what_is_not_there_is_named(void **state) {
    (void)state;
    export_fails("kept", 1, "kept: has no checkpoint of tick 1, only ");
    export_fails("kept", tiny_count("kept", "SELECT min(tick) FROM checkpoint") + 1, "has no checkpoint of tick");
    export_fails("prompts.jsonl", -1, "holds no run");
    /* The newest is gone: the one before it, unless it was asked for. */
    const int64_t last = tiny_count("kept", "SELECT max(tick) FROM checkpoint");
    tiny_exec("kept", "UPDATE checkpoint SET folder='elsewhere' WHERE tick=(SELECT max(tick) FROM checkpoint)");
    exported("kept", -1, "before.gguf", QUANT_F32,
             tiny_count("kept", "SELECT max(tick) FROM checkpoint WHERE folder<>'elsewhere'"));
    export_fails("kept", last, "elsewhere/student.safetensors");
    tiny_exec("kept", "UPDATE checkpoint SET folder='../elsewhere'");
    export_fails("kept", -1, "a checkpoint's row is damaged");
    tiny_exec("kept", "DELETE FROM checkpoint");
    export_fails("kept", -1, "kept: has no checkpoint yet");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_checkpoint_can_be_had),
        cmocka_unit_test(checkpoints_can_be_candidates),
        cmocka_unit_test(what_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, play, tiny_remove);
}
