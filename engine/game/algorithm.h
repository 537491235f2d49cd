/* The algorithms under one harness (algorithms.md section 9): same prompts, same student, same evaluation; they differ
 * in the phases of an iteration and in what trains the student. One row of engine/option/algorithms.def says how;
 * nothing else of the game asks which algorithm it plays.
 *
 *   COLLECT  [SFT]  [SAMPLE]  [FIT GATE]  then one of  SFT | rounds of ([ASCENT] DESCENT) | DISTIL | DPO  and
 *   EVALUATE  CHECKPOINT
 *
 * COLLECT takes place in every iteration, because options change there; with game.data = offline it finds nothing to do
 * after the first, and what makes and fits pairs is left out: D_pref, the fitted reward and the adversary go on from
 * iteration to iteration. The first [SFT] is the initial training of a raw student (sft.steps), in the first iteration
 * of every algorithm but sft. */
#ifndef PBKD_GAME_ALGORITHM_H
#define PBKD_GAME_ALGORITHM_H

#include <stdint.h>

#include "engine/game/phase_table.h"
#include "engine/model/divergence.h"
#include "engine/option/option.h"

/* needs pi_E: not; with reward.access white-box; whatever that says */
enum algorithm_expert { EXPERT_NEVER, EXPERT_WHITE_BOX, EXPERT_ALWAYS };
enum algorithm_fit { FIT_NEVER, FIT_FIRST_ITERATION, FIT_EVERY_ITERATION };

struct algorithm_info {
    const char *help;
    enum run_phase trains;        /* the phase that trains the student */
    bool pairs;                   /* answers of the student and others become pairs of D_pref */
    enum algorithm_fit fit;       /* when the reward is fitted to the pairs and has to pass the gate */
    enum algorithm_expert expert; /* whether it reads the teacher's next-token probabilities */
    bool ascent;                  /* an adversarial reward plays against the student */
    enum divergence divergence;   /* what PHASE_DISTIL minimises, and: */
    /* share of student samples among its states, where distil.on_policy leaves it to the algorithm */
    double on_policy;
    double coef; /* coefficient of the divergence, where distil.coef does */
};

const struct algorithm_info *algorithm_info(const struct options *o);

/* Whether the run needs the teacher's next-token probabilities: then teacher and student must share a vocabulary. */
bool algorithm_needs_expert(const struct options *o);
/* Whether its rewards read them: r = A_Q, which needs Q of every action. */
bool algorithm_white_box_reward(const struct options *o);

/* What has to be in memory: a fitted reward, and the one that the student descends on (an adversary, or a copy of the
 * fitted one). */
bool algorithm_has_fitted(const struct options *o);
bool algorithm_has_adversary(const struct options *o);
/* An adversary plays that the preferences hold back: then there is a slack L - L_hat. */
bool algorithm_holds_adversary(const struct options *o);
/* It is a linear reward around the fitted one (game.scope head), of which there is no model of its own. */
bool algorithm_linear_adversary(const struct options *o);

/* Whether an iteration brings new outputs and pairs: all do online, the first does offline. */
bool algorithm_gathers(const struct options *o, int64_t iteration);
/* Whether an iteration plays rounds of ascent and descent, or of descent alone. */
bool algorithm_plays(const struct options *o);
/* Whether the reward is fitted, and has to pass the gate, in this iteration. */
bool algorithm_fits_in(const struct options *o, int64_t iteration);

#endif
