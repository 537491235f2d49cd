/* Pre-tokenizers: cut text into the pieces that byte-pair merging never crosses.
 *
 * The published patterns are regular expressions with look-ahead; a backtracking engine overflows its stack on long
 * runs, so the alternatives are written out by hand once and differ by flags. Every byte of the text lands in exactly
 * one piece. */
#ifndef PBKD_TEXT_SCANNER_H
#define PBKD_TEXT_SCANNER_H

#include <stdbool.h>
#include <stddef.h>

enum scanner_flag {
    SCAN_ANY_CASE = 1,    /* 's 't 're 've 'm 'll 'd in either (ASCII) case */
    SCAN_DIGIT_ALONE = 2, /* every N is first cut out as a piece of its own; the rest is scanned between the cuts */
    SCAN_DIGITS_3 = 4,    /* numbers in groups of at most three, never with a space before them */
    SCAN_PREFIX_CHAR =
        8, /* letters may take any one character before them (not newline, letter, number), not only a space */
    SCAN_NEWLINES = 16 /* newlines stick to the punctuation before them, and to blanks before them */
};

#define SCAN_GPT2 0u
#define SCAN_SMOLLM SCAN_DIGIT_ALONE
#define SCAN_LLAMA3 (SCAN_ANY_CASE | SCAN_DIGITS_3 | SCAN_PREFIX_CHAR | SCAN_NEWLINES)

/* Flags of a tokenizer.ggml.pre name; false when the name is unknown. */
bool scanner_by_name(const char *pre, size_t len, unsigned *flags);

/* Length in bytes of the piece that starts at s; 1..len for len >= 1. Invalid UTF-8 counts byte by byte as punctuation.
 * Calling it again on what is left cuts the whole text in linear time. */
size_t scanner_next(unsigned flags, const char *s, size_t len);

#endif
