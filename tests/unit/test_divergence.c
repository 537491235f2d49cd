/* Divergences between two models: values and gradients against naive double precision, all the way through the model;
 * identities; precision where the two are nearly equal or far apart; extreme logits; streaming in chunks; independence
 * of threads; bad input. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/math/parallel.h"
#include "engine/model/divergence.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"

enum { VOCAB = FIXTURE_VOCAB, N_ROWS = FIXTURE_ROWS, Q_DIM = FIXTURE_DIM, P_DIM = 18 };
static const float JSD_COEF = 0.3f, SKEW_COEF = 0.1f;

static float coef_of(int kind) { return kind == DIVERGENCE_JSD ? JSD_COEF : SKEW_COEF; }

/* ---- the definitions, term by term ---- */

/* KL(x || own x + (1 - own) y) */
static double reference_kl(const double *lx, const double *ly, int n, double own) {
    double sum = 0;
    for (int a = 0; a < n; a++) {
        const double lm = own == 0.0 ? ly[a] : log(own * exp(lx[a]) + (1 - own) * exp(ly[a]));
        if (lx[a] > -700) sum += exp(lx[a]) * (lx[a] - lm);
    }
    return sum;
}

static double reference_divergence(const double *lp, const double *lq, int n, int kind, double c) {
    double tv = 0;
    switch (kind) {
    case DIVERGENCE_FKL: return reference_kl(lp, lq, n, 0);
    case DIVERGENCE_RKL: return reference_kl(lq, lp, n, 0);
    case DIVERGENCE_JSD: return c * reference_kl(lp, lq, n, c) + (1 - c) * reference_kl(lq, lp, n, 1 - c);
    case DIVERGENCE_SKEW_KL: return reference_kl(lp, lq, n, c);
    case DIVERGENCE_SKEW_RKL: return reference_kl(lq, lp, n, c);
    default:
        for (int a = 0; a < n; a++) tv += 0.5 * fabs(exp(lp[a]) - exp(lq[a]));
        return tv;
    }
}

static double reference_entropy(const double *l, int n) {
    double sum = 0;
    for (int a = 0; a < n; a++) sum -= exp(l[a]) * l[a];
    return sum;
}

/* ---- a batch under two models of different shape ---- */

struct setting {
    struct fixture_rows r;
    struct fixture_pass p;
    double *lp; /* [N_ROWS, VOCAB] */
    int kind;   /* what pair_loss computes */
    double coef;
};

static void setting_new(struct setting *s) {
    *s = (struct setting){0};
    fixture_rows(&s->r);
    struct model_config c = FIXTURE_SMALL;
    c.d_model = P_DIM;
    c.tied = false;
    struct head_rows rows = fixture_head_rows(&s->r, NULL);
    rows.target = NULL;
    s->p = fixture_pass(&c, 31, &s->r.f.b, &rows);
    s->lp = fixture_log_softmax(s->p.m, s->p.params, &s->r);
}

static void setting_free(struct setting *s) {
    fixture_batch_free(&s->r.f);
    fixture_pass_free(&s->p);
    free(s->lp);
}

static double pair_loss(const struct model *m, const double *params, void *ctx) {
    const struct setting *s = ctx;
    double *lq = fixture_log_softmax(m, params, &s->r), sum = 0;
    for (int i = 0; i < N_ROWS; i++)
        sum +=
            (double)s->r.weight[i] * reference_divergence(s->lp + i * VOCAB, lq + i * VOCAB, VOCAB, s->kind, s->coef);
    free(lq);
    return sum;
}

static struct fixture_pass student_new(const struct setting *s, bool tied) {
    struct model_config c = FIXTURE_SMALL;
    const struct head_rows rows = fixture_head_rows(&s->r, NULL);
    c.tied = tied;
    return fixture_pass(&c, 21, &s->r.f.b, &rows);
}

/* Every number that divergence_measure can give. */
struct measured {
    float log_prob_p[N_ROWS], log_prob_q[N_ROWS], entropy_p[N_ROWS], entropy_q[N_ROWS];
    float value[DIVERGENCE_KINDS][N_ROWS];
};

