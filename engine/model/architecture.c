/* The tables of architectures and of tensors, and the walk over a model's tensors: see architecture.h. */
#include "engine/model/architecture.h"

#include <stdio.h>
#include <string.h>

#include "engine/model/parameters.h"

/* clang-format off */
/* The first is what models made here are. Mistral, SmolLM2, TinyLlama and Llama 3 all are `llama` in GGUF. */
static const struct architecture ARCHITECTURES[] = {
    {.name = "llama", .norm_eps_key = "attention.layer_norm_rms_epsilon", .norm = NORM_RMS,
     .activation = ACTIVATION_SILU, .position = POSITION_ROTARY_PAIRS, .parts = PART_GATE},
    {.name = "qwen2", .norm_eps_key = "attention.layer_norm_rms_epsilon", .norm = NORM_RMS,
     .activation = ACTIVATION_SILU, .position = POSITION_ROTARY_HALVES, .parts = PART_GATE | PART_QKV_BIAS},
};

#define IN_MODEL(member) offsetof(struct model, member)
#define IN_LAYER(member) offsetof(struct layer_params, member)

/* q, k, v and gate, up lie next to each other, and so do the biases of the former: layer.c takes each group as one. */
static const struct tensor_spec TENSORS[] = {
    {"token_embd.weight", SECTION_BEFORE, IN_MODEL(embed), DIM_VOCAB, DIM_MODEL, .role = ROLE_WEIGHT},

    {"attn_norm.weight", SECTION_LAYER, IN_LAYER(attn_norm), DIM_ONE, DIM_MODEL, .role = ROLE_NORM},
    {"attn_q.weight", SECTION_LAYER, IN_LAYER(wq), DIM_QUERIES, DIM_MODEL, .role = ROLE_WEIGHT, .rotated = true},
    {"attn_k.weight", SECTION_LAYER, IN_LAYER(wk), DIM_KEYS, DIM_MODEL, .role = ROLE_WEIGHT, .rotated = true},
    {"attn_v.weight", SECTION_LAYER, IN_LAYER(wv), DIM_KEYS, DIM_MODEL, .role = ROLE_WEIGHT},
    {"attn_q.bias", SECTION_LAYER, IN_LAYER(bq), DIM_ONE, DIM_QUERIES, .role = ROLE_BIAS, .parts = PART_QKV_BIAS},
    {"attn_k.bias", SECTION_LAYER, IN_LAYER(bk), DIM_ONE, DIM_KEYS, .role = ROLE_BIAS, .parts = PART_QKV_BIAS},
    {"attn_v.bias", SECTION_LAYER, IN_LAYER(bv), DIM_ONE, DIM_KEYS, .role = ROLE_BIAS, .parts = PART_QKV_BIAS},
    {"attn_output.weight", SECTION_LAYER, IN_LAYER(wo), DIM_MODEL, DIM_QUERIES, .role = ROLE_TO_RESIDUAL},
    {"ffn_norm.weight", SECTION_LAYER, IN_LAYER(ffn_norm), DIM_ONE, DIM_MODEL, .role = ROLE_NORM},
    {"ffn_gate.weight", SECTION_LAYER, IN_LAYER(w_gate), DIM_FF, DIM_MODEL, .role = ROLE_WEIGHT, .parts = PART_GATE},
    {"ffn_up.weight", SECTION_LAYER, IN_LAYER(w_up), DIM_FF, DIM_MODEL, .role = ROLE_WEIGHT},
    {"ffn_down.weight", SECTION_LAYER, IN_LAYER(w_down), DIM_MODEL, DIM_FF, .role = ROLE_TO_RESIDUAL},

    {"output_norm.weight", SECTION_AFTER, IN_MODEL(out_norm), DIM_ONE, DIM_MODEL, .role = ROLE_NORM},
    {"output.weight", SECTION_AFTER, IN_MODEL(head), DIM_VOCAB, DIM_MODEL, .role = ROLE_WEIGHT, .untied = true},
};
/* clang-format on */

