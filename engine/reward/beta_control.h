/* Automatic beta of scope `full` (algorithms.md section 4): the multiplier of the constraint L <= L_hat + zeta as the
 * output of a PI controller.
 *
 *     v = L - L_hat - zeta, clipped to +-5 zeta;   I <- max(0, I + k_i v);   beta = max(0, I + k_p v)
 *
 * Gradient ascent on beta alone (k_p = 0) is an integrator behind an adversary that is one itself: it swings, and
 * overshoots many times over. The proportional part damps. Both terms of v are taken on the same pairs, so that the
 * noise of a mini-batch, which is larger than zeta, cancels; the clip keeps one wild batch from moving beta by more
 * than 5 zeta (k_i + k_p). */
#ifndef PBKD_REWARD_BETA_CONTROL_H
#define PBKD_REWARD_BETA_CONTROL_H

struct beta_gains {
    double k_i, k_p; /* beta per nat of violation: per step, and at once; >= 0 */
    double zeta;     /* >= 0 */
};

/* Beta for the step whose batch has the excess L - L_hat [nats/pair]; *integral (>= 0) moves on. An excess that is not
 * finite says nothing: beta is then the integral, which stays. */
double beta_control(const struct beta_gains *k, double excess, double *integral);

#endif
