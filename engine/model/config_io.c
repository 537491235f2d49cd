/* Keys of a model's configuration: see config_io.h. One table says which key holds which member, for reading and for
 * writing; its names follow the architecture's prefix ("llama.block_count"). */
#include "engine/model/config_io.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "engine/formats/quant.h"
#include "engine/model/architecture.h"

enum presence {
    REQUIRED,
    OPTIONAL, /* the member keeps its default where the key is absent */
    REPEATED, /* says once more what other keys and tensors say: written, and compared when read */
};

struct config_key {
    const char *name; /* behind the prefix; NULL: the architecture's norm_eps_key */
    bool is_real;     /* the member is a float, not an int */
    size_t member;
    enum presence presence;
};

/* clang-format off */
/* In the order in which they are written. */
static const struct config_key KEYS[] = {
    {"block_count", false, offsetof(struct model_config, n_layer), REQUIRED},
    {"context_length", false, offsetof(struct model_config, n_ctx), REQUIRED},
    {"embedding_length", false, offsetof(struct model_config, d_model), REQUIRED},
    {"feed_forward_length", false, offsetof(struct model_config, d_ff), REQUIRED},
    {"attention.head_count", false, offsetof(struct model_config, n_head), REQUIRED},
    {"attention.head_count_kv", false, offsetof(struct model_config, n_kv_head), OPTIONAL},
    {"attention.key_length", false, offsetof(struct model_config, head_dim), OPTIONAL},
    {"attention.value_length", false, offsetof(struct model_config, head_dim), REPEATED},
    {"rope.dimension_count", false, offsetof(struct model_config, head_dim), REPEATED},
    {"rope.freq_base", true, offsetof(struct model_config, rope_base), OPTIONAL},
    {NULL, true, offsetof(struct model_config, rms_eps), REQUIRED},
    {"vocab_size", false, offsetof(struct model_config, n_vocab), REPEATED},
};

/* Numbers that change the computation unless they have their neutral value, or 0. */
static const struct {
    const char *name;
    double neutral;
} REFUSED[] = {
    {"rope.scale_linear", 1},
    {"rope.scaling.factor", 1},
    {"expert_count", 0},
    {"attention.sliding_window", 0},
    {"logit_scale", 1},
    {"embedding_scale", 1},
    {"residual_scale", 1},
    {"final_logit_softcapping", 0},
    {"attn_logit_softcapping", 0},
};
/* clang-format on */

enum { N_KEYS = sizeof KEYS / sizeof *KEYS, N_REFUSED = sizeof REFUSED / sizeof *REFUSED };

struct key_name {
    char text[96];
};

static struct key_name full_name(const struct architecture *a, const char *name) {
    struct key_name k;
    snprintf(k.text, sizeof k.text, "%s.%s", a->name, name ? name : a->norm_eps_key);
    return k;
}

/* ---- reading ---- */

static bool get_int(const struct gguf *g, const char *key, int *out, struct err *e) {
    uint32_t v;
    if (!gguf_get_u32(g, key, &v, e)) return false;
    if (v > INT_MAX) return err_set(e, "%s: key \"%s\" is %u, which is too large", gguf_path(g), key, v);
    *out = (int)v;
    return true;
}

/* A key that may be absent: *out keeps its value then. */
static bool get_int_or_default(const struct gguf *g, const char *key, int *out, struct err *e) {
    return !gguf_has(g, key) || get_int(g, key, out, e);
}

static bool read_architecture(const struct gguf *g, struct model_config *c, struct err *e) {
    const char *s;
    size_t len;
    if (!gguf_get_string(g, "general.architecture", &s, &len, e)) return false;
    c->arch = architecture_find(s, len, e);
    return c->arch || err_wrap(e, "%s", gguf_path(g));
}

static bool refuse_if_set(const struct gguf *g, const char *key, double neutral, struct err *e) {
    if (!gguf_has(g, key)) return true;
    float f;
    uint32_t u;
    double v;
    if (gguf_get_f32(g, key, &f, NULL))
        v = (double)f;
    else if (gguf_get_u32(g, key, &u, e))
        v = u;
    else
        return false;
    if (v == 0.0 || v == neutral) return true;
    return err_set(e, "%s: key \"%s\" = %g is not supported", gguf_path(g), key, v);
}

static bool refuse_unsupported(const struct gguf *g, const struct architecture *a, struct err *e) {
    const struct key_name scaling = full_name(a, "rope.scaling.type");
    if (gguf_has(g, scaling.text)) {
        const char *s;
        size_t len;
        if (!gguf_get_string(g, scaling.text, &s, &len, e)) return false;
        if (len != 4 || memcmp(s, "none", 4) != 0)
            return err_set(e, "%s: rotary scaling \"%.*s\" (%s) is not supported", gguf_path(g),
                           (int)(len < 64 ? len : 64), s, scaling.text);
    }
    if (gguf_find(g, "rope_freqs.weight"))
        return err_set(e, "%s: tensor \"rope_freqs.weight\" (rotary scaling of Llama 3.x) is not supported",
                       gguf_path(g));
    for (int i = 0; i < N_REFUSED; i++)
        if (!refuse_if_set(g, full_name(a, REFUSED[i].name).text, REFUSED[i].neutral, e)) return false;
    return true;
}

