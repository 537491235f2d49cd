/* Random problems for the confidence set of rewards, the engine's answers to them, and the same written down again
 * without a solver. Everything here fails the test on error. */
#ifndef PBKD_TESTS_SUPPORT_CONFIDENCE_PROBLEM_H
#define PBKD_TESTS_SUPPORT_CONFIDENCE_PROBLEM_H

#include <stdint.h>

#include "engine/reward/confidence.h"

enum { MAX_D = 64, MAX_N = 1200 };

struct problem {
    int n, d;
    float *feature;
    double label[MAX_N], flip[MAX_N], weight[MAX_N];
    double centre[MAX_D], g[MAX_D], ridge, bound, zeta;
    struct confidence *c;
    struct confidence_fit fit;
    double w_hat[MAX_D];
    uint64_t seed, drawn;
};

/* Soft, hard and tied labels, some without flip rate, weights with zeros, any centre. Tests change what they like
 * before the fit. */
struct problem *problem_new(uint64_t seed, int n, int d);
void problem_free(struct problem *p);
/* More random numbers of its own. */
double problem_uniform(struct problem *p);
double problem_normal(struct problem *p);
struct confidence_pairs problem_pairs(const struct problem *p);

/* Set the pairs and fit, from w0: fit and w_hat. */
void problem_fit(struct problem *p);
void problem_interval(struct problem *p, double *w_min, struct confidence_optimum *min, double *w_max,
                      struct confidence_optimum *max);
void problem_ascend(struct problem *p, double beta, double *w, struct confidence_optimum *out);

/* L(w) by the definition; gradient may be NULL. */
double problem_loss(const struct problem *p, const double *w, double *gradient);
/* min_R or max_R g.w by search, d <= 3. */
double problem_extreme(struct problem *p, bool minimum);

#endif
