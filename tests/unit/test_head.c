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

#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/model/head.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"

enum { N_ROWS = FIXTURE_ROWS, N_TOKENS = FIXTURE_TOKENS };
static const float BOUND = 3.0f, KL_COEF = 0.3f;

struct setting {
    struct fixture_rows r;
    const struct fixture_pass *other, *ref; /* exact descent's reward and reference */
};

static void setting_new(struct setting *s) {
    *s = (struct setting){0};
    fixture_rows(&s->r);
}

static void setting_free(struct setting *s) { fixture_batch_free(&s->r.f); }

static double nll_loss(const struct model *m, const double *params, void *ctx) {
    const struct setting *s = ctx;
    double *l = fixture_log_softmax(m, params, &s->r), sum = 0;
    for (int i = 0; i < N_ROWS; i++) sum -= (double)s->r.weight[i] * l[i * m->cfg.n_vocab + s->r.target[i]];
    free(l);
    return sum;
}

static double reward_loss(const struct model *m, const double *params, void *ctx) {
    const struct setting *s = ctx;
    const int n = m->cfg.n_vocab;
    double *l = fixture_log_softmax(m, params, &s->r), *r = calloc((size_t)n, sizeof *r), sum = 0;
    for (int i = 0; i < N_ROWS; i++) {
        reference_rewards(l + i * n, n, (double)BOUND, r);
        sum += (double)s->r.weight[i] * r[s->r.target[i]];
    }
    free(l);
    free(r);
    return sum;
}

