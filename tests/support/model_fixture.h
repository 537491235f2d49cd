/* Small models, ragged batches, rows that carry loss, and the gradient check that the tests of the model, of its head
 * and of what stands on the head share. Everything here fails the test on error. */
#ifndef PBKD_TESTS_SUPPORT_MODEL_FIXTURE_H
#define PBKD_TESTS_SUPPORT_MODEL_FIXTURE_H

#include "engine/model/head.h"
#include "engine/model/model.h"

/* One layer with every kind of tensor; and two layers in which two queries share a key. */
enum { FIXTURE_VOCAB = 29, FIXTURE_DIM = 12 };
extern const struct model_config FIXTURE_SMALL, FIXTURE_GROUPED;

/* Weights of ordinary size everywhere (norms around 1, matrices such that no path dies out). */
struct model *fixture_model(const struct model_config *c, uint64_t seed);
/* FIXTURE_SMALL untied, whose logits at the hidden state (1, 0, 0, ...) are exactly z [FIXTURE_VOCAB]. */
struct model *fixture_model_of_logits(const float *z);

struct fixture_batch {
    struct batch b;
    int *start;
    int32_t *token;
};
void fixture_batch(struct fixture_batch *f, int n_vocab, const int *len, int n_seq);
void fixture_batch_free(struct fixture_batch *f);

/* Three sequences, and rows of them (in no order, one of them twice) with targets and two sets of weights of both
 * signs. */
enum { FIXTURE_ROWS = 9, FIXTURE_TOKENS = 17 };
struct fixture_rows {
    struct fixture_batch f;
    int row[FIXTURE_ROWS];
    int32_t target[FIXTURE_ROWS];
    float weight[FIXTURE_ROWS], other_weight[FIXTURE_ROWS];
};
void fixture_rows(struct fixture_rows *r); /* ends with fixture_batch_free(&r->f) */
/* All of them, with their targets, at the hidden states of a model (NULL: to be filled in). */
struct head_rows fixture_head_rows(const struct fixture_rows *r, const float *hidden);
/* log softmax in double at every row of FIXTURE_VOCAB tokens; caller frees [FIXTURE_ROWS, FIXTURE_VOCAB]. */
double *fixture_log_softmax(const struct model *m, const double *params, const struct fixture_rows *r);

/* n rows, in falling order, of random hidden states [n, d] of deviation scale: what is more than a chunk; weights of
 * 1/n to 7/n. */
struct fixture_many {
    float *hidden, *weight;
    int *row;
    int32_t *target;
    struct head_rows rows;
};
void fixture_many(struct fixture_many *f, int n, int n_vocab, int d, float scale);
void fixture_many_free(struct fixture_many *f);

/* A model after a forward pass, with room for the gradients of a backward pass. rows is what was given, at its hidden
 * states. */
struct fixture_pass {
    struct model *m;
    struct activations *a;
    struct head_space *space;
    struct head_rows rows;
    float *dhidden, *grads; /* [n_tokens, d], [n_params]; 0 */
    double *params;
};
struct fixture_pass fixture_pass(const struct model_config *c, uint64_t seed, const struct batch *b,
                                 const struct head_rows *rows);
void fixture_pass_free(struct fixture_pass *p);

double *fixture_doubles(const float *x, size_t n); /* caller frees */

/* Compare grads [n_params] with central differences of loss in double, at up to 12 elements of every tensor (spread
 * over it, the largest included), the error relative to the tensor's largest gradient; and along a random direction
 * through each whole tensor. with_head: whether the head's own tensor takes part when untied. Fails the test, naming
 * the tensor. */
typedef double (*fixture_loss)(const struct model *m, const double *params, void *ctx);
void fixture_check_gradient(const struct model *m, double *params, const float *grads, fixture_loss loss, void *ctx,
                            bool with_head);

#endif
