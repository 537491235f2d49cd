/* The preference likelihood (Bradley-Terry-Luce): loss of pairs, its gradient, maximum-likelihood steps, and the
 * figures that say how good a reward is on a set of pairs. Symbols as in algorithms.md section 1. */
#ifndef PBKD_REWARD_PREF_FIT_H
#define PBKD_REWARD_PREF_FIT_H

#include "engine/reward/reward.h"
#include "engine/pref/dpref.h"

/* Pair loss l = -[o~ log s(D) + (1-o~) log s(-D)], o~ = (1-e) o + e (1-o); *dl = dl/dD = s(D) - o~. No overflow at any
 * D. */
double pref_loss(double delta, double o, double flip, double *dl);

/* The same of a pair, where a label of strength s asks for a difference of margin * s in its direction: D becomes D -
 * (2o-1) margin s. A tie asks for none; margin 0 is the plain likelihood, to the bit. */
double pref_pair_loss(const struct pref_pair *p, double delta, double margin, double *dl);

/* The sequences of n pairs, a teacher output shared by neighbouring pairs of one prompt entering once. first[i],
 * second[i]: index of the sequence of y0 and y1 of pair i. */
void pref_sequences(struct sequences *s, const struct pref_pair *const *pair, int n, bool include_last, int *first,
                    int *second);

/* Scratch for batches of pairs; grows on demand. */
struct pref_space {
    struct sequences seqs;
    const struct pref_pair **pair;
    int *first, *second;
    double *value, *dvalue;
    double margin; /* of pref_pair_loss: set by the owner */
    int cap;
};
void pref_space_reserve(struct pref_space *p, int n_pairs, int n_extra_sequences);
void pref_space_free(struct pref_space *p);

/* One maximum-likelihood step on p->pair[0..n): weighted mean loss + center * (r0 + r1)^2. *nll is the loss without the
 * centring term. */
bool pref_fit_step(struct reward *r, struct pref_space *p, int n, double center, double lr, double *nll,
                   int64_t *tokens, struct err *e);

/* Sums over pairs, to be accumulated chunk by chunk (they are part of a checkpoint). Accuracy counts a decided pair (o
 * != 1/2) as right when the sign of Delta agrees; a pair without a label counts for nothing. */
struct pref_sums {
    double nll, weight, n, correct, decided, length_correct, human_correct, human_decided;
};
/* Score p->pair[0..n) and add to *sums. delta (may be NULL) gets r(y0) - r(y1) of each pair. */
bool pref_evaluate(struct reward *r, struct pref_space *p, int n, struct pref_sums *sums, double *delta,
                   int64_t *tokens, struct err *e);

#endif
