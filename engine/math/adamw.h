/* AdamW (Loshchilov & Hutter 2019) in one fused pass over flat arrays, with global gradient-norm clipping. */
#ifndef PBKD_MATH_ADAMW_H
#define PBKD_MATH_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"

struct adamw {
    float *m, *v; /* [n] moments */
    size_t n;
    int64_t step; /* steps taken, for bias correction */
    double norm;  /* of the last gradient, before clipping; no part of what a checkpoint must hold */
};

struct adamw_config {
    float lr, beta1, beta2, eps, weight_decay, clip_norm; /* clip_norm 0: none */
};
extern const struct adamw_config ADAMW_DEFAULTS; /* 1e-3, 0.9, 0.95, 1e-8, 0, 1 */

bool adamw_init(struct adamw *o, size_t n, struct err *e);
void adamw_free(struct adamw *o);
void adamw_reset(struct adamw *o); /* moments and step to 0 */

/* One step on params with grads (which it zeroes). *grad_norm (may be NULL) gets the norm before clipping. Returns
 * false and changes neither params nor moments when the norm is not finite (grads are zeroed all the same).
 * Deterministic for any thread count. */
bool adamw_step(struct adamw *o, const struct adamw_config *c, float *params, float *grads, double *grad_norm,
                struct err *e);

#endif
