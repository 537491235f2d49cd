/* Statistics: identities and cases worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/math/stats.h"

static void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

static void test_bootstrap(void **state) {
    (void)state;
    enum { N = 400 };
    double x[N];
    for (int i = 0; i < N; i++) x[i] = 3.0 + 2.0 * rng_normal(1, RNG_TEST, 0, (uint64_t)i);
    const struct interval a = stats_bootstrap(x, N, 2000, 5, 1), b = stats_bootstrap(x, N, 2000, 5, 1);
    const struct interval other = stats_bootstrap(x, N, 2000, 5, 2);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(other.lo != a.lo);
    assert_near(a.mean, stats_mean(x, N), 0);
    double var = 0;
    for (int i = 0; i < N; i++) var += (x[i] - a.mean) * (x[i] - a.mean) / (N - 1);
    const double half =
        1.96 * sqrt(var / N); /* the normal interval, which the percentile one must be near for a mean of 400 */
    assert_near(a.lo, a.mean - half, 0.15 * half);
    assert_near(a.hi, a.mean + half, 0.15 * half);
}

/* The interval covers the truth about as often as it says. */
static void test_bootstrap_covers(void **state) {
    (void)state;
    enum { N = 60, TRIALS = 400 };
    int covered = 0;
    for (int t = 0; t < TRIALS; t++) {
        double x[N];
        for (int i = 0; i < N; i++) x[i] = rng_normal(2, RNG_TEST, (uint64_t)t, (uint64_t)i);
        const struct interval r = stats_bootstrap(x, N, 400, 3, (uint64_t)t);
        covered += r.lo <= 0.0 && 0.0 <= r.hi;
    }
    assert_in_range(covered, (int)(0.90 * TRIALS), (int)(0.98 * TRIALS));
}

/* Tables of Student's t, 95 % two-sided, and what they are for. */
static void test_t_interval(void **state) {
    (void)state;
    static const struct {
        int df;
        double t;
    } TABLE[] = {{1, 12.7062047362}, {2, 4.30265272975},  {3, 3.18244630528},  {4, 2.77644510520},
                 {9, 2.26215716280}, {30, 2.04227245630}, {100, 1.98397151845}};
    for (size_t i = 0; i < sizeof TABLE / sizeof *TABLE; i++)
        assert_true(fabs(stats_t_two_sided(0.95, TABLE[i].df) / TABLE[i].t - 1) < 1e-10);
    assert_true(stats_t_two_sided(0, 3) < 1e-12 && isnan(stats_t_two_sided(1, 3)) && isnan(stats_t_two_sided(0.5, 0)));
    assert_true(fabs(stats_t_two_sided(0.5, 1) - 1) < 1e-12); /* the quartiles of Cauchy's distribution */
    enum { N = 5, TRIALS = 4000 };
    int covered = 0;
    for (int t = 0; t < TRIALS; t++) {
        double x[N];
        for (int i = 0; i < N; i++) x[i] = 3 + rng_normal(7, RNG_TEST, (uint64_t)t, (uint64_t)i);
        const struct interval r = stats_t_interval(x, N);
        covered += r.lo <= 3 && 3 <= r.hi;
    }
    assert_in_range(covered, (int)(0.94 * TRIALS), (int)(0.96 * TRIALS));
    const struct interval all = stats_wilson(5, 5), some = stats_wilson(8, 10), none = stats_wilson(0, 0);
    assert_true(all.mean == 1 && fabs(all.lo - 0.5655175) < 1e-6 && all.hi == 1);
    assert_true(fabs(some.lo - 0.4901625) < 1e-6 && fabs(some.hi - 0.9433178) < 1e-6 && none.lo == 0 && none.hi == 1);
    const double one = 2;
    const struct interval r = stats_t_interval(&one, 1);
    assert_true(r.mean == 2 && r.lo == 2 && r.hi == 2);
}

static void test_bootstrap_of_little(void **state) {
    (void)state;
    const double one[] = {4.5}, same[] = {2, 2, 2};
    struct interval r = stats_bootstrap(one, 1, 100, 1, 1);
    assert_true(r.mean == 4.5 && r.lo == 4.5 && r.hi == 4.5);
    r = stats_bootstrap(one, 0, 100, 1, 1);
    assert_true(r.mean == 0 && r.lo == 0 && r.hi == 0);
    r = stats_bootstrap(same, 3, 100, 1, 1);
    assert_true(r.lo == 2 && r.hi == 2);
}

