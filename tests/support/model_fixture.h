/* Small models, ragged batches and the gradient check that the model and head tests share. */
#ifndef PBKD_TESTS_MODEL_FIXTURE_H
#define PBKD_TESTS_MODEL_FIXTURE_H

#include "engine/model/model.h"

/* Weights of ordinary size everywhere (norms around 1, matrices such that no path dies out). Fails the test on error.
 */
struct model *fixture_model(const struct model_config *c, uint64_t seed);

struct fixture_batch {
    struct batch b;
    int *start;
    int32_t *token;
};
void fixture_batch(struct fixture_batch *f, int n_vocab, const int *len, int n_seq);
void fixture_batch_free(struct fixture_batch *f);

double *fixture_doubles(const float *x, size_t n); /* caller frees */

/* Compare grads [n_params] with central differences of loss in double, at up to 12 elements of every tensor (spread
 * over it, the largest included), the error relative to the tensor's largest gradient; and along a random direction
 * through each whole tensor. with_head: whether the head's own tensor takes part when untied. Fails the test, naming
 * the tensor. */
typedef double (*fixture_loss)(const struct model *m, const double *params, void *ctx);
void fixture_check_gradient(const struct model *m, double *params, const float *grads, fixture_loss loss, void *ctx,
                            bool with_head);

#endif