static void measure(const struct divergence_pair *pair, float jsd, float skew, struct head_space *space,
                    struct measured *m) {
    struct divergence_out out = {m->log_prob_p, m->log_prob_q, m->entropy_p, m->entropy_q, {NULL}};
    for (int k = 0; k < DIVERGENCE_KINDS; k++) out.value[k] = m->value[k];
    struct err e = {{0}};
    if (!divergence_measure(pair, jsd, skew, space, &out, &e)) fail_msg("%s", e.msg);
}

static void test_values(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    struct fixture_pass t = student_new(&s, true);
    const struct divergence_pair pair = {s.p.m, t.m, &s.p.rows, &t.rows};
    struct measured m;
    measure(&pair, JSD_COEF, SKEW_COEF, t.space, &m);
    double *lq = fixture_log_softmax(t.m, t.params, &s.r);
    for (int i = 0; i < N_ROWS; i++) {
        const double *p = s.lp + i * VOCAB, *q = lq + i * VOCAB;
        assert_true(fabs((double)m.log_prob_p[i] - p[s.r.target[i]]) < 1e-5);
        assert_true(fabs((double)m.log_prob_q[i] - q[s.r.target[i]]) < 1e-5);
        assert_true(fabs((double)m.entropy_p[i] - reference_entropy(p, VOCAB)) < 1e-5);
        assert_true(fabs((double)m.entropy_q[i] - reference_entropy(q, VOCAB)) < 1e-5);
        for (int k = 0; k < DIVERGENCE_KINDS; k++) {
            const double expected = reference_divergence(p, q, VOCAB, k, (double)coef_of(k));
            if (fabs((double)m.value[k][i] - expected) > 1e-5 * (1 + expected))
                fail_msg("kind %d row %d: %.9g, reference %.9g", k, i, (double)m.value[k][i], expected);
        }
    }
    /* The chosen token's log-probability is the head's, bit for bit: importance ratios may mix the two. */
    float log_prob[N_ROWS];
    assert_true(head_log_prob(t.m, &t.rows, t.space, log_prob, NULL, NULL));
    assert_memory_equal(log_prob, m.log_prob_q, sizeof log_prob);
    /* And what is not asked for is not needed: no targets, no coefficients. */
    struct head_rows bare = t.rows;
    bare.target = NULL;
    float fkl[N_ROWS];
    const struct divergence_pair no_targets = {s.p.m, t.m, &s.p.rows, &bare};
    assert_true(divergence_measure(&no_targets, NAN, NAN, t.space,
                                   &(struct divergence_out){.value[DIVERGENCE_FKL] = fkl}, NULL));
    assert_memory_equal(fkl, m.value[DIVERGENCE_FKL], sizeof fkl);
    free(lq);
    fixture_pass_free(&t);
    setting_free(&s);
}

static void check_gradient(struct setting *s, bool tied, int kind, float coef) {
    s->kind = kind;
    s->coef = (double)coef;
    struct fixture_pass t = student_new(s, tied);
    const struct divergence_pair pair = {s->p.m, t.m, &s->p.rows, &t.rows};
    double loss;
    float value[N_ROWS], again[N_ROWS];
    assert_true(divergence_backward(&pair, (enum divergence)kind, coef, s->r.weight, t.space, &loss, value, t.dhidden,
                                    t.grads, NULL));
    const double expected = pair_loss(t.m, t.params, s);
    if (fabs(loss - expected) > 1e-5 * N_ROWS) fail_msg("kind %d: loss %.9g, reference %.9g", kind, loss, expected);
    struct divergence_out out = {0};
    out.value[kind] = again;
    assert_true(divergence_measure(&pair, coef, coef, t.space, &out, NULL));
    assert_memory_equal(again, value, sizeof again);
    assert_true(model_backward(t.m, t.a, &s->r.f.b, t.dhidden, t.grads, NULL));
    fixture_check_gradient(t.m, t.params, t.grads, pair_loss, s, true);
    fixture_pass_free(&t);
}

static void test_gradients(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++)
        for (int tied = 0; tied < 2; tied++) check_gradient(&s, tied, kind, coef_of(kind));
    check_gradient(&s, true, DIVERGENCE_JSD, 0.9f);
    check_gradient(&s, true, DIVERGENCE_SKEW_KL, 0.0f);
    check_gradient(&s, true, DIVERGENCE_SKEW_RKL, 0.7f);
    setting_free(&s);
}

static bool near(float a, float b, double tolerance) {
    return fabs((double)a - (double)b) <= tolerance * (1 + fabs((double)b));
}

