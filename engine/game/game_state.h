/* Where the game stands, completely: with the weights, the moments, run.db and the options, these fields are everything
 * that a resumed run needs to continue to the same bytes. One table gives the struct and its JSON form; reals are
 * written as C99 hexadecimal floats, so no bit is lost. */
#ifndef PBKD_GAME_GAME_STATE_H
#define PBKD_GAME_GAME_STATE_H

#include <stdint.h>

#include "engine/base/err.h"
#include "engine/game/phase_table.h"
#include "engine/metric/metric.h"

/* clang-format off */
#define GAME_STATE_TABLE(INT, REAL)                                                                          \
    INT(tick)              /* micro-steps done */                                                            \
    INT(iteration)         /* 1-based; 0 before the first */                                                 \
    INT(phase)             /* enum run_phase: what the next micro-step belongs to */                         \
    INT(step)              /* micro-steps done in this phase */                                              \
    INT(round)             /* rounds of ascent and descent done in this iteration */                         \
    INT(round_step)        /* descent steps done in this round */                                            \
    INT(prompt_cursor)     /* training prompts drawn so far, over all epochs */                              \
    INT(first_output)      /* first teacher output of this iteration in the store */                         \
    INT(first_pair)        /* pairs in D_pref when this iteration began */                                   \
    INT(policy_step)       /* descent steps in this iteration */                                             \
    INT(gate_tries)        /* extra fits because the gate was not reached */                                 \
    INT(gate_answer)       /* enum gate_answer: a person's answer */                                        \
    INT(groups) INT(zero_groups) /* groups of samples of this iteration, and those with equal rewards, which give no gradient */ \
    INT(sampled) INT(truncated) /* responses, and how many were cut */                                      \
    INT(identical)         /* answers identical to the teacher output, which make no pair */                 \
    REAL(nll_best)         /* L-hat */                                                                       \
    REAL(slack)            /* L - L-hat of the adversary, running mean over ascent batches */                \
    REAL(beta)             /* in force; automatic: of the last ascent step */                               \
    REAL(beta_integral)    /* I of automatic beta */                                                         \
    REAL(zeta)             /* in force in scope head: the option, or Wilks' after the last fit */            \
    INT(solves)            /* exact inner maxima since the last fit */                                       \
    REAL(regret)                                                                                             \
    /* sums of an evaluation under way */                                                                    \
    REAL(sum_correct) REAL(sum_decided)                                                                      \
    REAL(sum_kl) REAL(sum_entropy) REAL(sum_tokens) REAL(sum_reward) REAL(sum_cut) REAL(sum_same)           \
    REAL(sum_q) REAL(sum_rows)                                                                               \
    REAL(seconds)          /* of all sessions, for the record only */                                        \
    REAL(tokens)           /* through all models, for the record only */
/* clang-format on */

struct game_state {
#define STATE_INT(name) int64_t name;
#define STATE_REAL(name) double name;
    GAME_STATE_TABLE(STATE_INT, STATE_REAL)
#undef STATE_INT
#undef STATE_REAL
    double metric[N_METRICS]; /* as last told by game_metric(); in JSON "metric.NAME" */
};

/* All reals NAN where nothing was measured, sums and counters 0. */
void game_state_init(struct game_state *s);
/* A flat JSON object; caller frees. */
char *game_state_to_json(const struct game_state *s);
/* Every field must be present and of its type, but for metrics: one that an older program did not know was not measured.
 * `where` starts messages. */
bool game_state_from_json(struct game_state *s, const char *json, const char *where, struct err *e);

#endif
