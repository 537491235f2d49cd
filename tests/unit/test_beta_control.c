/* Automatic beta: the formula, and the loop closed by an adversary that climbs with AdamW, for which the default gains
 * were chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "engine/base/rng.h"
#include "engine/reward/beta_control.h"
#include "engine/math/adamw.h"
#include "engine/option/option.h"

static void formula(void **state) {
    (void)state;
    const struct beta_gains k = {.k_i = 10, .k_p = 100, .zeta = 0.01};
    double i = 3;
    assert_true(fabs(beta_control(&k, 0.03, &i) - (3 + 10 * 0.02 + 100 * 0.02)) < 1e-12 && fabs(i - 3.2) < 1e-12);
    i = 3;
    assert_true(fabs(beta_control(&k, 7, &i) - (3 + 110 * 0.05)) < 1e-12 && fabs(i - 3.5) < 1e-12); /* clipped */
    i = 3;
    /* I - 5 of the proportional part, not below 0 */
    assert_true(fabs(beta_control(&k, -7, &i) - 0) < 1e-12 && fabs(i - 2.5) < 1e-12);
    i = 0.1;
    assert_true(beta_control(&k, -7, &i) == 0 && i == 0);
    i = 0;
    assert_true(beta_control(&k, 0.01, &i) == 0 && i == 0);
    i = 3;
    assert_true(beta_control(&k, (double)NAN, &i) == 3 && i == 3);
    assert_true(beta_control(&k, (double)INFINITY, &i) == 3 && i == 3);
}

enum { D = 8, STEPS = 400, LATE = 100 };

struct loop {
    double overshoot; /* largest (L - zeta)/zeta */
    double late;      /* mean |L - zeta|/zeta at the end */
};

/* L = sum_i h_i x_i^2 / 2, G = g.x: AdamW on noisy gradients of G - beta L, with the excess measured with noise too. */
static struct loop close_loop(const struct beta_gains *k, double lr, double gap, double beta, uint64_t seed) {
    struct adamw opt;
    struct adamw_config c = ADAMW_DEFAULTS;
    struct err e;
    float x[D] = {0}, grad[D];
    struct loop out = {0, 0};
    c.lr = (float)lr;
    assert_true(adamw_init(&opt, D, &e));
    for (int t = 0; t < STEPS; t++) {
        double loss = 0;
        for (int i = 0; i < D; i++) loss += 0.5 * pow(10, -1.5 * i / (D - 1)) * (double)x[i] * (double)x[i];
        const double v = loss / k->zeta - 1, noise = 0.5 * k->zeta * rng_normal(seed, RNG_TEST, (uint64_t)t, D);
        const double b = beta_control(k, loss + noise, &beta);
        for (int i = 0; i < D; i++) {
            const double g = gap * (rng_normal(seed, RNG_TEST, 1000000, (uint64_t)i) +
                                    0.3 * rng_normal(seed, RNG_TEST, (uint64_t)t, (uint64_t)i));
            grad[i] = (float)(b * pow(10, -1.5 * i / (D - 1)) * (double)x[i] - g);
        }
        assert_true(adamw_step(&opt, &c, x, grad, NULL, &e));
        out.overshoot = fmax(out.overshoot, v);
        if (t >= STEPS - LATE) out.late += fabs(v) / LATE;
    }
    adamw_free(&opt);
    return out;
}

static void default_gains_hold_the_constraint(void **state) {
    (void)state;
    struct options o;
    options_default(&o);
    const struct beta_gains k = {.k_i = o.beta_k_i, .k_p = o.beta_k_p, .zeta = o.zeta};
    const double lrs[] = {1e-3, 3e-3, 2e-2}, gaps[] = {0.1, 0.5}, betas[] = {1, 10, 50};
    double worst = 0, slowest = 0;
    for (uint64_t i = 0; i < 18 * 5; i++) {
        const struct loop l = close_loop(&k, lrs[i % 3], gaps[i / 3 % 2], betas[i / 6 % 3], i / 18);
        worst = fmax(worst, l.overshoot);
        slowest = fmax(slowest, l.late);
    }
    if (!(worst < 4 && slowest < 0.5))
        fail_msg("overshoot %g zeta, |L - L_hat - zeta| %g zeta in the end", worst, slowest);
}

/* Why there is a proportional part at all. */
static void integral_control_alone_overshoots(void **state) {
    (void)state;
    struct options o;
    options_default(&o);
    struct beta_gains k = {.k_i = o.beta_k_i, .k_p = o.beta_k_p, .zeta = o.zeta};
    const double with = close_loop(&k, 2e-2, 1, 1, 3).overshoot;
    k.k_p = 0;
    const double alone = close_loop(&k, 2e-2, 1, 1, 3).overshoot;
    if (!(alone > 1.5 * with)) fail_msg("overshoot %g zeta with, %g zeta without", with, alone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formula),
        cmocka_unit_test(default_gains_hold_the_constraint),
        cmocka_unit_test(integral_control_alone_overshoots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
