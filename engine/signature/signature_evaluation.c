/* Detectors over evaluations. Held-out figures come with intervals, and a detector asks for what the intervals can
 * carry: a difference that they exclude, or the same answer several times in succession. Where the true gap is known,
 * it has the last word. */
#include "engine/signature/signature_private.h"

/* Plateau: a line through the gaps of five evaluations, the length of the usual run. It is flat when, with 95 %
 * confidence by its own scatter (Student's t, 3 degrees of freedom), the gap fell by at most a fifth over them: at that
 * pace it takes a dozen iterations to halve. */
enum { PLATEAU_WINDOW = 5 };
static const double PLATEAU_FALL = 0.2, PLATEAU_T = 2.353;
/* A gap that grows: the worst case must double, because a better reward sees more of the same gap; the true gap has no
 * such excuse, but a quarter is what a student may dip before it rises. Both beyond their intervals, and rising twice
 * in succession. */
static const double GROWTH_WORST = 2.0, GROWTH_TRUE = 1.25;
/* Accuracy on the newest pairs, mean of two iterations against the best earlier two. As the student nears the teacher
 * pairs get harder and 0.05 goes of itself; a mean of two has a deviation of about 0.02 at 300 pairs, and the best of
 * several is high by chance. */
static const double NEWEST_FALL = 0.15, NEWEST_FALL_OVER = 0.08;
/* Evaluations in succession that must agree on reward hacking (algorithms.md section 10). */
enum { HACKING_EVALUATIONS = 3 };
/* Prompts whose samples are all one answer that is not the teacher's: from one half on, most prompts teach the same
 * pair K times. */
static const double IDENTICAL = 0.5, IDENTICAL_OVER = 0.35;
/* A cut answer is judged and taught without its end: at a fifth, more than half of all prompts have one among K = 4
 * samples (1 - 0.8^4 = 0.59). */
static const double TRUNCATED = 0.2, TRUNCATED_OVER = 0.1;
/* At three quarters the gradient comes from a quarter of the samples: twice the deviation at the same price. */
static const double ZERO_GROUPS = 0.75, ZERO_GROUPS_OVER = 0.6;
/* Correlation of reward and length: at 0.5 a quarter of the reward's variance is length. */
static const double LENGTH_CORRELATION = 0.5, LENGTH_CORRELATION_OVER = 0.35;
/* Length alone: of consequence from 0.65 on, and then the reward must beat it by more than the noise of its
 * accuracy. */
static const double LENGTH_ALONE = 0.65, LENGTH_ALONE_OVER = 0.6, LENGTH_MARGIN = 0.02, LENGTH_MARGIN_OVER = 0.05;
/* Advantages of half the bound, over all tokens: Q = R tanh(./R) of the tokens that are told apart lies where tanh has
 * bent. Below a tenth of the bound tanh is a straight line, and a Q that has tripled is one that has learnt. */
static const double Q_SATURATED = 0.5, Q_SATURATED_OVER = 0.4, Q_JUMP = 3.0, Q_JUMP_OVER = 2.0, Q_HARMLESS = 0.1;
/* The true reward is inside again when it is inside by a tenth of the radius. */
static const double TRUTH_MARGIN = 0.1;

struct gap {
    double mean, lo, hi;
};
_Static_assert(EVAL_GAP_WORST_LO == EVAL_GAP_WORST + 1 && EVAL_GAP_WORST_HI == EVAL_GAP_WORST + 2 &&
                   EVAL_GAP_FITTED_LO == EVAL_GAP_FITTED + 1 && EVAL_GAP_FITTED_HI == EVAL_GAP_FITTED + 2 &&
                   EVAL_GAP_HELD_LO == EVAL_GAP_HELD + 1 && EVAL_GAP_HELD_HI == EVAL_GAP_HELD + 2 &&
                   EVAL_GAP_TRUE_LO == EVAL_GAP_TRUE + 1 && EVAL_GAP_TRUE_HI == EVAL_GAP_TRUE + 2,
               "gap_at finds an interval behind its mean");

/* The gap whose mean is `figure`; false when it or its interval does not exist there. */
static bool gap_at(const struct signature_history *h, int back, int figure, struct gap *g) {
    *g = (struct gap){evaluation_figure(h, back, figure), evaluation_figure(h, back, figure + 1),
                      evaluation_figure(h, back, figure + 2)};
    return known(g->mean) && known(g->lo) && known(g->hi);
}

/* Half the width of the 95 % interval of a difference, the two as if independent: they share prompts, so it is on the
 * safe side. */
