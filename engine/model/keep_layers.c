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
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        const int layer = t.layer < 0 ? t.layer : source_layer(t.layer, n_keep, n_layer);
        const size_t from = model_tensor_offset(teacher, t.spec, layer);
        memcpy(m->params + t.offset, teacher->params + from, (size_t)t.rows * (size_t)t.cols * sizeof(float));
    }
    return m;
}
