/* What the ascents of all adversaries share: answers of both sides to play on, the preferences that hold the
 * adversary, and the figures that come of it. */
#ifndef PBKD_GAME_ADVERSARY_ASCENT_H
#define PBKD_GAME_ADVERSARY_ASCENT_H

#include "engine/game/game_parts.h"

/* What one ascent step is played with, and what it measures. */
struct ascent {
    /* L of its pairs, and what the fitted reward makes of the same; nll_fitted with automatic beta, or exact, alone */
    double nll, nll_fitted;
    double beta, integral; /* the beta that it is played with; the integral of automatic control after it */
    double before, after;  /* G */
};

/* Answers of both sides to n training prompts: outputs of this iteration that the game may use, borrowed, and a sample
 * of the student to each of their prompts. */
struct answers {
    const struct teacher_output **teacher; /* [n] */
    struct gen_output *student;            /* [n] */
    int n;
};
/* As many as game.reward_batch asks for, or as there are, at least one. Release with answers_free after GAME_OK. */
enum game_result answers_of_both(struct game *g, struct answers *a, struct err *e);
void answers_free(struct answers *a);
/* Append them packed: n teacher outputs, then n samples. */
void answers_pack(const struct game *g, const struct answers *a, struct sequences *s, bool include_last);

/* a->nll_fitted on scratch.pairs.pair[0..n) where automatic beta needs it. Overwrites scratch.seqs_reward; to be called
 * before another reward is scored. */
bool ascent_measure_fitted(struct game *g, int n, struct ascent *a, struct err *e);
/* a->nll of the scored pairs scratch.pairs.pair[0..n), then a->beta; beta dL/dvalue is added to dvalue. */
void ascent_hold(struct game *g, int n, struct ascent *a);
/* The saw-tooth: G before and after a step; where preferences hold the adversary also the slack and beta, which take
 * effect in the state. */
void ascent_publish(struct game *g, const struct ascent *a);

#endif
