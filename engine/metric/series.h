/* What the game measures: one table. The names are metric names in run.db, the ids
 * index the series that charts draw. */
#ifndef PBKD_GAME_SERIES_H
#define PBKD_GAME_SERIES_H

enum alert_level { ALERT_INFO, ALERT_WARNING, ALERT_ERROR };

/* name, unit, what it says */
#define SERIES_TABLE(X)                                                                                                \
    X(SERIES_GAP_ASCENT, "gap.after_ascent", "reward", "worst-case gap after a reward ascent (training batch)")        \
    X(SERIES_GAP_DESCENT, "gap.after_descent", "reward", "worst-case gap after a student descent (training batch)")    \
    X(SERIES_GAP_WORST, "gap.worst", "reward", "held-out gap under the adversarial reward")                            \
    X(SERIES_GAP_WORST_LO, "gap.worst.lo", "reward", "lower end of its 95 % interval")                                 \
    X(SERIES_GAP_WORST_HI, "gap.worst.hi", "reward", "upper end of its 95 % interval")                                 \
    X(SERIES_GAP_FITTED, "gap.fitted", "reward", "held-out gap under the maximum-likelihood reward")                   \
    X(SERIES_GAP_TRUE, "gap.true", "accuracy", "teacher accuracy - student accuracy on held-out prompts")              \
    X(SERIES_RM_TRAIN, "reward.accuracy.train", "", "pair accuracy on training pairs")                                 \
    X(SERIES_RM_HELDOUT, "reward.accuracy.heldout", "", "pair accuracy on held-out pairs")                             \
    X(SERIES_RM_NEWEST, "reward.accuracy.newest", "", "pair accuracy on the newest pairs before they were trained on") \
    X(SERIES_RM_LENGTH, "reward.accuracy.length_only", "", "accuracy of preferring by length alone")                   \
    X(SERIES_NLL, "reward.nll", "nats/pair", "negative log-likelihood of D_pref under the reward")                     \
    X(SERIES_SLACK, "reward.slack", "nats/pair", "L - L_hat: how far the adversarial reward has left the best fit")    \
    X(SERIES_BETA, "beta", "", "Lagrange multiplier")                                                                  \
    X(SERIES_KL, "student.kl", "nats/token", "KL of the student to its reference")                                     \
    X(SERIES_ENTROPY, "student.entropy", "nats/token", "entropy of the student")                                       \
    X(SERIES_STUDENT_REWARD, "student.reward", "reward", "mean reward of the student's samples")                       \
    X(SERIES_ACCURACY, "student.accuracy", "", "greedy accuracy of the student on held-out prompts")                   \
    X(SERIES_REGRET, "regret", "reward", "cumulative worst-case gap")                                                  \
    X(SERIES_SFT_LOSS, "sft.loss", "nats/token", "cross-entropy on teacher outputs")                                   \
    X(SERIES_DISTIL_LOSS, "distil.loss", "nats/token",                                                                 \
      "divergence of the student from the teacher on the states just trained on (tv: no unit)")                        \
    X(SERIES_DPO_LOSS, "dpo.loss", "nats/pair",                                                                        \
      "negative log-likelihood of D_pref under the student's implicit reward (training batch)")                        \
    X(SERIES_DPO_MARGIN, "dpo.margin", "nats",                                                                         \
      "how much the log-ratio of student to reference is higher for the preferred answer")                             \
    X(SERIES_ECE, "reward.ece", "", "expected calibration error of the reward on held-out pairs")                      \
    X(SERIES_BRIER, "reward.brier", "",                                                                                \
      "Brier score of the reward on held-out pairs: 0 sure and right, 0.25 undecided, 1 sure and wrong")               \
    X(SERIES_LENGTH_CORRELATION, "reward.length_correlation", "", "correlation of an answer's reward with its length") \
    X(SERIES_GAP_MAX, "gap.max", "reward", "largest held-out gap under any reward of the confidence set (scope head)") \
    X(SERIES_GAP_MIN, "gap.min", "reward",                                                                             \
      "smallest held-out gap under any reward of the confidence set (scope head)")                                     \
    X(SERIES_ZETA, "zeta", "nats/pair", "radius of the confidence set by Wilks' theorem (zeta.mode wilks)")            \
    X(SERIES_TRUTH_EXCESS, "set.truth_excess", "nats/pair",                                                            \
      "L - L_hat - zeta of the true reward: above 0 the set misses it (scope head, with a checker)")                   \
    X(SERIES_COVERAGE_REDRAWN, "set.coverage_redrawn", "",                                                             \
      "share of the sets of labels drawn from the true reward that contain it (scope head, with a checker and "        \
      "head.redraws)")                                                                                                 \
    X(SERIES_GAP_HELD, "gap.held", "reward",                                                                           \
      "held-out gap under r_held, which is fitted to other pairs and never played against")                            \
    X(SERIES_GAP_HELD_LO, "gap.held.lo", "reward", "lower end of its 95 % interval")                                   \
    X(SERIES_GAP_HELD_HI, "gap.held.hi", "reward", "upper end of its 95 % interval")                                   \
    X(SERIES_RM_HELD, "reward.accuracy.r_held", "", "pair accuracy of r_held on held-out pairs")                       \
    X(SERIES_REGRET_RATE, "regret.rate", "reward",                                                                     \
      "regret / sqrt(t log t) after t >= 2 iterations: bounded where the game's guarantee holds")

enum series_id {
#define X(id, name, unit, help) id,
    SERIES_TABLE(X)
#undef X
        N_SERIES
};
const char *series_name(enum series_id id);
const char *series_unit(enum series_id id);
const char *series_help(enum series_id id);

#endif
