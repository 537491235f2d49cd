/* The difference of two texts word by word, for eyes. Blanks between words are carried along and do not count as
 * differences. */
#ifndef PBKD_VIEWS_WORD_DIFF_H
#define PBKD_VIEWS_WORD_DIFF_H

#include "views/styled.h"

enum diff_op { DIFF_SAME, DIFF_REMOVED, DIFF_ADDED };

struct diff_span {
    enum diff_op op;
    size_t start, len; /* in a (same, removed) or in b (added) */
    size_t start_b;    /* of a same span, in b */
};

struct word_diff {
    struct diff_span *span; /* owned; removed before added where both stand at one place */
    int n;
    bool coarse; /* too long to compare: everything between the common ends counts as changed */
};

void word_diff(struct word_diff *d, const char *a, const char *b);
void word_diff_free(struct word_diff *d);

/* Both texts as one: [-words only in a-] and {+words only in b+}, with the roles for removed and added. */
void word_diff_unified(struct styled *out, const char *a, const char *b);
/* One side: a's own text with {+words that b has not+} in role `mark`. Sources are offsets in a. */
void word_diff_side(struct styled *out, const char *a, const char *b, enum role mark);

#endif
