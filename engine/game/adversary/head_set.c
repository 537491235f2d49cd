/* The confidence set of scope `head`, kept up to date: see head_set.h. */
#include "engine/game/adversary/head_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/constraint.h"
#include "engine/game/pairs.h"
#include "engine/game/tell.h"

/* ---- memory ---- */

struct head_set *head_set_new(const struct options *o, const struct model *m, struct err *e) {
    struct head_set *h = mem_small(sizeof *h);
    const size_t n = 1 + (size_t)o->head_rank;
    double **const vectors[] = {&h->centre, &h->w, &h->gap_sum, &h->gap, &h->w_hat, &h->w_min, &h->w_max, &h->truth};
    const size_t n_vectors = sizeof vectors / sizeof *vectors;
    h->n_features = (int)n;
    if (!head_scope_init(&h->scope, o->head_rank, m, e) ||
        !(h->vectors = mem_alloc(n_vectors * n, sizeof(double), "vectors of scope head", e))) {
        head_set_free(h);
        return NULL;
    }
    for (size_t i = 0; i < n_vectors; i++) *vectors[i] = h->vectors + i * n;
    h->centre[0] = h->w[0] = 1;
    h->stale = true;
    return h;
}

void head_set_free(struct head_set *h) {
    if (!h) return;
    head_scope_free(&h->scope);
    confidence_free(h->set);
    mem_free(h->difference);
    mem_free(h->kept);
    mem_free(h->label);
    mem_free(h->answer);
    mem_free(h->vectors);
    free(h->checked);
    free(h);
}

/* Room for n rows of features, of which `used` are kept. */
static bool reserve(const struct head_set *h, float **rows, int *cap, int n, int used, const char *what,
                    struct err *e) {
    if (n <= *cap) return true;
    const size_t width = (size_t)h->n_features;
    float *more = mem_alloc((size_t)n * 2 * width, sizeof *more, what, e);
    if (!more) return false;
    if (used > 0) memcpy(more, *rows, (size_t)used * width * sizeof *more);
    mem_free(*rows);
    *rows = more;
    *cap = n * 2;
    return true;
}

static bool reserve_kept(struct head_set *h, int n, struct err *e) {
    if (n <= h->cap_kept && h->label) return true;
    mem_free(h->label);
    h->label = NULL;
    if (!reserve(h, &h->kept, &h->cap_kept, n, 0, "features of the confidence set", e)) return false;
    h->label = mem_alloc((size_t)h->cap_kept * 3, sizeof *h->label, "labels of the confidence set", e);
    if (!h->label) return false;
    h->flip = h->label + h->cap_kept;
    h->weight = h->flip + h->cap_kept;
    return true;
}

bool head_reserve_answers(struct head_set *h, int n, struct err *e) {
    return reserve(h, &h->answer, &h->cap_answers, n, 0, "features of answers", e);
}

/* ---- features of pairs ---- */

static void pack_pairs(struct game *g, int first, int n) {
    pref_space_reserve(&g->scratch.pairs, n, 0);
    for (int i = 0; i < n; i++) g->scratch.pairs.pair[i] = &g->corpus.dpref.pair[first + i];
    sequences_clear(&g->scratch.pairs.seqs);
    pref_sequences(&g->scratch.pairs.seqs, g->scratch.pairs.pair, n, false, g->scratch.pairs.first,
                   g->scratch.pairs.second);
}

/* The chunk of pairs that begins at `first`, as far as it goes today. */
static bool measure_chunk(struct game *g, int first, struct err *e) {
    struct head_set *h = head_set_of(g);
    const int left = g->corpus.dpref.n - first, n = left < CHUNK_PAIRS ? left : CHUNK_PAIRS;
    pack_pairs(g, first, n);
    if (!head_reserve_answers(h, g->scratch.pairs.seqs.n_seq, e) ||
        !reserve(h, &h->difference, &h->cap_pairs, first + n, first, "features of pairs", e) ||
        !head_scope_features(&h->scope, &g->rewards.fitted, &g->scratch.pairs.seqs, h->answer, e))
        return false;
    head_scope_pairs(&h->scope, h->answer, g->scratch.pairs.first, g->scratch.pairs.second, n,
                     h->difference + (size_t)first * (size_t)h->n_features);
    g->st.tokens += (double)g->scratch.pairs.seqs.n_tokens;
    h->n_pairs = first + n;
    return true;
}

/* Those not measured yet. A last chunk that was not full is measured again as a whole, as it would be from scratch. */
enum game_result head_measure_pairs(struct game *g, struct err *e) {
    struct head_set *h = head_set_of(g);
    while (h->n_pairs < g->corpus.dpref.n) {
        if (!game_may_go_on(g)) return GAME_ABANDONED;
        if (!measure_chunk(g, h->n_pairs / CHUNK_PAIRS * CHUNK_PAIRS, e)) return GAME_FAILED;
    }
    return GAME_OK;
}

