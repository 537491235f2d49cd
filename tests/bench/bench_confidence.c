/* How fast the inner maximum of the game is solved, at the size it must reach: 10,000 pairs of 257 features. One line a
 * figure, `NAME N ms  what it is`; with a third argument the problem and its answers are also written there, for
 * confidence_peer.py to solve again.
 *
 *     make bench-programs VARIANT=release
 *     build/release/tests/bench/bench_confidence [THREADS [PROBLEM.bin]]        (0 or nothing: one per processor)
 *
 * Features have a falling spectrum, as principal directions do; labels are drawn from a true reward that lies at some
 * distance from the centre. A figure is the median of its runs; every run but `warm` starts cold from the fit. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/reward/confidence.h"
#include "engine/math/parallel.h"

enum { N = 10000, D = 257, RUNS = 7, POINTS = 25, BETAS = 5, SEED = 1 };

static const double ZETA = 0.01, BOUND = 20, RIDGE = 1e-6, FLIP = 0.05, DECADES = 1.5;

struct bench {
    struct confidence *c;
    float *feature;
    double *label, *flip;
    double centre[D], g[D];
    double w_hat[D], w_min[D], w_max[D];
    struct confidence_fit fit;
    struct confidence_optimum min, max;
    double beta[POINTS], gap[POINTS], excess[POINTS];
};

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static bool make_problem(struct bench *b, struct err *e) {
    b->feature = mem_alloc((size_t)N * D, sizeof *b->feature, "features", e);
    b->label = mem_alloc(N, sizeof *b->label, "labels", e);
    b->flip = mem_alloc(N, sizeof *b->flip, "flip rates", e);
    b->c = confidence_new(N, D, e);
    if (!b->feature || !b->label || !b->flip || !b->c) return false;
    double truth[D], size[D];
    b->centre[0] = 1;
    for (int j = 0; j < D; j++) {
        size[j] = pow(10, -DECADES * j / D);
        truth[j] = b->centre[j] + 5 * rng_normal(SEED, RNG_TEST, 1, (uint64_t)j) / sqrt(D);
        b->g[j] = 0.1 * size[j] * rng_normal(SEED, RNG_TEST, 2, (uint64_t)j);
    }
    for (int i = 0; i < N; i++) {
        float *f = b->feature + (size_t)i * D;
        double margin = 0;
        for (int j = 0; j < D; j++) {
            f[j] = (float)(size[j] * rng_normal(SEED, RNG_TEST, 3, (uint64_t)(i * D + j)));
            margin += (double)f[j] * truth[j];
        }
        b->label[i] = rng_uniform(SEED, RNG_TEST, 4, (uint64_t)i) < 1 / (1 + exp(-margin));
        b->flip[i] = FLIP;
    }
    return true;
}

static bool fit(struct bench *b, struct err *e) {
    const struct confidence_pairs p = {.feature = b->feature,
                                       .label = b->label,
                                       .flip = b->flip,
                                       .centre = b->centre,
                                       .n_pairs = N,
                                       .ridge = RIDGE,
                                       .bound = BOUND};
    memcpy(b->w_hat, b->centre, sizeof b->w_hat);
    return confidence_set_pairs(b->c, &p, e) && confidence_fit(b->c, b->w_hat, &b->fit, e);
}

static bool interval(struct bench *b, struct err *e) {
    b->min.beta = b->max.beta = 0;
    return confidence_interval(b->c, b->g, ZETA, b->w_min, &b->min, b->w_max, &b->max, e);
}

static bool curve(struct bench *b, struct err *e) {
    for (int k = 0; k < POINTS; k++) b->beta[k] = b->max.beta * pow(10, -1 + 2.0 * k / (POINTS - 1));
    return confidence_curve(b->c, b->g, b->beta, POINTS, b->gap, b->excess, NULL, e);
}

/* What a descent step asks for: the maximum again, the student having moved a little. */
static bool warm(struct bench *b, struct err *e) {
    double w[D], g[D];
    for (int j = 0; j < D; j++) g[j] = b->g[j] * (1 + 0.02 * rng_normal(SEED, RNG_TEST, 5, (uint64_t)j));
    memcpy(w, b->w_max, sizeof w);
    struct confidence_optimum o = b->max;
    return confidence_maximise(b->c, g, ZETA, w, &o, e);
}