static void test_calibration(void **state) {
    (void)state;
    /* two bins of two: |(.1+.2)-(0+1)| = .7 and |(.8+.9)-(1+1)| = .3, over 4 */
    const double p[] = {0.9, 0.1, 0.8, 0.2}, o[] = {1, 0, 1, 1};
    assert_near(stats_ece(p, o, 4, 2), 0.25, 1e-15);
    assert_near(stats_ece(p, o, 4, 1), 0.25, 1e-15); /* |2 - 3| / 4 */
    assert_near(stats_ece(p, o, 4, 4), (0.1 + 0.8 + 0.2 + 0.1) / 4, 1e-15);
    assert_near(stats_ece(p, o, 4, 100), (0.1 + 0.8 + 0.2 + 0.1) / 4, 1e-15); /* more bins than forecasts */
    assert_near(stats_ece(p, p, 4, 2), 0, 0);
    assert_near(stats_ece(p, o, 0, 10), 0, 0);
    assert_near(stats_brier(p, o, 4), (0.01 + 0.01 + 0.04 + 0.64) / 4, 1e-15);
    assert_near(stats_brier(o, o, 4), 0, 0);
}

/* Ties fall into bins in the same way whatever the order of the input. */
static void test_calibration_ignores_order(void **state) {
    (void)state;
    enum { N = 101 };
    double p[N], o[N], pr[N], orev[N];
    for (int i = 0; i < N; i++) {
        p[i] = (double)rng_below(7, 1, RNG_TEST, 1, (uint64_t)i) / 7;
        o[i] = (double)rng_below(2, 1, RNG_TEST, 2, (uint64_t)i);
        pr[N - 1 - i] = p[i];
        orev[N - 1 - i] = o[i];
    }
    assert_near(stats_ece(p, o, N, 10), stats_ece(pr, orev, N, 10), 1e-14);
    assert_true(stats_ece(p, o, N, 10) > 0.1);
}

static void test_correlation(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4, 5}, y[] = {2, 1, 4, 3, 5}, flat[] = {0.1, 0.1, 0.1, 0.1, 0.1};
    double line[5], down[5];
    for (int i = 0; i < 5; i++) {
        line[i] = 1e6 + 3 * x[i];
        down[i] = -x[i];
    }
    assert_near(stats_correlation(x, line, 5), 1, 1e-12);
    assert_near(stats_correlation(x, down, 5), -1, 1e-15);
    assert_near(stats_correlation(x, y, 5), 0.8, 1e-15);
    assert_near(stats_correlation(x, y, 5), stats_correlation(y, x, 5), 0);
    assert_near(stats_correlation(x, flat, 5), 0, 0);
    assert_near(stats_correlation(flat, x, 5), 0, 0);
    assert_near(stats_correlation(x, y, 0), 0, 0);
}

static void test_logistic(void **state) {
    (void)state;
    for (double x = -40; x <= 40; x += 0.37) {
        assert_near(stats_sigmoid(x) + stats_sigmoid(-x), 1, 1e-15);
        assert_near(stats_softplus(x) - stats_softplus(-x), x, 1e-14);
        assert_near(-log(stats_sigmoid(x)), stats_softplus(-x), 1e-13);
    }
    assert_near(stats_softplus(0), 0.6931471805599453, 1e-16);
    assert_true(stats_softplus(1e308) == 1e308 && stats_softplus(-1e308) == 0.0);
    assert_true(stats_sigmoid(-1e308) == 0.0 && stats_sigmoid(1e308) == 1.0);
    assert_near(stats_softplus(-50) / exp(-50.0), 1, 1e-15); /* no cancellation in the tail */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap),           cmocka_unit_test(test_bootstrap_covers),
        cmocka_unit_test(test_bootstrap_of_little), cmocka_unit_test(test_t_interval),
        cmocka_unit_test(test_calibration),         cmocka_unit_test(test_calibration_ignores_order),
        cmocka_unit_test(test_correlation),         cmocka_unit_test(test_logistic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
