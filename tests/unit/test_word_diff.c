/* Word differences: known cases, and that every difference can be put back together into both texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "views/word_diff.h"

static void expect_unified(const char *a, const char *b, const char *want) {
    struct styled t = {0};
    word_diff_unified(&t, a, b);
    assert_string_equal(strbuf_str(&t.text), want);
    styled_free(&t);
}

static void test_known_differences(void **state) {
    (void)state;
    expect_unified("a b c", "a b c", "a b c");
    expect_unified("a b c", "a x c", "a [-b-] {+x+} c");
    expect_unified("a c", "a b c", "a {+b+} c");
    expect_unified("a b c", "a c", "a [-b-] c");
    expect_unified("", "one two", "{+one two+}");
    expect_unified("one two", "", "[-one two-]");
    expect_unified("", "", "");
    expect_unified("a  b\n c", "a b c", "a  b\n c"); /* blanks are no difference */
    expect_unified("the answer is 94.", "so the answer is 96.", "{+so+} the answer is [-94.-] {+96.+}");
    expect_unified("a b", "b a", "[-a-] b {+a+}");
}

static void test_roles(void **state) {
    (void)state;
    struct styled t = {0};
    word_diff_unified(&t, "a b", "a c");
    bool added = false, removed = false;
    for (int i = 0; i < t.n; i++) added |= t.span[i].role == ROLE_ADDED, removed |= t.span[i].role == ROLE_REMOVED;
    assert_true(added && removed);
    styled_free(&t);
}

/* One side shows its own text, with marks that can be taken out again; sources cover every byte once. */
static void test_one_side(void **state) {
    (void)state;
    static const char a[] = "  the answer\n is 94, surely.\n", b[] = "the answer is 96, surely";
    struct styled t = {0};
    word_diff_side(&t, a, b, ROLE_A);
    assert_string_equal(strbuf_str(&t.text), "  the answer\n is {+94, surely.+}\n");
    size_t next = 0;
    for (int i = 0; i < t.n; i++) {
        if (t.span[i].source < 0) continue;
        assert_int_equal(t.span[i].source, next);
        assert_memory_equal(t.text.s + t.span[i].start, a + next, t.span[i].len);
        next += t.span[i].len;
    }
    assert_int_equal(next, strlen(a));
    styled_free(&t);
}

/* Words of text, joined by one blank. */
static void normalise(const char *text, char *out) {
    char *start = out;
    for (bool blank = true; *text; text++) {
        if (*text == ' ' || *text == '\n') {
            blank = true;
            continue;
        }
        if (blank && out != start) *out++ = ' ';
        blank = false;
        *out++ = *text;
    }
    *out = '\0';
}

static void rebuild(const struct word_diff *d, enum diff_op leave_out, const char *a, const char *b, char *out) {
    char text[4096] = "";
    for (int i = 0; i < d->n; i++) {
        if (d->span[i].op == leave_out) continue;
        const bool added = d->span[i].op == DIFF_ADDED;
        strncat(text, (added ? b : a) + d->span[i].start, d->span[i].len);
        strcat(text, " ");
    }
    normalise(text, out);
}

static void test_random_texts_can_be_rebuilt(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 2000; k++) {
        char text[2][400] = {"", ""}, want[4096], got[4096];
        for (int side = 0; side < 2; side++) {
            const uint64_t n = rng_below(40, 6, RNG_TEST, k, (uint64_t)side);
            for (uint64_t i = 0; i < n; i++) {
                static const char *const words[] = {"a ", "b ", "c\n", "dd  ", "e "};
                strcat(text[side], words[rng_below(2 + k % 4, 7 + (uint64_t)side, RNG_TEST, k, i)]);
            }
        }
        struct word_diff d;
        word_diff(&d, text[0], text[1]);
        assert_false(d.coarse);
        normalise(text[0], want);
        rebuild(&d, DIFF_ADDED, text[0], text[1], got);
        assert_string_equal(got, want);
        normalise(text[1], want);
        rebuild(&d, DIFF_REMOVED, text[0], text[1], got);
        assert_string_equal(got, want);
        for (int i = 0; i < d.n; i++) { /* the other place of what is common */
            if (d.span[i].op != DIFF_SAME) continue;
            const size_t word = strcspn(text[0] + d.span[i].start, " \n");
            assert_memory_equal(text[0] + d.span[i].start, text[1] + d.span[i].start_b, word);
        }
        word_diff_free(&d);
    }
}

/* The number of common words is that of the longest common subsequence. */
static void test_difference_is_smallest(void **state) {
    (void)state;
    struct word_diff d;
    word_diff(&d, "a b c a b b a", "c b a b a c");
    int common = 0;
    for (int i = 0; i < d.n; i++)
        if (d.span[i].op == DIFF_SAME)
            for (size_t k = 0; k < d.span[i].len; k++) common += "a b c a b b a"[d.span[i].start + k] != ' ';
    assert_int_equal(common, 4);
    word_diff_free(&d);
}

static void test_long_texts_are_coarse(void **state) {
    (void)state;
    enum { WORDS = 5000 };
    char *a = mem_small(WORDS * 2 + 8), *b = mem_small(WORDS * 2 + 8);
    strcpy(a, "< ");
    strcpy(b, "< ");
    for (int i = 0; i < WORDS; i++) a[2 + 2 * i] = 'x', b[2 + 2 * i] = 'y', a[3 + 2 * i] = b[3 + 2 * i] = ' ';
    a[2 + 2 * WORDS] = b[2 + 2 * WORDS] = '>';
    struct word_diff d;
    word_diff(&d, a, b);
    assert_true(d.coarse);
    assert_int_equal(d.n, 4); /* <, removed, added, > */
    assert_int_equal(d.span[0].op, DIFF_SAME);
    assert_int_equal(d.span[3].op, DIFF_SAME);
    word_diff_free(&d);
    free(a);
    free(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_differences),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_one_side),
        cmocka_unit_test(test_random_texts_can_be_rebuilt),
        cmocka_unit_test(test_difference_is_smallest),
        cmocka_unit_test(test_long_texts_are_coarse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
