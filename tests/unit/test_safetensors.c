/* safetensors: what is written comes back and looks as the reference would write it; hostile files are refused with a
 * message and touch nothing outside their bytes; a full disk and memory running out harm nothing. */
#include <dirent.h>
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
#include "engine/base/strbuf.h"
#include "engine/formats/safetensors.h"

static char dir[64], path[128];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/pbkd_st_XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/w.safetensors", dir);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    struct err e;
    return dir_remove_tree(dir, &e) ? 0 : -1;
}

/* ---- writing and reading back ---- */

static const float some[] = {1.0f, -2.5f, 3.25f};
static const float other[] = {7.0f};

static void what_is_written_comes_back(void **state) {
    (void)state;
    const struct st_array arrays[] = {{"w", some, 3}, {"a \"b\"", other, 1}, {"none", NULL, 0}};
    struct err e;
    if (!st_write(path, arrays, 3, &e)) fail_msg("%s", e.msg);
    struct st_file *f = st_open(path, &e);
    if (!f) fail_msg("%s", e.msg);
    float x[3] = {0};
    assert_true(st_read_f32(f, "none", x, 0, &e) && !st_read_f32(f, "x", x, 0, &e));
    assert_true(st_read_f32(f, "w", x, 3, &e));
    assert_memory_equal(x, some, sizeof some);
    assert_true(st_read_f32(f, "a \"b\"", x, 1, &e) && x[0] == 7.0f);
    assert_true(st_read_f32(f, "none", x, 0, &e));
    assert_false(st_read_f32(f, "w", x, 2, &e));
    assert_non_null(strstr(e.msg, "tensor \"w\" must have 2 elements, found 3"));
    assert_false(st_read_f32(f, "x", x, 1, &e));
    assert_non_null(strstr(e.msg, "tensor \"x\" is missing"));
    st_close(f);
    st_close(NULL);
}

/* By name, with the header padded to 8: byte for byte what the reference's writer makes. */
static void the_bytes_are_the_references(void **state) {
    (void)state;
    const struct st_array arrays[] = {{"b", some, 3}, {"a", other, 1}};
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                 "\"b\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[4,16]}}";
    struct err e;
    char *data;
    size_t len;
    uint64_t n;
    assert_true(st_write(path, arrays, 2, &e));
    assert_true(file_read_all(path, 1000, &data, &len, &e));
    memcpy(&n, data, 8);
    assert_int_equal(n, (sizeof header - 1 + 7) / 8 * 8);
    assert_int_equal(len, 8 + n + 16);
    assert_memory_equal(data + 8, header, sizeof header - 1);
    for (size_t i = sizeof header - 1; i < n; i++) assert_int_equal(data[8 + i], ' ');
    assert_memory_equal(data + 8 + n, other, 4);
    assert_memory_equal(data + 12 + n, some, 12);
    mem_free(data);
}

static void bad_names_are_not_written(void **state) {
    (void)state;
    const struct st_array twice[] = {{"w", some, 3}, {"w", other, 1}}, empty[] = {{"", some, 3}},
                          reserved[] = {{"__metadata__", some, 3}};
    char target[160];
    struct err e;
    snprintf(target, sizeof target, "%s/refused", dir);
    assert_false(st_write(target, twice, 2, &e));
    assert_non_null(strstr(e.msg, "\"w\" is given twice"));
    assert_false(st_write(target, empty, 1, &e));
    assert_false(st_write(target, reserved, 1, &e));
    assert_false(file_exists(target));
}

/* ---- hostile files ---- */

/* A file of this header and `data` bytes after it, in a buffer of exactly its size. */
static unsigned char *build(const char *header, size_t data, size_t *len) {
    const uint64_t n = strlen(header);
    *len = 8 + n + data;
    unsigned char *b = calloc(1, *len);
    assert_non_null(b);
    memcpy(b, &n, 8);
    memcpy(b + 8, header, n);
    return b;
}

struct hostile {
    const char *header;
    size_t data;
    const char *message; /* part of the refusal; NULL = must be accepted */
};

#define T(dtype, shape, range) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"

static const struct hostile hostile[] = {
    {"{\"a\":" T("F32", "[2,1]", "[0,8]") "}  ", 8, NULL},
    {"{\"a\":" T("BF16", "[]", "[0,2]") ",\"b\":" T("F64", "[0,9]", "[2,2]") "}", 2, NULL},
    {"{\"b\":" T("U8", "[3]", "[1,4]") ",\"a\":" T("BOOL", "[1]", "[0,1]") "}", 4, NULL},
    {"{\"__metadata__\":{\"k\":\"v\"}}", 0, NULL},
    {"{}", 0, NULL},
    {" {}", 0, "must start with '{'"},
    {"[1]", 0, "must start with '{'"},
    {"{", 0, "must start with '{'"},
    {"{\"a\":", 0, "not valid JSON"},
    {"{} {}", 0, "more text after"},
    {"{}", 1, "the tensors cover 0 of 1 data bytes"},
    {"{\"a\":7}", 0, "must be an object, found number"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"dtype\" is missing"},
    {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"dtype\" must be a string"},
    {"{\"a\":" T("F8_E4M3", "[4]", "[0,4]") "}", 4, "dtype \"F8_E4M3\" is not known"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "\"shape\" must be"},
    {"{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "\"shape\" must be"},
    {"{\"a\":" T("F32", "[1.5]", "[0,4]") "}", 4, "\"shape\" must be"},
    {"{\"a\":" T("F32", "[\"1\"]", "[0,4]") "}", 4, "\"shape\" must be"},
    {"{\"a\":" T("F32", "[9007199254740993]", "[0,4]") "}", 4, "\"shape\" must be"},
    {"{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, "\"shape\" must be"},
    {"{\"a\":" T("F32", "[2147483648,2147483648]", "[0,0]") "}", 0, "\"shape\" must be"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" T("F32", "[1]", "[0]") "}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" T("F32", "[1]", "[0,1e300]") "}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "data_offsets 4 to 0"},
    {"{\"a\":" T("F32", "[1]", "[0,8]") "}", 8, "must hold 4 bytes"},
    {"{\"a\":" T("F32", "[2]", "[0,8]") "}", 4, "within 4"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[4,8]") "}", 8, "duplicate key a"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4, "must start at offset 4, found 0"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[8,12]") "}", 12, "must start at offset 4, found 8"},
    {"{\"a\":" T("F32", "[1]", "[4,8]") "}", 8, "must start at offset 0, found 4"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") "}", 8, "the tensors cover 4 of 8"},
    {"{\"a\\u0000b\":" T("F32", "[1]", "[0,4]") "}", 4, "\\u0000"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "must map strings to strings"},
    {"{\"__metadata__\":[]}", 0, "must map strings to strings"},
};

