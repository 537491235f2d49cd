/* The canvas: widths, hostile bytes, clipping, wrapping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "engine/base/rng.h"
#include "views/canvas.h"

static void expect_dump(const struct canvas *c, const char *want) {
    char *got = canvas_dump(c, false);
    assert_string_equal(got, want);
    free(got);
}

/* text drawn alone on a row of `cols` cells. */
static void expect_row(enum glyphs glyphs, int cols, const char *text, const char *want) {
    struct canvas c;
    canvas_init(&c, 1, cols, glyphs);
    area_text(canvas_area(&c), 0, 0, cols, ROLE_TEXT, 0, text);
    char *got = canvas_dump(&c, false);
    got[strlen(got) - 1] = '\0'; /* newline */
    assert_string_equal(got, want);
    free(got);
    canvas_free(&c);
}

static void test_widths(void **state) {
    (void)state;
    assert_int_equal(text_cells(""), 0);
    assert_int_equal(text_cells("abc"), 3);
    assert_int_equal(text_cells("日本"), 4);
    assert_int_equal(text_cells("e\u0301x"), 2);                   /* combining accent */
    assert_int_equal(text_cells("\u0301x"), 2);                    /* accent on nothing: a circle carries it */
    assert_int_equal(text_cells("\U0001F469\u200d\U0001F4BB"), 4); /* joined emoji are shown apart */
    assert_int_equal(text_cells("\u2764\ufe0f"), 1);               /* variation selector dropped */
    assert_int_equal(text_cells("\t"), 4);
    assert_int_equal(text_cells("\033"), 2);
    assert_int_equal(text_cells("\x9b"), 4);
}

static void test_hostile_bytes_are_shown(void **state) {
    (void)state;
    expect_row(GLYPHS_BRAILLE, 40, "\033[2J\a\x7f", "^[[2J^G^?");
    expect_row(GLYPHS_BRAILLE, 40, "\xff\xc3(\xe2\x82", "<FF><C3>(<E2><82>");
    expect_row(GLYPHS_BRAILLE, 40,
               "\xc2\x9b"
               "31m",
               "<9B>31m"); /* C1 control, encoded */
    expect_row(GLYPHS_BRAILLE, 40, "a\u202eb\u200bc\ufeff", "a<U+202E>b<U+200B>c<U+FEFF>");
    expect_row(GLYPHS_BRAILLE, 40, "\xed\xa0\x80", "<ED><A0><80>"); /* surrogate */
    expect_row(GLYPHS_BRAILLE, 40, "\U000e0041", "<U+E0041>");      /* tag character */
    expect_row(GLYPHS_BRAILLE, 40, "one\ntwo", "one↵two");
}

static void test_cut_with_a_mark(void **state) {
    (void)state;
    expect_row(GLYPHS_BRAILLE, 5, "12345", "12345");
    expect_row(GLYPHS_BRAILLE, 5, "123456", "1234…");
    expect_row(GLYPHS_BRAILLE, 4, "日本語", "日…");
    expect_row(GLYPHS_BRAILLE, 1, "ab", "…");
    expect_row(GLYPHS_ASCII, 5, "123456", "1234~");
}

static void test_ascii_keeps_widths(void **state) {
    (void)state;
    expect_row(GLYPHS_ASCII, 40, "β 10 → 12, Δ café naïve", "b 10 > 12, D cafe naive");
    expect_row(GLYPHS_ASCII, 40, "日本x", "????x");
    expect_row(GLYPHS_ASCII, 40, "“a” – \U0001F600", "\"a\" - ??");
}

