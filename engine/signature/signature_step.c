/* Detectors over training steps. One step is noisy, so levels are medians of the newest few values: a single wild batch
 * raises nothing. Steps of the two players have different figures; a detector goes by the values that exist, however
 * many rows lie between them. Detectors of the same figures (KL, entropy) in evaluations stand beside those in
 * steps. */
#include "engine/signature/signature_private.h"

/* Values whose median is the present level: eight, so that three wild ones in succession do not move it. */
enum { RECENT = 8 };
/* Values whose median is the level to compare with, the oldest that are kept: at least two RECENT, or it is no steadier
 * than what is compared; at most 64, beyond which a median gains nothing here. */
enum { BASE_MIN = 16, BASE_MAX = 64 };

/* Gap after ascent beside its level of old, in absolute value. The median of eight is 0.43 deviations wide and the base
 * 0.67 deviations where the gap is all noise, so five times the base is eight deviations; a refit that doubles the
 * reward's scale, and the drift of an iteration, stay below. */
static const double GAP_SURGE = 5.0, GAP_SURGE_OVER = 2.5;
/* Gradients vary by a factor of two or three between batches and refits; ten times the old level, in the median, is
 * none of these. Gradients are clipped, so steps go on looking fine: the norm is the first to tell. */
static const double GRADIENT_SURGE = 10.0, GRADIENT_SURGE_OVER = 5.0;
/* KL per token of a student that has left its reference: at 1 nat the reference gives its tokens e times less
 * probability than it does itself, so what the reference knew is gone. A prototype run that was destroyed stood at
 * 3.3. */
static const double KL_LIMIT = 1.0, KL_LIMIT_OVER = 0.7;
/* Entropy of a student that says one thing: at 0.05 nats/token an answer of 40 tokens is one of e^2 = 7. A student that
 * is there from the start (the built-in arithmetic, 0.02) has lost nothing: it must have come from five times that, one
 * of e^10 answers, within the rows that are kept. */
static const double ENTROPY_COLLAPSED = 0.05, ENTROPY_OVER = 0.1, ENTROPY_VARIED = 0.25;

/* Known values of a figure, newest first. */
static int values(const struct signature_history *h, int figure, double x[SIGNATURE_STEPS]) {
    int n = 0;
    for (int back = 0; back < SIGNATURE_STEPS; back++) {
        const double value = step_figure(h, back, figure);
        if (known(value)) x[n++] = value;
    }
    return n;
}

/* The median of the newest values against that of the oldest, in absolute value. */
static enum detection surge(const struct signature_history *h, int figure, double ratio, double over, double *v) {
    double x[SIGNATURE_STEPS];
    const int n = values(h, figure, x), n_base = n - RECENT < BASE_MAX ? n - RECENT : BASE_MAX;
    if (n_base < BASE_MIN) return DETECTION_CLEAR;
    const double now = signature_median(x, RECENT);
    for (int i = n - n_base; i < n; i++) x[i] = fabs(x[i]);
    const double base = signature_median(x + n - n_base, n_base);
    if (base <= 0) return DETECTION_CLEAR;
    v[0] = base;
    v[1] = now;
    v[2] = n;
    return now >= ratio * base ? DETECTION_RAISE : now < over * base ? DETECTION_CLEAR : DETECTION_BETWEEN;
}

enum detection signature_detect_gap_surge(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    return surge(h, STEP_GAP_ASCENT, GAP_SURGE, GAP_SURGE_OVER, v);
}

enum detection signature_detect_gradient_student(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    return surge(h, STEP_GRADIENT_STUDENT, GRADIENT_SURGE, GRADIENT_SURGE_OVER, v);
}

enum detection signature_detect_gradient_reward(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    return surge(h, STEP_GRADIENT_REWARD, GRADIENT_SURGE, GRADIENT_SURGE_OVER, v);
}

static enum detection kl_detection(double kl) {
    return !known(kl) || kl < KL_LIMIT_OVER ? DETECTION_CLEAR : kl >= KL_LIMIT ? DETECTION_RAISE : DETECTION_BETWEEN;
}