static bool all(struct bench *b, struct err *e) { return fit(b, e) && interval(b, e) && curve(b, e); }

static bool time_it(struct bench *b, const char *name, bool (*f)(struct bench *, struct err *), const char *what,
                    struct err *e) {
    double seconds[RUNS];
    for (int run = -1; run < RUNS; run++) {
        const double began = clock_seconds();
        if (!f(b, e)) return false;
        if (run >= 0) seconds[run] = clock_seconds() - began;
    }
    printf("%s %.1f ms  %s\n", name, 1e3 * median(seconds, RUNS), what);
    fflush(stdout);
    return true;
}

/* One beta at a time around beta*, each cold from the fit: the median beta and the slowest. */
static bool time_betas(struct bench *b, struct err *e) {
    double of_beta[BETAS];
    for (int k = 0; k < BETAS; k++) {
        double seconds[RUNS];
        for (int run = 0; run < RUNS; run++) {
            double w[D];
            struct confidence_optimum o;
            memcpy(w, b->w_hat, sizeof w);
            const double began = clock_seconds();
            if (!confidence_ascend(b->c, b->g, ZETA, b->max.beta * pow(2, k - BETAS / 2), w, &o, e)) return false;
            seconds[run] = clock_seconds() - began;
        }
        of_beta[k] = median(seconds, RUNS);
    }
    const double middle = median(of_beta, BETAS);
    printf("confidence-beta %.1f ms  one fixed beta from the fit, median of beta* / 4 .. 4 beta*; slowest %.1f ms\n",
           1e3 * middle, 1e3 * of_beta[BETAS - 1]);
    return true;
}

/* Little-endian doubles: n, d, zeta, bound, ridge, L^, min, max, beta*; w0[d], g[d], o~[n]; features as floats. */
static bool write_problem(const struct bench *b, const char *path, struct err *e) {
    FILE *f = fopen(path, "wb");
    if (!f) return err_errno(e, "%s", path);
    const double head[] = {N, D, ZETA, BOUND, RIDGE, b->fit.loss, b->min.gap, b->max.gap, b->max.beta};
    fwrite(head, sizeof *head, sizeof head / sizeof *head, f);
    fwrite(b->centre, sizeof *b->centre, D, f);
    fwrite(b->g, sizeof *b->g, D, f);
    for (int i = 0; i < N; i++) {
        const double o = (1 - FLIP) * b->label[i] + FLIP * (1 - b->label[i]);
        fwrite(&o, sizeof o, 1, f);
    }
    fwrite(b->feature, sizeof *b->feature, (size_t)N * D, f);
    const bool failed = ferror(f) != 0;
    return (fclose(f) == 0 && !failed) || err_errno(e, "%s", path);
}

int main(int argc, char **argv) {
    static struct bench b;
    struct err e = {""};
    parallel_init(argc > 1 ? atoi(argv[1]) : 0);
    printf("threads %d\n", parallel_threads());
    const bool ok =
        make_problem(&b, &e) && time_it(&b, "confidence-fit", fit, "pairs taken, maximum-likelihood fit from w0", &e) &&
        time_it(&b, "confidence-interval", interval, "minimum and maximum of the gap, automatic beta", &e) &&
        time_it(&b, "confidence-curve", curve, "25 betas over two decades", &e) &&
        time_it(&b, "confidence-warm", warm, "the maximum again after the gap's direction moved by 2 %", &e) &&
        time_betas(&b, &e) && time_it(&b, "confidence-all", all, "fit, interval and curve", &e) &&
        (argc < 3 || write_problem(&b, argv[2], &e));
    if (!ok) {
        fprintf(stderr, "bench_confidence: %s\n", e.msg);
        return 1;
    }
    printf("gap [%.9g, %.9g], beta* %.6g and %.6g, duality gaps %.2g and %.2g, kkt %.2g and %.2g, d_eff %.1f\n",
           b.min.gap, b.max.gap, b.min.beta, b.max.beta, b.min.duality_gap, b.max.duality_gap, b.min.kkt, b.max.kkt,
           b.fit.dimension);
    confidence_free(b.c);
    mem_free(b.feature);
    mem_free(b.label);
    mem_free(b.flip);
    parallel_shutdown();
    return 0;
}
