/* From final hidden states to tokens: logits for a chunk of rows at a time, one reused buffer, inverse-CDF sampling. */
#ifndef PBKD_MODEL_SAMPLER_H
#define PBKD_MODEL_SAMPLER_H

#include "engine/model/model.h"

struct sampler_config {
    float temperature; /* <= 0: greedy, ties to the lowest id */
    int n_valid;       /* ids below this can be drawn; 1..n_vocab */
    uint64_t seed, tick;
};

struct draw {
    uint64_t index; /* in: position in the stream of random numbers (RNG_SAMPLE) */
    int32_t token;  /* out */
    float log_prob; /* out: under the distribution drawn from; under the untempered one when greedy */
};

struct sampler;
/* max_rows: the most rows that sampler_run will be given. NULL on error. */
struct sampler *sampler_new(const struct model *m, const struct sampler_config *c, int max_rows, struct err *e);
void sampler_free(struct sampler *s); /* NULL is fine */

/* hidden [n_rows, d]; row i serves the draws draw[start[i] .. start[i+1]). An error when logits are not finite. */
bool sampler_run(struct sampler *s, const float *hidden, int n_rows, const int *start, struct draw *draw,
                 struct err *e);

#endif
