/* A game as the failure signatures see it, whose figures a test makes by hand: rows are pushed with the next tick and
 * iteration, every push is followed by a check, and what the checks found is counted. */
#ifndef PBKD_TESTS_SUPPORT_SIGNATURE_FEED_H
#define PBKD_TESTS_SUPPORT_SIGNATURE_FEED_H

#include "engine/signature/signature.h"

/* Its history, its alerts, and what the last check found. */
struct fed_game {
    struct signature_history history;
    struct signature_alerts alerts;
    struct signature_finding finding[SIGNATURE_MAX_DETECTORS];
    int n;
    double tick, iteration;
    double row[N_EVAL_FIGURES], step[N_STEP_FIGURES]; /* the rows to be pushed next */
    /* a figure that does not exist in this game; 0: none is missing */
    int hide_evaluation, hide_step;
    int raised, cleared; /* findings so far */
};

void fed_new(struct fed_game *g);
void fed_check(struct fed_game *g);

/* Push the row, or the row of a step, and check; it is empty afterwards. */
void fed_evaluation(struct fed_game *g);
void fed_step(struct fed_game *g);
/* A gap and its interval in the row to be pushed. */
void fed_gap(struct fed_game *g, int figure, double mean, double half);

/* Many rows of one figure; LIST(...) gives x and n. */
#define LIST(...) (const double[]){__VA_ARGS__}, (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double))
void fed_evaluations(struct fed_game *g, int figure, const double *x, int n);
void fed_gaps(struct fed_game *g, int figure, double half, const double *x, int n);
/* n steps at x; and around it, two of three 30 % off. */
void fed_flat_steps(struct fed_game *g, int figure, double x, int n);
void fed_steps(struct fed_game *g, int figure, double x, int n);

/* NULL: the last check did not find it. */
const struct signature_finding *fed_find(const struct fed_game *g, enum signature_id id);

#endif
