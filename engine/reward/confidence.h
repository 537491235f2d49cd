/* The confidence set of rewards and the exact inner maximum of the game, scope `head` (algorithms.md sections 1, 2, 4).
 *
 * A reward is linear in fixed features: r_w = w . F, w in R^D. A pair i has the feature difference f_i = F(y0) - F(y1),
 * a soft label o_i, a flip rate e_i and a weight; with o~ = (1-e) o + e (1-o)
 *
 *     L(w) = sum_i weight_i l_i / sum_i weight_i,    l_i = -[o~ log s(f_i . w) + (1-o~) log s(-f_i . w)]
 *
 * is convex, in nats per pair. With the centre w0 (the fitted reward's own weights), the bound B and the radius zeta
 *
 *     w^ = argmin L(w) + ridge/2 |w - w0|^2,   L^ = L(w^)        (maximum-likelihood fit)
 *     R  = { w : L(w) <= L^ + zeta, |w - w0| <= B }              (confidence set: convex, compact, contains w^)
 *     G(w) = g . w                                               (performance gap of student to teacher under w)
 *
 * and the game asks for max_R G, min_R G and, for a person who sets beta, max over the ball of G - beta (L - L^ -
 * zeta). beta and mu are the multipliers of the two constraints: at the maximum g = beta grad L(w) + mu (w - w0). The
 * ball is what keeps every answer finite when labels are separable, or when there are fewer pairs than features.
 *
 * Every answer comes with a certificate that is computed from w, beta and the data alone (confidence_certify).
 *
 * Features are f32, taken as exact; everything else is double. Results have the same bits for any number of threads,
 * and depend on the arguments, the pairs and the last fit alone, never on earlier solves: what a warm start needs is in
 * the caller's hands. A start that already meets the tolerance is returned unchanged. Nothing is allocated after
 * confidence_new. A `struct confidence` is used by one thread at a time. */
#ifndef PBKD_REWARD_CONFIDENCE_H
#define PBKD_REWARD_CONFIDENCE_H

#include <stdbool.h>

#include "engine/base/err.h"

struct confidence; /* pairs, fit and workspace */

struct confidence_pairs {
    const float *feature; /* [n_pairs, n_features] f_i, row-major; borrowed until the next confidence_set_pairs */
    const double *label;  /* [n_pairs] o_i in [0,1], P(y0 preferred) */
    const double *flip;   /* [n_pairs] e_i in [0,1]; NULL: 0 */
    const double *weight; /* [n_pairs] >= 0, not all 0; NULL: 1 */
    const double *centre; /* [n_features] w0; NULL: 0 */
    int n_pairs;          /* 1..max_pairs */
    double ridge;         /* >= 0; of the fit only: it does not bend the set */
    double bound;         /* B > 0, finite */
};

/* Workspace for up to max_pairs pairs of n_features features: about 24 max_pairs + 152 n_features^2 + 17,000 n_features
 * bytes. NULL with e filled when it cannot be had. Free with confidence_free (NULL is fine). */
struct confidence *confidence_new(int max_pairs, int n_features, struct err *e);
void confidence_free(struct confidence *c);

/* Take these pairs; the fit of earlier ones is forgotten. All but `feature` is copied. False when there are no pairs or
 * too many, or a number is not finite or out of its range; e then says which one, and c has no pairs. */
bool confidence_set_pairs(struct confidence *c, const struct confidence_pairs *p, struct err *e);

/* L(w); gradient[n_features], where not NULL, gets that of L. Needs pairs; w[n_features] finite. */
double confidence_loss(struct confidence *c, const double *w, double *gradient);

/* f_i . w of every pair into margin[n_pairs]. Needs pairs. */
void confidence_margins(const struct confidence *c, const double *w, double *margin);

struct confidence_fit {
    double loss;      /* L^, without the ridge */
    double residual;  /* norm of the gradient of L + ridge/2 |w - w0|^2, less its part that the ball holds */
    double norm;      /* |w^ - w0| */
    double dimension; /* d_eff = tr[H (H + ridge I)^-1], H the Hessian of L at w^; the rank of H when ridge is 0 */
    double wilks_dimension; /* see confidence_wilks */
    double n_pairs;         /* effective number, (sum weight)^2 / sum weight^2: n_pairs when all weights are equal */
    bool norm_active;       /* w^ lies on the ball: the data alone would go farther */
    int steps, hessians;
};

/* Maximum-likelihood fit by Newton's method from w[n_features] (any finite start: w0, or an earlier w^), which gets w^.
 * False, with e filled, when the start is not finite or the method stops far from a minimum. */
