/* Shared by the files of the failure signatures: the table of detectors, and how they look at the history. */
#ifndef PBKD_SIGNATURE_SIGNATURE_PRIVATE_H
#define PBKD_SIGNATURE_SIGNATURE_PRIVATE_H

#include <math.h>

#include "engine/signature/signature.h"

/* What a detector says of the newest row. Between raise and clear lies what keeps an alert from flapping: there it
 * stays as it is. A figure that does not exist is clear. In ascending order, so that the smaller of two is what both
 * agree on. */
enum detection { DETECTION_CLEAR, DETECTION_BETWEEN, DETECTION_RAISE };

enum signature_row { ROW_EVALUATION, ROW_STEP };

/* name (also in checkpoints), signature, the rows it looks at, and its text: a format with figures v[0..3], which
 * signature_detect_NAME fills when it raises */
/* clang-format off */
#define DETECTOR_TABLE(X)                                                                                                                          \
    X(plateau, SIGNATURE_PLATEAU, ROW_EVALUATION, "%s gap went from %.3f to %.3f over %.0f evaluations", v[3] != 0 ? "true" : "worst-case",        \
      v[0], v[1], v[2])                                                                                                                            \
    X(gap_worst_grows, SIGNATURE_DIVERGENCE, ROW_EVALUATION, "worst-case gap rose from %.3f to %.3f, by [%.3f, %.3f]", v[0], v[1], v[2], v[3])     \
    X(gap_true_grows, SIGNATURE_DIVERGENCE, ROW_EVALUATION, "true gap rose from %.3f to %.3f, by [%.3f, %.3f]", v[0], v[1], v[2], v[3])            \
    X(gap_surge, SIGNATURE_DIVERGENCE, ROW_STEP, "gap after ascent rose from %.3g to %.3g within %.0f ascents", v[0], v[1], v[2])                  \
    X(kl_step, SIGNATURE_DIVERGENCE, ROW_STEP, "KL to the reference is %.2f nats/token over %.0f steps", v[0], v[1])                               \
    X(kl_evaluation, SIGNATURE_DIVERGENCE, ROW_EVALUATION, "KL to the reference is %.2f nats/token on held-out prompts", v[0])                     \
    X(gradient_student, SIGNATURE_DIVERGENCE, ROW_STEP, "gradient norm of the student rose from %.3g to %.3g within %.0f steps",                   \
      v[0], v[1], v[2])                                                                                                                            \
    X(gradient_reward, SIGNATURE_DIVERGENCE, ROW_STEP, "gradient norm of the reward rose from %.3g to %.3g within %.0f ascents",                   \
      v[0], v[1], v[2])                                                                                                                            \
    X(newest_pairs, SIGNATURE_REWARD_LAGS, ROW_EVALUATION, "accuracy on the newest pairs fell from %.2f to %.2f within %.0f iterations",           \
      v[0], v[1], v[2])                                                                                                                            \
    X(hacking_fitted, SIGNATURE_REWARD_HACKING, ROW_EVALUATION,                                                                                    \
      "fitted gap fell by %.3f, reward of the student under the held reward too: by %.3f, at least %.3f, in %.0f iterations",                      \
      v[0], v[1], v[2], v[3])                                                                                                                      \
    X(hacking_worst, SIGNATURE_REWARD_HACKING, ROW_EVALUATION,                                                                                     \
      "worst-case gap fell by %.3f, reward of the student under the held reward too: by %.3f, at least %.3f, in %.0f iterations",                  \
      v[0], v[1], v[2], v[3])                                                                                                                      \
    X(beta_zero, SIGNATURE_CONSTRAINT_INACTIVE, ROW_EVALUATION, "beta is 0")                                                                       \
    X(beta_floor, SIGNATURE_CONSTRAINT_INACTIVE, ROW_EVALUATION, "beta is at its floor %.3g with L - L_hat = %.4f < zeta = %.4f",                  \
      v[0], v[1], v[2])                                                                                                                            \
    X(truth_outside, SIGNATURE_TRUTH_MISSED, ROW_EVALUATION, "the true reward is %.4f nats/pair outside the set", v[0])                            \
    X(truth_unseen, SIGNATURE_TRUTH_MISSED, ROW_EVALUATION, "worst-case gap is %.3f, at most %.3f, the true gap %.3f, at least %.3f",              \
      v[0], v[1], v[2], v[3])                                                                                                                      \
    X(entropy_step, SIGNATURE_COLLAPSE, ROW_STEP, "entropy fell from %.2f to %.2f nats/token within %.0f steps", v[0], v[1], v[2])                 \
    X(entropy_evaluation, SIGNATURE_COLLAPSE, ROW_EVALUATION, "entropy fell from %.2f to %.2f nats/token within %.0f iterations",                  \
      v[0], v[1], v[2])                                                                                                                            \
    X(identical, SIGNATURE_COLLAPSE, ROW_EVALUATION, "for %.0f %% of the prompts all samples are one answer, not the teacher's", 100 * v[0])       \
    X(truncation, SIGNATURE_TRUNCATION, ROW_EVALUATION, "%.0f %% of the samples were cut", 100 * v[0])                                             \
    X(zero_groups, SIGNATURE_ZERO_GROUPS, ROW_EVALUATION, "%.0f %% of the groups gave no gradient", 100 * v[0])                                    \
    X(length_correlation, SIGNATURE_LENGTH_BIAS, ROW_EVALUATION, "the reward correlates with length at %.2f", v[0])                                \
    X(length_only, SIGNATURE_LENGTH_BIAS, ROW_EVALUATION, "going by length alone is right for %.2f of the pairs, the reward for %.2f", v[0], v[1]) \
    X(q_saturated, SIGNATURE_Q_UNSTABLE, ROW_EVALUATION, "advantages A_Q are %.2f of their bound in root mean square", v[0])                       \
    X(q_jump, SIGNATURE_Q_UNSTABLE, ROW_EVALUATION, "advantages A_Q rose from %.2f to %.2f of their bound", v[0], v[1])                            \
    X(non_finite_step, SIGNATURE_NON_FINITE, ROW_STEP, "%s was not finite in a training step", signature_step_name(v[0]))                          \
    X(non_finite_evaluation, SIGNATURE_NON_FINITE, ROW_EVALUATION, "%s was not finite in the evaluation", signature_evaluation_name(v[0]))
