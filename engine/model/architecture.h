/* Model architectures, one row each: what a GGUF file of that architecture calls its keys and tensors, how it stores
 * them, and which parts a layer of it has.
 *
 * Everything that depends on the architecture asks its row: the layout of the parameters (model.c), files (model_io.c),
 * a student from a teacher's layers (keep_layers.c) and the one layer function (layer.c). The tensors of all
 * architectures are one list, each with the parts that it belongs to, so that an architecture made of parts that exist
 * is one row and nothing else. A row may name what layer.c does not compute yet; no model of it can be made then, and
 * the message says what is missing. */
#ifndef PBKD_MODEL_ARCHITECTURE_H
#define PBKD_MODEL_ARCHITECTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/err.h"

struct model_config;

enum norm_kind {
    NORM_RMS,   /* x / rms(x) * w. Gemma's (1 + w) is this in a GGUF file, which holds the sum. */
    NORM_LAYER, /* not computed yet */
};

enum activation_kind {
    ACTIVATION_SILU,
    ACTIVATION_GELU_TANH, /* not computed yet */
};

enum position_kind {
    POSITION_ROTARY_PAIRS,  /* rotary; the file permutes rows of q and k for a rotation of adjacent pairs */
    POSITION_ROTARY_HALVES, /* rotary; the file has rows of q and k as we do, for a rotation of halves */
    POSITION_LEARNED,       /* not computed yet */
};

/* What a layer may have or lack. */
enum layer_part {
    PART_GATE = 1 << 0,     /* feed-forward: activation(gate x) * (up x), not activation(up x); only this is computed */
    PART_QKV_BIAS = 1 << 1, /* q, k and v have biases */
    ALL_PARTS = PART_GATE | PART_QKV_BIAS,
};

struct architecture {
    const char *name;         /* general.architecture, and the prefix of the file's keys */
    const char *norm_eps_key; /* behind the prefix */
    enum norm_kind norm;
    enum activation_kind activation;
    enum position_kind position;
    unsigned parts;        /* of enum layer_part */
    bool scales_embedding; /* by sqrt(d_model); not computed yet */
    int global_every;      /* every so many layers one attends to all positions, the others to a window; 0: all do */
};

/* The row of that name (len bytes, no NUL needed). NULL with e filled when there is none: names those there are. */
const struct architecture *architecture_find(const char *name, size_t len, struct err *e);
/* The row of c, where no row is named the first: llama. */
const struct architecture *architecture_of(const struct model_config *c);
/* False when layer.c lacks something that the row asks for: says what. */
bool architecture_check(const struct architecture *a, struct err *e);

/* ---- tensors ---- */

enum tensor_dim { DIM_ONE, DIM_VOCAB, DIM_MODEL, DIM_QUERIES, DIM_KEYS, DIM_FF };

enum tensor_role {
    ROLE_WEIGHT,
    ROLE_TO_RESIDUAL, /* a weight whose product is added to the residual stream: starts smaller */
    ROLE_NORM,        /* starts at 1 */
    ROLE_BIAS,        /* starts at 0 */
};

/* Where tensors stand in the parameters, in this order. */
enum tensor_section { SECTION_BEFORE, SECTION_LAYER, SECTION_AFTER };

struct tensor_spec {
    const char *name; /* in the file; in a layer what follows "blk.N." */
    enum tensor_section section;
    size_t slot; /* where its offset is kept: offsetof(struct layer_params, ..), or (struct model, ..) outside layers */
    enum tensor_dim rows, cols; /* [rows, cols] = [out, in]; vectors: rows = DIM_ONE */
    enum tensor_role role;
    unsigned parts; /* there only in an architecture with all of these */
    bool rotated;   /* rows are permuted in files of POSITION_ROTARY_PAIRS */
    bool untied;    /* there only when the head is not the embedding */
};

/* One tensor of a model: a row of the list, and in which layer (-1: in none). */
struct tensor_place {
    const struct tensor_spec *spec;
    int layer;
};

int architecture_n_tensors(const struct model_config *c);
/* The i-th tensor in the order of the parameters; spec is NULL behind the last. */
struct tensor_place architecture_tensor(const struct model_config *c, int i);
int tensor_dim_size(const struct model_config *c, enum tensor_dim d);

#endif
