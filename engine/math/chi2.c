/* The chi-square distribution: see chi2.h.
 *
 * Below the mean the incomplete gamma function is summed as a power series (DLMF 8.11.4), above it as Legendre's
 * continued fraction for the upper tail (DLMF 8.9.2, evaluated by Lentz's method): each where its terms are all
 * positive and fall fast. The quantile is Newton's method on log x, because x spans hundreds of decades when df is
 * small, kept inside a bracket that every evaluation narrows; it works on the smaller of the two tails, so that
 * quantiles near 1 are as good as those near 0. */
#include "engine/math/chi2.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

/* Terms needed grow as sqrt(a); this is enough for df = 1e9. */
enum { MAX_TERMS = 1000000, MAX_NEWTON = 200 };

/* log of x^a e^-x / Gamma(a). For large a the terms of the plain formula cancel, so x is measured from a and Stirling's
 * series takes the place of Gamma. */
static double log_kernel(double x, double a) {
    if (a < 50) return a * log(x) - x - lgamma(a);
    const double d = (x - a) / a, a2 = a * a;
    const double stirling = (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / (1680 * a2)) / a2) / a2) / a;
    const double bend = fabs(d) < 0.5 ? log1p(d) - d : log(x / a) - d;
    return a * bend + 0.5 * log(a / (2 * M_PI)) - stirling;
}

/* P(a, x) = x^a e^-x / Gamma(a+1) * (1 + x/(a+1) + x^2/((a+1)(a+2)) + ...) */
static double lower_series(double x, double a) {
    double term = 1, sum = 1;
    for (int n = 1; n < MAX_TERMS && term > sum * DBL_EPSILON / 8; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return exp(log_kernel(x, a)) / a * sum;
}

/* Q(a, x) = x^a e^-x / Gamma(a) * 1/(x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - ...))) */
static double upper_fraction(double x, double a) {
    double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, h = d;
    for (int n = 1; n < MAX_TERMS; n++) {
        const double an = -n * (n - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        const double factor = c * d;
        h *= factor;
        if (fabs(factor - 1) < DBL_EPSILON) break;
    }
    return exp(log_kernel(x, a)) * h;
}

static bool defined(double x, double df) { return df > 0 && isfinite(df) && !isnan(x); }

double chi2_below(double x, double df) {
    if (!defined(x, df)) return NAN;
    if (x <= 0) return 0;
    if (isinf(x)) return 1;
    const double a = 0.5 * df, y = 0.5 * x;
    return y < a + 1 ? lower_series(y, a) : 1 - upper_fraction(y, a);
}

double chi2_above(double x, double df) {
    if (!defined(x, df)) return NAN;
    if (x <= 0) return 1;
    if (isinf(x)) return 0;
    const double a = 0.5 * df, y = 0.5 * x;
    return y < a + 1 ? 1 - lower_series(y, a) : upper_fraction(y, a);
}

/* The standard normal quantile to 4.5e-4 (Abramowitz & Stegun 26.2.23): good enough to start from. */
static double normal_quantile(double p) {
    const double t = sqrt(-2 * log(p < 0.5 ? p : 1 - p));
    const double z =
        t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    return p < 0.5 ? -z : z;
}

/* log of a starting point: Wilson & Hilferty 1931, or the first term of the series where that is not positive. */
static double start(double p, double df) {
    const double a = 0.5 * df, s = 2 / (9 * df);
    const double root = 1 - s + normal_quantile(p) * sqrt(s);
    if (df > 1 && root > 0.1) return log(df) + 3 * log(root);
    const double first = log(2) + (log(p) + lgamma(a + 1)) / a;
    return first < log(df + 2) ? first : log(df + 2);
}

double chi2_quantile(double p, double df) {
    if (!(p >= 0 && p <= 1) || !defined(p, df)) return NAN;
    if (p == 0) return 0;
    if (p == 1) return INFINITY;
    const bool upper = p > 0.5;
    const double tail = upper ? 1 - p : p, a = 0.5 * df;
    double lo = -INFINITY, hi = INFINITY, y = start(p, df);
    for (int i = 0; i < MAX_NEWTON; i++) {
        const double x = exp(y);
        if (x == 0) return 0;
        const double value = upper ? chi2_above(x, df) : chi2_below(x, df);
        const bool too_far = upper ? value < tail : value > tail;
        if (too_far)
            hi = y;
        else
            lo = y;
        /* Newton on log(tail probability), whose derivative in log x is the kernel over the value; the log keeps the
         * function nearly straight in either tail. */
        const double slope = exp(log_kernel(0.5 * x, a)) / value;
        double next = value > 0 ? y + (upper ? 1 : -1) * (log(value) - log(tail)) / slope : NAN;
        if (!(next > lo && next < hi)) next = isinf(lo) ? hi - 1 : isinf(hi) ? lo + 1 : 0.5 * (lo + hi);
        if (fabs(next - y) <= 4 * DBL_EPSILON || next == y) return exp(next);
        y = next;
    }
    return exp(y);
}