/* clang-format on */

enum {
#define X(name, ...) DETECTOR_##name,
    DETECTOR_TABLE(X)
#undef X
        N_DETECTORS
};
_Static_assert((int)N_DETECTORS <= (int)SIGNATURE_MAX_DETECTORS, "signature.h must leave room for all detectors");

#define X(name, ...)                                                                                                   \
    enum detection signature_detect_##name(const struct signature_history *h, double v[SIGNATURE_VALUES]);
DETECTOR_TABLE(X)
#undef X

const char *signature_detector_name(int detector);
/* Names of figures; a number that is none gives "a figure" (it may come from a checkpoint). */
const char *signature_evaluation_name(double figure);
const char *signature_step_name(double figure);

static inline bool known(double x) { return isfinite(x); }

/* A figure of the row that was pushed `back` rows before the newest; NAN where there is none. */
static inline double evaluation_figure(const struct signature_history *h, int back, int figure) {
    const int64_t at = h->n_evaluations - 1 - back;
    return at < 0 || back >= SIGNATURE_EVALUATIONS ? (double)NAN : h->evaluation[at % SIGNATURE_EVALUATIONS][figure];
}
static inline double step_figure(const struct signature_history *h, int back, int figure) {
    const int64_t at = h->n_steps - 1 - back;
    return at < 0 || back >= SIGNATURE_STEPS ? (double)NAN : h->step[at % SIGNATURE_STEPS][figure];
}
double signature_median(const double *x, int n); /* n in 1..SIGNATURE_STEPS */

#endif
