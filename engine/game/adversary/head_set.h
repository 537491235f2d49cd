/* Scope `head` in play (algorithms.md section 4): the adversary is a linear reward r_w around the fitted one
 * (head_scope.h), and its ascent is an exact inner maximum over the confidence set that D_pref leaves (confidence.h).
 * This is what the game keeps for that between two steps.
 *
 * After every fit: a basis from rows of D_pref, the features of all pairs under it, the set. A label that changes, or a
 * pair that comes, later in the iteration takes effect in the set at its next use: features do not depend on labels,
 * and those of new pairs are added. So the set is a function of the fitted reward, the basis and D_pref as it is; a
 * resumed run makes it again, to the same bits, and a checkpoint holds nothing but the basis with the adversary's
 * weights and the vectors from which searches start. To the same bits: features are measured in chunks of D_pref that
 * lie where they lie however many pairs there are, and every fit of the set starts from the fitted reward's own
 * weights.
 *
 * Coverage (head_truth.c): where answers can be checked, labels of an oracle on the same pairs, under the same flip
 * rates and weights, give the true reward's w by maximum likelihood; is it in the set? And how many sets of labels that
 * its own law draws on the pairs that can be checked, with nothing flipped on top, give one that holds it? */
#ifndef PBKD_GAME_ADVERSARY_HEAD_SET_H
#define PBKD_GAME_ADVERSARY_HEAD_SET_H

#include "engine/reward/confidence.h"
#include "engine/game/game_parts.h"
#include "engine/reward/head_scope.h"

/* A training prompt that has an answer, by hash. */
struct checked_prompt {
    uint64_t hash;
    const struct prompt *prompt;
};

struct head_set {
    struct head_scope scope; /* basis, and the adversary's weights as the student and every value see them: f32 */
    struct confidence *set;  /* of the pairs that train */
    int cap_set;
    struct confidence_fit fit; /* L_hat is its loss */
    bool stale;                /* pairs or labels are not those of the set */
    int n_features;            /* 1 + rank */

    /* [cap_pairs, n_features] F(y0) - F(y1) of the first n_pairs pairs of D_pref, whether they train or not */
    float *difference;
    int n_pairs, cap_pairs;
    float *kept; /* [cap_kept, n_features] those of the set, and their labels */
    double *label, *flip, *weight;
    int cap_kept;
    float *answer; /* [cap_answers, n_features] scratch: F of every sequence of a batch */
    int cap_answers;

    double *vectors; /* owns the following, [n_features] each */
    double *centre;  /* w0 */
    double *w;       /* the adversary as the solver left it, where the next search starts */
    double *gap_sum; /* over the held-out prompts of the evaluation under way: F(y_E) - mean_k F(y_k) */
    double *truth;   /* the true reward, where truth_known */
    double *gap, *w_hat, *w_min, *w_max; /* scratch */
    bool truth_known;

    struct checked_prompt *checked;
    int n_checked;
};

/* Of the game whose adversary is head. */
static inline struct head_set *head_set_of(const struct game *g) { return g->adversary.state; }

/* For the rank that the options ask for, of a reward of m's shape; pairs and prompts are those of g later on. NULL with
 * e filled. */
struct head_set *head_set_new(const struct options *o, const struct model *m, struct err *e);
void head_set_free(struct head_set *h); /* NULL is fine */

/* Room in h->answer for the features of n sequences. */
bool head_reserve_answers(struct head_set *h, int n, struct err *e);

/* What sets are made of. The pairs that train, with the labels in force, into `kept`; returns their number, -1 with e
 * filled. */
int head_keep_pairs(struct game *g, struct err *e);
/* Fit the n kept pairs from w0: `fit`, and w_hat gets the weights. */
bool head_fit_kept(struct game *g, int n, struct err *e);
/* zeta of the last fit: the option, or by Wilks' theorem; where the pairs tell nothing the option again, and `why` says
 * so (else it is empty). */
double head_radius(const struct game *g, struct err *why);

/* Directions and variances of the basis anew, from rows of D_pref as it is. */
bool head_build_basis(struct game *g, struct err *e);
/* Features of the pairs that have none yet. GAME_ABANDONED: what was measured is kept. */
enum game_result head_measure_pairs(struct game *g, struct err *e);
/* The set of the pairs that train, its best fit and its radius: what the state says of L_hat and zeta follows. */
bool head_make_set(struct game *g, struct err *e);

#endif
