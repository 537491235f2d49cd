/* Writing GGUF: what is written comes back, what cannot be written is refused by name, and neither a full disk nor
 * memory running out harms the file that was there. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "engine/formats/gguf.h"
#include "engine/formats/quant.h"

static char dir[64], path[128];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/pbkd_gguf_XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/m.gguf", dir);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    struct err e;
    return dir_remove_tree(dir, &e) ? 0 : -1;
}

static float weights[4][64];

static void put_model(struct gguf_writer *w) {
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 64; k++) weights[i][k] = (float)(k * 7 % 31 - 15) * 0.25f + (float)i;
    const char *tokens[] = {"<s>", "a\0b", "\xC3\xA4"};
    const size_t lens[] = {3, 3, 2};
    gguf_put_string(w, "general.architecture", "llama");
    gguf_put_u32(w, "llama.block_count", 2);
    gguf_put_f32(w, "eps", 1e-5f);
    gguf_put_bool(w, "flag", true);
    gguf_put_strings(w, "tokens", tokens, lens, 3);
    gguf_put_i32s(w, "types", (const int32_t[]){1, -2}, 2);
    gguf_put_i32s(w, "scores", (const int32_t[]){7}, 1);
    gguf_put_tensor(w, "f32", weights[0], 3, 1, QUANT_F32);
    gguf_put_tensor(w, "f16", weights[1], 5, 7, QUANT_F16);
    gguf_put_tensor(w, "q8_0", weights[2], 32, 2, QUANT_Q8_0);
    gguf_put_tensor(w, "bf16", weights[3], 64, 1, QUANT_BF16);
}

static bool check_token(void *ctx, size_t i, const char *s, size_t len, struct err *e) {
    (void)e;
    static const char *const want[] = {"<s>", "a\0b", "\xC3\xA4"};
    static const size_t lens[] = {3, 3, 2};
    *(size_t *)ctx += len == lens[i] && memcmp(s, want[i], len) == 0;
    return true;
}

static void check_model(const struct gguf *g) {
    struct err e;
    size_t right = 0;
    const char *s;
    size_t n;
    assert_true(gguf_get_string(g, "general.architecture", &s, &n, &e) && n == 5 && memcmp(s, "llama", 5) == 0);
    assert_true(gguf_each_string(g, "tokens", check_token, &right, &e) && right == 3);
    const int lengths[] = {3, 35, 64, 64};
    for (size_t i = 0; i < 4; i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        const struct quant_info *q = quant_info(t->type);
        float x[64];
        assert_int_equal(t->n_elements, lengths[i]);
        assert_int_equal((t->data - gguf_tensor_at(g, 0)->data) % 32, 0);
        q->decode(t->data, x, t->n_elements / (uint64_t)q->block_len);
        for (int k = 0; k < lengths[i]; k++) /* multiples of 1/4 are exact but in Q8_0 */
            assert_true(fabsf(x[k] - weights[i][k]) <= (t->type == QUANT_Q8_0 ? 0.03f : 0.0f));
    }
}

static void what_is_written_comes_back(void **state) {
    (void)state;
    struct err e;
    struct gguf_writer *w = gguf_writer_new();
    put_model(w);
    if (!gguf_write(w, path, &e)) fail_msg("%s", e.msg);
    gguf_writer_free(w);
    struct gguf *g = gguf_open(path, &e);
    if (!g) fail_msg("%s", e.msg);
    assert_int_equal(gguf_n_keys(g), 7);
    check_model(g);

    /* its keys into a second file, except some */
    w = gguf_writer_new();
    gguf_put_keys_from(w, g, (const char *const[]){"llama.", "sco", NULL});
    gguf_put_u32(w, "llama.block_count", 9);
    char second[160];
    snprintf(second, sizeof second, "%s/second.gguf", dir);
    assert_true(gguf_write(w, second, &e));
    gguf_writer_free(w);
    gguf_close(g);
    g = gguf_open(second, &e);
    if (!g) fail_msg("%s", e.msg);
    uint32_t u;
    size_t right = 0;
    assert_int_equal(gguf_n_keys(g), 6);
    assert_int_equal(gguf_n_tensors(g), 0);
    assert_true(gguf_get_u32(g, "llama.block_count", &u, &e) && u == 9);
    assert_false(gguf_has(g, "scores"));
    assert_true(gguf_each_string(g, "tokens", check_token, &right, &e) && right == 3);
    gguf_close(g);
}