static bool read_keys(const struct gguf *g, struct model_config *c, enum presence which, struct err *e) {
    for (int i = 0; i < N_KEYS; i++) {
        const struct config_key *k = &KEYS[i];
        const struct key_name name = full_name(c->arch, k->name);
        void *member = (char *)c + k->member;
        if (k->presence != which || (which == OPTIONAL && !gguf_has(g, name.text))) continue;
        if (!(k->is_real ? gguf_get_f32(g, name.text, member, e) : get_int(g, name.text, member, e))) return false;
    }
    return true;
}

/* What the keys that repeat others say of heads. */
static bool check_head_dims(const struct gguf *g, const struct model_config *c, struct err *e) {
    int value_dim = c->head_dim, rope_dim = c->head_dim;
    if (!get_int_or_default(g, full_name(c->arch, "attention.value_length").text, &value_dim, e)) return false;
    if (!get_int_or_default(g, full_name(c->arch, "rope.dimension_count").text, &rope_dim, e)) return false;
    if (value_dim != c->head_dim)
        return err_set(e, "%s: keys of %d and values of %d dimensions per head are not supported", gguf_path(g),
                       c->head_dim, value_dim);
    if (rope_dim != c->head_dim)
        return err_set(e, "%s: rotating %d of %d dimensions per head is not supported", gguf_path(g), rope_dim,
                       c->head_dim);
    return true;
}

/* The vocabulary is as large as the embedding. */
static bool read_vocabulary(const struct gguf *g, struct model_config *c, struct err *e) {
    const struct gguf_tensor *embed = gguf_find(g, "token_embd.weight");
    if (!embed) return err_set(e, "%s: tensor \"token_embd.weight\" is missing", gguf_path(g));
    if (embed->ne[1] > INT_MAX)
        return err_set(e, "%s: a vocabulary of %lld is too large", gguf_path(g), (long long)embed->ne[1]);
    c->n_vocab = (int)embed->ne[1];
    int stated = c->n_vocab;
    const struct key_name key = full_name(c->arch, "vocab_size");
    if (!get_int_or_default(g, key.text, &stated, e)) return false;
    if (stated != c->n_vocab)
        return err_set(e, "%s: key \"%s\" is %d, \"token_embd.weight\" has %d rows", gguf_path(g), key.text, stated,
                       c->n_vocab);
    return true;
}

static bool file_holds_config(const struct gguf *g, const struct model_config *c, struct err *e) {
    double have = 0.0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) have += (double)gguf_tensor_at(g, i)->n_elements;
    const double need = (double)model_config_params(c);
    if (need > have)
        return err_set(e, "%s: the configuration implies %.0f weights, the file holds %.0f", gguf_path(g), need, have);
    return true;
}

bool config_read(const struct gguf *g, struct model_config *c, struct err *e) {
    *c = (struct model_config){.rope_base = 10000.0f, .tied = !gguf_find(g, "output.weight")};
    if (!read_architecture(g, c, e) || !refuse_unsupported(g, c->arch, e) || !read_keys(g, c, REQUIRED, e))
        return false;
    if (c->n_head < 1)
        return err_set(e, "%s: key \"%s\" is 0", gguf_path(g), full_name(c->arch, "attention.head_count").text);
    c->n_kv_head = c->n_head;
    c->head_dim = c->d_model / c->n_head;
    if (!read_keys(g, c, OPTIONAL, e) || !check_head_dims(g, c, e) || !read_vocabulary(g, c, e)) return false;
    if (!model_config_check(c, e)) return err_wrap(e, "%s", gguf_path(g));
    return file_holds_config(g, c, e);
}

/* ---- writing ---- */

void config_write(struct gguf_writer *w, const struct model_config *c, uint32_t type) {
    const struct architecture *a = architecture_of(c);
    const uint32_t file_type = type == QUANT_F16 ? 1 : type == QUANT_Q8_0 ? 7 : type == QUANT_BF16 ? 32 : 0;
    gguf_put_string(w, "general.architecture", a->name);
    gguf_put_string(w, "general.type", "model");
    gguf_put_u32(w, "general.file_type", file_type);
    gguf_put_u32(w, "general.quantization_version", 2);
    for (int i = 0; i < N_KEYS; i++) {
        const struct key_name name = full_name(a, KEYS[i].name);
        const void *member = (const char *)c + KEYS[i].member;
        if (KEYS[i].is_real)
            gguf_put_f32(w, name.text, *(const float *)member);
        else
            gguf_put_u32(w, name.text, (uint32_t) * (const int *)member);
    }
}
