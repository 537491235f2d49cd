/* The phases of a run, one row each: what a micro-step belongs to. The row is all that the machine knows of a phase:
 * game.c plays it, progress and the eta come from it, the workbench shows its name, and the order of an iteration
 * follows from its place.
 *
 *   PHASE(id, name, place, stem, share)   place: position within an iteration, from 1 on; 0: before the first
 *                                         stem: its functions are in phase/STEM.c (phase/phases.h says which)
 *                                         share: of an iteration's work, roughly, where nothing is measured yet
 *   MARK(id, name)                        a state without micro-steps
 *
 * Checkpoints hold the numbers: new phases go to the end, wherever their place is. Ascent and descent alternate in
 * rounds (phase_order.h) and are one stretch of work. */
#ifndef PBKD_GAME_PHASE_TABLE_H
#define PBKD_GAME_PHASE_TABLE_H

/* clang-format off */
#define PHASE_TABLE(PHASE, MARK)                                                              \
    MARK(PHASE_LOAD, "loading")                                                               \
    PHASE(PHASE_EVALUATE_START, "first evaluation", 0, evaluate_start, 0.0)                   \
    PHASE(PHASE_COLLECT, "teacher outputs", 1, collect, 0.05)                                 \
    PHASE(PHASE_SFT, "cross-entropy", 2, cross_entropy, 0.01)                                 \
    PHASE(PHASE_SAMPLE, "student samples", 3, sample, 0.05)                                   \
    PHASE(PHASE_FIT, "reward fit", 4, fit, 0.10)                                              \
    PHASE(PHASE_GATE, "gate", 5, gate, 0.0)                                                   \
    PHASE(PHASE_ASCENT, "reward ascent", 6, ascent, 0.0)                                      \
    PHASE(PHASE_DESCENT, "student descent", 7, descent, 0.72)                                 \
    PHASE(PHASE_EVALUATE, "evaluation", 10, evaluate, 0.07)                                   \
    PHASE(PHASE_CHECKPOINT, "checkpoint", 11, checkpoint, 0.0)                                \
    MARK(PHASE_END, "done")                                                                   \
    PHASE(PHASE_DISTIL, "distillation", 8, distil, 0.72)                                      \
    PHASE(PHASE_DPO, "preference optimisation", 9, dpo, 0.72)
/* clang-format on */

enum run_phase {
#define PHASE(id, name, place, stem, share) id,
#define MARK(id, name) id,
    PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK
        N_PHASES
};

const char *run_phase_name(enum run_phase p); /* "reward fit" */

#endif
