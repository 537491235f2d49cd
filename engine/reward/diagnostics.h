/* How far a fitted reward can be trusted, in figures for people (algorithms.md section 3, "always report"): what it
 * ranks right and where not, how sure it is and whether it may be, what would do without a reward at all, and which
 * pairs to look at. A pure function of scored pairs; nothing in the game decides by it. */
#ifndef PBKD_REWARD_DIAGNOSTICS_H
#define PBKD_REWARD_DIAGNOSTICS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/math/stats.h"
#include "engine/pref/dpref.h"

/* A pair of D_pref as the reward sees it; Delta = reward0 - reward1. */
struct scored_pair {
    int64_t id;
    double reward0, reward1; /* r(x,y0), r(x,y1) */
    int length0, length1;    /* of y0 and y1, in tokens */
    /* the label: P(y0 preferred), the flip rate that the likelihood assumes, the weight in it */
    double o, flip, weight;
    double margin; /* the difference that the likelihood asks for (pref_pair_loss): label.margin x strength */
    enum label_source source;
    int iteration; /* when it was made */
    bool heldout;
};

/* Labels are decided when o != 1/2. A decided pair is right when the sign of Delta agrees with its label, half right
 * when Delta is 0. */
struct diag_tally {
    int n; /* decided pairs */
    double right;
};
double diag_share(struct diag_tally t); /* NAN of none */

enum { DIAG_TRAIN, DIAG_HELDOUT, DIAG_SPLITS };
/* iterations since the pair was made; 4: or more */
enum { DIAG_AGE_0, DIAG_AGE_1, DIAG_AGE_2_3, DIAG_AGE_4, DIAG_AGES };
/* the preferred answer, beside the other one */
enum { DIAG_SHORTER, DIAG_AS_LONG, DIAG_LONGER, DIAG_LENGTHS };
enum { DIAG_BINS = 10, DIAG_MARGINS = 16, DIAG_LISTED = 16 };

struct diag_pair { /* a pair to look at */
    int64_t id;
    double reward0, reward1, o;
    double loss; /* nats; NAN without a label */
    enum label_source source;
    int iteration;
    bool heldout;
};

struct diagnostics {
    int iteration; /* of the fit that was measured; 0: none yet */
    int64_t tick;
    int n[DIAG_SPLITS]; /* labelled pairs that were measured */
    int n_not_finite;   /* pairs with a reward that is no number: counted here and nowhere else */
    struct diag_tally accuracy[DIAG_SPLITS];
    struct diag_tally by_source[N_LABEL_SOURCES][DIAG_SPLITS]; /* SOURCE_HUMAN: pairs that people labelled */
    struct diag_tally by_age[DIAG_AGES][DIAG_SPLITS];          /* DIAG_AGE_0: the newest iteration */
    struct diag_tally by_length[DIAG_LENGTHS][DIAG_SPLITS];
    double nll[DIAG_SPLITS]; /* mean pair loss, nats per unit weight; NAN of none */
    /* Calibration of what it says of labelled held-out pairs: sure = s(|Delta|), the probability of the answer it
     * prefers, against right = the label's probability of that answer (1, 0, tie 1/2), so that the order of the answers
     * in a pair does not matter. NAN, and no bins, below DIAG_BINS pairs. With a flip rate e the likelihood's best
     * answer to a certain label is sure = 1 - e: such a reward is modest by design. */
    double ece, brier;
    int n_bins;                            /* 0 or DIAG_BINS */
    struct calibration_bin bin[DIAG_BINS]; /* p = sure, o = right */
    /* Margins Delta * sign(2o-1) of decided pairs in equal bins over [-margin_max, margin_max]: below 0 is ranked
     * wrong; 0 counts to the right. The outermost bins also hold what lies beyond, so that a few large margins do not
     * squeeze the others into one bin. */
    double margin_max; /* the smallest round number that holds 98 % of them on both sides; 1 of none */
    int margin[DIAG_SPLITS][DIAG_MARGINS], n_beyond[DIAG_SPLITS];
    /* What does without a reward, over the decided pairs of both splits; NAN of none. */
    double length_only; /* preferring the longer answer, equal lengths half right */
    /* saying y0, or y1, always, whichever is more often right: 1 where every label prefers the teacher */
    double majority;
    /* Pearson, of r(x,y) with the length of y over both answers of every pair; NAN below two pairs */
    double length_correlation;
    int n_uncertain, n_disputed;             /* at most DIAG_LISTED; equal keys: the newer pair first */
    struct diag_pair uncertain[DIAG_LISTED]; /* smallest |Delta| first */
    struct diag_pair disputed[DIAG_LISTED];  /* labelled, largest loss first */
};

/* Figures of n pairs, scored after the fit of `iteration` at `tick`. n = 0 gives zeros and NANs. */
void diagnostics_measure(struct diagnostics *d, const struct scored_pair *pair, int n, int iteration, int64_t tick);

/* For checkpoints: a list of numbers (reals as C99 hexadecimal floats, so no bit is lost), and back; null where nothing
 * was measured. Reading checks the number of entries and every range, so what was read can be shown. */
cJSON *diagnostics_to_json(const struct diagnostics *d);
bool diagnostics_from_json(struct diagnostics *d, const cJSON *json, const char *where, struct err *e);

#endif
