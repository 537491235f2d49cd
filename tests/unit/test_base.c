/* The ground floor: errors, memory, strings, names, hashes, random numbers against Philox's published answers, and
 * files that are replaced whole or not at all. */
#include <dirent.h>
#include <errno.h>
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/err.h"
#include "engine/base/file.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/names.h"
#include "engine/base/rng.h"
#include "engine/base/strbuf.h"

static char dir[64];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/pbkd_base_XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    struct err e;
    return dir_remove_tree(dir, &e) ? 0 : -1;
}

static const char *in_dir(char out[256], const char *name) {
    snprintf(out, 256, "%s/%s", dir, name);
    return out;
}

/* ---- errors, memory, strings ---- */

static void errors_are_one_printable_line(void **state) {
    (void)state;
    struct err e;
    assert_false(err_set(&e, "%s: %d", "a\x1b[2J\nb", 7));
    assert_string_equal(e.msg, "a?[2J?b: 7");
    assert_false(err_wrap(&e, "f.json:%d", 3));
    assert_string_equal(e.msg, "f.json:3: a?[2J?b: 7");
    errno = ENOENT;
    assert_false(err_errno(&e, "open"));
    assert_string_equal(e.msg, "open: No such file or directory");
    assert_false(err_set(NULL, "dropped"));
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&e, "%s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    err_wrap(&e, "%s", big);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

static void allocations_are_zeroed_aligned_and_may_fail(void **state) {
    (void)state;
    struct err e;
    for (size_t n = 0; n < 300; n += 37) {
        unsigned char *p = mem_alloc(n, 3, "block", &e);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < 3 * n; i++) assert_int_equal(p[i], 0);
        mem_free(p);
    }
    assert_null(mem_alloc(SIZE_MAX / 2, 3, "block", &e));
    assert_non_null(strstr(e.msg, "block"));
    assert_null(mem_alloc(SIZE_MAX, 1, "block", &e));
    mem_fail_after(2);
    void *first = mem_alloc(1, 1, "one", &e);
    void *second = mem_alloc(1, 1, "two", &e);
    void *third = mem_alloc(1, 1, "three", &e);
    assert_true(first && !second && third);
    assert_non_null(strstr(e.msg, "two: cannot allocate"));
    mem_free(first);
    mem_free(third);
    mem_free(NULL);
}

static void strings_grow(void **state) {
    (void)state;
    struct strbuf b = {0};
    assert_string_equal(strbuf_str(&b), "");
    for (int i = 0; i < 1000; i++) strbuf_printf(&b, "%d,", i);
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(b.s), b.len);
    assert_true(strncmp(b.s, "0,1,2,", 6) == 0 && strcmp(b.s + b.len - 8, "998,999,") == 0);
    strbuf_clear(&b);
    strbuf_add(&b, "a\0b", 3);
    strbuf_putc(&b, 'c');
    assert_memory_equal(b.s, "a\0bc", 5);
    char *taken = strbuf_take(&b);
    assert_true(taken[3] == 'c' && b.s == NULL && b.len == 0);
    free(taken);
    taken = strbuf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    strbuf_free(&b);
}

static void names_are_found_and_duplicates_seen(void **state) {
    (void)state;
    struct err e;
    struct name_index x;
    char text[500][8];
    assert_true(names_alloc(&x, 500, "names", &e));
    for (size_t i = 0; i < 500; i++) {
        snprintf(text[i], sizeof text[i], "n%zu", i * 7919 % 500);
        x.entries[i] = (struct name_entry){text[i], i};
    }
    assert_null(names_sort(&x));
    for (size_t i = 0; i < 500; i++) assert_int_equal(names_find(&x, text[i])->pos, i);
    assert_null(names_find(&x, "n500"));
    strcpy(text[17], text[401]);
    assert_string_equal(names_sort(&x), text[401]);
    names_free(&x);
    assert_null(names_find(&x, "n1"));
}

static void hashes_depend_on_every_byte(void **state) {
    (void)state;
    unsigned char data[40] = {0};
    uint64_t seen[1 + 8 * sizeof data];
    size_t n = 0;
    seen[n++] = hash_bytes(HASH_START, data, sizeof data);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        seen[n++] = hash_bytes(HASH_START, data, sizeof data);
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) assert_true(seen[i] != seen[k]);
    assert_true(hash_bytes(HASH_START, data, 3) != hash_bytes(HASH_START, data, 4)); /* zeros count */
    assert_true(hash_text("abc") == hash_bytes(HASH_START, "abc", 3));
    assert_true(hash_text("") != hash_text("a"));
}

/* ---- random numbers ---- */