bool confidence_fit(struct confidence *c, double *w, struct confidence_fit *out, struct err *e);

/* Radius by Wilks' theorem: zeta = chi2_{d, 1-delta} / (2 N), N as in confidence_fit. Needs a fit; delta in (0,1).
 * False when delta is outside or d is 0 (no pair tells anything).
 *
 * d is not d_eff: what must be covered is L(w*) - L(w^) of the true w*, and w^, the fit with the ridge, is not the
 * minimum of L. With A = H (H + ridge I)^-1 and scores of covariance H / N at w*, w^ - w* = (H + ridge I)^-1 (score),
 * hence E[2 N (L(w*) - L(w^))] = tr[2 A - A^2] = d, more than tr A = d_eff. (A centre w0 far from w* makes it
 * smaller.) */
bool confidence_wilks(const struct confidence *c, double delta, double *zeta, struct err *e);

/* A point w of the ball together with its beta. `gap` and the certificate are those of the g that the caller gave. */
struct confidence_optimum {
    double beta, mu;  /* multipliers of the loss and of the ball */
    double gap;       /* G(w) */
    double loss;      /* L(w) */
    double slack;     /* L(w) - L^ - zeta; <= 0 in the set */
    double norm;      /* |w - w0| */
    double objective; /* G - beta slack; for a minimum G + beta slack */

    /* Certificates. kkt: the largest of the relative residuals of the optimality conditions (confidence_certify).
     * penalty_gap: by how much at most the objective at this beta falls short of its maximum over the ball.
     * duality_gap: by how much at most max_R G exceeds (min_R G falls below) the value of G at a point of R that is w,
     * or lies between w and w^ where w is outside R. Rigorous for any w by convexity, up to rounding. */
    double kkt, penalty_gap, duality_gap;

    bool loss_active; /* beta > 0 and L = L^ + zeta to 1e-6 zeta; otherwise `constraint inactive` */
    bool norm_active; /* w on the ball to 1e-9 B */
    int steps, hessians, betas;
};

/* Maximise G - beta (L - L^ - zeta) over the ball from w[n_features], which gets the maximiser. beta >= 0, zeta > 0. g
 * and w finite. beta = 0 gives the point of the ball farthest along g, or w^ when g = 0. Where the maximiser is not
 * unique (g blind to directions to which the pairs are blind) G and L are, and w is one of them. False, with e filled,
 * on bad input, without a fit, or when the method stops far from a maximum. */
bool confidence_ascend(struct confidence *c, const double *g, double zeta, double beta, double *w,
                       struct confidence_optimum *out, struct err *e);

/* max_R G with automatic beta: the smallest beta whose maximiser lies in R, to slack in [-1e-10 zeta, 0] (or as near as
 * L can be computed). out->beta before the call is where the search starts, from w; 0 for a cold start, which reads
 * neither. When the farthest point of the ball along g lies in R, or g = 0, beta is 0 and the constraint is inactive.
 * Errors as above. */
bool confidence_maximise(struct confidence *c, const double *g, double zeta, double *w, struct confidence_optimum *out,
                         struct err *e);

/* min_R G and max_R G: the interval of the gap over all rewards that the preferences allow. min->beta, max->beta and
 * the weights start the two searches as in confidence_maximise; a cold minimum starts from the mirror image of the
 * maximum. */
bool confidence_interval(struct confidence *c, const double *g, double zeta, double *w_min,
                         struct confidence_optimum *min, double *w_max, struct confidence_optimum *max, struct err *e);

/* The curve beta -> (G, L - L^) of the maximisers at n betas, positive and strictly ascending. gap[n], excess[n].
 * w[n_features], where not NULL, gets the maximiser at beta[0]. */
bool confidence_curve(struct confidence *c, const double *g, const double *beta, int n, double *gap, double *excess,
                      double *w, struct err *e);

/* Everything in *out but steps, hessians and betas, from w and beta alone; of a minimum with -g. Needs a fit; w, g
 * finite. kkt, with r = g - beta grad L(w), u = w - w0, mu = max(0, r . u) / |u|^2: the largest of |r - mu u| / |g| and
 * max(0, |u| - B) / B and mu |u| (B - |u|) / (B |g|), and when `set`, the conditions of max_R, also of max(0, slack) /
 * zeta and beta |slack| / (B |g|). */
void confidence_certify(struct confidence *c, const double *g, double zeta, double beta, const double *w, bool set,
                        struct confidence_optimum *out);

#endif
