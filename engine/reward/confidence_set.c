/* The gap's extremes over the confidence set, its curve over beta, and their certificates: see confidence.h.
 *
 * With automatic beta the loss of the maximiser falls as beta grows. The root of L = L^ + zeta is found by the secant
 * method in (log beta, log(L - L^)), where the curve is nearly straight (for a quadratic loss L - L^ is proportional to
 * beta^-2), inside a bracket; each maximiser starts from the last, so that most cost a few steps. */
#include <float.h>
#include <string.h>

#include "engine/reward/confidence_private.h"
#include "engine/math/spd.h"

/* ---- Certificate ------------------------------------------------------------------------------------------------- */

/* The objective q(v) = G - beta (L - L^ - zeta) is concave, so over the ball q(v) <= q(w) + r.(v - w) <= q(w) + B |r| -
 * r.u with r the gradient of q at w: a bound on the maximum over the ball, hence on that over R, where q >= G. */
void confidence_certify(struct confidence *c, const double *g, double zeta, double beta, const double *w, bool set,
                        struct confidence_optimum *out) {
    const int d = c->d;
    double *r = c->vector, *u = c->offset;
    const double loss = confidence_evaluate(c, w, r), norm = confidence_offset(c, w, u), bound = c->bound;
    for (int j = 0; j < d; j++) r[j] = g[j] - beta * r[j];
    const double outward = vector_dot(r, u, d), scale = vector_norm(g, d), slack = loss - c->loss_hat - zeta;
    const double mu = outward > 0 && norm > 0 ? outward / (norm * norm) : 0;
    const double gap = vector_dot(g, w, d), objective = gap - beta * slack, length = vector_norm(r, d);
    const double penalty_gap = fmax(0, bound * length - outward);
    /* On the way from w^ to w the loss is below its chord, so this far the loss is within L^ + zeta. */
    const double inside = slack > 0 ? zeta / (zeta + slack) : 1;
    const double gap_hat = vector_dot(g, c->w_hat, d), reached = gap_hat + inside * (gap - gap_hat);
    for (int j = 0; j < d; j++) r[j] -= mu * u[j];
    double kkt = 0;
    if (scale > 0) {
        kkt = fmax(vector_norm(r, d) / scale, fmax(0, norm - bound) / bound);
        kkt = fmax(kkt, mu * norm * fmax(0, bound - norm) / (bound * scale));
        if (set) kkt = fmax(kkt, fmax(fmax(0, slack) / zeta, beta * fabs(slack) / (bound * scale)));
    }
    *out = (struct confidence_optimum){.beta = beta,
                                       .mu = mu,
                                       .gap = gap,
                                       .loss = loss,
                                       .slack = slack,
                                       .norm = norm,
                                       .objective = objective,
                                       .kkt = kkt,
                                       .penalty_gap = penalty_gap,
                                       .duality_gap = fmax(0, objective + penalty_gap - reached),
                                       .loss_active = beta > 0 && fabs(slack) <= 1e-6 * zeta,
                                       .norm_active = norm >= bound * (1 - 1e-9)};
}

/* ---- Fixed beta -------------------------------------------------------------------------------------------------- */

static bool all_finite(const double *x, int n, const char *what, struct err *e) {
    for (int j = 0; j < n; j++)
        if (!isfinite(x[j])) return err_set(e, "confidence set: %s[%d] is %g, expected a finite number", what, j, x[j]);
    return true;
}

static bool check(const struct confidence *c, const double *g, double zeta, struct err *e) {
    if (!c->have_fit) return err_set(e, "confidence set: no fit, which the inner maximum needs");
    if (!(zeta > 0) || !isfinite(zeta))
        return err_set(e, "confidence set: zeta is %g, expected a positive finite number", zeta);
    return all_finite(g, c->d, "gap direction", e);
}

/* w = the point of the ball farthest along g, or w^ when g is 0. */
static void farthest(const struct confidence *c, const double *g, double *w) {
    const double norm = vector_norm(g, c->d);
    for (int j = 0; j < c->d; j++) w[j] = norm > 0 ? c->centre[j] + c->bound * (g[j] / norm) : c->w_hat[j];
}

static bool ascend_from_now(struct confidence *c, const double *g, double beta, struct err *e) {
    const struct confidence_goal goal = {.beta = beta, .g = g};
    double residual;
    return confidence_newton_minimise(c, &goal, &residual, e) || err_wrap(e, "beta %.6g", beta);
}

/* w and *out from c->now. */
static void finish(struct confidence *c, const double *g, double zeta, double beta, double *w, bool set, int betas,
                   struct confidence_optimum *out) {
    memcpy(w, c->now.w, (size_t)c->d * sizeof *w);
    confidence_certify(c, g, zeta, beta, w, set, out);
    out->steps = c->steps;
    out->hessians = c->hessians;
    out->betas = betas;
}

