/* Checkable answers: whether a response ends at the known answer. Texts are NUL-terminated and may hold anything,
 * broken UTF-8 included. */
#ifndef PBKD_CORPUS_CHECKER_H
#define PBKD_CORPUS_CHECKER_H

#include <stdbool.h>

/* The last number of `response` (thousands commas and a trailing full stop ignored) equals the last number of `answer`.
 * Answers that end in "#### N" are read the same way. False when either holds no number. */
bool checker_number(const char *response, const char *answer);

/* The last number of a response as text, the same for numbers that are equal in nine digits (which checker_number takes
 * for equal, but for its rounding); NULL when there is none. Caller frees. */
char *checker_number_answer(const char *response);

/* The last word of `response` equals `answer`; of an answer of several words the last words, in their order. A word is
 * letters, marks and digits, with apostrophes and hyphens inside it; all else, broken UTF-8 too, stands between words.
 * Case and compatibility forms (NFKC case folding) make no difference. False when the answer holds no word. */
bool checker_word(const char *response, const char *answer);

/* The last word of a response, folded as above; NULL when there is none. Caller frees. */
char *checker_word_answer(const char *response);

/* By the option prompts.checker (CHECKER_NONE knows no right answer and finds none: false, NULL). */
bool checker_right(int checker, const char *response, const char *answer);
char *checker_answer(int checker, const char *response);

#endif
