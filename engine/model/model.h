/* The transformer: RMSNorm, rotary positions in the half-split convention, grouped-query attention, gated feed-forward
 * part, tied or untied head; what differs between architectures is a row of architecture.h. All parameters live in one
 * flat f32 array, so that gradients, moments, checkpoints, hashes and the optimiser are each one loop over one array;
 * `struct tensor_ref` says what lies where.
 *
 * A batch is ragged: sequences are packed one after the other without padding, so padding cannot leak anywhere. */
#ifndef PBKD_MODEL_MODEL_H
#define PBKD_MODEL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/model/parameters.h"

/* Bounds that any model must meet (all sizes >= 1, n_head % n_kv_head == 0, head_dim even, products that fit); names
 * what is wrong. */
bool model_config_check(const struct model_config *c, struct err *e);
/* Zero weights (norms 1). with_value adds the vector of a sequence-level reward. NULL on error. Free with model_free.
 */
struct model *model_new(const struct model_config *c, bool with_value, struct err *e);
/* N(0, 0.02), output projections scaled by 1/sqrt(2 n_layer); norms 1; value 0. */
void model_init(struct model *m, uint64_t seed);
/* A copy with the same weights; with_value may differ from the source's (a new value vector starts at 0). */
struct model *model_copy(const struct model *m, bool with_value, struct err *e);
void model_free(struct model *m);           /* NULL is fine */
uint64_t model_hash(const struct model *m); /* of config and weights */

struct tensor_spec; /* architecture.h */

/* Visit every tensor: GGUF name ("blk.0.attn_q.weight"), offset, rows, cols (vectors: rows = 1), its row in the list of
 * tensors (architecture.h) and its layer, -1 for those outside layers. */
struct tensor_ref {
    char name[64];
    size_t offset;
    int rows, cols, layer;
    const struct tensor_spec *spec;
};
int model_n_tensors(const struct model *m); /* tied head and value vector not counted */
struct tensor_ref model_tensor(const struct model *m, int i);
/* Where a tensor of the list starts in the parameters of m; layer is not looked at for those outside layers. */
size_t model_tensor_offset(const struct model *m, const struct tensor_spec *spec, int layer);
/* Parameters that a model of this configuration has, without a value vector. */
size_t model_config_params(const struct model_config *c);

/* Packed sequences: tokens of sequence s are token[start[s] .. start[s+1]); n_tokens = start[n_seq]. */
struct batch {
    int n_seq;
    const int *start;
    const int32_t *token;
};

/* Buffers of a forward pass; grow on demand, reused between calls, one per model in flight. */
struct activations;
struct activations *activations_new(void);
void activations_free(struct activations *a);

/* Final normalised hidden states of every token: *hidden is [n_tokens, d], owned by a, valid until the next call on a.
 * keep = true saves what backward needs. Token ids must be < n_vocab and sequences <= n_ctx (checked: error). */
bool model_forward(const struct model *m, struct activations *a, const struct batch *b, bool keep, const float **hidden,
                   struct err *e);
/* Gradient of a scalar loss with respect to all parameters below the head, given dhidden = dloss/dhidden [n_tokens, d]
 * of the last model_forward(keep = true) on a with the same batch. Accumulates into grads [n_params]. */
bool model_backward(const struct model *m, struct activations *a, const struct batch *b, const float *dhidden,
                    float *grads, struct err *e);

#endif
