/* The hand-written scanner: one function per alternative of the published patterns, tried in their order.
 *
 *   gpt-2      's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?[^\s L N]+|\s+(?!\S)|\s+
 *   smollm     every single N isolated, then gpt-2 on what lies between
 *   llama-bpe  (?i:'s|..)|[^\r\n L N]?L+|N{1,3}| ?[^\s L N]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * L and N are the Unicode general categories L* and N* (from utf8proc), \s the White_Space property. */
#include "engine/text/scanner.h"

#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

enum char_class { CLASS_END, CLASS_LETTER, CLASS_NUMBER, CLASS_SPACE, CLASS_OTHER };

struct text_view {
    const unsigned char *s;
    size_t len;
    unsigned flags;
};

bool scanner_by_name(const char *pre, size_t len, unsigned *flags) {
    static const struct {
        const char *name;
        unsigned flags;
    } known[] = {
        {"gpt-2", SCAN_GPT2},       {"phi-2", SCAN_GPT2},       {"olmo", SCAN_GPT2},       {"mpt", SCAN_GPT2},
        {"smollm", SCAN_SMOLLM},    {"starcoder", SCAN_SMOLLM}, {"refact", SCAN_SMOLLM},   {"command-r", SCAN_SMOLLM},
        {"llama-bpe", SCAN_LLAMA3}, {"llama3", SCAN_LLAMA3},    {"llama-v3", SCAN_LLAMA3}, {"falcon3", SCAN_LLAMA3},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == len && memcmp(known[i].name, pre, len) == 0) {
            *flags = known[i].flags;
            return true;
        }
    return false;
}

static bool is_space(int32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static enum char_class class_of(int32_t c) {
    if (is_space(c)) return CLASS_SPACE;
    if (c < 0x80) { /* most text; saves the table look-up */
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return CLASS_LETTER;
        return c >= '0' && c <= '9' ? CLASS_NUMBER : CLASS_OTHER;
    }
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return CLASS_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CLASS_NUMBER;
    default: return CLASS_OTHER;
    }
}

/* Class of the character at byte i and its length; CLASS_END with length 0 past the end. */
static enum char_class look(const struct text_view *t, size_t i, size_t *width) {
    *width = 0;
    if (i >= t->len) return CLASS_END;
    size_t left = t->len - i;
    utf8proc_int32_t c = 0;
    utf8proc_ssize_t w = utf8proc_iterate(t->s + i, left < 4 ? (utf8proc_ssize_t)left : 4, &c);
    *width = w > 0 ? (size_t)w : 1;
    return w > 0 ? class_of(c) : CLASS_OTHER;
}

/* End of the run of characters of one class that starts at i; at most max characters. */
static size_t run_end(const struct text_view *t, size_t i, enum char_class want, size_t max) {
    size_t w = 0;
    while (max-- > 0 && look(t, i, &w) == want) i += w;
    return i;
}

static bool is_newline(unsigned char c) { return c == '\r' || c == '\n'; }

static size_t match_contraction(const struct text_view *t) {
    static const char *const tail[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (t->len < 2 || t->s[0] != '\'') return 0;
    for (size_t k = 0; k < sizeof tail / sizeof *tail; k++) {
        size_t n = strlen(tail[k]), i = 0;
        if (t->len - 1 < n) continue;
        for (; i < n; i++) {
            unsigned char c = t->s[1 + i];
            if ((t->flags & SCAN_ANY_CASE) && c >= 'A' && c <= 'Z') c = (unsigned char)(c - 'A' + 'a');
            if (c != (unsigned char)tail[k][i]) break;
        }
        if (i == n) return 1 + n;
    }
    return 0;
}

/* The blanks at the start of the view. A blank directly before a word belongs to the word when it is a plain space, so
 * a run gives its last character back; the end of the text (or a digit that was cut out before) takes nothing. */
static size_t match_blanks(const struct text_view *t) {
    size_t end = 0, last = 0, after_newline = 0, w = 0;
    while (look(t, end, &w) == CLASS_SPACE) {
        last = end;
        end += w;
        if (is_newline(t->s[last])) after_newline = end;
    }
    if ((t->flags & SCAN_NEWLINES) && after_newline > 0) return after_newline;
    enum char_class next = look(t, end, &w);
    bool at_end = next == CLASS_END || (next == CLASS_NUMBER && (t->flags & SCAN_DIGIT_ALONE));
    return at_end || last == 0 ? end : last;
}

/* Letters, numbers or punctuation starting at byte `from` (after the optional character before them). */
static size_t match_run(const struct text_view *t, size_t from, enum char_class c) {
    size_t max = SIZE_MAX;
    if (c == CLASS_NUMBER && (t->flags & SCAN_DIGIT_ALONE))
        max = 1;
    else if (c == CLASS_NUMBER && (t->flags & SCAN_DIGITS_3))
        max = 3;
    size_t end = run_end(t, from, c, max);
    if (c == CLASS_OTHER && (t->flags & SCAN_NEWLINES))
        while (end < t->len && is_newline(t->s[end])) end++;
    return end;
}

size_t scanner_next(unsigned flags, const char *s, size_t len) {
    const struct text_view t = {(const unsigned char *)s, len, flags};
    size_t n = match_contraction(&t);
    if (n > 0) return n;
    size_t w = 0, w2 = 0;
    enum char_class first = look(&t, 0, &w), second = look(&t, w, &w2);
    if ((flags & SCAN_PREFIX_CHAR) && second == CLASS_LETTER &&
        (first == CLASS_OTHER || (first == CLASS_SPACE && !is_newline(t.s[0]))))
        return match_run(&t, w, CLASS_LETTER);
    if (first != CLASS_SPACE) return first == CLASS_END ? 0 : match_run(&t, 0, first);
    bool takes_space = second == CLASS_LETTER || second == CLASS_OTHER ||
                       (second == CLASS_NUMBER && !(flags & (SCAN_DIGIT_ALONE | SCAN_DIGITS_3)));
    if (t.s[0] == ' ' && takes_space) return match_run(&t, w, second);
    return match_blanks(&t);
}
