/* Counter-based random numbers: the value depends only on (seed, purpose, tick, index), never on how many were drawn
 * before, so runs resume and replay byte for byte and batch order or thread count change nothing. */
#ifndef PBKD_BASE_RNG_H
#define PBKD_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

enum rng_purpose {
    RNG_INIT = 1, /* weight initialisation */
    RNG_SHUFFLE,  /* order of training examples */
    RNG_PROMPTS,  /* which prompts an iteration draws */
    RNG_SAMPLE,   /* decoding */
    RNG_PAIRS,    /* mini-batches of preference pairs */
    RNG_LABEL,    /* which pairs go to which labeller */
    RNG_SIDES,    /* which answer is shown as A */
    RNG_BOOTSTRAP,
    RNG_EVAL,
    RNG_DATA, /* sample-data generator */
    RNG_TEST,
    RNG_COVERAGE /* labels drawn from the true reward */
};

uint64_t rng_u64(uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index);
double rng_uniform(uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index); /* [0,1) with 53 bits */
double rng_normal(uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index);  /* N(0,1) */
/* uniform in [0,n); n >= 1 */
uint64_t rng_below(uint64_t n, uint64_t seed, enum rng_purpose purpose, uint64_t tick, uint64_t index);
/* Fill perm[n] with a permutation of 0..n-1. */
void rng_permutation(int *perm, int n, uint64_t seed, enum rng_purpose purpose, uint64_t tick);

#endif
