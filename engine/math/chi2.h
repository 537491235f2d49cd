/* The chi-square distribution for real-valued degrees of freedom, as the effective dimension of a regularised fit gives
 * them. P and Q are the regularised incomplete gamma functions P(df/2, x/2) and Q = 1 - P (DLMF 8.2.4). */
#ifndef PBKD_MATH_CHI2_H
#define PBKD_MATH_CHI2_H

/* Probability below x (P) and above x (Q), each computed without cancellation: relative error about 1e-13 for df up to
 * 1e5. df > 0, finite; x <= 0 gives P = 0, Q = 1. NaN for a df or x outside this. */
double chi2_below(double x, double df);
double chi2_above(double x, double df);

/* The x with P(x) = p: relative error about 1e-12. p in [0,1] (0 gives 0, 1 gives infinity), df > 0; NaN otherwise. */
double chi2_quantile(double p, double df);

#endif