/* Known answers of Philox 4x32-10 from the authors' Random123 distribution (kat_vectors), purpose 0. */
static void philox_gives_the_published_answers(void **state) {
    (void)state;
    const enum rng_purpose none = (enum rng_purpose)0;
    assert_true(rng_u64(0, none, 0, 0) == 0xE169C58D6627E8D5ull);
    assert_true(rng_u64(UINT64_MAX, none, UINT64_MAX, UINT64_MAX) == 0x41C83B0E408F276Dull);
    assert_true(rng_u64(0x299F31D0A4093822ull, none, 0x0370734413198A2Eull, 0x85A308D3243F6A88ull) ==
                0x94FDCCEBD16CFE09ull);
    assert_true(rng_u64(1, RNG_INIT, 2, 3) != rng_u64(1, RNG_TEST, 2, 3));
}

static void numbers_have_their_moments(void **state) {
    (void)state;
    enum { N = 100000 };
    double u = 0, u2 = 0, z = 0, z2 = 0, z4 = 0;
    int counts[7] = {0};
    for (uint64_t i = 0; i < N; i++) {
        const double x = rng_uniform(5, RNG_TEST, 0, i), y = rng_normal(5, RNG_TEST, 1, i);
        assert_true(x >= 0.0 && x < 1.0);
        u += x, u2 += x * x, z += y, z2 += y * y, z4 += y * y * y * y;
        const uint64_t k = rng_below(7, 5, RNG_TEST, 2, i);
        assert_true(k < 7);
        counts[k]++;
    }
    /* five standard errors each */
    assert_true(fabs(u / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(u2 / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(z / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(z2 / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(z4 / N - 3) < 5 * sqrt(96.0 / N));
    for (int k = 0; k < 7; k++) assert_true(fabs(counts[k] - N / 7.0) < 5 * sqrt(N * 6.0 / 49));
    assert_int_equal(rng_below(1, 5, RNG_TEST, 0, 0), 0);
}

static void permutations_hold_everything_once(void **state) {
    (void)state;
    int a[257], b[257], seen[257] = {0}, moved = 0, differ = 0;
    rng_permutation(a, 257, 9, RNG_SHUFFLE, 1);
    rng_permutation(b, 257, 9, RNG_SHUFFLE, 1);
    assert_memory_equal(a, b, sizeof a);
    rng_permutation(b, 257, 9, RNG_SHUFFLE, 2);
    for (int i = 0; i < 257; i++) {
        assert_true(a[i] >= 0 && a[i] < 257 && seen[a[i]]++ == 0);
        moved += a[i] != i;
        differ += a[i] != b[i];
    }
    assert_true(moved > 240 && differ > 240);
}

/* ---- files ---- */

static int entries_in(const char *folder) {
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *x = readdir(d); x; x = readdir(d)) n += x->d_name[0] != '.';
    closedir(d);
    return n;
}

static void expect_text(const char *path, const char *want) {
    char *text;
    size_t len;
    struct err e;
    if (!file_read_all(path, 1000, &text, &len, &e)) fail_msg("%s", e.msg);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
    mem_free(text);
}

static void reading_refuses_what_it_must(void **state) {
    (void)state;
    char path[256], fifo[256], *text;
    size_t len;
    struct err e;
    struct file_map m;
    assert_true(atomic_write(in_dir(path, "r"), "hello", 5, &e));
    expect_text(path, "hello");
    assert_true(file_read_all(path, 5, &text, &len, &e));
    mem_free(text);
    assert_false(file_read_all(path, 4, &text, &len, &e));
    assert_non_null(strstr(e.msg, "5 bytes, at most 4"));
    assert_true(file_map(path, &m, &e) && m.len == 5 && memcmp(m.data, "hello", 5) == 0);
    file_unmap(&m);
    file_unmap(&m);
    assert_true(atomic_write(path, "", 0, &e));
    expect_text(path, "");
    assert_false(file_map(path, &m, &e));
    assert_non_null(strstr(e.msg, "the file is empty"));
    assert_int_equal(mkfifo(in_dir(fifo, "fifo"), 0600), 0);
    assert_false(file_read_all(fifo, 100, &text, &len, &e)); /* and does not wait for a writer */
    assert_non_null(strstr(e.msg, "not a regular file"));
    assert_false(file_map(dir, &m, &e));
    assert_false(file_read_all(in_dir(path, "none"), 9, &text, &len, &e));
    assert_non_null(strstr(e.msg, "No such file"));
    mem_fail_after(1);
    assert_true(atomic_write(in_dir(path, "r"), "x", 1, &e));
    assert_false(file_read_all(path, 9, &text, &len, &e));
    mem_fail_after(0);
}

static void replacement_is_all_or_nothing(void **state) {
    (void)state;
    char folder[256], path[300];
    struct err e;
    struct stat st;
    struct atomic_file a;
    assert_true(dir_make(in_dir(folder, "atomic"), &e));
    snprintf(path, sizeof path, "%s/f", folder);
    assert_true(atomic_write(path, "old", 3, &e));
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(atomic_begin(&a, path, &e));
    fputs("new", a.f);
    expect_text(path, "old");
    assert_int_equal(entries_in(folder), 2);
    atomic_abort(&a);
    atomic_abort(&a);
    expect_text(path, "old");
    assert_int_equal(entries_in(folder), 1);
    assert_true(atomic_begin(&a, path, &e));
    fputs("new", a.f);
    assert_true(atomic_commit(&a, &e));
    atomic_abort(&a); /* harmless after a commit */
    expect_text(path, "new");
    assert_int_equal(entries_in(folder), 1);
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
    assert_false(atomic_begin(&a, folder, &e)); /* a folder is no target */
    assert_non_null(strstr(e.msg, "not a regular file"));
    snprintf(path, sizeof path, "%s/none/f", folder);
    assert_false(atomic_write(path, "x", 1, &e));
    assert_int_equal(entries_in(folder), 1);
}

/* A file size limit stands for a full disk, both where fwrite notices and where only the flush in commit does. */
static void a_full_disk_leaves_the_old_file(void **state) {
    (void)state;
    char folder[256], path[300];
    static char big[100000];
    struct err e;
    struct atomic_file a;
    memset(big, 'x', sizeof big);
    assert_true(dir_make(in_dir(folder, "full"), &e));
    snprintf(path, sizeof path, "%s/f", folder);
    assert_true(atomic_write(path, "old", 3, &e));
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    small = before;
    small.rlim_cur = 10;
    static const size_t lengths[] = {11, 4096, sizeof big};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const bool wrote = atomic_write(path, big, lengths[i], &e);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_false(wrote);
        assert_non_null(strstr(e.msg, "writing failed"));
        expect_text(path, "old");
        assert_int_equal(entries_in(folder), 1);
    }
    assert_true(atomic_begin(&a, path, &e)); /* writers that look at nothing before commit */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 20; i++) fwrite(big, 1, 5000, a.f);
    const bool committed = atomic_commit(&a, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_false(committed);
    assert_non_null(strstr(e.msg, "writing failed"));
    expect_text(path, "old");
    assert_int_equal(entries_in(folder), 1);
}

static void folders_come_and_go(void **state) {
    (void)state;
    char deep[256], path[300], outside[256], link[300];
    struct err e;
    assert_true(dir_make(in_dir(deep, "a/b//c/"), &e));
    assert_true(dir_make(deep, &e));
    assert_true(dir_sync(deep, &e));
    snprintf(path, sizeof path, "%s/f", deep);
    assert_true(atomic_write(path, "x", 1, &e));
    assert_false(dir_make(path, &e));
    assert_non_null(strstr(e.msg, "is not a folder"));
    assert_false(dir_make("", &e));
    assert_true(dir_make(in_dir(outside, "outside"), &e));
    snprintf(path, sizeof path, "%s/kept", outside);
    assert_true(atomic_write(path, "x", 1, &e));
    snprintf(link, sizeof link, "%s/link", deep);
    assert_int_equal(symlink(outside, link), 0);
    assert_true(dir_remove_tree(in_dir(deep, "a"), &e));
    assert_false(file_exists(deep));
    assert_true(file_exists(path)); /* the link went, not what it pointed to */
    assert_true(dir_remove_tree(deep, &e));
    assert_false(dir_sync(deep, &e));
}

static void paths_are_resolved_beside_a_file(void **state) {
    (void)state;
    static const char *const cases[][3] = {{"run/config.json", "data.jsonl", "run/data.jsonl"},
                                           {"config.json", "data.jsonl", "data.jsonl"},
                                           {"/c.json", "d", "/d"},
                                           {"run/c.json", "/abs/d", "/abs/d"},
                                           {"run/c.json", "../d", "run/../d"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *p = path_beside(cases[i][0], cases[i][1]);
        assert_string_equal(p, cases[i][2]);
        free(p);
    }
}

static void the_clock_is_well_formed(void **state) {
    (void)state;
    char text[32];
    int y, mo, d, h, mi, s;
    clock_iso8601(text);
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &y, &mo, &d, &h, &mi, &s), 6);
    assert_true(text[strlen(text) - 1] == 'Z' && y > 2000 && mo >= 1 && mo <= 12 && h < 24);
    const double first = clock_seconds();
    assert_true(clock_seconds() >= first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_one_printable_line),
        cmocka_unit_test(allocations_are_zeroed_aligned_and_may_fail),
        cmocka_unit_test(strings_grow),
        cmocka_unit_test(names_are_found_and_duplicates_seen),
        cmocka_unit_test(hashes_depend_on_every_byte),
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(numbers_have_their_moments),
        cmocka_unit_test(permutations_hold_everything_once),
        cmocka_unit_test(reading_refuses_what_it_must),
        cmocka_unit_test(replacement_is_all_or_nothing),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(folders_come_and_go),
        cmocka_unit_test(paths_are_resolved_beside_a_file),
        cmocka_unit_test(the_clock_is_well_formed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