enum {
    N_ARCHITECTURES = sizeof ARCHITECTURES / sizeof *ARCHITECTURES,
    N_SPECS = sizeof TENSORS / sizeof *TENSORS,
};

/* ---- rows ---- */

const struct architecture *architecture_find(const char *name, size_t len, struct err *e) {
    char known[128] = "";
    size_t used = 0;
    for (int i = 0; i < N_ARCHITECTURES; i++) {
        const struct architecture *a = &ARCHITECTURES[i];
        if (strlen(a->name) == len && memcmp(a->name, name, len) == 0) return a;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s\"%s\"", i ? ", " : "", a->name);
    }
    err_set(e, "architecture \"%.*s\" is not supported, expected one of %s", (int)(len < 64 ? len : 64), name, known);
    return NULL;
}

const struct architecture *architecture_of(const struct model_config *c) {
    return c->arch ? c->arch : &ARCHITECTURES[0];
}

bool architecture_check(const struct architecture *a, struct err *e) {
    const struct {
        bool asked;
        const char *what;
    } missing[] = {
        {a->norm != NORM_RMS, "a norm other than RMSNorm"},
        {a->activation != ACTIVATION_SILU, "an activation other than SiLU"},
        {a->position == POSITION_LEARNED, "learned positions"},
        {!(a->parts & PART_GATE), "a feed-forward part without a gate"},
        {(a->parts & ~(unsigned)ALL_PARTS) != 0, "a part of a layer that is not known"},
        {a->position == POSITION_ROTARY_PAIRS && a->parts & PART_QKV_BIAS, "biases of permuted rows"},
        {a->scales_embedding, "a scaled embedding"},
        {a->global_every != 0, "attention to a window"},
    };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (missing[i].asked)
            return err_set(e, "architecture \"%s\" needs %s, which is not supported", a->name, missing[i].what);
    return true;
}

/* ---- tensors ---- */

static bool has(const struct model_config *c, const struct tensor_spec *t) {
    return (architecture_of(c)->parts & t->parts) == t->parts && !(t->untied && c->tied);
}

static int count_section(const struct model_config *c, enum tensor_section s) {
    int n = 0;
    for (int i = 0; i < N_SPECS; i++) n += TENSORS[i].section == s && has(c, &TENSORS[i]);
    return n;
}

static const struct tensor_spec *nth_of_section(const struct model_config *c, enum tensor_section s, int nth) {
    for (int i = 0; i < N_SPECS; i++)
        if (TENSORS[i].section == s && has(c, &TENSORS[i]) && nth-- == 0) return &TENSORS[i];
    return NULL;
}

static int times(const struct model_config *c, enum tensor_section s) { return s == SECTION_LAYER ? c->n_layer : 1; }

int architecture_n_tensors(const struct model_config *c) {
    int n = 0;
    for (int s = SECTION_BEFORE; s <= SECTION_AFTER; s++) n += times(c, s) * count_section(c, s);
    return n;
}

struct tensor_place architecture_tensor(const struct model_config *c, int i) {
    for (int s = SECTION_BEFORE; s <= SECTION_AFTER; s++) {
        const int each = count_section(c, s), n = times(c, s) * each;
        if (i < n) return (struct tensor_place){nth_of_section(c, s, i % each), s == SECTION_LAYER ? i / each : -1};
        i -= n;
    }
    return (struct tensor_place){NULL, -1};
}

int tensor_dim_size(const struct model_config *c, enum tensor_dim d) {
    switch (d) {
    case DIM_ONE: return 1;
    case DIM_VOCAB: return c->n_vocab;
    case DIM_MODEL: return c->d_model;
    case DIM_QUERIES: return c->n_head * c->head_dim;
    case DIM_KEYS: return c->n_kv_head * c->head_dim;
    case DIM_FF: return c->d_ff;
    }
    return 0;
}
