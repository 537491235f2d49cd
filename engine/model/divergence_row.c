/* Sums and gradients of divergences over one row: see divergence_row.h.
 *
 * Values. For distributions x, y and m = own x + other y, with u = (m - x)/x = other (y/x - 1) and sum m = sum x = 1,
 *     KL(x || m) = sum_a [m - x - x log(m/x)] = sum_a x (u - log(1 + u)).
 * Every term is >= 0, so rounding cannot make the sum negative; and an error in a log-sum-exp cancels to first order,
 * which it does not in sum x log(x/m). With l = log y - log x, u = other expm1(l).
 * For |u| below 1/4, u - log(1 + u) comes from a polynomial without cancellation, else from other (y - x) - x log(m/x),
 * which needs no y/x and so cannot overflow. log(m/x) is l itself at own = 0; else exp(l) is cut off at exp(88), where
 * the x before the logarithm is nothing. A probability below exp(-87) counts as exp(-87), its logarithm as it is.
 *
 * Gradients, with g_a = dD/dq_a up to a constant, dD/dz_k = q_k g_k - q_k sum_a q_a g_a. The constants are chosen so
 * that g vanishes where p = q:
 *     KL(p || m):  q g = other^2 (q - p) q/m,  q/m = 1/(other + own p/q)
 *     KL(q || m):  g = own (m - q)/m - log(m/q)
 *     TV:          g = sign(q - p)/2 */
#include "engine/model/divergence_row.h"

#include <math.h>
#include <stdbool.h>

#include "engine/math/kernels.h"
#include "engine/math/simd.h"

/* c ? a : b. On masks, because gcc turns two choices that share a condition into a branch and leaves the loop scalar.
 */
SIMD_INLINE float choose(bool c, float a, float b) {
    const uint32_t mask = 0u - (uint32_t)c;
    uint32_t abits, bbits;
    memcpy(&abits, &a, sizeof abits);
    memcpy(&bbits, &b, sizeof bbits);
    abits = (abits & mask) | (bbits & ~mask);
    memcpy(&a, &abits, sizeof a);
    return a;
}

/* exp(x) - 1 without cancellation, given exp(x). The polynomial is simd_exp's, which needs no reduction in this range.
 */
SIMD_INLINE float expm1_from(float x, float exp_x) {
    float p = 1.9875691500e-4f;
    p = p * x + 1.3981999507e-3f;
    p = p * x + 8.3334519073e-3f;
    p = p * x + 4.1665795894e-2f;
    p = p * x + 1.6666665459e-1f;
    p = p * x + 5.0000001201e-1f;
    const float near = p * (x * x) + x, far = exp_x - 1.0f;
    return choose(x * x < 0.115f, near, far);
}

/* r - log(1 + r) for r in [sqrt(1/2) - 1, sqrt(2) - 1]; polynomial: Cephes logf (Moshier). */
SIMD_INLINE float log1p_shortfall(float r) {
    float p = 7.0376836292e-2f;
    p = p * r - 1.1514610310e-1f;
    p = p * r + 1.1676998740e-1f;
    p = p * r - 1.2420140846e-1f;
    p = p * r + 1.4249322787e-1f;
    p = p * r - 1.6668057665e-1f;
    p = p * r + 2.0000714765e-1f;
    p = p * r - 2.4999993993e-1f;
    p = p * r + 3.3333331174e-1f;
    return (r * r) * (0.5f - r * p);
}

/* log(x) of a normal x > 0. */
SIMD_INLINE float log_normal(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t k = (int32_t)(bits - 0x3F3504F3u) >> 23; /* x = m 2^k with m in [sqrt(1/2), sqrt(2)) */
    bits -= (uint32_t)k << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    const float r = m - 1.0f, kf = (float)k;
    return (r - log1p_shortfall(r) - 2.12194440e-4f * kf) + 0.693359375f * kf;
}

/* One action's share of KL(x || m) and what gradients need of m. */
struct mixed {
    float kl;
    float log_ratio; /* log(m/x) */
    float rest;      /* (m - x)/m */
};

/* l = log(y/x), exp_l = exp(l) clamped, rise = exp(l) - 1, gain = y - x. */
SIMD_INLINE struct mixed mix_action(float x, float gain, float l, float exp_l, float rise, float own, float other) {
    const float u = other * rise, shortfall = log1p_shortfall(u);
    const float ratio = choose(u < -0.5f, own + other * exp_l, 1.0f + u); /* m/x */
    const bool near = u * u < 0.0625f;
    const float log_mixed = choose(near, u - shortfall, log_normal(ratio)),
                log_ratio = choose(own > 0.0f, log_mixed, l);
    const float kl = choose(near, x * shortfall, other * gain - x * log_ratio);
    return (struct mixed){.kl = choose(kl < 0.0f, 0.0f, kl), /* where both x and y are cut off at exp(-87) */
                          .log_ratio = log_ratio,
                          .rest = u / ratio};
}

/* From two logits to log p, log q and l = log q - log p; see frame_of. */
struct frame {
    float top_p, top_q, log_sum_p, log_sum_q;
    float centre_p, centre_q, shift;
};