static void expect_refusal(struct gguf_writer *w, const char *message) {
    struct err e;
    char other[160];
    snprintf(other, sizeof other, "%s/refused.gguf", dir);
    assert_false(gguf_write(w, other, &e));
    if (!strstr(e.msg, message)) fail_msg("\"%s\" lacks \"%s\"", e.msg, message);
    assert_false(file_exists(other));
    gguf_writer_free(w);
}

static void what_cannot_be_written_is_refused(void **state) {
    (void)state;
    static const float nan[32] = {[7] = NAN}, large[32] = {[2] = -70000.0f};
    struct gguf_writer *w = gguf_writer_new();
    gguf_put_u32(w, "k", 1), gguf_put_u32(w, "k", 2);
    expect_refusal(w, "key \"k\" was put twice");
    w = gguf_writer_new();
    gguf_put_u32(w, "", 1);
    expect_refusal(w, "1 to 65535 bytes");
    w = gguf_writer_new();
    gguf_put_u32(w, "general.alignment", 64);
    expect_refusal(w, "must not be put");
    w = gguf_writer_new();
    gguf_put_tensor(w, "t", nan, 32, 1, QUANT_F32), gguf_put_tensor(w, "t", nan, 32, 1, QUANT_F32);
    expect_refusal(w, "tensor \"t\" was put twice");
    w = gguf_writer_new();
    gguf_put_tensor(w, "t", nan, 16, 2, QUANT_Q8_0);
    expect_refusal(w, "16 x 2 cannot be stored in blocks of 32");
    w = gguf_writer_new();
    gguf_put_tensor(w, "t", nan, 32, 1, QUANT_Q4_0);
    expect_refusal(w, "type 2 cannot be written");
    w = gguf_writer_new();
    gguf_put_tensor(w, "t", nan, 32, 1, QUANT_Q8_0);
    expect_refusal(w, "element 7 (nan) cannot be stored as Q8_0");
    w = gguf_writer_new();
    gguf_put_tensor(w, "t", large, 32, 1, QUANT_F16);
    expect_refusal(w, "element 2 (-70000) cannot be stored as F16");
    w = gguf_writer_new();
    gguf_put_tensor(w, "t", large, INT64_MAX, 2, QUANT_F32);
    expect_refusal(w, "too large");
    w = gguf_writer_new();
    gguf_put_tensor(w, "0123456789012345678901234567890123456789012345678901234567890123", large, 1, 1, QUANT_F32);
    expect_refusal(w, "1 to 63 bytes");
}

static int entries_in(const char *folder) {
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *x = readdir(d); x; x = readdir(d)) n += x->d_name[0] != '.';
    closedir(d);
    return n;
}

/* A file size limit stands for a full disk: write() fails after some bytes. */
static void a_full_disk_leaves_the_old_file(void **state) {
    (void)state;
    char folder[128], target[160], *text;
    size_t len;
    struct err e;
    snprintf(folder, sizeof folder, "%s/full", dir);
    snprintf(target, sizeof target, "%s/m.gguf", folder);
    assert_true(dir_make(folder, &e) && atomic_write(target, "old", 3, &e));
    float *big = calloc(100000, sizeof *big);
    assert_non_null(big);
    struct gguf_writer *w = gguf_writer_new();
    put_model(w);
    gguf_put_tensor(w, "big", big, 100000, 1, QUANT_F32);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    static const rlim_t limits[] = {0, 100, 1000, 50000, 400000};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        small = before;
        small.rlim_cur = limits[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const bool ok = gguf_write(w, target, &e);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (ok) fail_msg("wrote more than %d bytes", (int)limits[i]);
        assert_non_null(strstr(e.msg, "writing failed"));
        assert_true(file_read_all(target, 100, &text, &len, &e) && strcmp(text, "old") == 0);
        mem_free(text);
        assert_int_equal(entries_in(folder), 1);
    }
    signal(SIGXFSZ, handler);
    assert_true(gguf_write(w, target, &e)); /* the same writer succeeds once there is room */
    struct gguf *g = gguf_open(target, &e);
    assert_non_null(g);
    check_model(g);
    gguf_close(g);
    gguf_writer_free(w);
    free(big);
}

static void the_writer_reports_memory_running_out(void **state) {
    (void)state;
    long failures = 0;
    for (long n = 1;; n++) {
        struct err e = {""};
        struct gguf_writer *w = gguf_writer_new();
        mem_fail_after(n);
        put_model(w);
        const bool ok = gguf_write(w, path, &e);
        mem_fail_after(0);
        gguf_writer_free(w);
        if (ok) break;
        assert_non_null(strstr(e.msg, "cannot allocate"));
        failures++;
    }
    assert_true(failures >= 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(the_writer_reports_memory_running_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
