/* The head: log-probabilities, cross-entropy, token reward and exact descent against the double-precision reference,
 * with the gradient of every tensor all the way through the model; streaming in chunks; bad input; independence of
 * threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/model/head.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"

static const struct model_config SMALL = {.n_vocab = 29,
                                          .d_model = 12,
                                          .n_layer = 1,
                                          .n_head = 2,
                                          .n_kv_head = 1,
                                          .head_dim = 6,
                                          .d_ff = 20,
                                          .n_ctx = 64,
                                          .rope_base = 100.0f,
                                          .rms_eps = 1e-5f,
                                          .tied = true};
enum { N_ROWS = 9, N_TOKENS = 17 };
static const float BOUND = 3.0f, KL_COEF = 0.3f;

/* A batch, rows of it that carry loss (in no order, one of them twice), and weights of both signs. */
struct setting {
    struct fixture_batch f;
    int row[N_ROWS];
    int32_t target[N_ROWS];
    float weight[N_ROWS];
    const struct model *other, *ref; /* exact descent's reward and reference */
    double *other_params, *ref_params;
};

static void setting_new(struct setting *s) {
    *s = (struct setting){0};
    fixture_batch(&s->f, SMALL.n_vocab, (const int[]){6, 1, 10}, 3);
    const int rows[N_ROWS] = {4, 0, 16, 6, 9, 9, 3, 12, 5};
    for (int i = 0; i < N_ROWS; i++) {
        s->row[i] = rows[i];
        s->target[i] = (int32_t)rng_below((uint64_t)SMALL.n_vocab, 9, RNG_TEST, 1, (uint64_t)i);
        s->weight[i] = (float)rng_normal(9, RNG_TEST, 2, (uint64_t)i);
    }
}

static void setting_free(struct setting *s) {
    fixture_batch_free(&s->f);
    free(s->other_params);
    free(s->ref_params);
}

static struct head_rows rows_of(const struct setting *s, const float *hidden) {
    return (struct head_rows){.hidden = hidden, .row = s->row, .target = s->target, .n = N_ROWS};
}

/* log softmax at every row; caller frees [N_ROWS, n_vocab]. */
static double *reference_rows(const struct model *m, const double *params, const struct setting *s) {
    double *h = reference_hidden(m, params, &s->f.b);
    double *l = calloc((size_t)N_ROWS * (size_t)m->cfg.n_vocab, sizeof *l);
    for (int i = 0; i < N_ROWS; i++)
        reference_log_softmax(m, params, h + s->row[i] * m->cfg.d_model, l + i * m->cfg.n_vocab);
    free(h);
    return l;
}

static double nll_loss(const struct model *m, const double *params, void *ctx) {
    const struct setting *s = ctx;
    double *l = reference_rows(m, params, s), sum = 0;
    for (int i = 0; i < N_ROWS; i++) sum -= (double)s->weight[i] * l[i * m->cfg.n_vocab + s->target[i]];
    free(l);
    return sum;
}

static double reward_loss(const struct model *m, const double *params, void *ctx) {
    const struct setting *s = ctx;
    const int n = m->cfg.n_vocab;
    double *l = reference_rows(m, params, s), *r = calloc((size_t)n, sizeof *r), sum = 0;
    for (int i = 0; i < N_ROWS; i++) {
        reference_rewards(l + i * n, n, (double)BOUND, r);
        sum += (double)s->weight[i] * r[s->target[i]];
    }
    free(l);
    free(r);
    return sum;
}

static struct exact_terms reference_exact(const struct model *m, const double *params, const struct setting *s) {
    const int n = m->cfg.n_vocab;
    double *l = reference_rows(m, params, s), *lo = reference_rows(s->other, s->other_params, s);
    double *lf = s->ref ? reference_rows(s->ref, s->ref_params, s) : NULL, *r = calloc((size_t)n, sizeof *r);
    struct exact_terms t = {0};
    for (int i = 0; i < N_ROWS; i++) {
        reference_rewards(lo + i * n, n, (double)BOUND, r);
        for (int a = 0; a < n; a++) {
            const double w = (double)s->weight[i], log_pi = l[i * n + a], pi = exp(log_pi);
            t.value += w * pi * r[a];
            t.entropy -= w * pi * log_pi;
            if (lf) t.kl += w * pi * (log_pi - lf[i * n + a]);
        }
    }
    free(l);
    free(lo);
    free(lf);
    free(r);
    return t;
}

