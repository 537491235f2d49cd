/* Newton's method over a ball: the one solver under the fit, the inner maximum and the curve (confidence_private.h).
 *
 * The function is convex and the ball is convex, so each step minimises the quadratic model over the ball exactly (Moré
 * & Sorensen 1983: a multiplier mu by Newton's method on 1/|v|) and searches the line to that point, which never leaves
 * the ball. This converges from any start, and the ball costs a few small factorisations instead of an outer loop.
 *
 * A Hessian costs as much as ten evaluations of the loss and its gradient or more, and changes little within a
 * confidence set. So a step uses whichever Hessian is there (the chord method), and a new one is computed where the old
 * one fails the line search, or would take longer at the rate just seen. */
#include <float.h>
#include <string.h>

#include "engine/reward/confidence_private.h"
#include "engine/math/spd.h"

enum { MAX_STEPS = 500, MAX_HALVINGS = 60, MAX_SECULAR = 100 };

/* Curvature below this share of the Hessian's trace is rounding: proximal damping of that size keeps steps finite
 * there, without moving the solution. */
static const double FLAT = 1e-12;
static const double ON_BALL = 1e-12;         /* relative distance from the sphere that counts as on it */
static const double ROUND = 1e-13;           /* relative excess over the bound that is rounding of the norm */
static const double NEAR_BALL = 1e-8;        /* from where one linear correction reaches it to rounding */
static const double ARMIJO = 1e-4;           /* share of the promised decrease that a step must keep */
static const double LOSS_ROUNDING = 1e-14;   /* relative error of L, and of |w - w0| on the sphere */
static const double MARGIN_ROUNDING = 1e-15; /* of L, relative to the margins */

void confidence_newton_move(struct confidence *c, const double *w) {
    if (w != c->now.w) memcpy(c->now.w, w, (size_t)c->d * sizeof *w);
    c->now.loss = confidence_evaluate(c, c->now.w, c->now.gradient);
}

double confidence_rounding(const struct confidence *c) {
    return LOSS_ROUNDING * c->now.loss + MARGIN_ROUNDING * c->feature_scale * vector_norm(c->now.w, c->d);
}

static double trace_of(const double *h, int d) {
    double trace = 0;
    for (int j = 0; j < d; j++) trace += h[(size_t)j * (size_t)(d + 1)];
    return trace;
}

void confidence_newton_use_hessian(struct confidence *c, const double *h) {
    c->hessian = h;
    c->trace = h ? trace_of(h, c->d) : 0;
    c->factor_valid = false;
}

void confidence_newton_begin(struct confidence *c, const double *w, const double *hessian) {
    c->steps = c->hessians = 0;
    c->mu = 0;
    confidence_newton_use_hessian(c, hessian);
    const double norm = confidence_offset(c, w, c->offset), by = norm > c->bound * (1 + ROUND) ? c->bound / norm : 1;
    if (by == 1) {
        confidence_newton_move(c, w);
        return;
    }
    for (int j = 0; j < c->d; j++) c->vector[j] = c->centre[j] + by * c->offset[j];
    confidence_newton_move(c, c->vector);
}

void confidence_newton_hessian(struct confidence *c, double *h) {
    spd_gram(h, c->feature, c->curvature, c->n, c->d, c->gram_scratch);
    c->hessians++;
}

static void renew_hessian(struct confidence *c) {
    confidence_newton_hessian(c, c->hessian_own);
    confidence_newton_use_hessian(c, c->hessian_own);
}

void confidence_newton_factor(struct confidence *c, double beta, double shift) {
    if (c->factor_valid && c->factor_beta == beta && c->factor_shift == shift) return;
    const size_t d = (size_t)c->d;
    double more = 0;
    do {
        for (size_t i = 0; i < d; i++) {
            for (size_t j = 0; j <= i; j++) c->factor[i * d + j] = beta * c->hessian[i * d + j];
            c->factor[i * d + i] += shift + more;
        }
        more = more > 0 ? 10 * more : FLAT * (beta * c->trace + shift) + DBL_MIN;
    } while (!spd_factor(c->factor, c->d) && isfinite(more));
    c->factor_valid = true;
    c->factor_beta = beta;
    c->factor_shift = shift;
}

