/* Batched generation with a key-value cache. All live sequences form the rows of every matrix product; the prompt's
 * keys and values are computed once and shared by its samples; finished sequences leave the batch at once.
 *
 * Every sequence draws from its own stream of counter-based random numbers (seed, RNG_SAMPLE, tick, stream*2^20 +
 * position). */
#ifndef PBKD_MODEL_GENERATE_H
#define PBKD_MODEL_GENERATE_H

#include "engine/model/model.h"

struct gen_config {
    int max_new_tokens;
    float temperature;      /* <= 0: greedy, ties to the lowest id */
    int n_valid_vocab;      /* ids >= this are never sampled (0: all) */
    const int32_t *end_ids; /* generation ends after one of these, which is kept as the last token */
    int n_end_ids;
    uint64_t seed, tick;
    /* Called between decoding steps; returning false stops with *stopped = true. NULL: never stop. */
    bool (*safe_point)(void *ctx);
    void *ctx;
    size_t cache_bytes; /* for keys and values at a time, 0: 1 GiB; changes memory and speed, not results */
};

struct gen_request {
    const int32_t *prompt; /* n_prompt >= 1 */
    int n_prompt;
    int n_samples;
    uint64_t stream; /* sample j uses random stream `stream + j` */
};

struct gen_output {  /* one per sample, requests in order, samples in order */
    int32_t *token;  /* response tokens including the end token unless truncated */
    float *log_prob; /* of each token under the distribution sampled from (the tempered one; raw when greedy) */
    int n;
    bool truncated; /* max_new_tokens or n_ctx reached without an end token */
};

/* out must have room for the sum of n_samples; on success release with gen_output_free(out, n). Prompt + max_new_tokens
 * is cut at n_ctx; a prompt >= n_ctx is an error (false). A stop is no error: true with *stopped = true and every
 * output empty. On error or stop nothing is left to free. stopped may be NULL when there is no safe_point. */
bool generate(const struct model *m, const struct gen_config *c, const struct gen_request *req, int n_req,
              struct gen_output *out, bool *stopped, struct err *e);
void gen_output_free(struct gen_output *out, int n);

#endif
