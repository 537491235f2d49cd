/* The chi-square distribution for real-valued degrees of freedom: published quantiles and SciPy 1.17's, both tails,
 * limits, and that quantile and distribution undo each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/math/chi2.h"

static void assert_close(double found, double expected, double relative) {
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("found %.17g, expected %.17g", found, expected);
}

static void quantiles_are_those_of_the_tables(void **state) {
    (void)state;
    static const struct {
        double p, df, x;
    } table[] = {
        {0.95, 1, 3.841458820694124},       {0.95, 10, 18.307038053275146},       {0.95, 257, 295.39336029816957},
        {0.95, 2.5, 6.928076113452421},     {0.05, 0.1, 1.1147750963757648e-26},  {0.5, 0.3, 0.012469611517980431},
        {0.99, 16.75, 33.057656345168446},  {0.9999, 1000.5, 1175.4750570374083}, {0.01, 256.2, 206.49737469553133},
        {1e-6, 3.3, 0.0005872530475820755}, {0.999999, 4.4, 34.40133097198208},   {0.95, 100000.5, 100737.23801632336},
        {0.5, 2, 1.386294361119891},        {0.3, 0.01, 2.9948907893119766e-105},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_close(chi2_quantile(table[i].p, table[i].df), table[i].x, 1e-11);
}

static void both_tails_are_exact(void **state) {
    (void)state;
    static const struct {
        double x, df, below, above;
    } table[] = {
        {0.001, 0.5, 0.16495975076841285, 0.8350402492315872},
        {3, 4.5, 0.36723054820997547, 0.6327694517900245},
        {400, 257, 0.9999999736209156, 2.6379084380355828e-08},
        {1200, 1000, 0.9999877440576694, 1.2255942330622893e-05},
        {5, 2, 0.9179150013761012, 0.0820849986238988},
        {200, 3, 1, 4.218541107192018e-43},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_close(chi2_below(table[i].x, table[i].df), table[i].below, 1e-12);
        assert_close(chi2_above(table[i].x, table[i].df), table[i].above, 1e-12);
    }
}

static void quantile_undoes_distribution(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        const double df = pow(10, 5 * rng_uniform(1, RNG_TEST, 0, i) - 1), u = rng_uniform(1, RNG_TEST, 1, i);
        const double small = pow(10, -10 * rng_uniform(1, RNG_TEST, 2, i)), p = i % 3 == 0   ? u
                                                                                : i % 3 == 1 ? small
                                                                                             : 1 - small;
        const double x = chi2_quantile(p, df);
        if (p <= 0.5)
            assert_close(chi2_below(x, df), p, 1e-10);
        else
            assert_close(chi2_above(x, df), 1 - p, 1e-10);
        assert_true(fabs(chi2_below(x, df) + chi2_above(x, df) - 1) <= 1e-12);
        assert_true(chi2_quantile(fmin(1, p * 1.001), df) > x);
    }
}

static void limits_and_refusals(void **state) {
    (void)state;
    assert_true(chi2_quantile(0, 3) == 0);
    assert_true(isinf(chi2_quantile(1, 3)));
    assert_true(chi2_below(0, 3) == 0 && chi2_above(0, 3) == 1);
    assert_true(chi2_below(-1, 3) == 0 && chi2_above(-1, 3) == 1);
    assert_true(chi2_below(INFINITY, 3) == 1 && chi2_above(INFINITY, 3) == 0);
    const double bad_df[] = {0, -1, NAN, INFINITY}, bad_p[] = {-0.1, 1.1, NAN};
    for (int i = 0; i < 4; i++) {
        assert_true(isnan(chi2_quantile(0.5, bad_df[i])));
        assert_true(isnan(chi2_below(1, bad_df[i])) && isnan(chi2_above(1, bad_df[i])));
    }
    for (int i = 0; i < 3; i++) assert_true(isnan(chi2_quantile(bad_p[i], 3)));
    assert_true(isnan(chi2_below(NAN, 3)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_tables),
        cmocka_unit_test(both_tails_are_exact),
        cmocka_unit_test(quantile_undoes_distribution),
        cmocka_unit_test(limits_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
