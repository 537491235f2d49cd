/* Checkable answers: whether a response ends at the known answer. */
#ifndef PBKD_EVAL_CHECKER_H
#define PBKD_EVAL_CHECKER_H

#include <stdbool.h>

/* The last number of `response` (thousands commas and a trailing full stop ignored) equals the last number of `answer`. Answers that end in
 * "#### N" are read the same way. False when either holds no number. */
bool checker_number(const char *response, const char *answer);

/* The last number of a response as text, the same for numbers that are equal in nine digits (which checker_number takes for equal, but for its rounding);
 * NULL when there is none. Caller frees. */
char *checker_number_answer(const char *response);

#endif