static struct exact_terms reference_exact(const struct model *m, const double *params, const struct setting *s) {
    const int n = m->cfg.n_vocab;
    double *l = fixture_log_softmax(m, params, &s->r), *lo = fixture_log_softmax(s->other->m, s->other->params, &s->r);
    double *lf = s->ref ? fixture_log_softmax(s->ref->m, s->ref->params, &s->r) : NULL,
           *r = calloc((size_t)n, sizeof *r);
    struct exact_terms t = {0};
    for (int i = 0; i < N_ROWS; i++) {
        reference_rewards(lo + i * n, n, (double)BOUND, r);
        for (int a = 0; a < n; a++) {
            const double w = (double)s->r.weight[i], log_pi = l[i * n + a], pi = exp(log_pi);
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
static struct fixture_pass trained_new(const struct setting *s, bool tied) {
    struct model_config c = FIXTURE_SMALL;
    const struct head_rows rows = fixture_head_rows(&s->r, NULL);
    c.tied = tied;
    return fixture_pass(&c, 21, &s->r.f.b, &rows);
}

static void trained_check(struct fixture_pass *t, struct setting *s, fixture_loss loss) {
    assert_true(model_backward(t->m, t->a, &s->r.f.b, t->dhidden, t->grads, NULL));
    fixture_check_gradient(t->m, t->params, t->grads, loss, s, true);
    fixture_pass_free(t);
}

static void test_nll_gradient(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s);
    for (int tied = 0; tied < 2; tied++) {
        struct fixture_pass t = trained_new(&s, tied);
        double loss;
        float log_prob[N_ROWS], again[N_ROWS];
        assert_true(head_nll_backward(t.m, &t.rows, s.r.weight, t.space, &loss, log_prob, t.dhidden, t.grads, NULL));
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
        struct fixture_pass t = trained_new(&s, tied);
        float reward[N_ROWS], again[N_ROWS];
        assert_true(
            head_token_reward_backward(t.m, &t.rows, BOUND, s.r.weight, t.space, reward, t.dhidden, t.grads, NULL));
        assert_true(head_token_reward(t.m, &t.rows, BOUND, t.space, again, NULL));
        assert_memory_equal(again, reward, sizeof again);
        double *l = fixture_log_softmax(t.m, t.params, &s.r), r[29];
        for (int i = 0; i < N_ROWS; i++) {
            reference_rewards(l + i * FIXTURE_VOCAB, FIXTURE_VOCAB, (double)BOUND, r);
            assert_true(fabs((double)reward[i] - r[s.r.target[i]]) < 1e-5);
        }
        free(l);
        trained_check(&t, &s, reward_loss);
    }
    setting_free(&s);
}

static void check_exact(struct setting *s, bool tied, float kl_coef, fixture_loss loss) {
    struct model_config wide = FIXTURE_SMALL; /* the reward model need not have the student's shape */
    wide.d_model = 18;
    wide.tied = false;
    const struct head_rows rows = fixture_head_rows(&s->r, NULL);
    struct fixture_pass reward = fixture_pass(&wide, 31, &s->r.f.b, &rows),
                        ref = fixture_pass(&FIXTURE_SMALL, 33, &s->r.f.b, &rows);
    s->other = &reward;
    s->ref = kl_coef != 0.0f ? &ref : NULL;
    struct fixture_pass t = trained_new(s, tied);
    struct exact_terms found;
    assert_true(head_exact_descent(t.m, &t.rows, reward.m, &reward.rows, BOUND, s->ref ? ref.m : NULL, &ref.rows,
                                   s->r.weight, kl_coef, t.space, &found, t.dhidden, t.grads, NULL));
    const struct exact_terms expected = reference_exact(t.m, t.params, s);
    assert_true(fabs(found.value - expected.value) < 1e-4);
    assert_true(fabs(found.kl - expected.kl) < 1e-4);
    assert_true(fabs(found.entropy - expected.entropy) < 1e-4);
    trained_check(&t, s, loss);
    s->other = s->ref = NULL;
    fixture_pass_free(&reward);
    fixture_pass_free(&ref);
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
    for (int i = 0; i < N_ROWS; i++) s.r.weight[i] = 1.0f;
    struct fixture_pass t = trained_new(&s, true);
    struct exact_terms found;
    assert_true(head_exact_descent(t.m, &t.rows, t.m, &t.rows, BOUND, t.m, &t.rows, s.r.weight, 1.0f, t.space, &found,
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
    assert_true(head_nll_backward(t.m, &t.rows, s.r.weight, t.space, NULL, NULL, t.dhidden, t.grads, NULL));
    trained_check(&t, &s, nll_loss);
    setting_free(&s);
}

/* Large logits: nothing overflows, and a certain token has log-probability 0 and reward 0. */
static void test_extreme_logits(void **state) {
    (void)state;
    const float z[FIXTURE_VOCAB] = {[5] = 1e4f, [6] = -1e4f};
    struct model *m = fixture_model_of_logits(z);
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
    struct fixture_pass t = trained_new(&s, true);
    struct err e;
    float out[N_ROWS];
    s.r.target[3] = FIXTURE_VOCAB;
    assert_false(head_log_prob(t.m, &t.rows, t.space, out, NULL, &e));
    assert_non_null(strstr(e.msg, "vocabulary"));
    s.r.target[3] = 0;
    s.r.row[2] = -1;
    assert_false(head_token_reward(t.m, &t.rows, BOUND, t.space, out, &e));
    s.r.row[2] = 1;
    assert_false(head_token_reward(t.m, &t.rows, 0.0f, t.space, out, &e));
    assert_false(head_token_reward(t.m, &t.rows, NAN, t.space, out, &e));
    struct exact_terms terms;
    assert_false(head_exact_descent(t.m, &t.rows, t.m, &t.rows, BOUND, NULL, NULL, s.r.weight, 0.1f, t.space, &terms,
                                    t.dhidden, t.grads, &e)); /* a KL weight without a reference */
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = 30;
    struct model *other = fixture_model(&c, 1);
    assert_false(head_exact_descent(t.m, &t.rows, other, &t.rows, BOUND, NULL, NULL, s.r.weight, 0.0f, t.space, &terms,
                                    t.dhidden, t.grads, &e));
    assert_non_null(strstr(e.msg, "vocabular"));
    model_free(other);
    memset(t.grads, 0, t.m->n_params * sizeof(float));
    assert_true(head_nll_backward(t.m, &t.rows, s.r.weight, t.space, NULL, NULL, t.dhidden, t.grads, NULL));
    trained_check(&t, &s, nll_loss);
    setting_free(&s);
}

/* More rows than a chunk holds and a vocabulary that is no multiple of the vector width; 1, 2 and 4 threads. */
static void test_chunks_and_threads(void **state) {
    (void)state;
    enum { ROWS = 700, VOCAB = 5003, DIM = 16 };
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = VOCAB;
    c.d_model = DIM;
    struct model *m = fixture_model(&c, 51);
    struct fixture_many f;
    fixture_many(&f, ROWS, VOCAB, DIM, 1);
    float *log_prob = calloc(ROWS, sizeof *log_prob), *dh[3], *grads[3];
    for (int i = 0; i < ROWS; i++) f.weight[i] = 1.0f / ROWS;
    struct head_space *s = head_space_new();
    for (int k = 0; k < 3; k++) {
        parallel_init(1 << k);
        dh[k] = calloc((size_t)ROWS * DIM, sizeof *dh[k]);
        grads[k] = calloc(m->n_params, sizeof *grads[k]);
        double loss;
        assert_true(head_nll_backward(m, &f.rows, f.weight, s, &loss, log_prob, dh[k], grads[k], NULL));
        assert_true(head_token_reward_backward(m, &f.rows, BOUND, f.weight, s, NULL, dh[k], grads[k], NULL));
        parallel_shutdown();
        assert_memory_equal(dh[0], dh[k], (size_t)ROWS * DIM * sizeof(float));
        assert_memory_equal(grads[0], grads[k], m->n_params * sizeof(float));
    }
    double *params = fixture_doubles(m->params, m->n_params), *h = fixture_doubles(f.hidden, (size_t)ROWS * DIM),
           out[VOCAB];
    for (int i = 0; i < ROWS; i += 53) {
        reference_log_softmax(m, params, h + (size_t)f.row[i] * DIM, out);
        assert_true(fabs((double)log_prob[i] - out[f.target[i]]) < 2e-5);
    }
    free(params);
    free(h);
    for (int k = 0; k < 3; k++) {
        free(dh[k]);
        free(grads[k]);
    }
    fixture_many_free(&f);
    free(log_prob);
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