static void test_ascii_canvas_holds_only_ascii(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 4, 64, GLYPHS_ASCII);
    for (uint64_t k = 0; k < 500; k++) {
        char text[200];
        size_t n = 0;
        for (uint64_t i = 0; n + 5 < sizeof text; i++) {
            const utf8proc_int32_t code = (utf8proc_int32_t)(1 + rng_below(0x2ffff, 5, RNG_TEST, k, i));
            if (code >= 0xd800 && code < 0xe000) continue;
            n += (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)text + n);
        }
        text[n] = '\0';
        area_text(area_box(canvas_area(&c), text, k % 2), (int)(k % 2), (int)(k % 7), 60, ROLE_TEXT, 0, text);
        char *dump = canvas_dump(&c, false);
        for (const char *p = dump; *p; p++) assert_true(*p == '\n' || (*p >= 32 && *p < 127));
        free(dump);
    }
    canvas_free(&c);
}

/* Whatever bytes come, every row has exactly its cells, no cell holds a control character, wide characters have both
 * halves. */
static void test_any_bytes_keep_the_grid(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 3, 31, GLYPHS_BRAILLE);
    for (uint64_t k = 0; k < 3000; k++) {
        char text[80];
        for (uint64_t i = 0; i < sizeof text - 1; i++) text[i] = (char)(1 + rng_below(255, 3, RNG_TEST, k, i));
        text[sizeof text - 1] = '\0';
        if (k % 3 == 0) memcpy(text + k % 40, "日本語字", 12);
        const int used = area_text(canvas_area(&c), (int)(k % 3), (int)(k % 29), 31, ROLE_TEXT, 0, text);
        assert_true(used >= 1 && used <= 31);
        for (int i = 0; i < c.rows * c.cols; i++) {
            const struct cell *cell = &c.cell[i];
            assert_true(cell->width <= 2);
            if (cell->width == 0) assert_true(i % c.cols > 0 && cell[-1].width == 2 && cell->text[0] == '\0');
            if (cell->width == 2) assert_true(i % c.cols + 1 < c.cols && cell[1].width == 0);
            if (cell->width) assert_true((unsigned char)cell->text[0] >= 32 && cell->text[0] != 127);
        }
    }
    canvas_free(&c);
}

static void test_overwriting_half_of_a_wide_character(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 1, 6, GLYPHS_BRAILLE);
    struct area a = canvas_area(&c);
    area_text(a, 0, 0, 6, ROLE_TEXT, 0, "日本語");
    area_text(a, 0, 1, 1, ROLE_TEXT, 0, "x");
    area_text(a, 0, 4, 1, ROLE_TEXT, 0, "y");
    expect_dump(&c, " x本y\n");
    canvas_free(&c);
}

static void test_areas_clip(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 3, 8, GLYPHS_BRAILLE);
    struct area inner = area_sub(canvas_area(&c), 1, 2, 10, 4);
    assert_int_equal(inner.rows, 2);
    assert_int_equal(inner.cols, 4);
    assert_int_equal(area_text(inner, 0, 1, 100, ROLE_TEXT, 0, "abcdef"), 3);
    assert_int_equal(area_text(inner, 2, 0, 4, ROLE_TEXT, 0, "below"), 0);
    assert_int_equal(area_text(inner, -1, 0, 4, ROLE_TEXT, 0, "above"), 0);
    assert_int_equal(area_text(inner, 0, 4, 4, ROLE_TEXT, 0, "right"), 0);
    area_fill(inner, 1, 0, 100, "日", ROLE_TEXT, 0);
    expect_dump(&c, "\n   ab…\n  日日\n");
    assert_int_equal(area_sub(inner, 5, 5, 1, 1).rows, 0);
    canvas_free(&c);
}

static void test_box(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 3, 12, GLYPHS_ASCII);
    struct area in = area_box(canvas_area(&c), "A long title", true);
    assert_int_equal(in.rows, 1);
    assert_int_equal(in.cols, 10);
    expect_dump(&c, "+ A long~ -+\n|          |\n+----------+\n");
    in = area_box(area_sub(canvas_area(&c), 0, 0, 2, 12), "none", false);
    assert_int_equal(in.rows, 2); /* no room for a box */
    canvas_free(&c);
}