static double half_width(const struct gap *a, const struct gap *b) { return 0.5 * hypot(a->hi - a->lo, b->hi - b->lo); }

/* A share that is bad when high. */
static enum detection level(double x, double raise, double over) {
    return !known(x) || x < over ? DETECTION_CLEAR : x >= raise ? DETECTION_RAISE : DETECTION_BETWEEN;
}

/* ---- plateau ---- */

static enum detection flat(const struct signature_history *h, int figure, double *first, double *last) {
    struct gap g[PLATEAU_WINDOW];
    double mean = 0, slope = 0, norm = 0, residual = 0;
    bool measurable = true;
    for (int i = 0; i < PLATEAU_WINDOW; i++) {
        if (!gap_at(h, PLATEAU_WINDOW - 1 - i, figure, &g[i])) return DETECTION_CLEAR;
        measurable = measurable && g[i].lo > 0;
        mean += g[i].mean / PLATEAU_WINDOW;
    }
    if (g[PLATEAU_WINDOW - 1].lo <= 0) return DETECTION_CLEAR;
    for (int i = 0; i < PLATEAU_WINDOW; i++) {
        const double x = i - 0.5 * (PLATEAU_WINDOW - 1);
        slope += x * g[i].mean;
        norm += x * x;
    }
    slope /= norm;
    for (int i = 0; i < PLATEAU_WINDOW; i++) {
        const double r = g[i].mean - mean - slope * (i - 0.5 * (PLATEAU_WINDOW - 1));
        residual += r * r;
    }
    const double error = sqrt(residual / (PLATEAU_WINDOW - 2) / norm), span = (PLATEAU_WINDOW - 1) / mean;
    *first = g[0].mean;
    *last = g[PLATEAU_WINDOW - 1].mean;
    if (fabs(slope) * span > PLATEAU_FALL) return DETECTION_CLEAR; /* falls, or rises: then it is no plateau either */
    return measurable && (PLATEAU_T * error - slope) * span <= PLATEAU_FALL ? DETECTION_RAISE : DETECTION_BETWEEN;
}

/* Both gaps must be flat where both exist. */
enum detection signature_detect_plateau(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    const bool worst = known(evaluation_figure(h, 0, EVAL_GAP_WORST)),
               truth = known(evaluation_figure(h, 0, EVAL_GAP_TRUE));
    v[2] = PLATEAU_WINDOW;
    v[3] = truth;
    if (!worst) return flat(h, EVAL_GAP_TRUE, &v[0], &v[1]);
    const enum detection by_worst = flat(h, EVAL_GAP_WORST, &v[0], &v[1]);
    if (!truth) return by_worst;
    const enum detection by_truth = flat(h, EVAL_GAP_TRUE, &v[0], &v[1]);
    return by_truth < by_worst ? by_truth : by_worst;
}

/* ---- divergence of a gap ---- */

/* The newest gap against the smallest that is kept. */
static enum detection grows(const struct signature_history *h, int figure, double ratio, double *v, int *best_back) {
    struct gap now, last, before, best, g;
    if (!gap_at(h, 0, figure, &now) || !gap_at(h, 1, figure, &last) || !gap_at(h, 2, figure, &before))
        return DETECTION_CLEAR;
    best = last;
    *best_back = 1;
    for (int back = 2; back < SIGNATURE_EVALUATIONS; back++)
        if (gap_at(h, back, figure, &g) && g.mean < best.mean) best = g, *best_back = back;
    const double rise = now.mean - best.mean, half = half_width(&now, &best);
    v[0] = best.mean;
    v[1] = now.mean;
    v[2] = rise - half;
    v[3] = rise + half;
    if (now.lo <= best.hi) return DETECTION_CLEAR;
    return now.mean >= ratio * best.mean && now.mean > last.mean && last.mean > before.mean ? DETECTION_RAISE
                                                                                            : DETECTION_BETWEEN;
}

/* A reward that has become better sees a larger gap: where the true gap has fallen meanwhile, nothing diverges. */
enum detection signature_detect_gap_worst_grows(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    int best = 0;
    const enum detection found = grows(h, EVAL_GAP_WORST, GROWTH_WORST, v, &best);
    const bool better = evaluation_figure(h, 0, EVAL_GAP_TRUE) < evaluation_figure(h, best, EVAL_GAP_TRUE);
    return better && found == DETECTION_RAISE ? DETECTION_BETWEEN : found;
}

enum detection signature_detect_gap_true_grows(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    int best;
    return grows(h, EVAL_GAP_TRUE, GROWTH_TRUE, v, &best);
}