static double exact_loss(const struct model *m, const double *params, void *ctx) {
    const struct exact_terms t = reference_exact(m, params, ctx);
    return -t.value + (double)KL_COEF * t.kl;
}

/* What the three gradient tests have in common: forward, the head's function, backward, comparison of every tensor. */
struct trained {
    struct model *m;
    struct activations *a;
    struct head_space *space;
    float *dhidden, *grads;
    double *params;
    struct head_rows rows;
};

static struct trained trained_new(const struct setting *s, bool tied) {
    struct model_config c = SMALL;
    c.tied = tied;
    struct trained t = {.m = fixture_model(&c, 21), .a = activations_new(), .space = head_space_new()};
    const float *hidden;
    assert_true(model_forward(t.m, t.a, &s->f.b, true, &hidden, NULL));
    t.rows = rows_of(s, hidden);
    t.dhidden = calloc((size_t)N_TOKENS * (size_t)c.d_model, sizeof *t.dhidden);
    t.grads = calloc(t.m->n_params, sizeof *t.grads);
    t.params = fixture_doubles(t.m->params, t.m->n_params);
    return t;
}

static void trained_check(struct trained *t, struct setting *s, fixture_loss loss) {
    assert_true(model_backward(t->m, t->a, &s->f.b, t->dhidden, t->grads, NULL));
    fixture_check_gradient(t->m, t->params, t->grads, loss, s, true);
    free(t->dhidden);
    free(t->grads);
    free(t->params);
    head_space_free(t->space);
    activations_free(t->a);
    model_free(t->m);
}

static void test_nll_gradient(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    for (int tied = 0; tied < 2; tied++) {
        struct trained t = trained_new(&s, tied);
        double loss;
        float log_prob[N_ROWS], again[N_ROWS];
        assert_true(head_nll_backward(t.m, &t.rows, s.weight, t.space, &loss, log_prob, t.dhidden, t.grads, NULL));
        assert_true(fabs(loss - nll_loss(t.m, t.params, &s)) < 1e-5 * N_ROWS);
        assert_true(head_log_prob(t.m, &t.rows, t.space, again, NULL, NULL));
        assert_memory_equal(again, log_prob, sizeof again);
        trained_check(&t, &s, nll_loss);
    }
    setting_free(&s);
}

static void test_token_reward_gradient(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    for (int tied = 0; tied < 2; tied++) {
        struct trained t = trained_new(&s, tied);
        float reward[N_ROWS], again[N_ROWS];
        assert_true(
            head_token_reward_backward(t.m, &t.rows, BOUND, s.weight, t.space, reward, t.dhidden, t.grads, NULL));
        assert_true(head_token_reward(t.m, &t.rows, BOUND, t.space, again, NULL));
        assert_memory_equal(again, reward, sizeof again);
        double *l = reference_rows(t.m, t.params, &s), r[29];
        for (int i = 0; i < N_ROWS; i++) {
            reference_rewards(l + i * SMALL.n_vocab, SMALL.n_vocab, (double)BOUND, r);
            assert_true(fabs((double)reward[i] - r[s.target[i]]) < 1e-5);
        }
        free(l);
        trained_check(&t, &s, reward_loss);
    }
    setting_free(&s);
}

static void check_exact(struct setting *s, bool tied, float kl_coef, fixture_loss loss) {
    struct model_config wide = SMALL; /* the reward model need not have the student's shape */
    wide.d_model = 18;
    wide.tied = false;
    struct model *reward = fixture_model(&wide, 31), *ref = fixture_model(&SMALL, 33);
    s->other = reward;
    s->other_params = fixture_doubles(reward->params, reward->n_params);
    s->ref = kl_coef != 0.0f ? ref : NULL;
    s->ref_params = fixture_doubles(ref->params, ref->n_params);
    struct activations *ar = activations_new(), *af = activations_new();
    const float *hr, *hf;
    assert_true(model_forward(reward, ar, &s->f.b, false, &hr, NULL));
    assert_true(model_forward(ref, af, &s->f.b, false, &hf, NULL));
    const struct head_rows rr = rows_of(s, hr), rf = rows_of(s, hf);
    struct trained t = trained_new(s, tied);
    struct exact_terms found;
    assert_true(head_exact_descent(t.m, &t.rows, reward, &rr, BOUND, s->ref, &rf, s->weight, kl_coef, t.space, &found,
                                   t.dhidden, t.grads, NULL));
    const struct exact_terms expected = reference_exact(t.m, t.params, s);
    assert_true(fabs(found.value - expected.value) < 1e-4);
    assert_true(fabs(found.kl - expected.kl) < 1e-4);
    assert_true(fabs(found.entropy - expected.entropy) < 1e-4);
    trained_check(&t, s, loss);
    free(s->other_params);
    free(s->ref_params);
    s->other_params = s->ref_params = NULL;
    activations_free(ar);
    activations_free(af);
    model_free(reward);
    model_free(ref);
}

