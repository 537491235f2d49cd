/* Statistics of the game: intervals, calibration, correlation. All in double, all deterministic. */
#ifndef PBKD_MATH_STATS_H
#define PBKD_MATH_STATS_H

#include <stddef.h>
#include <stdint.h>

struct interval {
    double mean, lo, hi; /* 95 %; lo = hi = mean when n < 2 */
};

/* Percentile bootstrap over n independent units (prompts), n_boot resamples. */
struct interval stats_bootstrap(const double *x, size_t n, int n_boot, uint64_t seed, uint64_t tick);
/* Student's t interval of the mean of n independent, roughly normal values (runs that differ by their seed): unlike the
 * bootstrap it reaches beyond the values seen, and so it holds the mean in 95 % of cases from n = 2 on. */
struct interval stats_t_interval(const double *x, size_t n);
/* The x with P(|T| <= x) = p of Student's t with df >= 1 degrees of freedom, 0 <= p < 1; NaN otherwise. Relative error
 * about 1e-12. */
double stats_t_two_sided(double p, int df);
/* Wilson's score interval of a share: of n independent yes or no, `yes` were yes. Unlike the others it is no point when
 * all were the same. */
struct interval stats_wilson(double yes, size_t n);
/* A reliability diagram: predicted probabilities p against outcomes o in [0,1], in n_bins bins of equal count in the
 * order of p (the counts differ by at most one; with fewer values than bins some are empty, their means 0). */
struct calibration_bin {
    int n;
    double p, o; /* means */
};
void stats_calibration(const double *p, const double *o, size_t n, struct calibration_bin *bin, int n_bins);
/* Expected calibration error: the mean |p - o| of those bins, weighted by their counts. */
double stats_ece(const double *p, const double *o, size_t n, int n_bins);
double stats_brier(const double *p, const double *o, size_t n);
/* Pearson correlation; 0 when either side is constant. */
double stats_correlation(const double *x, const double *y, size_t n);
double stats_mean(const double *x, size_t n);

/* log(1+exp(x)) and 1/(1+exp(-x)) without overflow at any x. */
double stats_softplus(double x);
double stats_sigmoid(double x);

#endif