enum detection signature_detect_kl_step(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    double x[SIGNATURE_STEPS];
    if (values(h, STEP_KL, x) < RECENT) return DETECTION_CLEAR;
    v[0] = signature_median(x, RECENT);
    v[1] = RECENT;
    return kl_detection(v[0]);
}

enum detection signature_detect_kl_evaluation(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    v[0] = evaluation_figure(h, 0, EVAL_KL);
    return kl_detection(v[0]);
}

/* The highest mean of RECENT values in succession, and how many steps ago the last such stretch (within a tenth of it)
 * ended. */
static double highest(const double *x, int n, int *steps_ago) {
    double best = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i + RECENT <= n; i++) {
            double mean = 0;
            for (int j = 0; j < RECENT; j++) mean += x[i + j] / RECENT;
            if (pass == 0) best = fmax(best, mean);
            if (pass == 1 && mean >= 0.9 * best) {
                *steps_ago = i;
                return best;
            }
        }
    return best;
}

/* Where entropy is low it is not over, even when the height it fell from is no longer kept. */
enum detection signature_detect_entropy_step(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    double x[SIGNATURE_STEPS];
    const int n = values(h, STEP_ENTROPY, x);
    int steps_ago = 0;
    if (n < 2 * RECENT) return DETECTION_CLEAR;
    const double now = signature_median(x, RECENT);
    if (now > ENTROPY_OVER) return DETECTION_CLEAR;
    if (now > ENTROPY_COLLAPSED) return DETECTION_BETWEEN;
    v[0] = highest(x, n, &steps_ago);
    v[1] = now;
    v[2] = steps_ago;
    return v[0] >= ENTROPY_VARIED ? DETECTION_RAISE : DETECTION_BETWEEN;
}

/* The gap that is nearest to the truth among those measured at both rows; whether it has fallen since. */
static bool gap_fell_since(const struct signature_history *h, int back) {
    static const int BEST_FIRST[] = {EVAL_GAP_TRUE, EVAL_GAP_HELD, EVAL_GAP_WORST};
    for (int i = 0; i < 3; i++) {
        const double now = evaluation_figure(h, 0, BEST_FIRST[i]), then = evaluation_figure(h, back, BEST_FIRST[i]);
        if (known(now) && known(then)) return now < then;
    }
    return false;
}

/* Over iterations a student that learns from greedy answers may well become sure of them, so here the gap must not have
 * fallen meanwhile. */
enum detection signature_detect_entropy_evaluation(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    const double now = evaluation_figure(h, 0, EVAL_ENTROPY);
    if (!known(now) || now > ENTROPY_OVER) return DETECTION_CLEAR;
    int from = 0;
    for (int back = 1; back < SIGNATURE_EVALUATIONS; back++) {
        const double then = evaluation_figure(h, back, EVAL_ENTROPY);
        if (known(then) && then > evaluation_figure(h, from, EVAL_ENTROPY)) from = back;
    }
    v[0] = evaluation_figure(h, from, EVAL_ENTROPY);
    v[1] = now;
    v[2] = from;
    return now <= ENTROPY_COLLAPSED && v[0] >= ENTROPY_VARIED && !gap_fell_since(h, from) ? DETECTION_RAISE
                                                                                          : DETECTION_BETWEEN;
}

/* ---- values that are not finite ---- */

enum detection signature_detect_non_finite_step(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    for (int i = 0; i < N_STEP_FIGURES; i++)
        if (isinf(step_figure(h, 0, i))) {
            v[0] = i;
            return DETECTION_RAISE;
        }
    return DETECTION_CLEAR;
}

enum detection signature_detect_non_finite_evaluation(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    for (int i = 0; i < N_EVAL_FIGURES; i++)
        if (isinf(evaluation_figure(h, 0, i))) {
            v[0] = i;
            return DETECTION_RAISE;
        }
    return DETECTION_CLEAR;
}