static void hostile_files_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        const struct hostile *h = &hostile[i];
        size_t len;
        struct err e = {""};
        unsigned char *b = build(h->header, h->data, &len);
        struct st_file *f = st_open_memory("w.st", b, len, &e);
        if (!h->message && !f) fail_msg("case %zu: %s", i, e.msg);
        if (h->message && f) fail_msg("case %zu (%s) was accepted", i, h->message);
        if (h->message && !strstr(e.msg, h->message)) fail_msg("case %zu: \"%s\" lacks \"%s\"", i, e.msg, h->message);
        st_close(f);
        free(b);
    }
}

static void other_dtypes_are_not_read_as_f32(void **state) {
    (void)state;
    size_t len;
    struct err e;
    float x;
    unsigned char *b = build("{\"a\":" T("I32", "[1]", "[0,4]") "}", 4, &len);
    struct st_file *f = st_open_memory("w.st", b, len, &e);
    assert_non_null(f);
    assert_false(st_read_f32(f, "a", &x, 1, &e));
    assert_non_null(strstr(e.msg, "tensor \"a\" must be F32"));
    st_close(f);
    free(b);
}

static void header_lengths_are_checked(void **state) {
    (void)state;
    static const uint64_t lengths[] = {0, 1, 3, 100000001, 1ull << 32, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned char b[10] = {0};
        struct err e = {""};
        memcpy(b, &lengths[i], 8);
        memcpy(b + 8, "{}", 2);
        assert_null(st_open_memory("w.st", b, sizeof b, &e));
        assert_true(e.msg[0] != '\0');
    }
}

static void cut_and_flipped_files_never_harm(void **state) {
    (void)state;
    size_t len, opened = 0;
    struct err e;
    unsigned char *b = build(
        "{\"__metadata__\":{\"k\":\"v\"},\"a\":" T("F32", "[1,2]", "[0,8]") ",\"b\":" T("F16", "[2]", "[8,12]") "}", 12,
        &len);
    for (size_t n = 0; n < len; n++) {
        unsigned char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, b, n);
        if (st_open_memory("w.st", copy, n, &e)) fail_msg("a file cut to %zu of %zu bytes was accepted", n, len);
        free(copy);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
        struct st_file *f = st_open_memory("w.st", b, len, &e);
        float x[2];
        if (f) opened += 1 + st_read_f32(f, "a", x, 2, &e);
        st_close(f);
        b[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_true(opened >= 8 * 12); /* every flip of the data bytes at least */
    free(b);
}

/* ---- faults ---- */

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
    snprintf(target, sizeof target, "%s/w", folder);
    assert_true(dir_make(folder, &e) && atomic_write(target, "old", 3, &e));
    float *big = calloc(100000, sizeof *big);
    assert_non_null(big);
    const struct st_array arrays[] = {{"big", big, 100000}};
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    static const rlim_t limits[] = {0, 50, 5000, 399999};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        small = before;
        small.rlim_cur = limits[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const bool ok = st_write(target, arrays, 1, &e);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_false(ok);
        assert_non_null(strstr(e.msg, "writing failed"));
        assert_true(file_read_all(target, 100, &text, &len, &e) && strcmp(text, "old") == 0);
        mem_free(text);
        assert_int_equal(entries_in(folder), 1);
    }
    signal(SIGXFSZ, handler);
    assert_true(st_write(target, arrays, 1, &e));
    free(big);
}

static void memory_running_out_is_reported(void **state) {
    (void)state;
    const struct st_array arrays[] = {{"w", some, 3}, {"v", other, 1}};
    long failures = 0;
    for (long n = 1;; n++, failures++) {
        struct err e = {""};
        mem_fail_after(n);
        const bool wrote = st_write(path, arrays, 2, &e);
        struct st_file *f = wrote ? st_open(path, &e) : NULL;
        mem_fail_after(0);
        st_close(f);
        if (f) break;
        assert_non_null(strstr(e.msg, "cannot allocate"));
    }
    assert_true(failures >= 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),       cmocka_unit_test(the_bytes_are_the_references),
        cmocka_unit_test(bad_names_are_not_written),        cmocka_unit_test(hostile_files_are_refused_by_name),
        cmocka_unit_test(other_dtypes_are_not_read_as_f32), cmocka_unit_test(header_lengths_are_checked),
        cmocka_unit_test(cut_and_flipped_files_never_harm), cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(memory_running_out_is_reported),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
