/* The vote of the samples of one prompt on its final answer (self-consistency, arXiv 2203.11171). */
#ifndef PBKD_PREF_VOTE_H
#define PBKD_PREF_VOTE_H

#include <stdbool.h>

/* Final answers as text; equal answers are equal texts; NULL: there is none (an answer that was cut, for one), which
 * agrees with nothing. Borrowed. */
struct vote {
    const char *const *answer;
    int n;
    const char *majority; /* given most often, by two at least and by more than any other; NULL: there is none */
};
void vote_count(struct vote *v, const char *const *answer, int n);
/* Samples that give this answer, over all samples. */
double vote_share(const struct vote *v, const char *answer);
/* A text as its own final answer, where no checker knows better: compatibility forms and case folded, runs of blanks
 * made one space, blanks at the ends and one full stop at the end taken off; NULL when nothing is left. Caller frees.
 */
char *vote_text_answer(const char *text);
/* Whether two final answers are the same; none agrees with nothing. */
bool vote_agree(const char *a, const char *b);

#endif
