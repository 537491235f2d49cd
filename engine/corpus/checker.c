/* The numeric checker ("flexible" match of grade-school mathematics benchmarks) and that of words: see checker.h. */
#include "engine/corpus/checker.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/option/option.h"

/* ---- numbers ---- */

/* Value of the last number in s; false when there is none. */
static bool last_number(const char *s, double *out) {
    const char *end = s + strlen(s);
    while (end > s && !isdigit((unsigned char)end[-1])) end--;
    if (end == s) return false;
    const char *begin = end;
    while (begin > s && (isdigit((unsigned char)begin[-1]) || begin[-1] == '.' || begin[-1] == ',')) begin--;
    while (!isdigit((unsigned char)*begin)) begin++;
    const bool negative = begin > s && begin[-1] == '-' && (begin - 1 == s || !isalnum((unsigned char)begin[-2]));
    char digits[64];
    size_t n = 0;
    for (const char *p = begin; p < end; p++) {
        if (*p == ',') continue;
        if (n + 1 >= sizeof digits) return false;
        digits[n++] = *p;
    }
    digits[n] = '\0';
    char *rest;
    *out = strtod(digits, &rest) * (negative ? -1.0 : 1.0);
    return *rest == '\0' && isfinite(*out);
}

char *checker_number_answer(const char *response) {
    double value;
    if (!last_number(response, &value)) return NULL;
    struct strbuf b = {0};
    strbuf_printf(&b, "%.9g", value + 0.0); /* -0 is 0 */
    return strbuf_take(&b);
}

bool checker_number(const char *response, const char *answer) {
    double got, expected;
    return last_number(response, &got) && last_number(answer, &expected) &&
           fabs(got - expected) <= 1e-9 * fmax(1.0, fabs(expected));
}

/* ---- words ---- */

enum part { PART_GAP, PART_WORD, PART_MARK, PART_JOINER, PART_NOTHING };

/* What a character is in a word. A mark belongs to the letter before it and is no word alone; what nobody sees parts
 * nothing. */
static enum part part_of(utf8proc_int32_t c) {
    if (c == '\'' || c == 0x2019 || c == '-' || c == 0x2010 || c == 0x2011) return PART_JOINER;
    if (utf8proc_get_property(c)->ignorable) return PART_NOTHING;
    switch (utf8proc_category(c)) {
    /* clang-format off */
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO: return PART_WORD;
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME: return PART_MARK;
    /* clang-format on */
    case UTF8PROC_CATEGORY_CF: return PART_NOTHING;
    default: return PART_GAP;
    }
}

/* The words of s, one space between two; joiners are made ' and -. */
static void split_words(struct strbuf *out, const char *s) {
    const utf8proc_uint8_t *u = (const utf8proc_uint8_t *)s;
    const size_t len = strlen(s);
    char joiner = 0;
    bool inside = false;
    for (size_t i = 0; i < len;) {
        utf8proc_int32_t c = 0;
        const utf8proc_ssize_t left = len - i > 4 ? 4 : (utf8proc_ssize_t)(len - i),
                               n = utf8proc_iterate(u + i, left, &c);
        const enum part part = n > 0 ? part_of(c) : PART_GAP;
        if (part == PART_WORD || (part == PART_MARK && inside && !joiner)) {
            if (joiner)
                strbuf_putc(out, joiner);
            else if (!inside && out->len > 0)
                strbuf_putc(out, ' ');
            strbuf_add(out, s + i, (size_t)n);
            inside = true;
            joiner = 0;
        } else if (part == PART_JOINER && inside && !joiner) {
            joiner = c == '\'' || c == 0x2019 ? '\'' : '-';
        } else if (part != PART_NOTHING) {
            inside = false;
            joiner = 0;
        }
        i += n > 0 ? (size_t)n : 1;
    }
}

/* The words of s, folded; caller frees. */
static char *folded_words(const char *s) {
    struct strbuf b = {0};
    split_words(&b, s);
    utf8proc_uint8_t *folded = NULL;
    const utf8proc_option_t how =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_map((const utf8proc_uint8_t *)strbuf_str(&b), (utf8proc_ssize_t)b.len, &folded, how);
    strbuf_free(&b);
    return folded ? (char *)folded : mem_strdup("");
}

bool checker_word(const char *response, const char *answer) {
    char *got = folded_words(response), *expected = folded_words(answer);
    const size_t n = strlen(got), m = strlen(expected);
    const bool right = m > 0 && n >= m && strcmp(got + n - m, expected) == 0 && (n == m || got[n - m - 1] == ' ');
    free(got);
    free(expected);
    return right;
}

char *checker_word_answer(const char *response) {
    char *words = folded_words(response);
    const char *space = strrchr(words, ' '), *last = space ? space + 1 : words;
    char *answer = *last ? mem_strdup(last) : NULL;
    free(words);
    return answer;
}

/* ---- by option ---- */

bool checker_right(int checker, const char *response, const char *answer) {
    switch (checker) {
    case CHECKER_NUMBER: return checker_number(response, answer);
    case CHECKER_WORD: return checker_word(response, answer);
    default: return false;
    }
}

char *checker_answer(int checker, const char *response) {
    switch (checker) {
    case CHECKER_NUMBER: return checker_number_answer(response);
    case CHECKER_WORD: return checker_word_answer(response);
    default: return NULL;
    }
}