bool confidence_ascend(struct confidence *c, const double *g, double zeta, double beta, double *w,
                       struct confidence_optimum *out, struct err *e) {
    if (!check(c, g, zeta, e) || !all_finite(w, c->d, "start", e)) return false;
    if (!(beta >= 0) || !isfinite(beta))
        return err_set(e, "confidence set: beta is %g, expected a finite number of at least 0", beta);
    if (beta == 0) farthest(c, g, w);
    confidence_newton_begin(c, w, c->hessian_hat);
    if (beta > 0 && !ascend_from_now(c, g, beta, e)) return false;
    finish(c, g, zeta, beta, w, false, 1, out);
    return true;
}

/* ---- Automatic beta ---------------------------------------------------------------------------------------------- */

/* The search for the root of y(x), x = log beta, y = log((L - L^) / target), falling. */
struct search {
    double zeta, target, tolerance; /* accept slack in [-tolerance, 0] */
    double x, y;                    /* the last point; x then is where to look next */
    double slope;                   /* dy/dx, by the last two points or as for a quadratic loss */
    double lo, hi;                  /* bracket: L is too large at lo, small enough at hi */
    double width;                   /* of the bracket SLOW points ago */
    int betas;
};

enum { MAX_BETAS = 400, SLOW = 3, MAX_SEGMENT = 100 };
static const double CLOSED = 1e-13;  /* relative width of beta at which the search ends */
static const double FARTHEST = 4.6;  /* at most a factor of 100 a step */
static const double NO_EXCESS = -50; /* y where L does not exceed L^ */

static struct search search_begin(const struct confidence *c, double zeta, double beta) {
    const double tolerance = fmin(fmax(1e-10 * zeta, confidence_rounding(c)), zeta);
    return (struct search){.zeta = zeta,
                           .target = zeta - 0.5 * tolerance,
                           .tolerance = tolerance,
                           .x = log(beta),
                           .y = NAN,
                           .slope = -2,
                           .lo = -INFINITY,
                           .hi = INFINITY,
                           .width = INFINITY};
}

/* Where to look next after (x, y). */
static double search_next(struct search *s, double x, double y) {
    const double secant = x - fmax(-FARTHEST, fmin(FARTHEST, y / s->slope));
    if (isinf(s->lo) || isinf(s->hi)) {
        /* The curve may be flat for a long way, while w sits in a corner of the ball: reach farther each time. */
        const double reach = s->betas <= SLOW ? 0 : fmin(FARTHEST, ldexp(0.1, s->betas - SLOW));
        return y > 0 ? fmax(secant, x + reach) : fmin(secant, x - reach);
    }
    bool halve = secant <= s->lo || secant >= s->hi;
    if (s->betas % SLOW == 0) {
        halve = halve || s->hi - s->lo > 0.5 * s->width;
        s->width = s->hi - s->lo;
    }
    return halve ? 0.5 * (s->lo + s->hi) : secant;
}

/* Enter the loss of the maximiser at s->x, which came after `before`. */
static void search_enter(struct search *s, double excess, double before) {
    const double y = excess > 0 ? fmax(log(excess / s->target), NO_EXCESS) : NO_EXCESS, x = s->x;
    const double slope = (y - s->y) / (x - before);
    s->slope = slope < -0.1 && slope > -20 && y > NO_EXCESS && s->y > NO_EXCESS ? slope : -2;
    s->y = y;
    if (y > 0)
        s->lo = fmax(s->lo, x);
    else
        s->hi = fmin(s->hi, x);
    s->x = search_next(s, x, y);
}

/* beta of the quadratic model at w^, without the ball. */
static double model_beta(struct confidence *c, const double *g, double zeta) {
    confidence_newton_factor(c, 1, 1e-9 * c->trace + DBL_MIN);
    memcpy(c->vector, g, (size_t)c->d * sizeof *g);
    spd_half_solve(c->factor, c->vector, c->d);
    const double beta = vector_norm(c->vector, c->d) / sqrt(2 * zeta);
    return isfinite(beta) && beta > 0 ? beta : 1;
}

/* Where margins are large the loss is almost piecewise linear, and w leaps at one beta from one side of the bound to
 * the other. All points between maximise G - beta L then, to rounding: the one on the bound is the maximum. */
