/* Labellers: who says which answer of a new pair is better (algorithms.md section 7). One interface: label_pair is
 * given what is known of a pair and fills in the label. It draws no conclusion from the order of calls: its random
 * numbers are keyed by (seed, RNG_LABEL, tick, index), so a resumed run labels as the uninterrupted one did.
 *
 *   teacher  y0, the teacher's output, is preferred (the paper's assumption)
 *   human    the pair waits for a person
 *   oracle   the checker: the only right answer is preferred; both right or both wrong is a tie
 *   self     no labeller at all, self-consistency (arXiv 2203.11171): the student's samples of the prompt vote on its
 *            final answer, the teacher's output has no vote. The answer that agrees with the majority is preferred to
 *            one that does not, be it the teacher's or the student's, with the difference of their shares of the vote
 *            as strength; both or neither is a tie
 *   import   the labels are those of a file: new pairs are not made
 *
 * Where a labeller knows nothing (oracle: the prompt has no answer to check; self: no majority) the pair is left to a
 * person, and stays out of training until one decides. Online every pair is y0 = teacher, y1 = a sample of the student,
 * whoever labels: pairs of two samples would be of one policy, and tell the reward nothing about the gap to the
 * teacher. Offline the answers come from several models and are ranked: a pair of two others is made where the labeller
 * puts one before the other, or a person is to (`teacher` knows nothing about them). */
#ifndef PBKD_PREF_LABELLER_H
#define PBKD_PREF_LABELLER_H

#include "engine/pref/dpref.h"
#include "engine/pref/vote.h"

enum labeller {
#define LABELLER(id, ...) LABELLER_##id,
#include "engine/option/labellers.def"
    N_LABELLERS
};

/* What a labeller needs of a run, as bits: a person who decides later, a checker, samples that vote, a file whose labels
 * are all there are. And what it knows: the order of two answers neither of which is the teacher's, or not. */
enum { NEEDS_PERSON = 1, NEEDS_CHECKER = 2, NEEDS_SAMPLES = 4, NEEDS_FILE = 8, KNOWS_TEACHER_ALONE = 16 };

struct label_case;
struct labeller_info {
    const char *name, *help;
    enum label_source source; /* of its labels */
    unsigned needs;
    /* Fill in o and strength of a pair; false: it knows nothing about the pair. */
    bool (*decide)(const struct label_case *c, struct pref_pair *p);
};
extern const struct labeller_info LABELLERS[N_LABELLERS];

/* What the struct's `decide` is, of every row: labellers/STEM.c. */
#define LABELLER(id, name, number, needs, stem, ...)                                                                   \
    bool labeller_##stem##_decide(const struct label_case *c, struct pref_pair *p);
#include "engine/option/labellers.def"

/* ---- mixtures ---- */

struct labeller_mix {
    double share[N_LABELLERS]; /* >= 0, their sum is 1 */
};
/* "NAME" or "NAME:SHARE,NAME:SHARE"; shares are normalised, without any all are equal. Errors say what is wrong, not
 * where it was set. */
bool labeller_mix_parse(const char *text, struct labeller_mix *m, struct err *e);
/* The needs of all labellers with a share. */
unsigned labeller_mix_needs(const struct labeller_mix *m);
/* The labeller at u in [0,1): each with its share. */
enum labeller labeller_mix_draw(const struct labeller_mix *m, double u);

/* ---- labels ---- */

struct label_policy {
    struct labeller_mix mix;
    double noise; /* p in [0,0.5): a label is turned round with this probability; those of people and files are not */
    uint64_t seed;
    double flip[N_LABELLERS], weight[N_LABELLERS]; /* assumed flip rate e and weight of each labeller's labels */
};

enum verdict { VERDICT_NONE, VERDICT_WRONG, VERDICT_RIGHT };

struct label_case { /* what is known of the pair; [0] is y0, [1] is y1 */
    int64_t tick;
    uint64_t index;          /* of the pair among those of its tick */
    const char *text[2];     /* borrowed */
    enum verdict verdict[2]; /* the checker's */
    const char *answer[2];   /* final answers, as in the vote */
    const struct vote *vote; /* NULL: nobody voted, `self` knows nothing */
    bool others;             /* neither answer is the teacher's output */
};

enum label_outcome { LABEL_GIVEN, LABEL_AWAITED, LABEL_NO_PAIR };

/* Exactly one of the two is preferred, with this strength, or it is a tie. For functions that decide. */
void label_prefer(struct pref_pair *p, bool first, bool second, double strength);

/* Fill in source, active, o, weight, flip, strength, noise and flipped of p; its other fields are left alone.
 * LABEL_AWAITED: source none and inactive, a person may decide. LABEL_NO_PAIR: p is not to be made. */
enum label_outcome label_pair(const struct label_policy *policy, const struct label_case *c, struct pref_pair *p);

#endif