static double value_loss(const struct model *m, const double *params, void *ctx) {
    return -reference_exact(m, params, ctx).value;
}

static void test_exact_descent(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    check_exact(&s, true, KL_COEF, exact_loss);
    check_exact(&s, false, KL_COEF, exact_loss);
    check_exact(&s, true, 0.0f, value_loss); /* without a reference */
    setting_free(&s);
}

/* A policy equal to the reference has no divergence, and text the reward's own distribution would write scores 0 a
 * token. */
static void test_exact_descent_identities(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    for (int i = 0; i < N_ROWS; i++) s.weight[i] = 1.0f;
    struct trained t = trained_new(&s, true);
    struct exact_terms found;
    assert_true(head_exact_descent(t.m, &t.rows, t.m, &t.rows, BOUND, t.m, &t.rows, s.weight, 1.0f, t.space, &found,
                                   t.dhidden, t.grads, NULL));
    assert_true(fabs(found.kl) < 1e-6);
    assert_true(fabs(found.value) < 1e-5);
    float log_prob[N_ROWS], entropy[N_ROWS];
    assert_true(head_log_prob(t.m, &t.rows, t.space, log_prob, entropy, NULL));
    double sum = 0;
    for (int i = 0; i < N_ROWS; i++) sum += (double)entropy[i];
    assert_true(fabs(sum - found.entropy) < 1e-4);
    memset(t.dhidden, 0, (size_t)N_TOKENS * 12 * sizeof(float));
    memset(t.grads, 0, t.m->n_params * sizeof(float));
    assert_true(head_nll_backward(t.m, &t.rows, s.weight, t.space, NULL, NULL, t.dhidden, t.grads, NULL));
    trained_check(&t, &s, nll_loss);
    setting_free(&s);
}

/* Large logits: nothing overflows, and a certain token has log-probability 0 and reward 0. */
static void test_extreme_logits(void **state) {
    (void)state;
    struct model_config c = SMALL;
    c.tied = false;
    struct model *m = fixture_model(&c, 41);
    for (int i = 0; i < c.n_vocab * c.d_model; i++) m->params[m->head + (size_t)i] = 0.0f;
    m->params[m->head + 5u * (size_t)c.d_model] = 1e4f;
    m->params[m->head + 6u * (size_t)c.d_model] = -1e4f;
    float hidden[12] = {1.0f}, log_prob[2], entropy[2], reward[2], dhidden[12] = {0};
    const struct head_rows r = {
        .hidden = hidden, .row = (const int[]){0, 0}, .target = (const int32_t[]){5, 6}, .n = 2};
    struct head_space *s = head_space_new();
    float *grads = calloc(m->n_params, sizeof *grads);
    assert_true(head_log_prob(m, &r, s, log_prob, entropy, NULL));
    assert_true(log_prob[0] == 0.0f && log_prob[1] == -2e4f && fabsf(entropy[0]) < 1e-6f);
    assert_true(head_token_reward_backward(m, &r, BOUND, (const float[]){1, 1}, s, reward, dhidden, grads, NULL));
    assert_true(fabsf(reward[0]) < 1e-6f && fabsf(reward[1] + BOUND) < 1e-6f);
    for (int i = 0; i < 12; i++) assert_true(isfinite(dhidden[i]));
    m->params[m->head] = NAN; /* and what is not finite is not hidden */
    assert_true(head_log_prob(m, &r, s, log_prob, entropy, NULL));
    assert_true(isnan(log_prob[0]));
    free(grads);
    head_space_free(s);
    model_free(m);
}

