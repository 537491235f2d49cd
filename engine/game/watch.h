/* The game watched by its own figures: rows for the failure signatures (signature.h) are filled in while a step is
 * played, and what the detectors find goes to the log and to whoever draws the run. Changes nothing that the game
 * computes. */
#ifndef PBKD_GAME_WATCH_H
#define PBKD_GAME_WATCH_H

#include "engine/signature/signature.h"

struct game;

struct watch {
    struct signature_history history;
    struct signature_alerts alerts;
    double step[N_STEP_FIGURES]; /* of the micro-step under way */
    /* what stands: the most serious first, then the newest */
    struct signature_finding finding[SIGNATURE_MAX_DETECTORS];
    int n_findings;
    bool found_not_finite; /* the last check raised it */
};

void watch_init(struct watch *w);

/* A figure of the step under way. */
void watch_figure(struct game *g, int figure, double value);
/* Before a micro-step. */
void watch_begin(struct game *g);
/* After a step of ascent or of what trains the student, and after one whose gradient was refused, in whatever phase;
 * `tick` is the step's. */
void watch_step(struct game *g, int64_t tick);
/* When an evaluation is complete. */
void watch_evaluation(struct game *g);
/* After a checkpoint was read: list what stands. */
void watch_restore(struct game *g);

#endif
