/* Failure signatures: what can go wrong in the game, found in its own figures, named, and explained with what to do
 * (algorithms.md section 10).
 *
 * The game keeps a short history of figures, one row per training step and one per evaluation. A detector is a pure
 * function of that history: no clock, no random numbers, no game. The set of alerts in force is the only memory beside
 * it; both are flat arrays of doubles and go into checkpoints, so a resumed run raises the same alerts at the same
 * ticks.
 *
 * A figure is NAN where it does not exist (no oracle, no KL term, no second reward): detectors that need it stay
 * silent. A figure that was computed and came out NaN or infinite is a failure of its own, so computed figures go
 * through signature_measured, which makes infinities of both; a row starts with signature_no_figures.
 *
 * WHO FEEDS WHAT
 *
 * The game does (engine/game/figures.h). A step row is pushed after every micro-step of ascent and of what trains the
 * student: descent, distillation, dpo, or cross-entropy under algorithm sft. An evaluation row is pushed when the
 * evaluation of an iteration is complete; the one before the first iteration pushes nothing, because an iteration is
 * what the detectors compare. After either, signature_check is called.
 *
 * A row begins with its tick and iteration. Figures that are metrics have EVAL or STEP in their rows of metrics.def,
 * which say what they are. The others:
 *   STEP_GRADIENT_REWARD         norm of the gradient of the ascent
 *   STEP_GRADIENT_STUDENT        norm of the gradient of the student, of the last epoch
 *   EVAL_STUDENT_REWARD_HELD     mean of r_held over the samples of all gap prompts
 *   EVAL_ENTROPY                 - mean log-probability of all tokens of these samples
 *   EVAL_KL                      mean of their log-probability - that of the reference, at temperature 1
 *   EVAL_TRUNCATED               share of these samples that were cut
 *   EVAL_IDENTICAL               share of the prompts whose K >= 2 samples are all the same tokens and not the teacher's
 *                                (those are learnt)
 *   EVAL_ZERO_GROUPS             zero groups / groups over the iteration's descent steps; not known to exact descent
 *   EVAL_BETA_FLOOR              the lowest beta that automatic control may set; unknown where a person sets beta
 *   EVAL_Q_NORM                  white-box: root mean square of A_Q over the tokens of both players' answers to the gap
 *                                prompts, divided by reward.bound
 * Slack, beta and zeta are known where preferences hold an adversary.
 *
 * A step whose gradient was refused, because its norm is not finite, is pushed too: with that norm, before the run
 * pauses. Other steps are not pushed: the gradients of the reward fit and of the first training of a raw student are of
 * another size. */
#ifndef PBKD_SIGNATURE_SIGNATURE_H
#define PBKD_SIGNATURE_SIGNATURE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/metric/metric.h"