static void test_bad_input(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    struct trained t = trained_new(&s, true);
    struct err e;
    float out[N_ROWS];
    s.target[3] = SMALL.n_vocab;
    assert_false(head_log_prob(t.m, &t.rows, t.space, out, NULL, &e));
    assert_non_null(strstr(e.msg, "vocabulary"));
    s.target[3] = 0;
    s.row[2] = -1;
    assert_false(head_token_reward(t.m, &t.rows, BOUND, t.space, out, &e));
    s.row[2] = 1;
    assert_false(head_token_reward(t.m, &t.rows, 0.0f, t.space, out, &e));
    assert_false(head_token_reward(t.m, &t.rows, NAN, t.space, out, &e));
    struct exact_terms terms;
    assert_false(head_exact_descent(t.m, &t.rows, t.m, &t.rows, BOUND, NULL, NULL, s.weight, 0.1f, t.space, &terms,
                                    t.dhidden, t.grads, &e)); /* a KL weight without a reference */
    struct model_config c = SMALL;
    c.n_vocab = 30;
    struct model *other = fixture_model(&c, 1);
    assert_false(head_exact_descent(t.m, &t.rows, other, &t.rows, BOUND, NULL, NULL, s.weight, 0.0f, t.space, &terms,
                                    t.dhidden, t.grads, &e));
    assert_non_null(strstr(e.msg, "vocabular"));
    model_free(other);
    memset(t.grads, 0, t.m->n_params * sizeof(float));
    assert_true(head_nll_backward(t.m, &t.rows, s.weight, t.space, NULL, NULL, t.dhidden, t.grads, NULL));
    trained_check(&t, &s, nll_loss);
    setting_free(&s);
}

/* More rows than a chunk holds and a vocabulary that is no multiple of the vector width; 1, 2 and 4 threads. */
static void test_chunks_and_threads(void **state) {
    (void)state;
    enum { ROWS = 700, VOCAB = 5003, DIM = 16 };
    struct model_config c = SMALL;
    c.n_vocab = VOCAB;
    c.d_model = DIM;
    struct model *m = fixture_model(&c, 51);
    float *hidden = calloc((size_t)ROWS * DIM, sizeof *hidden), *log_prob = calloc(ROWS, sizeof *log_prob);
    float *weight = calloc(ROWS, sizeof *weight), *dh[3], *grads[3];
    int *row = calloc(ROWS, sizeof *row);
    int32_t *target = calloc(ROWS, sizeof *target);
    for (int i = 0; i < ROWS * DIM; i++) hidden[i] = (float)rng_normal(4, RNG_TEST, 0, (uint64_t)i);
    for (int i = 0; i < ROWS; i++) {
        row[i] = ROWS - 1 - i;
        target[i] = (int32_t)rng_below(VOCAB, 4, RNG_TEST, 1, (uint64_t)i);
        weight[i] = 1.0f / ROWS;
    }
    const struct head_rows r = {.hidden = hidden, .row = row, .target = target, .n = ROWS};
    struct head_space *s = head_space_new();
    for (int k = 0; k < 3; k++) {
        parallel_init(1 << k);
        dh[k] = calloc((size_t)ROWS * DIM, sizeof *dh[k]);
        grads[k] = calloc(m->n_params, sizeof *grads[k]);
        double loss;
        assert_true(head_nll_backward(m, &r, weight, s, &loss, log_prob, dh[k], grads[k], NULL));
        assert_true(head_token_reward_backward(m, &r, BOUND, weight, s, NULL, dh[k], grads[k], NULL));
        parallel_shutdown();
        assert_memory_equal(dh[0], dh[k], (size_t)ROWS * DIM * sizeof(float));
        assert_memory_equal(grads[0], grads[k], m->n_params * sizeof(float));
    }
    double *params = fixture_doubles(m->params, m->n_params), *h = fixture_doubles(hidden, (size_t)ROWS * DIM),
           out[VOCAB];
    for (int i = 0; i < ROWS; i += 53) {
        reference_log_softmax(m, params, h + (size_t)row[i] * DIM, out);
        assert_true(fabs((double)log_prob[i] - out[target[i]]) < 2e-5);
    }
    free(params);
    free(h);
    for (int k = 0; k < 3; k++) {
        free(dh[k]);
        free(grads[k]);
    }
    free(hidden);
    free(log_prob);
    free(weight);
    free(row);
    free(target);
    head_space_free(s);
    model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nll_gradient),       cmocka_unit_test(test_token_reward_gradient),
        cmocka_unit_test(test_exact_descent),      cmocka_unit_test(test_exact_descent_identities),
        cmocka_unit_test(test_extreme_logits),     cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_chunks_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
