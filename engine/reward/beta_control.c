/* Automatic beta: see beta_control.h. */
#include "engine/reward/beta_control.h"

#include <math.h>

double beta_control(const struct beta_gains *k, double excess, double *integral) {
    if (!isfinite(excess)) return *integral;
    const double v = fmax(-5 * k->zeta, fmin(5 * k->zeta, excess - k->zeta));
    *integral = fmax(0, *integral + k->k_i * v);
    return fmax(0, *integral + k->k_p * v);
}