static void test_identities(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    struct fixture_pass t = student_new(&s, true);
    struct head_rows p_rows = s.p.rows;
    p_rows.target = s.r.target;
    const struct divergence_pair pair = {s.p.m, t.m, &p_rows, &t.rows}, swapped = {t.m, s.p.m, &t.rows, &p_rows};
    struct measured a, b, plain;
    measure(&pair, 0.5f, 0.2f, t.space, &a);
    measure(&swapped, 0.5f, 0.2f, t.space, &b);
    measure(&pair, 0.25f, 0.0f, t.space, &plain);
    for (int i = 0; i < N_ROWS; i++) {
        for (int k = 0; k < DIVERGENCE_KINDS; k++) assert_true(a.value[k][i] > 0.0f);
        const float tv = a.value[DIVERGENCE_TV][i], fkl = a.value[DIVERGENCE_FKL][i], jsd = a.value[DIVERGENCE_JSD][i];
        assert_true(near(jsd, b.value[DIVERGENCE_JSD][i], 1e-6));
        assert_true(near(tv, b.value[DIVERGENCE_TV][i], 1e-6) && tv <= 1.0f);
        assert_true(near(fkl, b.value[DIVERGENCE_RKL][i], 1e-6));
        assert_true(near(a.value[DIVERGENCE_SKEW_KL][i], b.value[DIVERGENCE_SKEW_RKL][i], 1e-6));
        assert_true((double)jsd <= log(2.0) + 1e-6);
        assert_true((double)tv <= sqrt((double)fkl / 2) + 1e-6);  /* Pinsker */
        assert_true(a.value[DIVERGENCE_SKEW_KL][i] < 0.8f * fkl); /* convexity of KL in m */
        assert_true(a.entropy_p[i] == b.entropy_q[i] && a.log_prob_p[i] == b.log_prob_q[i]);
        assert_true(plain.value[DIVERGENCE_SKEW_KL][i] == fkl);
        assert_true(plain.value[DIVERGENCE_SKEW_RKL][i] == a.value[DIVERGENCE_RKL][i]);
        assert_true(fabsf(plain.value[DIVERGENCE_JSD][i] - jsd) > 1e-4f); /* the coefficient matters */
    }
    fixture_pass_free(&t);
    setting_free(&s);
}

/* Two equal models: 0 and no gradient at all, not merely a small one. */
static void test_equal_models(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    struct fixture_pass t = student_new(&s, true);
    const struct divergence_pair pair = {t.m, t.m, &t.rows, &t.rows};
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
        float value[N_ROWS];
        double loss;
        assert_true(divergence_backward(&pair, (enum divergence)kind, coef_of(kind), s.r.weight, t.space, &loss, value,
                                        t.dhidden, t.grads, NULL));
        assert_true(loss == 0.0);
        for (int i = 0; i < N_ROWS; i++) assert_true(value[i] == 0.0f);
        for (int i = 0; i < FIXTURE_TOKENS * Q_DIM; i++) assert_true(t.dhidden[i] == 0.0f);
        for (size_t i = 0; i < t.m->n_params; i++) assert_true(t.grads[i] == 0.0f);
    }
    fixture_pass_free(&t);
    setting_free(&s);
}

/* ---- chosen logits ---- */

static const float UNIT[Q_DIM] = {1.0f};

static void log_softmax(const float *z, double *l) {
    double top = (double)z[0], sum = 0;
    for (int a = 1; a < VOCAB; a++) top = fmax(top, (double)z[a]);
    for (int a = 0; a < VOCAB; a++) sum += exp((double)z[a] - top);
    for (int a = 0; a < VOCAB; a++) l[a] = (double)z[a] - top - log(sum);
}

/* Value and dloss/dlogits (the first column of the head's gradient, as hidden = UNIT) of one row of given logits. */
static float divergence_of_logits(const float *zp, const float *zq, int kind, float coef, float *dlogits) {
    struct model *p = fixture_model_of_logits(zp), *q = fixture_model_of_logits(zq);
    const int row = 0;
    const struct head_rows r = {.hidden = UNIT, .row = &row, .n = 1};
    const struct divergence_pair pair = {p, q, &r, &r};
    struct head_space *space = head_space_new();
    float *grads = calloc(q->n_params, sizeof *grads), dhidden[Q_DIM] = {0}, value, weight = 1.0f;
    double loss;
    struct err e = {{0}};
    if (!divergence_backward(&pair, (enum divergence)kind, coef, &weight, space, &loss, &value, dhidden, grads, &e))
        fail_msg("%s", e.msg);
    assert_true((float)loss == value || (isnan(loss) && isnan(value)));
    for (int a = 0; a < VOCAB; a++) dlogits[a] = grads[q->head + (size_t)(a * Q_DIM)];
    free(grads);
    head_space_free(space);
    model_free(p);
    model_free(q);
    return value;
}