/* id, name, severity, what was seen, what to do */
/* clang-format off */
#define SIGNATURE_TABLE(X)                                                                                                                         \
    X(SIGNATURE_PLATEAU, "plateau", ALERT_WARNING, "The gap to the teacher has stopped falling although it can still be measured.",                \
      "Bring new pairs (prompts.per_iteration, samples_per_prompt), or let the game move more (game.rounds, game.policy_lr; dpo: dpo.lr).")                     \
    X(SIGNATURE_DIVERGENCE, "divergence", ALERT_ERROR, "The game is running away: a gap, the KL divergence or a gradient norm keeps growing.",     \
      "Lower game.policy_lr and game.reward_lr (sft: sft.lr, dpo: dpo.lr), raise game.kl; if accuracy fell for good, start again with them (:write-config FILE, quit, pbkd run FILE).")\
    X(SIGNATURE_REWARD_LAGS, "reward cannot track the student", ALERT_WARNING,                                                                     \
      "The reward judges the newest pairs worse than it judged earlier ones: the student writes what it has not learnt to judge.",                 \
      "Raise reward.steps and prompts.per_iteration, or lower game.policy_lr (dpo: dpo.lr) and game.policy_steps, so that the student moves less per refit.")    \
    X(SIGNATURE_REWARD_HACKING, "reward hacking", ALERT_ERROR,                                                                                     \
      "The student pleases the reward that trains it more, and a reward that it was never trained against less.",                                  \
      "Play fewer game.rounds per iteration, raise beta and game.kl, and label fresh pairs.")                                                      \
    X(SIGNATURE_CONSTRAINT_INACTIVE, "constraint inactive", ALERT_WARNING,                                                                         \
      "The preferences do not hold the reward back: the worst case is set by its bound, not by the data.",                                         \
      "Raise beta or lower zeta; keep label.flip above 0, or labels that always prefer the teacher are separable.")                                \
    X(SIGNATURE_TRUTH_MISSED, "confidence set misses the truth", ALERT_WARNING,                                                                    \
      "The true reward lies outside the confidence set: the worst case no longer bounds the true gap.",                                            \
      "Raise zeta, set label.flip to the labels' real error rate, or collect more pairs (prompts.per_iteration).")                                 \
    X(SIGNATURE_COLLAPSE, "entropy collapse", ALERT_ERROR, "The student says one thing only: its answers have lost their variety.",                \
      "Lower game.policy_lr (dpo: dpo.lr), raise game.kl or game.sft; if the variety stays lost, start again with them (:write-config FILE, quit, pbkd run FILE).")\
    X(SIGNATURE_TRUNCATION, "truncation", ALERT_WARNING, "Many answers are cut at max_new_tokens before they end.",                                \
      "Raise max_new_tokens in a new run, or teach the student to stop: game.sft, or game.truncation_penalty with game.descent=sampled.")          \
    X(SIGNATURE_ZERO_GROUPS, "zero-deviation groups", ALERT_INFO, "Most groups of samples have equal rewards and give no gradient.",               \
      "Raise samples_per_prompt or temperature, or use game.descent=exact, which needs no groups.")                                                \
    X(SIGNATURE_LENGTH_BIAS, "length bias", ALERT_WARNING, "The reward goes by the length of an answer.",                                          \
      "Raise max_new_tokens if answers are cut, and label pairs in which the better answer has the unexpected length (labeller=human).")           \
    X(SIGNATURE_Q_UNSTABLE, "white-box Q unstable", ALERT_WARNING, "Q runs into its bound or jumps between iterations.",                           \
      "Lower game.reward_lr and game.reward_steps, raise beta, and fit Q longer to the preferences first (reward.steps).")                         \
    X(SIGNATURE_NON_FINITE, "non-finite values", ALERT_ERROR, "A figure came out infinite or not a number; the step is undone and the run pauses.", \
      "Lower game.policy_lr (dpo: dpo.lr), game.reward_lr, reward.lr and sft.lr, then continue; if it comes back, start again with them (:write-config FILE, quit, pbkd run FILE).")
/* clang-format on */

enum signature_id {
#define X(id, name, level, seen, advice) id,
    SIGNATURE_TABLE(X)
#undef X
        N_SIGNATURES
};
const char *signature_name(enum signature_id id);
const char *signature_seen(enum signature_id id);   /* one sentence: what was seen */
const char *signature_advice(enum signature_id id); /* one sentence: what to do, with names of options */
enum alert_level signature_level(enum signature_id id);

/* The figures of a row: the tick, the iteration, those that are metrics (the EVAL and STEP of their rows in metrics.def),
 * and those that are nothing else. Units: gaps and rewards in units of the reward (EVAL_GAP_TRUE: accuracy), entropy and
 * KL in nats per token, slack, zeta and truth excess in nats per pair, the rest shares in [0,1] or as the comment above
 * says. _LO and _HI follow their mean. */
#define SIGNATURE_EVALUATION_TABLE(X)                                                                                  \
    X(EVAL_STUDENT_REWARD_HELD, "student_reward_held")                                                                 \
    X(EVAL_ENTROPY, "entropy")                                                                                         \
    X(EVAL_KL, "kl")                                                                                                   \
    X(EVAL_TRUNCATED, "truncated")                                                                                     \
    X(EVAL_IDENTICAL, "identical")                                                                                     \
    X(EVAL_ZERO_GROUPS, "zero_groups")                                                                                 \
    X(EVAL_BETA_FLOOR, "beta_floor")                                                                                   \
    X(EVAL_Q_NORM, "q_norm")
