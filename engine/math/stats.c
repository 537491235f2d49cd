/* Statistics: see stats.h. */
#include "engine/math/stats.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"

double stats_mean(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : 0.0;
}

static int compare_doubles(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantile with linear interpolation of sorted x (type 7 of Hyndman & Fan 1996). */
static double quantile(const double *x, size_t n, double q) {
    const double at = q * (double)(n - 1);
    const size_t i = (size_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

struct interval stats_bootstrap(const double *x, size_t n, int n_boot, uint64_t seed, uint64_t tick) {
    const double mean = stats_mean(x, n);
    struct interval r = {.mean = mean, .lo = mean, .hi = mean};
    if (n < 2 || n_boot < 1) return r;
    double *boot = mem_small((size_t)n_boot * sizeof *boot);
    for (int b = 0; b < n_boot; b++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += x[rng_below(n, seed, RNG_BOOTSTRAP, tick, (uint64_t)b * n + i)];
        boot[b] = sum / (double)n;
    }
    qsort(boot, (size_t)n_boot, sizeof *boot, compare_doubles);
    r.lo = quantile(boot, (size_t)n_boot, 0.025);
    r.hi = quantile(boot, (size_t)n_boot, 0.975);
    free(boot);
    return r;
}

struct forecast {
    double p, o;
};

/* By p; equal p by outcome, so that the order of the input does not matter. */
static int compare_forecasts(const void *a, const void *b) {
    const struct forecast *x = a, *y = b;
    if (x->p != y->p) return (x->p > y->p) - (x->p < y->p);
    return (x->o > y->o) - (x->o < y->o);
}

void stats_calibration(const double *p, const double *o, size_t n, struct calibration_bin *bin, int n_bins) {
    struct forecast *f = mem_small((n + 1) * sizeof *f);
    for (size_t i = 0; i < n; i++) f[i] = (struct forecast){.p = p[i], .o = o[i]};
    qsort(f, n, sizeof *f, compare_forecasts);
    for (size_t b = 0, bins = (size_t)n_bins; b < bins; b++) {
        const size_t from = b * n / bins, to = (b + 1) * n / bins;
        bin[b] = (struct calibration_bin){.n = (int)(to - from)};
        for (size_t i = from; i < to; i++) {
            bin[b].p += f[i].p / (double)(to - from);
            bin[b].o += f[i].o / (double)(to - from);
        }
    }
    free(f);
}

double stats_ece(const double *p, const double *o, size_t n, int n_bins) {
    if (n == 0 || n_bins < 1) return 0.0;
    struct calibration_bin *bin = mem_small((size_t)n_bins * sizeof *bin);
    stats_calibration(p, o, n, bin, n_bins);
    double total = 0;
    for (int b = 0; b < n_bins; b++) total += bin[b].n * fabs(bin[b].p - bin[b].o);
    free(bin);
    return total / (double)n;
}

double stats_brier(const double *p, const double *o, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (p[i] - o[i]) * (p[i] - o[i]);
    return n ? sum / (double)n : 0.0;
}

double stats_correlation(const double *x, const double *y, size_t n) {
    const double mx = stats_mean(x, n), my = stats_mean(y, n);
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    /* A constant's mean may be off by an ulp: what is left of such a side is rounding, not variance. */
    const double noise = 1e-28 * (double)n;
    if (xx <= noise * mx * mx || yy <= noise * my * my) return 0.0;
    return xy / (sqrt(xx) * sqrt(yy));
}

/* P(|T| <= tan(angle) sqrt(df)), a finite sum for whole df (Abramowitz and Stegun 26.7.3 and 26.7.4). */
static double t_within(double angle, int df) {
    const double c = cos(angle), s = sin(angle), pi = acos(-1.0);
    double term = df % 2 ? c : 1.0, sum = df == 1 ? 0.0 : term;
    for (int k = df % 2 ? 3 : 2; k < df; k += 2) {
        term *= c * c * (double)(k - 1) / (double)k;
        sum += term;
    }
    return df % 2 ? 2 / pi * (angle + s * sum) : s * sum;
}

double stats_t_two_sided(double p, int df) {
    if (!(p >= 0 && p < 1) || df < 1) return (double)NAN;
    double lo = 0, hi = acos(-1.0) / 2; /* in the angle the whole line is a short interval */
    for (int i = 0; i < 200 && lo < hi; i++) {
        const double middle = 0.5 * (lo + hi);
        if (middle == lo || middle == hi) break;
        if (t_within(middle, df) < p)
            lo = middle;
        else
            hi = middle;
    }
    return tan(hi) * sqrt((double)df);
}

struct interval stats_t_interval(const double *x, size_t n) {
    const double mean = stats_mean(x, n);
    if (n < 2) return (struct interval){mean, mean, mean};
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    const double half =
        stats_t_two_sided(0.95, n > 100000 ? 100000 : (int)n - 1) * sqrt(sum / (double)(n - 1) / (double)n);
    return (struct interval){mean, mean - half, mean + half};
}

struct interval stats_wilson(double yes, size_t n) {
    if (n == 0) return (struct interval){0, 0, 1};
    /* the normal distribution's 97.5 % */
    const double z = 1.959963984540054, p = yes / (double)n, zz = z * z / (double)n;
    const double middle = (p + zz / 2) / (1 + zz),
                 half = z / (1 + zz) * sqrt(p * (1 - p) / (double)n + zz / (4 * (double)n));
    return (struct interval){p, fmax(0, middle - half), fmin(1, middle + half)};
}

double stats_softplus(double x) { return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x))); }

double stats_sigmoid(double x) {
    if (x >= 0) return 1.0 / (1.0 + exp(-x));
    const double t = exp(x);
    return t / (1.0 + t);
}