/* g_a = dD/dlog q_a up to a multiple of q_a such that it is 0 at p = q, then dD/dz_a = g_a - q_a sum g. Returns the
 * largest |g|: the size of what is subtracted in f32. */
static double reference_dlogits(const double *lp, const double *lq, int kind, double c, double *g) {
    double sum = 0, largest = 0;
    for (int a = 0; a < VOCAB; a++) {
        const double p = exp(lp[a]), q = exp(lq[a]), m_p = c * p + (1 - c) * q, m_q = c * q + (1 - c) * p;
        g[a] = kind == DIVERGENCE_FKL       ? q - p
               : kind == DIVERGENCE_RKL     ? q * (lq[a] - lp[a])
               : kind == DIVERGENCE_JSD     ? (1 - c) * q * log(q / m_p)
               : kind == DIVERGENCE_SKEW_KL ? (1 - c) * q * (1 - p / m_p)
               : kind == DIVERGENCE_TV      ? 0.5 * q * (q > p ? 1 : -1)
                                            : q * (log(q / m_q) + (1 - c) * (p / m_q - 1));
        sum += g[a];
        largest = fmax(largest, fabs(g[a]));
    }
    for (int a = 0; a < VOCAB; a++) g[a] -= exp(lq[a]) * sum;
    return largest;
}

/* From nearly equal distributions, where a divergence is a small difference of large terms, to such as share nothing:
 * errors relative to the divergence itself (tolerance), and to the gradient's largest element. spread: of the logits;
 * distance: of q's from p's. */
static void check_precision(double spread, double distance, float coef, double tolerance) {
    float zp[VOCAB], zq[VOCAB], found[VOCAB];
    double lp[VOCAB], lq[VOCAB], g[VOCAB];
    for (int a = 0; a < VOCAB; a++) {
        zp[a] = (float)(spread * rng_normal(5, RNG_TEST, 0, (uint64_t)a));
        zq[a] = (float)((double)zp[a] + distance * rng_normal(5, RNG_TEST, 1, (uint64_t)a));
    }
    log_softmax(zp, lp);
    log_softmax(zq, lq);
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
        const double value = (double)divergence_of_logits(zp, zq, kind, coef, found),
                     expected = reference_divergence(lp, lq, VOCAB, kind, (double)coef);
        if (!(fabs(value - expected) <= tolerance * expected))
            fail_msg("spread %g, distance %g, coefficient %g, kind %d: %.9g, reference %.9g", spread, distance,
                     (double)coef, kind, value, expected);
        double allowed = 2e-7 * reference_dlogits(lp, lq, kind, (double)coef, g), largest = 0;
        for (int a = 0; a < VOCAB; a++) largest = fmax(largest, fabs(g[a]));
        allowed += 1e-5 * largest;
        for (int a = 0; a < VOCAB; a++)
            if (!(fabs((double)found[a] - g[a]) <= allowed))
                fail_msg("spread %g, distance %g, coefficient %g, kind %d: gradient at %d is %.9g, reference %.9g",
                         spread, distance, (double)coef, kind, a, (double)found[a], g[a]);
    }
}

static void test_precision(void **state) {
    (void)state;
    const float coefs[] = {0.001f, 0.1f, 0.5f, 0.97f};
    for (int i = 0; i < 4; i++) {
        check_precision(1.0, 1e-3, coefs[i], 5e-5);
        check_precision(3.0, 1e-2, coefs[i], 1e-5);
        check_precision(2.0, 0.3, coefs[i], 2e-6);
        check_precision(2.0, 1.0, coefs[i], 2e-6);
        check_precision(1.0, 10.0, coefs[i], 2e-6);
        check_precision(40.0, 40.0, coefs[i], 2e-6); /* q/p far outside the range of f32 */
    }
}