/* ---- the set ---- */

int head_keep_pairs(struct game *g, struct err *e) {
    struct head_set *h = head_set_of(g);
    const size_t width = (size_t)h->n_features;
    int n = 0;
    if (!reserve_kept(h, g->corpus.dpref.n, e)) return -1;
    for (int i = 0; i < g->corpus.dpref.n; i++) {
        const struct pref_pair *p = &g->corpus.dpref.pair[i];
        if (!pair_trains(&g->sampler, p)) continue;
        memcpy(h->kept + (size_t)n * width, h->difference + (size_t)i * width, width * sizeof *h->kept);
        h->label[n] = p->o;
        h->flip[n] = p->flip;
        h->weight[n++] = p->weight;
    }
    return n;
}

bool head_fit_kept(struct game *g, int n, struct err *e) {
    struct head_set *h = head_set_of(g);
    const struct confidence_pairs pairs = {.feature = h->kept,
                                           .label = h->label,
                                           .flip = h->flip,
                                           .weight = h->weight,
                                           .centre = h->centre,
                                           .n_pairs = n,
                                           .ridge = g->o->head_ridge,
                                           .bound = g->o->head_bound};
    if (n > h->cap_set) {
        confidence_free(h->set);
        h->cap_set = 0;
        if (!(h->set = confidence_new(2 * n, h->n_features, e))) return false;
        h->cap_set = 2 * n;
    }
    memcpy(h->w_hat, h->centre, (size_t)h->n_features * sizeof *h->w_hat);
    return confidence_set_pairs(h->set, &pairs, e) && confidence_fit(h->set, h->w_hat, &h->fit, e);
}

double head_radius(const struct game *g, struct err *why) {
    double zeta;
    why->msg[0] = '\0';
    return g->o->zeta_mode == ZETA_WILKS && confidence_wilks(head_set_of(g)->set, 0.05, &zeta, why) ? zeta : g->o->zeta;
}

static void choose_radius(struct game *g) {
    struct err why;
    g->st.zeta = head_radius(g, &why);
    if (why.msg[0])
        game_log(g, ALERT_WARNING, "no radius by Wilks' theorem (%s): the option zeta, %.6g, stands for it", why.msg,
                 g->st.zeta);
    else if (g->o->zeta_mode == ZETA_WILKS)
        game_metric(g, METRIC_ZETA, g->st.zeta);
}

bool head_make_set(struct game *g, struct err *e) {
    const int n = head_keep_pairs(g, e);
    if (n < 0 || !head_fit_kept(g, n, e)) return false;
    head_set_of(g)->stale = false;
    g->st.nll_best = head_set_of(g)->fit.loss;
    choose_radius(g);
    return true;
}

/* ---- basis ---- */

/* Directions and variances from this many rows of D_pref, or all: a few thousand settle the covariance of a few hundred
 * dimensions. */
enum { SAMPLE_ROWS = 4096 };

/* Pairs that train, at random, until there are rows enough. */
static bool fill_sample(struct game *g, struct head_scope_sample *sample, struct err *e) {
    int *order = mem_small((size_t)(g->corpus.dpref.n + 1) * sizeof *order);
    bool ok = true;
    rng_permutation(order, g->corpus.dpref.n, (uint64_t)g->o->seed, RNG_PAIRS, (uint64_t)g->st.tick + (1ull << 43));
    for (int at = 0; ok && at < g->corpus.dpref.n && sample->n < sample->cap;) {
        int n = 0;
        pref_space_reserve(&g->scratch.pairs, CHUNK_PAIRS, 0);
        for (; at < g->corpus.dpref.n && n < CHUNK_PAIRS; at++)
            if (pair_trains(&g->sampler, &g->corpus.dpref.pair[order[at]]))
                g->scratch.pairs.pair[n++] = &g->corpus.dpref.pair[order[at]];
        sequences_clear(&g->scratch.pairs.seqs);
        pref_sequences(&g->scratch.pairs.seqs, g->scratch.pairs.pair, n, false, g->scratch.pairs.first,
                       g->scratch.pairs.second);
        ok = n == 0 || head_scope_sample_add(sample, &g->rewards.fitted, &g->scratch.pairs.seqs, e);
        g->st.tokens += (double)g->scratch.pairs.seqs.n_tokens;
    }
    free(order);
    return ok;
}

bool head_build_basis(struct game *g, struct err *e) {
    struct head_scope_sample sample;
    if (!head_scope_sample_init(&sample, SAMPLE_ROWS, g->rewards.fitted.t.model, e)) return false;
    const bool ok =
        fill_sample(g, &sample, e) && head_scope_build(&head_set_of(g)->scope, &g->rewards.fitted, &sample, e);
    head_scope_sample_free(&sample);
    return ok;
}
