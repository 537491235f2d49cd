/* What the parts of the confidence module share: the workspace, and Newton's method on it (confidence_newton.c). */
#ifndef PBKD_REWARD_CONFIDENCE_PRIVATE_H
#define PBKD_REWARD_CONFIDENCE_PRIVATE_H

#include <math.h>
#include <stddef.h>

#include "engine/reward/confidence.h"

struct confidence_point {
    double *w, *gradient; /* [d]; gradient of L */
    double loss;
};

struct confidence {
    int max_pairs, d;
    double *memory; /* holds all arrays below */

    /* Pairs. */
    int n; /* 0: none */
    const float *feature;
    /* [max_pairs] o~; weight, summing to 1; weight * s'(f.w) where L was last evaluated */
    double *label, *weight, *curvature;
    double *centre; /* [d] */
    double ridge, bound;
    double feature_scale; /* sum_i weight_i |f_i|: the gradient of L is never longer */
    double n_effective;

    /* Fit. */
    bool have_fit;
    double loss_hat, wilks_dimension;
    double *w_hat, *hessian_hat; /* [d]; [d,d], lower triangle */

    /* State of a solve: the point reached, the next one, and a Hessian of L from somewhere near. */
    struct confidence_point now, trial;
    const double *hessian; /* hessian_hat, hessian_own or NULL: none yet */
    double *hessian_own;   /* [d,d] */
    double trace;          /* of *hessian */
    double mu;             /* of the last step */
    int steps, hessians;   /* taken, computed since confidence_newton_begin */

    /* Cholesky factor of factor_beta * hessian + factor_shift * I. */
    bool factor_valid;
    double factor_beta, factor_shift;
    double *factor; /* [d,d] */

    double *offset, *slope, *step, *vector, *derivative; /* [d] scratch of the solver */
    double *inside, *outside, *reverse;                  /* [d] maximisers on both sides of the bound on the loss; -g */
    double *parts, *gram_scratch;                        /* partial sums of the loss; see spd.h */
};

static inline double vector_dot(const double *a, const double *b, int n) {
    double s = 0;
    for (int i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

static inline double vector_norm(const double *a, int n) { return sqrt(vector_dot(a, a, n)); }

/* offset = w - w0; returns its norm. */
static inline double confidence_offset(const struct confidence *c, const double *w, double *offset) {
    for (int j = 0; j < c->d; j++) offset[j] = w[j] - c->centre[j];
    return vector_norm(offset, c->d);
}

/* confidence_loss.c: L(w), its gradient, and c->curvature for a Hessian there. */
double confidence_evaluate(struct confidence *c, const double *w, double *gradient);
size_t confidence_parts_size(int d); /* doubles of c->parts */

/* The convex function that Newton's method minimises over the ball: beta L(w) - g . w + ridge/2 |w - w0|^2. */
struct confidence_goal {
    double beta, ridge;
    const double *g; /* NULL: 0 */
};

/* Begin at w, or at the nearest point of the ball. hessian: c->hessian_hat or NULL. */
void confidence_newton_begin(struct confidence *c, const double *w, const double *hessian);
/* From c->now to the minimiser, which c->now then is. May be called again with another goal. *residual: norm of the
 * gradient there, less its part that the ball holds. False when rounding keeps it from being small. */
bool confidence_newton_minimise(struct confidence *c, const struct confidence_goal *goal, double *residual,
                                struct err *e);
/* Move c->now to w and evaluate there. */
void confidence_newton_move(struct confidence *c, const double *w);
/* How far off c->now.loss may be. */
double confidence_rounding(const struct confidence *c);
/* c->factor of beta * hessian + shift * I, a little more shift where that is not positive definite. */
void confidence_newton_factor(struct confidence *c, double beta, double shift);
/* Take h (NULL: none) as the Hessian of the next steps. */
void confidence_newton_use_hessian(struct confidence *c, const double *h);
/* Compute the Hessian at c->now, where L must have been evaluated last, into h. */
void confidence_newton_hessian(struct confidence *c, double *h);

#endif