/* Logits mean the same wherever they lie: an offset of 1e4, where floats are 1e-3 apart, to p alone or to both. */
static void test_offsets(void **state) {
    (void)state;
    float zp[VOCAB], zq[VOCAB], up_p[VOCAB], up_q[VOCAB], d[3][VOCAB];
    for (int a = 0; a < VOCAB; a++) { /* steps of 1/64, so that the offset is exact */
        zp[a] = (float)((int)rng_below(512, 3, RNG_TEST, 0, (uint64_t)a) - 256) / 64.0f;
        zq[a] = zp[a] + (float)((int)rng_below(64, 3, RNG_TEST, 1, (uint64_t)a) - 32) / 64.0f;
        up_p[a] = zp[a] + 1e4f;
        up_q[a] = zq[a] + 1e4f;
    }
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
        const float value = divergence_of_logits(zp, zq, kind, 0.3f, d[0]);
        const float one = divergence_of_logits(up_p, zq, kind, 0.3f, d[1]);
        const float both = divergence_of_logits(up_p, up_q, kind, 0.3f, d[2]);
        assert_true(fabsf(one - value) < 2e-6f * value && fabsf(both - value) < 2e-6f * value);
        for (int a = 0; a < VOCAB; a++)
            assert_true(fabsf(d[1][a] - d[0][a]) < 2e-7f && fabsf(d[2][a] - d[0][a]) < 2e-7f);
    }
}

/* Certain of different tokens, 2e4 nats apart: p lies on token 5, q on token 6. */
static void test_extreme_logits(void **state) {
    (void)state;
    float zp[VOCAB] = {0}, zq[VOCAB] = {0}, d[VOCAB];
    zp[5] = zq[6] = 1e4f;
    zp[6] = zq[5] = -1e4f;
    const float c = 0.1f;
    const double cd = (double)c, expected[DIVERGENCE_KINDS] = {
                                     [DIVERGENCE_FKL] = 2e4,
                                     [DIVERGENCE_RKL] = 2e4,
                                     [DIVERGENCE_JSD] = -cd * log(cd) - (1 - cd) * log(1 - cd),
                                     [DIVERGENCE_SKEW_KL] = -log(cd),
                                     [DIVERGENCE_SKEW_RKL] = -log(cd),
                                     [DIVERGENCE_TV] = 1,
                                 };
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
        const float value = divergence_of_logits(zp, zq, kind, c, d);
        if (!(fabs((double)value - expected[kind]) < 1e-5 * expected[kind]))
            fail_msg("kind %d: %.9g, expected %.9g", kind, (double)value, expected[kind]);
        for (int a = 0; a < VOCAB; a++) {
            /* Only forward KL still pulls: the other gradients carry q_5 = 0, or q_6 (g_6 - mean) = 0. */
            const float pull = kind != DIVERGENCE_FKL ? 0.0f : a == 5 ? -1.0f : a == 6 ? 1.0f : 0.0f;
            assert_true(fabsf(d[a] - pull) < 1e-6f);
        }
    }
    const float sizes[] = {1e4f, 1e30f};
    for (int i = 0; i < 2; i++) { /* p uniform on 14 tokens, q on the other 15 */
        for (int a = 0; a < VOCAB; a++) zp[a] = a % 2 ? sizes[i] : -sizes[i];
        for (int a = 0; a < VOCAB; a++) zq[a] = -zp[a];
        for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
            const double value = (double)divergence_of_logits(zp, zq, kind, 0.5f, d);
            const double wanted = kind == DIVERGENCE_TV                              ? 1
                                  : kind == DIVERGENCE_FKL || kind == DIVERGENCE_RKL ? 2 * (double)sizes[i]
                                                                                     : log(2.0);
            assert_true(fabs(value - wanted) < 1e-4 * wanted);
            for (int a = 0; a < VOCAB; a++) assert_true(isfinite(d[a]));
        }
    }
    zq[3] = NAN; /* what is not finite is not hidden */
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++)
        assert_true(isnan(divergence_of_logits(zp, zq, kind, 0.5f, d)) && isnan(d[3]));
}

