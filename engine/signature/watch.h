/* What a run keeps for the failure signatures: the history of its figures, the alerts in force, the row that the step
 * under way fills, and what the last check found. */
#ifndef PBKD_SIGNATURE_WATCH_H
#define PBKD_SIGNATURE_WATCH_H

#include "engine/signature/signature.h"

struct watch {
    struct signature_history history;
    struct signature_alerts alerts;
    double step[N_STEP_FIGURES]; /* of the micro-step under way */
    bool told[N_METRICS];        /* in the micro-step under way */
    /* what stands: the most serious first, then the newest */
    struct signature_finding finding[SIGNATURE_MAX_DETECTORS];
    int n_findings;
    bool found_not_finite; /* the last check raised it */
};

void watch_init(struct watch *w);
/* A micro-step begins: it has no figure yet. */
void watch_begin(struct watch *w);
/* A figure of the step under way. */
void watch_figure(struct watch *w, int figure, double value);
/* A metric was told: its step figure, where its row watches one. */
void watch_metric(struct watch *w, enum metric_id id, double value);
/* Its figure in the row of an evaluation, where its row watches one. What this micro-step told must be a number; what is
 * older may never have been measured, or of nothing. */
void watch_put_metric(const struct watch *w, double row[N_EVAL_FIGURES], enum metric_id id, double value);
/* The step's row enters the history, if it has a figure; then false: nothing to check. */
bool watch_push_step(struct watch *w, int64_t tick, int64_t iteration);
/* Run the detectors: `finding` is made anew, and tell (may be NULL) hears of every one that was raised or is over. */
void watch_check(struct watch *w, void (*tell)(void *ctx, const struct signature_finding *f), void *ctx);

#endif