/* ---- the reward against the student ---- */

enum detection signature_detect_newest_pairs(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    const double now = 0.5 * (evaluation_figure(h, 0, EVAL_RM_NEWEST) + evaluation_figure(h, 1, EVAL_RM_NEWEST));
    double best = 0;
    int from = 0;
    for (int back = 2; back < SIGNATURE_EVALUATIONS - 1; back++) {
        const double mean =
            0.5 * (evaluation_figure(h, back, EVAL_RM_NEWEST) + evaluation_figure(h, back + 1, EVAL_RM_NEWEST));
        if (known(mean) && mean > best) best = mean, from = back;
    }
    v[0] = best;
    v[1] = now;
    v[2] = from;
    return level(from > 0 ? best - now : (double)NAN, NEWEST_FALL, NEWEST_FALL_OVER);
}

/* Since the evaluation at which the held reward saw the smallest gap (older than the last three), its gap has risen at
 * each of the last three beyond the interval of the change, while the gap that the student is trained on has fallen at
 * each, and by now beyond its own. The teacher's answers are fixed, so a gap that rises by d is a student's reward that
 * falls by d; where that reward itself is known it must have fallen too (a refit can stretch the gap), and where the
 * true gap is known it must not have fallen. */
static enum detection hacking(const struct signature_history *h, int trained, double *v) {
    struct gap held[SIGNATURE_EVALUATIONS], on[SIGNATURE_EVALUATIONS];
    int base = 0;
    for (int back = 0; back < SIGNATURE_EVALUATIONS; back++) {
        if (!gap_at(h, back, EVAL_GAP_HELD, &held[back]) || !gap_at(h, back, trained, &on[back])) {
            if (back < HACKING_EVALUATIONS) return DETECTION_CLEAR;
            continue;
        }
        if (back >= HACKING_EVALUATIONS && (base == 0 || held[back].mean < held[base].mean)) base = back;
    }
    if (base == 0 || held[0].mean <= held[base].mean) return DETECTION_CLEAR;
    v[0] = on[base].mean - on[0].mean;
    v[1] = held[0].mean - held[base].mean;
    v[2] = v[1] - half_width(&held[0], &held[base]);
    v[3] = base;
    for (int back = 0; back < HACKING_EVALUATIONS; back++)
        if (held[back].mean - held[base].mean <= half_width(&held[back], &held[base]) || on[back].mean >= on[base].mean)
            return DETECTION_BETWEEN;
    const bool likes_more =
        evaluation_figure(h, 0, EVAL_STUDENT_REWARD_HELD) >= evaluation_figure(h, base, EVAL_STUDENT_REWARD_HELD);
    const bool better = evaluation_figure(h, 0, EVAL_GAP_TRUE) < evaluation_figure(h, base, EVAL_GAP_TRUE);
    return likes_more || better || v[0] <= half_width(&on[0], &on[base]) ? DETECTION_BETWEEN : DETECTION_RAISE;
}

enum detection signature_detect_hacking_fitted(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    return hacking(h, EVAL_GAP_FITTED, v);
}
enum detection signature_detect_hacking_worst(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    return hacking(h, EVAL_GAP_WORST, v);
}

/* ---- the confidence set ---- */

/* A person's beta of 0 is inactive at once; automatic control may touch 0 and come back, and has the other detector. */
enum detection signature_detect_beta_zero(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    (void)v;
    const bool automatic = known(evaluation_figure(h, 0, EVAL_BETA_FLOOR));
    return evaluation_figure(h, 0, EVAL_BETA) == 0 && !automatic ? DETECTION_RAISE : DETECTION_CLEAR;
}

/* Within the set, and beta at most `times` its floor. */
static bool idle_at(const struct signature_history *h, int back, double times) {
    const double beta = evaluation_figure(h, back, EVAL_BETA), lowest = evaluation_figure(h, back, EVAL_BETA_FLOOR);
    const double slack = evaluation_figure(h, back, EVAL_SLACK), zeta = evaluation_figure(h, back, EVAL_ZETA);
    return known(beta) && known(lowest) && known(slack) && known(zeta) && beta <= times * lowest && slack < zeta;
}

/* Twice in succession; over when beta is above twice its floor, or the constraint binds. */
enum detection signature_detect_beta_floor(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    if (!idle_at(h, 0, 2.0)) return DETECTION_CLEAR;
    v[0] = evaluation_figure(h, 0, EVAL_BETA);
    v[1] = evaluation_figure(h, 0, EVAL_SLACK);
    v[2] = evaluation_figure(h, 0, EVAL_ZETA);
    return idle_at(h, 0, 1.0) && idle_at(h, 1, 1.0) ? DETECTION_RAISE : DETECTION_BETWEEN;
}

