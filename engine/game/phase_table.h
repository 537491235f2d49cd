/* The phases of a run, one row each: what a micro-step belongs to. The row is all that the machine knows of a phase:
 * game.c plays it, progress and the eta come from it, the workbench shows its name, and the order of an iteration
 * follows from its place.
 *
 *   PHASE(id, name, place, stem)   place: within an iteration they follow each other by it; 0: before the first
 *                                  stem: its functions are in phase/STEM.c (phase/phases.h says which)
 *   MARK(id, name)                 a state without micro-steps
 *
 * Checkpoints hold the numbers: new phases go to the end, wherever their place is. Ascent and descent alternate in
 * rounds (phase_order.h) and are one stretch of work. */
#ifndef PBKD_GAME_PHASE_TABLE_H
#define PBKD_GAME_PHASE_TABLE_H

/* clang-format off */
#define PHASE_TABLE(PHASE, MARK)                                                             \
    MARK(PHASE_LOAD, "loading")                                                              \
    PHASE(PHASE_EVALUATE_START, "first evaluation", 0, evaluate_start)                       \
    PHASE(PHASE_COLLECT, "teacher outputs", 10, collect)                                     \
    PHASE(PHASE_SFT, "cross-entropy", 20, cross_entropy)                                     \
    PHASE(PHASE_SAMPLE, "student samples", 30, sample)                                       \
    PHASE(PHASE_FIT, "reward fit", 40, fit)                                                  \
    PHASE(PHASE_GATE, "gate", 50, gate)                                                      \
    PHASE(PHASE_ASCENT, "reward ascent", 60, ascent)                                         \
    PHASE(PHASE_DESCENT, "student descent", 70, descent)                                     \
    PHASE(PHASE_EVALUATE, "evaluation", 100, evaluate)                                       \
    PHASE(PHASE_CHECKPOINT, "checkpoint", 110, checkpoint)                                   \
    MARK(PHASE_END, "done")                                                                  \
    PHASE(PHASE_DISTIL, "distillation", 80, distil)                                          \
    PHASE(PHASE_DPO, "preference optimisation", 90, dpo)
/* clang-format on */

enum run_phase {
#define PHASE(id, name, place, stem) id,
#define MARK(id, name) id,
    PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK
        N_PHASES
};

const char *run_phase_name(enum run_phase p); /* "reward fit" */

#endif
