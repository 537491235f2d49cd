/* How long a run still takes. Nothing decides by it: it is shown to a person, and is the only use of the clock in the
 * loop.
 *
 * Phases differ in what a micro-step costs by orders of magnitude, so each is counted by itself: its steps ahead times
 * what its steps have cost so far. A phase that has not been seen yet is taken to cost its work at the price that work
 * had in the phases that were. */
#ifndef PBKD_RUN_ETA_H
#define PBKD_RUN_ETA_H

struct eta_phase {
    double done, seconds; /* micro-steps so far in this session, and what they took */
    double left;          /* micro-steps from here to the end of the run */
    double work;          /* of a micro-step, in a unit that the phases share; 0 = next to nothing */
};

/* Seconds to the end; NAN before the first step that has work. */
double eta_seconds(const struct eta_phase *phase, int n);

#endif