/* Twice, because L_hat is an estimate. */
enum detection signature_detect_truth_outside(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    const double now = evaluation_figure(h, 0, EVAL_TRUTH_EXCESS), last = evaluation_figure(h, 1, EVAL_TRUTH_EXCESS);
    const double zeta = evaluation_figure(h, 0, EVAL_ZETA);
    v[0] = now;
    if (!known(now) || now <= (known(zeta) ? -TRUTH_MARGIN * zeta : 0)) return DETECTION_CLEAR;
    return now > 0 && known(last) && last > 0 ? DETECTION_RAISE : DETECTION_BETWEEN;
}

static bool unseen_at(const struct signature_history *h, int back, struct gap *worst, struct gap *truth) {
    return gap_at(h, back, EVAL_GAP_WORST, worst) && gap_at(h, back, EVAL_GAP_TRUE, truth) && worst->mean < 0 &&
           truth->lo > 0;
}

/* The worst case is at least the gap under any reward of the set, the true one at any scale among them: it cannot be
 * below 0 while the true gap is above. Signs are all that rewards and accuracies have in common. */
enum detection signature_detect_truth_unseen(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    struct gap worst, truth, w, t;
    if (!unseen_at(h, 0, &worst, &truth)) return DETECTION_CLEAR;
    v[0] = worst.mean;
    v[1] = worst.hi;
    v[2] = truth.mean;
    v[3] = truth.lo;
    return worst.hi < 0 && unseen_at(h, 1, &w, &t) && w.hi < 0 ? DETECTION_RAISE : DETECTION_BETWEEN;
}

/* ---- answers ---- */

enum detection signature_detect_identical(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    v[0] = evaluation_figure(h, 0, EVAL_IDENTICAL);
    return level(v[0], IDENTICAL, IDENTICAL_OVER);
}

enum detection signature_detect_truncation(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    v[0] = evaluation_figure(h, 0, EVAL_TRUNCATED);
    return level(v[0], TRUNCATED, TRUNCATED_OVER);
}

enum detection signature_detect_zero_groups(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    v[0] = evaluation_figure(h, 0, EVAL_ZERO_GROUPS);
    return level(v[0], ZERO_GROUPS, ZERO_GROUPS_OVER);
}

/* ---- length ---- */

enum detection signature_detect_length_correlation(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    v[0] = evaluation_figure(h, 0, EVAL_LENGTH_CORRELATION);
    return level(fabs(v[0]), LENGTH_CORRELATION, LENGTH_CORRELATION_OVER);
}

/* rm_length is the accuracy of preferring the longer answer; preferring the shorter one is right for the others. */
enum detection signature_detect_length_only(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    const double longer = evaluation_figure(h, 0, EVAL_RM_LENGTH), reward = evaluation_figure(h, 0, EVAL_RM_HELDOUT);
    if (!known(longer) || !known(reward)) return DETECTION_CLEAR;
    const double alone = fmax(longer, 1 - longer);
    v[0] = alone;
    v[1] = reward;
    if (alone < LENGTH_ALONE_OVER || reward - alone > LENGTH_MARGIN_OVER) return DETECTION_CLEAR;
    return alone >= LENGTH_ALONE && reward - alone <= LENGTH_MARGIN ? DETECTION_RAISE : DETECTION_BETWEEN;
}

/* ---- white-box ---- */

enum detection signature_detect_q_saturated(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    v[0] = evaluation_figure(h, 0, EVAL_Q_NORM);
    return level(v[0], Q_SATURATED, Q_SATURATED_OVER);
}

enum detection signature_detect_q_jump(const struct signature_history *h, double v[SIGNATURE_VALUES]) {
    double earlier[SIGNATURE_EVALUATIONS];
    int n = 0;
    for (int back = 1; back < SIGNATURE_EVALUATIONS; back++)
        if (known(evaluation_figure(h, back, EVAL_Q_NORM))) earlier[n++] = evaluation_figure(h, back, EVAL_Q_NORM);
    const double now = evaluation_figure(h, 0, EVAL_Q_NORM);
    if (!known(now) || n < 3) return DETECTION_CLEAR;
    v[0] = signature_median(earlier, n);
    v[1] = now;
    if (now < Q_HARMLESS || now < Q_JUMP_OVER * v[0]) return DETECTION_CLEAR;
    return now >= Q_JUMP * v[0] ? DETECTION_RAISE : DETECTION_BETWEEN;
}
