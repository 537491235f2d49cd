/* A pair of D_pref from a prompt and two responses, whoever they come from: collected, written by a person, or read
 * from a file. */
#ifndef PBKD_CORPUS_PAIR_H
#define PBKD_CORPUS_PAIR_H

#include "engine/pref/dpref.h"

/* A prompt or a response: its text, its tokens as the student reads them, and who gave it. Borrowed. */
struct passage {
    const char *text;
    const int32_t *token;
    int n;
    bool truncated;
    struct answer_by by; /* of a response */
};

/* Append the pair of two responses to x; everything is copied, tick, iteration, edit and label come from *label.
 * Responses that are identical, as texts or as tokens, make no pair: *made. The caller holds a transaction. */
bool pair_add(struct dpref *d, const struct pref_pair *label, const struct passage *x, const struct passage *y0,
              const struct passage *y1, bool *made, struct err *e);

#endif
