/* Does a reward step's time grow with D_pref? Pairs of the demonstration's size are made in memory, a thousand times
 * the first number in the end, and two things timed at each number: a maximum-likelihood step on a drawn batch, as the
 * game takes thousands of; and the renewal of the list that batches are drawn from, once per label or collection. (The
 * evaluation after a fit looks at a bounded number of pairs: fit.c.)
 *
 * Usage: bench_pairs   One line per number of pairs; figures are medians. The last line sets the steps side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/game/game.h"
#include "engine/math/parallel.h"

enum { STEPS = 30, SIZES = 3, MOST = 1000000, PROMPT = 28, ANSWER = 22, SAMPLES = 4 };
static const int sizes[SIZES] = {10000, 100000, MOST};

static const struct model_config SHAPE = {.n_vocab = 571,
                                          .d_model = 96,
                                          .n_layer = 4,
                                          .n_head = 4,
                                          .n_kv_head = 2,
                                          .head_dim = 24,
                                          .d_ff = 288,
                                          .n_ctx = 160,
                                          .rope_base = 10000.0f,
                                          .rms_eps = 1e-5f,
                                          .tied = true};

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

/* SAMPLES pairs share a prompt and its first answer, as after a collection. */
static void make_pairs(struct dpref *d, int n) {
    d->pair = mem_small((size_t)n * sizeof *d->pair);
    for (d->n = 0; d->n < n; d->n++) {
        struct pref_pair *p = &d->pair[d->n];
        const uint64_t prompt = (uint64_t)(d->n / SAMPLES);
        *p = (struct pref_pair){.id = d->n + 1,
                                .iteration = 1,
                                .n_x = PROMPT,
                                .n_y0 = ANSWER,
                                .n_y1 = ANSWER,
                                .source = SOURCE_TEACHER,
                                .active = true,
                                .o = 1,
                                .weight = 1,
                                .flip = 0.05};
        p->prompt_hash = rng_below(UINT64_MAX, 1, RNG_PAIRS, 0, prompt);
        p->heldout = dpref_is_heldout(p->prompt_hash);
        p->tokens = mem_small((PROMPT + 2 * ANSWER) * sizeof *p->tokens);
        for (int i = 0; i < PROMPT + 2 * ANSWER; i++) {
            const uint64_t owner = i < PROMPT + ANSWER ? prompt : (uint64_t)d->n + MOST;
            p->tokens[i] = (int32_t)rng_below((uint64_t)SHAPE.n_vocab, 2, RNG_PAIRS, (uint64_t)i, owner);
        }
    }
}

static bool time_steps(struct game *g, double *step, struct err *e) {
    double seconds[STEPS], nll;
    for (int i = -1; i < STEPS; i++) { /* the first one warms up */
        int64_t tokens = 0;
        const double began = clock_seconds();
        g->st.tick++;
        const int n = game_draw_pairs(g, g->o->reward_batch);
        if (!pref_fit_step(&g->rewards.fitted, &g->scratch.pairs, n, g->o->reward_center, 1e-5, &nll, &tokens, e))
            return false;
        if (i >= 0) seconds[i] = clock_seconds() - began;
    }
    *step = median(seconds, STEPS);
    return true;
}

static bool time_size(struct game *g, int n, double *step, struct err *e) {
    make_pairs(&g->corpus.dpref, n);
    g->sampler.stale = true;
    const double began = clock_seconds();
    pair_sampler_refresh(&g->sampler, &g->corpus.dpref);
    const double renewed = clock_seconds();
    if (!time_steps(g, step, e)) return false;
    printf("%7d pairs: step %.2f ms, list of pairs %.2f ms\n", n, 1e3 * *step, 1e3 * (renewed - began));
    fflush(stdout);
    for (int i = 0; i < n; i++) free(g->corpus.dpref.pair[i].tokens);
    free(g->corpus.dpref.pair);
    return true;
}

int main(void) {
    struct err e = {0};
    struct options *o = mem_small(sizeof *o);
    struct game *g = mem_small(sizeof *g);
    double step[SIZES];
    parallel_init(0);
    options_default(o);
    g->o = o;
    struct model *m = model_new(&SHAPE, false, &e);
    bool ok = m != NULL;
    if (ok) model_init(m, 1);
    ok = ok && reward_init(&g->rewards.fitted, m, REWARD_TOKEN, o->reward_bound, 40, &e);
    for (int i = 0; ok && i < SIZES; i++) ok = time_size(g, sizes[i], &step[i], &e);
    if (ok)
        printf("a step at %d pairs takes %.2f times that at %d\n", sizes[SIZES - 1], step[SIZES - 1] / step[0],
               sizes[0]);
    if (!ok) fprintf(stderr, "bench_pairs: %s\n", e.msg);
    reward_free(&g->rewards.fitted);
    pref_space_free(&g->scratch.pairs);
    pair_sampler_free(&g->sampler);
    free(g);
    free(o);
    parallel_shutdown();
    return ok ? 0 : 1;
}