/* No divergence leaves its bounds where everything is rounded away. */
static void test_bounds(void **state) {
    (void)state;
    float zp[VOCAB], zq[VOCAB], d[VOCAB];
    for (int split = 1; split < VOCAB; split++) { /* nothing in common: 1, and rounding does not pass it */
        for (int a = 0; a < VOCAB; a++) zp[a] = a < split ? 1e4f : -1e4f;
        for (int a = 0; a < VOCAB; a++) zq[a] = -zp[a];
        const float tv = divergence_of_logits(zp, zq, DIVERGENCE_TV, 0.0f, d);
        assert_true(tv <= 1.0f && tv > 1.0f - 1e-6f);
    }
    for (int a = 0; a < VOCAB; a++) { /* certain of the same token; the others, all of no weight, differ */
        zp[a] = a == 5 ? 1e4f : -100.0f * (float)a;
        zq[a] = a == 5 ? 1e4f : -100.0f * (float)(VOCAB - a);
    }
    for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
        const float value = divergence_of_logits(zp, zq, kind, 0.5f, d);
        assert_true(value >= 0.0f && value < 1e-30f);
    }
}

/* ---- bad input ---- */

static void expect_error(const struct divergence_pair *pair, int kind, float coef, struct fixture_pass *t,
                         const float *w, const char *part) {
    struct err e = {{0}};
    float value[N_ROWS];
    struct divergence_out out = {0};
    out.value[kind] = value;
    assert_false(divergence_measure(pair, coef, coef, t->space, &out, &e));
    assert_non_null(strstr(e.msg, part));
    e.msg[0] = '\0';
    assert_false(
        divergence_backward(pair, (enum divergence)kind, coef, w, t->space, NULL, NULL, t->dhidden, t->grads, &e));
    assert_non_null(strstr(e.msg, part));
}

static void test_bad_input(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    struct fixture_pass t = student_new(&s, true);
    const struct divergence_pair pair = {s.p.m, t.m, &s.p.rows, &t.rows};
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = VOCAB + 1;
    struct model *other = fixture_model(&c, 1);
    const struct divergence_pair two_vocabularies = {other, t.m, &t.rows, &t.rows};
    expect_error(&two_vocabularies, DIVERGENCE_FKL, 0, &t, s.r.weight,
                 "vocabularies differ: p has 30 tokens, q has 29");
    struct head_rows fewer = s.p.rows;
    fewer.n = N_ROWS - 1;
    const struct divergence_pair two_counts = {s.p.m, t.m, &fewer, &t.rows};
    expect_error(&two_counts, DIVERGENCE_FKL, 0, &t, s.r.weight, "row counts differ: p has 8, q has 9");
    const float no_jsd[] = {0.0f, 1.0f, -0.5f, 1.5f, 1e-9f, NAN}, no_skew[] = {1.0f, -0.1f, 2.0f, 1e-9f, NAN};
    for (size_t i = 0; i < sizeof no_jsd / sizeof *no_jsd; i++)
        expect_error(&pair, DIVERGENCE_JSD, no_jsd[i], &t, s.r.weight, "jsd needs a coefficient");
    for (size_t i = 0; i < sizeof no_skew / sizeof *no_skew; i++) {
        expect_error(&pair, DIVERGENCE_SKEW_KL, no_skew[i], &t, s.r.weight, "skew needs a coefficient");
        expect_error(&pair, DIVERGENCE_SKEW_RKL, no_skew[i], &t, s.r.weight, "skew needs a coefficient");
    }
    s.r.row[2] = -1;
    expect_error(&pair, DIVERGENCE_TV, 0, &t, s.r.weight, "negative");
    s.r.row[2] = 16;
    s.r.target[3] = VOCAB;
    struct err e = {{0}};
    float log_prob[N_ROWS];
    assert_false(divergence_measure(&pair, 0, 0, t.space, &(struct divergence_out){.log_prob_p = log_prob}, &e));
    assert_non_null(strstr(e.msg, "vocabulary"));
    model_free(other);
    fixture_pass_free(&t);
    setting_free(&s);
}

/* ---- more rows than a chunk ---- */

enum { MANY = 300, WORDS = 5003, DIM = 16 };

struct run {
    float value[DIVERGENCE_KINDS][MANY], log_prob_p[MANY], entropy_q[MANY], dhidden[MANY * DIM];
    float *grads;
};