#define SIGNATURE_STEP_TABLE(X)                                                                                        \
    X(STEP_GRADIENT_STUDENT, "gradient_student")                                                                       \
    X(STEP_GRADIENT_REWARD, "gradient_reward")

#define X(id, key) id,
#define METRIC(id, name, unit, help, value, result, curves, watch) watch
#define NOT_WATCHED
enum {
    EVAL_TICK,
    EVAL_ITERATION,
#define EVAL(id, key) EVAL_##id,
#define STEP(id, key)
#include "engine/metric/metrics.def"
#undef EVAL
#undef STEP
    SIGNATURE_EVALUATION_TABLE(X) N_EVAL_FIGURES
};
enum {
    STEP_TICK,
    STEP_ITERATION,
#define EVAL(id, key)
#define STEP(id, key) STEP_##id,
#include "engine/metric/metrics.def"
#undef EVAL
#undef STEP
    SIGNATURE_STEP_TABLE(X) N_STEP_FIGURES
};
#undef X
#undef METRIC
#undef NOT_WATCHED

/* Rows kept. Sixteen iterations hold the slowest detector (a base and three evaluations after it) several times over;
 * 256 steps are an iteration or two of the usual game and make 50 KB of a checkpoint. */
enum { SIGNATURE_EVALUATIONS = 16, SIGNATURE_STEPS = 256 };

struct signature_history {
    /* row i of all that were ever pushed is at i % SIGNATURE_EVALUATIONS */
    double evaluation[SIGNATURE_EVALUATIONS][N_EVAL_FIGURES];
    double step[SIGNATURE_STEPS][N_STEP_FIGURES];
    int64_t n_evaluations, n_steps; /* ever pushed */
};

void signature_history_init(struct signature_history *h);
void signature_no_figures(double *figure, int n); /* all NAN */
double signature_measured(double x);              /* x where it is finite, else INFINITY */
/* Add a row; the tick and the iteration must be there. */
void signature_push_evaluation(struct signature_history *h, const double figure[N_EVAL_FIGURES]);
void signature_push_step(struct signature_history *h, const double figure[N_STEP_FIGURES]);

/* A signature is looked for by one or more detectors, each with an alert of its own. */
enum { SIGNATURE_MAX_DETECTORS = 32, SIGNATURE_VALUES = 4 };

struct signature_alert {
    double active;                      /* 0 or 1 */
    double since_tick, since_iteration; /* of the row at which it was raised */
    double clear;                       /* checks in succession that found it over */
    double value[SIGNATURE_VALUES];     /* the figures of its text, from the last row at which the condition held */
};
struct signature_alerts {
    struct signature_alert alert[SIGNATURE_MAX_DETECTORS];
    double n_evaluations, n_steps; /* rows that had been pushed at the last check */
};

void signature_alerts_init(struct signature_alerts *a);

enum signature_change { SIGNATURE_RAISED, SIGNATURE_STANDS, SIGNATURE_CLEARED };
struct signature_finding {
    enum signature_id id;
    enum signature_change change;
    int64_t since_tick, since_iteration;
    char text[192]; /* the measured figures: "entropy fell from 1.20 to 0.04 nats/token within 40 steps" */
};

/* Look at the newest rows, bring the alerts up to date, and list all that stand, with those that have just been
 * cleared. To be called after each push; a detector whose kind of row has not been pushed since the last check keeps
 * its alert as it was. An alert is raised by its condition and cleared when a weaker one has failed at several checks
 * in succession. Returns the number of findings. */
int signature_check(const struct signature_history *h, struct signature_alerts *a,
                    struct signature_finding finding[SIGNATURE_MAX_DETECTORS]);

/* For checkpoints. Reals are written as C99 hexadecimal floats: reading back gives the same bits (NaNs: a NaN). The
 * caller owns the object; NULL without memory for all of it. Reading: every column must be there, of the right length and type, with ticks that a run can
 * have; else false with e filled, `where` first, and the destination is as init leaves it. */
cJSON *signature_history_to_json(const struct signature_history *h);
bool signature_history_from_json(struct signature_history *h, const cJSON *obj, const char *where, struct err *e);
cJSON *signature_alerts_to_json(const struct signature_alerts *a);
bool signature_alerts_from_json(struct signature_alerts *a, const cJSON *obj, const char *where, struct err *e);

#endif