/* c->offset, and the function's gradient in c->slope. Returns the norm of the part of the gradient that the ball does
 * not hold. */
static double residual_at_now(struct confidence *c, const struct confidence_goal *goal) {
    const double norm = confidence_offset(c, c->now.w, c->offset);
    for (int j = 0; j < c->d; j++)
        c->slope[j] = goal->beta * c->now.gradient[j] - (goal->g ? goal->g[j] : 0) + goal->ridge * c->offset[j];
    const double outward = -vector_dot(c->slope, c->offset, c->d);
    if (norm < c->bound * (1 - ON_BALL) || outward <= 0) return vector_norm(c->slope, c->d);
    const double mu = outward / (norm * norm);
    for (int j = 0; j < c->d; j++) c->vector[j] = c->slope[j] + mu * c->offset[j];
    return vector_norm(c->vector, c->d);
}

/* c->step and c->vector = c->offset + c->step for this multiplier of the ball; c->derivative = -d vector / d mu.
 * Returns |c->vector|. */
static double step_with(struct confidence *c, const struct confidence_goal *goal, double damping, double mu) {
    confidence_newton_factor(c, goal->beta, damping + mu);
    for (int j = 0; j < c->d; j++) c->step[j] = -(c->slope[j] + mu * c->offset[j]);
    spd_solve(c->factor, c->step, c->d);
    for (int j = 0; j < c->d; j++) c->vector[j] = c->offset[j] + c->step[j];
    memcpy(c->derivative, c->vector, (size_t)c->d * sizeof *c->vector);
    const double norm = vector_norm(c->vector, c->d);
    if (mu > 0 || norm > c->bound) spd_solve(c->factor, c->derivative, c->d);
    return norm;
}

/* c->step = the way from c->now to the minimiser of the quadratic model over the ball; c->mu its multiplier. */
static void ball_step(struct confidence *c, const struct confidence_goal *goal) {
    const double bound = c->bound, steepest = vector_norm(c->slope, c->d);
    const double damping = goal->ridge + FLAT * (goal->beta * c->trace + steepest / bound);
    bool was_outside = false;
    for (int k = 0;; k++) {
        const double norm = step_with(c, goal, damping, c->mu);
        if (c->mu == 0 && norm <= bound) return;
        /* 1/|v| is concave in mu and nearly straight: from the left Newton's method climbs, from the right it lands
         * left, and from the left to the right only rounding leads. */
        const double more = norm * norm / vector_dot(c->vector, c->derivative, c->d) * (norm - bound) / bound;
        const bool near = fabs(norm - bound) <= NEAR_BALL * bound && c->mu + more >= 0;
        if (near || (was_outside && norm < bound) || k == MAX_SECULAR) {
            /* The last correction is made to v itself, for a scaling would tilt it against stiff directions. */
            c->mu = fmax(0, c->mu + more);
            for (int j = 0; j < c->d; j++) c->vector[j] -= more * c->derivative[j];
            const double by = bound / vector_norm(c->vector, c->d);
            for (int j = 0; j < c->d; j++) c->step[j] = by * c->vector[j] - c->offset[j];
            return;
        }
        was_outside = was_outside || norm > bound;
        c->mu = fmax(0, c->mu + more);
    }
}

/* A residual is small enough below `tolerance`; below `enough` when rounding keeps the method from more. Rounding of
 * the margins f . w and of w itself is felt through the Hessian. */
struct limits {
    double tolerance, enough;
};

static struct limits limits_at_now(const struct confidence *c, const struct confidence_goal *goal) {
    const double scale = goal->g ? vector_norm(goal->g, c->d) : 0;
    const double margins = c->feature_scale * vector_norm(c->now.w, c->d);
    const double rounding = goal->beta * c->feature_scale * (4e-15 + 2e-16 * margins);
    return (struct limits){.tolerance = 1e-11 * scale + rounding, .enough = 1e-9 * scale + 30 * rounding};
}