static void run_once(const struct divergence_pair *pair, const float *weight, int threads, struct run *r) {
    struct head_space *s = head_space_new();
    struct divergence_out out = {.log_prob_p = r->log_prob_p, .entropy_q = r->entropy_q};
    for (int k = 0; k < DIVERGENCE_KINDS; k++) out.value[k] = r->value[k];
    r->grads = calloc(pair->q->n_params, sizeof *r->grads);
    parallel_init(threads);
    assert_true(divergence_measure(pair, JSD_COEF, SKEW_COEF, s, &out, NULL));
    assert_true(divergence_backward(pair, DIVERGENCE_JSD, JSD_COEF, weight, s, NULL, NULL, r->dhidden, r->grads, NULL));
    parallel_shutdown();
    head_space_free(s);
}

/* Rows on both sides of the chunk boundary against the reference; dhidden of each against the row by itself. */
static void check_many(const struct divergence_pair *pair, const float *weight, const struct run *r) {
    double *pp = fixture_doubles(pair->p->params, pair->p->n_params);
    double *qp = fixture_doubles(pair->q->params, pair->q->n_params);
    double *h = fixture_doubles(pair->q_rows->hidden, (size_t)MANY * DIM), lp[WORDS], lq[WORDS];
    float *scratch = calloc(pair->q->n_params, sizeof *scratch), *alone = calloc((size_t)MANY * DIM, sizeof *alone);
    struct head_space *s = head_space_new();
    const int rows[] = {0, 1, 100, 254, 255, 256, 257, 299};
    for (int k = 0; k < 8; k++) {
        const int i = rows[k], at = pair->q_rows->row[i];
        reference_log_softmax(pair->p, pp, h + (size_t)at * DIM, lp);
        reference_log_softmax(pair->q, qp, h + (size_t)at * DIM, lq);
        for (int kind = 0; kind < DIVERGENCE_KINDS; kind++) {
            const double expected = reference_divergence(lp, lq, WORDS, kind, (double)coef_of(kind));
            assert_true(fabs((double)r->value[kind][i] - expected) < 2e-5 * expected);
        }
        assert_true(fabs((double)r->log_prob_p[i] - lp[pair->q_rows->target[i]]) < 2e-5);
        assert_true(fabs((double)r->entropy_q[i] - reference_entropy(lq, WORDS)) < 2e-5);
        const struct head_rows one = {.hidden = pair->q_rows->hidden, .row = &at, .n = 1};
        const struct divergence_pair single = {pair->p, pair->q, &one, &one};
        assert_true(
            divergence_backward(&single, DIVERGENCE_JSD, JSD_COEF, weight + i, s, NULL, NULL, alone, scratch, NULL));
        double largest = 0;
        for (int d = 0; d < DIM; d++) largest = fmax(largest, fabs((double)alone[at * DIM + d]));
        for (int d = 0; d < DIM; d++)
            assert_true(fabs((double)alone[at * DIM + d] - (double)r->dhidden[at * DIM + d]) < 1e-5 * largest);
    }
    head_space_free(s);
    free(scratch);
    free(alone);
    free(pp);
    free(qp);
    free(h);
}

/* A vocabulary that is no multiple of the vector width; 1, 2 and 4 threads. */
static void test_chunks_and_threads(void **state) {
    (void)state;
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = WORDS;
    c.d_model = DIM;
    struct model *p = fixture_model(&c, 51), *q = fixture_model(&c, 52);
    struct fixture_many f;
    fixture_many(&f, MANY, WORDS, DIM, 0.5f);
    const struct divergence_pair pair = {p, q, &f.rows, &f.rows};
    struct run *r = calloc(3, sizeof *r);
    for (int k = 0; k < 3; k++) {
        run_once(&pair, f.weight, 1 << k, &r[k]);
        assert_memory_equal(r[0].value, r[k].value, sizeof r->value);
        assert_memory_equal(r[0].log_prob_p, r[k].log_prob_p, sizeof r->log_prob_p);
        assert_memory_equal(r[0].entropy_q, r[k].entropy_q, sizeof r->entropy_q);
        assert_memory_equal(r[0].dhidden, r[k].dhidden, sizeof r->dhidden);
        assert_memory_equal(r[0].grads, r[k].grads, q->n_params * sizeof(float));
    }
    check_many(&pair, f.weight, &r[0]);
    for (int k = 0; k < 3; k++) free(r[k].grads);
    free(r);
    fixture_many_free(&f);
    model_free(p);
    model_free(q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),     cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_identities), cmocka_unit_test(test_equal_models),
        cmocka_unit_test(test_precision),  cmocka_unit_test(test_extreme_logits),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_bad_input),  cmocka_unit_test(test_chunks_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