struct action {
    float p, q, log_p, log_q;
    float kl_p, kl_q, distance; /* distance = |p - q| */
    float qg;                   /* q times the derivative with respect to q */
};

SIMD_INLINE struct action action_at(float zp, float zq, struct frame f, struct divergence_mix w) {
    const float log_p = (zp - f.top_p) - f.log_sum_p, log_q = (zq - f.top_q) - f.log_sum_q;
    const float l = ((zq - f.centre_q) - (zp - f.centre_p)) - f.shift; /* log q - log p */
    const float p = simd_exp(log_p), q = simd_exp(log_q), up = simd_exp(l), down = simd_exp(-l);
    const float rise = expm1_from(l, up), fall = expm1_from(-l, down);
    const float gain = choose(l * l < 0.115f, p * rise, q - p);
    const struct mixed of_p = mix_action(p, gain, l, up, rise, w.p_own, w.p_other);
    const struct mixed of_q = mix_action(q, -gain, -l, down, fall, w.q_own, w.q_other);
    const float qg_p = w.p_other * w.p_other * gain / (w.p_other + w.p_own * down);
    const float qg_q = q * (w.q_own * of_q.rest - of_q.log_ratio);
    const float half_sign = choose(gain > 0.0f, 0.5f, 0.0f) - choose(gain < 0.0f, 0.5f, 0.0f);
    return (struct action){.p = p,
                           .q = q,
                           .log_p = log_p,
                           .log_q = log_q,
                           .kl_p = of_p.kl,
                           .kl_q = of_q.kl,
                           .distance = choose(gain < 0.0f, -gain, gain),
                           .qg = w.to_p * qg_p + w.to_q * qg_q + w.to_tv * (q * half_sign)};
}

struct lane_sums {
    float kl_p[SIMD_LANES], kl_q[SIMD_LANES], distance[SIMD_LANES], p_log_p[SIMD_LANES], q_log_q[SIMD_LANES];
    float qg[SIMD_LANES];
};

SIMD_INLINE void add_action(struct lane_sums *s, int j, struct action a) {
    s->kl_p[j] += a.kl_p;
    s->kl_q[j] += a.kl_q;
    s->distance[j] += a.distance;
    s->p_log_p[j] += a.p * a.log_p;
    s->q_log_q[j] += a.q * a.log_q;
    s->qg[j] += a.qg;
}

struct divergence_norm divergence_normalise(const float *z, int n) {
    const float top = row_max(z, n);
    return (struct divergence_norm){.top = top, .log_sum = log(row_sum_exp(z, n, top))};
}

/* Nearly equal logits are subtracted from each other as they are, which is exact; such as lie around different tops
 * only after their tops, or a common offset would eat their digits. */
static struct frame frame_of(struct divergence_norm np, struct divergence_norm nq) {
    struct frame f = {.top_p = np.top, .top_q = nq.top, .log_sum_p = (float)np.log_sum, .log_sum_q = (float)nq.log_sum};
    const double apart = (double)nq.top - (double)np.top;
    const bool close = fabs(apart) < 4.0;
    if (!close) f.centre_p = np.top;
    if (!close) f.centre_q = nq.top;
    f.shift = (float)((close ? apart : 0.0) + (nq.log_sum - np.log_sum));
    return f;
}

SIMD_CLONES static struct divergence_sums sum_row(const float *zp, const float *zq, int n, struct frame f,
                                                  struct divergence_mix mix) {
    struct divergence_sums out = {0};
    for (int i = 0; i < n;) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        struct lane_sums lane = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++) add_action(&lane, j, action_at(zp[i + j], zq[i + j], f, mix));
        for (; i < stop; i++) add_action(&lane, 0, action_at(zp[i], zq[i], f, mix));
        out.kl_p += (double)simd_lane_sum(lane.kl_p);
        out.kl_q += (double)simd_lane_sum(lane.kl_q);
        out.tv += 0.5 * (double)simd_lane_sum(lane.distance);
        out.entropy_p -= (double)simd_lane_sum(lane.p_log_p);
        out.entropy_q -= (double)simd_lane_sum(lane.q_log_q);
        out.slope += (double)simd_lane_sum(lane.qg);
    }
    out.tv = out.tv > 1.0 ? 1.0 : out.tv;
    return out;
}

SIMD_CLONES static void gradient_row(const float *restrict zp, float *restrict zq, int n, struct frame f,
                                     struct divergence_mix mix, float slope, float weight) {
    for (int i = 0; i < n; i++) {
        const struct action a = action_at(zp[i], zq[i], f, mix);
        zq[i] = weight * (a.qg - a.q * slope);
    }
}

struct divergence_sums divergence_sum_row(const float *zp, const float *zq, int n, struct divergence_norm np,
                                          struct divergence_norm nq, struct divergence_mix mix) {
    return sum_row(zp, zq, n, frame_of(np, nq), mix);
}

void divergence_gradient_row(const float *zp, float *zq, int n, struct divergence_norm np, struct divergence_norm nq,
                             struct divergence_mix mix, float slope, float weight) {
    gradient_row(zp, zq, n, frame_of(np, nq), mix, slope, weight);
}