static void swap_points(struct confidence *c) {
    const struct confidence_point p = c->now;
    c->now = c->trial;
    c->trial = p;
}

/* Step along c->step as far as the function falls enough. False, with c->now where it was, when that is nowhere, or not
 * the whole way though `whole` is asked for. */
static bool search_line(struct confidence *c, const struct confidence_goal *goal, bool whole) {
    const int d = c->d;
    const double fall = vector_dot(c->slope, c->step, d), along = goal->g ? vector_dot(goal->g, c->step, d) : 0;
    const double straight = vector_dot(c->offset, c->step, d), square = vector_dot(c->step, c->step, d);
    const double rounding = goal->beta * confidence_rounding(c) + LOSS_ROUNDING * vector_norm(c->slope, d) * c->bound;
    double t = 1;
    for (int k = 0; fall < rounding && k < MAX_HALVINGS; k++) {
        for (int j = 0; j < d; j++) c->trial.w[j] = c->now.w[j] + t * c->step[j];
        c->trial.loss = confidence_evaluate(c, c->trial.w, c->trial.gradient);
        const double change =
            goal->beta * (c->trial.loss - c->now.loss) - t * along + goal->ridge * t * (straight + 0.5 * t * square);
        if (change <= ARMIJO * t * fall + rounding) {
            swap_points(c);
            c->steps++;
            return true;
        }
        if (whole) break;
        /* The minimum of the parabola through what is known. */
        const double parabola = -0.5 * fall * t * t / (change - fall * t);
        t = fmin(0.5 * t, fmax(0.1 * t, parabola));
    }
    c->now.loss = confidence_evaluate(c, c->now.w, c->now.gradient); /* c->curvature is that of c->now again */
    return false;
}

/* How many more steps with the old Hessian are cheaper than a new one and the few steps after it: a step costs one
 * evaluation, and a factorisation or two where the ball holds (measured; any number gives the same answer). */
static double chord_steps(const struct confidence *c) {
    const double step = 15.0 / c->d + (c->mu > 0 ? 300.0 / c->n : 0); /* in Hessians */
    return fmax(1, fmin(12, 1 / step));
}

/* Steps at this rate until the tolerance. */
static double steps_left(double residual, double before, double tolerance) {
    return residual < before ? log(residual / tolerance) / log(before / residual) : INFINITY;
}

bool confidence_newton_minimise(struct confidence *c, const struct confidence_goal *goal, double *residual,
                                struct err *e) {
    bool fresh = false, contracted = false;
    double r = residual_at_now(c, goal);
    struct limits limit = limits_at_now(c, goal);
    for (int k = 0; k < MAX_STEPS && r > limit.tolerance; k++) {
        if (!c->hessian) {
            renew_hessian(c);
            fresh = true;
        }
        ball_step(c, goal);
        if (!search_line(c, goal, !fresh)) {
            if (fresh) break;
            renew_hessian(c);
            fresh = true;
            contracted = false;
            continue;
        }
        const double before = r;
        r = residual_at_now(c, goal);
        limit = limits_at_now(c, goal);
        /* A Hessian that brought the method nearer, or is exact, and now does not: rounding is what is left. */
        if (r > 0.5 * before && r <= limit.enough && (fresh || contracted)) break;
        contracted = contracted || r < 0.3 * before;
        fresh = r > limit.tolerance && steps_left(r, before, limit.tolerance) > chord_steps(c);
        if (fresh) {
            renew_hessian(c);
            contracted = false;
        }
    }
    *residual = r;
    if (r <= limit.enough) return true;
    return err_set(
        e, "confidence set: Newton's method stopped at a residual of %.3g after %d steps, expected at most %.3g", r,
        c->steps, limit.enough);
}