static void expect_wrap(const char *text, int cols, const char *const *want, int n) {
    struct wrapped w;
    wrap_text(&w, text, cols);
    assert_int_equal(w.n, n);
    for (int i = 0; i < n; i++) {
        size_t len = w.len[i];
        while (len && text[w.start[i] + len - 1] == ' ') len--;
        assert_int_equal(len, strlen(want[i]));
        assert_memory_equal(text + w.start[i], want[i], len);
    }
    wrapped_free(&w);
}
#define EXPECT_WRAP(text, cols, ...)                                                                                   \
    do {                                                                                                               \
        const char *const want_[] = {__VA_ARGS__};                                                                     \
        expect_wrap(text, cols, want_, sizeof want_ / sizeof *want_);                                                  \
    } while (0)

static void test_wrapping(void **state) {
    (void)state;
    EXPECT_WRAP("", 10, "");
    EXPECT_WRAP("one two three", 7, "one two", "three");
    EXPECT_WRAP("one two three", 8, "one two", "three");
    EXPECT_WRAP("one   two", 4, "one", "two");
    EXPECT_WRAP("abcdefgh ij", 3, "abc", "def", "gh", "ij");
    EXPECT_WRAP("a\n\nb\n", 10, "a", "", "b");
    EXPECT_WRAP("  indented line", 10, "  indented", "line");
    EXPECT_WRAP("日本語", 4, "日本", "語");
    EXPECT_WRAP("日", 1, "日"); /* wider than the line: still progress */
    EXPECT_WRAP("\x9b\x9b", 3, "\x9b", "\x9b");
}

/* Every line fits and every byte that is not a blank is in exactly one line, in order. */
static void test_wrapping_loses_nothing(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 2000; k++) {
        char text[120];
        for (uint64_t i = 0; i < sizeof text - 1; i++) {
            static const char *const alphabet = "ab  c\n\xe6\x97\xa5\x9b ";
            text[i] = alphabet[rng_below(strlen(alphabet), 4, RNG_TEST, k, i)];
        }
        text[sizeof text - 1] = '\0';
        const int cols = 4 + (int)(k % 20);
        struct wrapped w;
        wrap_text(&w, text, cols);
        size_t at = 0;
        for (int i = 0; i < w.n; i++) {
            for (; at < w.start[i]; at++) assert_true(text[at] == ' ' || text[at] == '\n');
            assert_int_equal(at, w.start[i]);
            size_t len = w.len[i];
            char line[128] = "";
            while (len && text[w.start[i] + len - 1] == ' ') len--;
            memcpy(line, text + w.start[i], len);
            assert_true(text_cells(line) <= cols);
            at = w.start[i] + w.len[i];
        }
        for (; text[at]; at++) assert_true(text[at] == ' ' || text[at] == '\n');
        wrapped_free(&w);
    }
}

static void test_dump_with_roles(void **state) {
    (void)state;
    struct canvas c;
    canvas_init(&c, 1, 6, GLYPHS_BRAILLE);
    area_text(canvas_area(&c), 0, 0, 6, ROLE_A, 0, "ab");
    area_text(canvas_area(&c), 0, 3, 6, ROLE_ERROR, ATTR_BOLD, "x");
    char *dump = canvas_dump(&c, true);
    assert_string_equal(dump, "ab x\naa E\n");
    free(dump);
    canvas_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_hostile_bytes_are_shown),
        cmocka_unit_test(test_cut_with_a_mark),
        cmocka_unit_test(test_ascii_keeps_widths),
        cmocka_unit_test(test_ascii_canvas_holds_only_ascii),
        cmocka_unit_test(test_any_bytes_keep_the_grid),
        cmocka_unit_test(test_overwriting_half_of_a_wide_character),
        cmocka_unit_test(test_areas_clip),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_wrapping),
        cmocka_unit_test(test_wrapping_loses_nothing),
        cmocka_unit_test(test_dump_with_roles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