static void bisect_segment(struct confidence *c, const struct search *s) {
    double near = 0, far = 1;
    for (int k = 0; k < MAX_SEGMENT; k++) {
        const double t = 0.5 * (near + far);
        for (int j = 0; j < c->d; j++) c->vector[j] = c->inside[j] + t * (c->outside[j] - c->inside[j]);
        confidence_newton_move(c, c->vector);
        const double slack = c->now.loss - c->loss_hat - s->zeta;
        if (slack <= 0 && slack >= -s->tolerance) return;
        if (slack > 0)
            far = t;
        else
            near = t;
    }
    for (int j = 0; j < c->d; j++) c->vector[j] = c->inside[j] + near * (c->outside[j] - c->inside[j]);
    confidence_newton_move(c, c->vector);
}

/* From c->now to the maximum over R, which c->now then is. */
static bool find_beta(struct confidence *c, const double *g, struct search *s, double *beta, struct err *e) {
    const size_t bytes = (size_t)c->d * sizeof *c->now.w;
    double before = s->x;
    while (s->betas < MAX_BETAS && !(s->hi - s->lo <= CLOSED)) {
        const double x = s->x;
        *beta = exp(x);
        if (!ascend_from_now(c, g, *beta, e)) return false;
        s->betas++;
        const double excess = c->now.loss - c->loss_hat, slack = excess - s->zeta;
        if (slack <= 0 && slack >= -s->tolerance) return true;
        if (slack <= 0 && x <= s->hi) memcpy(c->inside, c->now.w, bytes);
        if (slack > 0 && x >= s->lo) memcpy(c->outside, c->now.w, bytes);
        search_enter(s, excess, before);
        before = x;
    }
    if (isinf(s->lo) || isinf(s->hi))
        return err_set(e, "confidence set: no beta around %.3g brings the loss to zeta = %.3g above its minimum", *beta,
                       s->zeta);
    *beta = exp(s->hi);
    bisect_segment(c, s);
    return true;
}

bool confidence_maximise(struct confidence *c, const double *g, double zeta, double *w, struct confidence_optimum *out,
                         struct err *e) {
    const double start = out->beta;
    if (!check(c, g, zeta, e)) return false;
    const bool warm = start > 0 && isfinite(start);
    if (warm && !all_finite(w, c->d, "start", e)) return false;
    if (!warm) memcpy(w, c->w_hat, (size_t)c->d * sizeof *w);
    farthest(c, g, c->inside);
    confidence_newton_begin(c, c->inside, c->hessian_hat);
    double beta = 0;
    int betas = 1;
    if (c->now.loss > c->loss_hat + zeta) {
        confidence_newton_begin(c, w, c->hessian_hat);
        struct search s = search_begin(c, zeta, warm ? start : model_beta(c, g, zeta));
        if (!find_beta(c, g, &s, &beta, e)) return false;
        betas += s.betas;
    }
    finish(c, g, zeta, beta, w, true, betas, out);
    return true;
}

/* ---- Interval and curve ------------------------------------------------------------------------------------------ */

bool confidence_interval(struct confidence *c, const double *g, double zeta, double *w_min,
                         struct confidence_optimum *min, double *w_max, struct confidence_optimum *max, struct err *e) {
    if (!confidence_maximise(c, g, zeta, w_max, max, e)) return false;
    for (int j = 0; j < c->d; j++) c->reverse[j] = -g[j];
    if (!(min->beta > 0) && max->beta > 0) {
        min->beta = max->beta;
        for (int j = 0; j < c->d; j++) w_min[j] = 2 * c->w_hat[j] - w_max[j];
    }
    if (!confidence_maximise(c, c->reverse, zeta, w_min, min, e)) return err_wrap(e, "minimum");
    min->gap = -min->gap;
    min->objective = -min->objective;
    return true;
}

static bool check_betas(const double *beta, int n, struct err *e) {
    if (n < 1) return err_set(e, "confidence set: a curve of %d points, expected at least 1", n);
    for (int k = 0; k < n; k++) {
        if (!(beta[k] > (k ? beta[k - 1] : 0)) || !isfinite(beta[k]))
            return err_set(
                e, "confidence set: beta[%d] of the curve is %g, expected positive, finite and above the one before", k,
                beta[k]);
    }
    return true;
}

bool confidence_curve(struct confidence *c, const double *g, const double *beta, int n, double *gap, double *excess,
                      double *w, struct err *e) {
    if (!check(c, g, 1, e) || !check_betas(beta, n, e)) return false;
    confidence_newton_begin(c, c->w_hat, c->hessian_hat);
    for (int k = n - 1; k >= 0; k--) {
        if (!ascend_from_now(c, g, beta[k], e)) return false;
        gap[k] = vector_dot(g, c->now.w, c->d);
        excess[k] = c->now.loss - c->loss_hat;
    }
    if (w) memcpy(w, c->now.w, (size_t)c->d * sizeof *w);
    return true;
}
