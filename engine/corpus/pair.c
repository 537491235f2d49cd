/* Pairs from passages: see pair.h. */
#include "engine/corpus/pair.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

static bool are_identical(const struct passage *a, const struct passage *b) {
    return strcmp(a->text, b->text) == 0 ||
           (a->n == b->n && memcmp(a->token, b->token, (size_t)a->n * sizeof *a->token) == 0);
}

static int32_t *append(int32_t *to, const struct passage *from) {
    memcpy(to, from->token, (size_t)from->n * sizeof *to);
    return to + from->n;
}

bool pair_add(struct dpref *d, const struct pref_pair *label, const struct passage *x, const struct passage *y0,
              const struct passage *y1, bool *made, struct err *e) {
    *made = !are_identical(y0, y1);
    if (!*made) return true;
    struct pref_pair p = *label;
    p.n_x = x->n, p.n_y0 = y0->n, p.n_y1 = y1->n;
    p.by0 = y0->by, p.by1 = y1->by;
    p.truncated0 = y0->truncated, p.truncated1 = y1->truncated;
    p.tokens = mem_small((size_t)(p.n_x + p.n_y0 + p.n_y1) * sizeof *p.tokens);
    append(append(append(p.tokens, x), y0), y1);
    p.prompt = mem_strdup(x->text);
    p.text0 = mem_strdup(y0->text);
    p.text1 = mem_strdup(y1->text);
    p.annotator = label->annotator ? mem_strdup(label->annotator) : NULL;
    if (dpref_add(d, &p, e)) return true;
    free(p.tokens);
    free(p.prompt);
    free(p.text0);
    free(p.text1);
    free(p.annotator);
    return false;
}
