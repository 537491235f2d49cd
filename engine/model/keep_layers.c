/* A smaller student from a teacher's own layers: the cheapest start that already speaks the teacher's language. The
 * first and the last layer do work that no other does (reading the embedding, preparing the head), so they always stay;
 * the rest is spread evenly, because neighbouring layers are the most alike. */
#include <string.h>

#include "engine/model/model_io.h"

/* The teacher's layer that becomes the student's layer i: i * (n_layer-1) / (n_keep-1), rounded. */
static int source_layer(int i, int n_keep, int n_layer) {
    if (n_keep == 1) return 0;
    return (int)((2LL * i * (n_layer - 1) + (n_keep - 1)) / (2LL * (n_keep - 1)));
}

static void copy_layer(struct model *to, const struct layer_params *a, const struct model *from,
                       const struct layer_params *b) {
    const struct model_config *c = &from->cfg;
    size_t d = (size_t)c->d_model, q = (size_t)c->n_head * (size_t)c->head_dim * d;
    size_t kv = (size_t)c->n_kv_head * (size_t)c->head_dim * d, ff = (size_t)c->d_ff * d;
    const struct {
        size_t to, from, n;
    } part[] = {
        {a->attn_norm, b->attn_norm, d},
        {a->wq, b->wq, q},
        {a->wk, b->wk, kv},
        {a->wv, b->wv, kv},
        {a->wo, b->wo, q},
        {a->ffn_norm, b->ffn_norm, d},
        {a->w_gate, b->w_gate, ff},
        {a->w_up, b->w_up, ff},
        {a->w_down, b->w_down, ff},
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        memcpy(to->params + part[i].to, from->params + part[i].from, part[i].n * sizeof(float));
}

struct model *model_keep_layers(const struct model *teacher, int n_keep, struct err *e) {
    int n_layer = teacher->cfg.n_layer, least = n_layer < 2 ? n_layer : 2;
    if (n_keep < least || n_keep > n_layer) {
        err_set(e, "cannot keep %d of %d layers: between %d and %d can be kept", n_keep, n_layer, least, n_layer);
        return NULL;
    }
    struct model_config c = teacher->cfg;
    c.n_layer = n_keep;
    struct model *m = model_new(&c, false, e);
    if (!m) return NULL;
    size_t d = (size_t)c.d_model, vocab = (size_t)c.n_vocab * d;
    memcpy(m->params + m->embed, teacher->params + teacher->embed, vocab * sizeof(float));
    memcpy(m->params + m->out_norm, teacher->params + teacher->out_norm, d * sizeof(float));
    if (!c.tied) memcpy(m->params + m->head, teacher->params + teacher->head, vocab * sizeof(float));
    for (int i = 0; i < n_keep; i++)
        copy_layer(m, &m->layer[i], teacher, &teacher->layer[source_layer(i, n_keep, n_layer)]);
    return m;
}
