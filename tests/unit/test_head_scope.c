/* Scope `head`: features, values and descent of linear rewards against naive double computations; identities (centring,
 * unit variance, linearity, the fitted reward at w0); restored bases; independence of threads; bad input; and the way
 * into the confidence set. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/reward/confidence.h"
#include "engine/reward/head_scope.h"
#include "engine/math/parallel.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"
#include "tests/support/vector.h"

enum { VOCAB = FIXTURE_VOCAB, DIM = FIXTURE_DIM, K = 5, N = 1 + K, N_SEQ = 14, MAX_NEW = 16 };
static const float BOUND = 3.0f, KL_COEF = 0.3f;

/* ---- A fitted reward, sequences and a basis ---------------------------------------------------------------------- */

struct scene {
    struct reward r;
    struct sequences q;
    struct head_scope_sample p;
    struct head_scope s;
};

static void add_random(struct sequences *q, int n_seq, int n_vocab, uint64_t seed) {
    int32_t token[40];
    for (int i = 0; i < n_seq; i++) {
        for (int t = 0; t < 40; t++)
            token[t] = (int32_t)rng_below((uint64_t)n_vocab, seed, RNG_TEST, (uint64_t)i, (uint64_t)t);
        const int n_x = 1 + (int)rng_below(6, seed, RNG_TEST, 1000, (uint64_t)i),
                  n_y = 2 + (int)rng_below(12, seed, RNG_TEST, 1001, (uint64_t)i);
        sequences_add(q, token, n_x, token + n_x, n_y, false);
    }
}

static void scene_new(struct scene *c, const struct model_config *cfg, int k, int n_seq) {
    struct err e = {""};
    *c = (struct scene){0};
    assert_true(reward_init(&c->r, fixture_model(cfg, 31), REWARD_TOKEN, (double)BOUND, MAX_NEW, &e));
    add_random(&c->q, n_seq, cfg->n_vocab, 5);
    assert_true(head_scope_sample_init(&c->p, c->q.n_rows - 3, c->r.t.model, &e));
    assert_true(head_scope_sample_add(&c->p, &c->r, &c->q, &e));
    assert_int_equal(c->p.n, c->p.cap);
    assert_true(head_scope_init(&c->s, k, c->r.t.model, &e));
    if (!head_scope_build(&c->s, &c->r, &c->p, &e)) fail_msg("%s", e.msg);
}

static void scene_free(struct scene *c) {
    head_scope_free(&c->s);
    head_scope_sample_free(&c->p);
    sequences_free(&c->q);
    reward_free(&c->r);
}

static const float *forward(struct scene *c) {
    const struct batch b = sequences_batch(&c->q);
    const float *hidden;
    assert_true(model_forward(c->r.t.model, c->r.t.acts, &b, false, &hidden, NULL));
    return hidden;
}

static void random_weights(struct head_scope *s, uint64_t seed, double *w) {
    for (int j = 0; j <= s->k; j++) w[j] = (double)(float)((j == 0) + 0.7 * rng_normal(seed, RNG_TEST, 9, (uint64_t)j));
    assert_true(head_scope_set_weights(s, w, NULL));
}

/* ---- The same, written down again -------------------------------------------------------------------------------- */

/* F(s,a) of all actions, [n_vocab, N], from the definition: A and B as the scope holds them, the rest in double. */
static void reference_state(const struct scene *c, const double *params, const double *hidden, double *f) {
    const struct model *m = c->r.t.model;
    const int d = m->cfg.d_model, k = c->s.k, n = m->cfg.n_vocab;
    double *l = calloc((size_t)n, sizeof *l), *r = calloc((size_t)n, sizeof *r);
    reference_log_softmax(m, params, hidden, l);
    reference_rewards(l, n, (double)BOUND, r);
    for (int a = 0; a < n; a++) f[a * (1 + k)] = r[a];
    for (int j = 0; j < k; j++) {
        double state = 0, mean = 0;
        for (int i = 0; i < d; i++) state += (double)c->s.a[j * d + i] * hidden[i];
        for (int a = 0; a < n; a++) {
            double action = 0;
            for (int i = 0; i < d; i++) action += (double)c->s.b[j * d + i] * params[m->head + (size_t)(a * d + i)];
            f[a * (1 + k) + 1 + j] = action;
            mean += exp(l[a]) * action;
        }
        for (int a = 0; a < n; a++) f[a * (1 + k) + 1 + j] = state * (f[a * (1 + k) + 1 + j] - mean);
    }
    free(l);
    free(r);
}

/* F of all actions at every row, [n_rows, n_vocab, N]; caller frees. */
static double *reference_rows(const struct scene *c) {
    const struct model *m = c->r.t.model;
    double *params = fixture_doubles(m->params, m->n_params);
    const struct batch b = sequences_batch(&c->q);
    double *hidden = reference_hidden(m, params, &b);
    const size_t each = (size_t)m->cfg.n_vocab * (size_t)(1 + c->s.k);
    double *f = calloc((size_t)c->q.n_rows * each, sizeof *f);
    for (int h = 0; h < c->q.n_rows; h++)
        reference_state(c, params, hidden + c->q.row[h] * m->cfg.d_model, f + (size_t)h * each);
    free(params);
    free(hidden);
    return f;
}

/* ---- Features ---------------------------------------------------------------------------------------------------- */

static void test_features_against_double(void **state) {
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct scene c;
        struct model_config cfg = FIXTURE_SMALL;
        cfg.tied = tied;
        scene_new(&c, &cfg, K, N_SEQ);
        double *f = reference_rows(&c), w[N], value[N_SEQ];
        float feature[N_SEQ * N];
        assert_true(head_scope_features(&c.s, &c.r, &c.q, feature, NULL));
        random_weights(&c.s, 3, w);
        head_scope_value(&c.s, feature, N_SEQ, value);
        for (int i = 0; i < N_SEQ; i++) {
            double sum[N] = {0}, r_w = 0;
            for (int h = c.q.row_start[i]; h < c.q.row_start[i + 1]; h++) {
                const double *at = f + (h * VOCAB + c.q.target[h]) * N;
                for (int j = 0; j < N; j++) sum[j] += at[j] / sqrt(MAX_NEW);
                r_w += dot(w, at, N) / sqrt(MAX_NEW);
            }
            for (int j = 0; j < N; j++)
                if (fabs((double)feature[i * N + j] - sum[j]) > 2e-5)
                    fail_msg("sequence %d feature %d: %g, expected %g", i, j, (double)feature[i * N + j], sum[j]);
            assert_true(fabs(value[i] - r_w) < 5e-5);
        }
        free(f);
        scene_free(&c);
    }
}

/* At w0 the value is reward_score's, rounded to f32 once; a row's first feature is head_token_reward's, bit for bit. */
static void test_fitted_reward(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    double score[N_SEQ], value[N_SEQ];
    float feature[N_SEQ * N];
    assert_true(reward_score(&c.r, &c.q, false, score, NULL));
    assert_true(head_scope_features(&c.s, &c.r, &c.q, feature, NULL));
    head_scope_value(&c.s, feature, N_SEQ, value);
    for (int i = 0; i < N_SEQ; i++) assert_true(value[i] == (double)(float)score[i]);
    const struct head_rows rows = sequences_rows(&c.q, forward(&c));
    float *r = calloc((size_t)rows.n, sizeof *r), *f = calloc((size_t)rows.n * N, sizeof *f);
    assert_true(head_token_reward(c.r.t.model, &rows, BOUND, c.r.t.space, r, NULL));
    assert_true(head_scope_row_features(&c.s, &c.r, &rows, f, NULL));
    for (int h = 0; h < rows.n; h++) assert_memory_equal(&r[h], &f[h * N], sizeof *r);
    free(r);
    free(f);
    scene_free(&c);
}

/* sum_b b(b|s) F(s,b) = 0, and |F_j| <= M_j, at every state; and the deviation of every correction is 1 on the
 * sample. */
static void test_centred_bounded_scaled(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    const struct model *m = c.r.t.model;
    double *params = fixture_doubles(m->params, m->n_params), l[VOCAB], hidden[DIM], most[K];
    float f[VOCAB * N], norm = 0;
    for (int i = 0; i < DIM; i++) norm = fmaxf(norm, fabsf(m->params[m->out_norm + (size_t)i]));
    for (int j = 0; j < K; j++) {
        double length = 0;
        float low = c.s.projected[j], high = low;
        for (int i = 0; i < DIM; i++) length += pow((double)c.s.a[j * DIM + i], 2);
        for (int a = 0; a < VOCAB; a++)
            low = fminf(low, c.s.projected[a * K + j]), high = fmaxf(high, c.s.projected[a * K + j]);
        most[j] = sqrt(length * DIM) * (double)norm * (double)(high - low);
    }
    for (int h = 0; h < c.p.n; h++) {
        int row[VOCAB];
        int32_t target[VOCAB];
        for (int a = 0; a < VOCAB; a++) row[a] = h, target[a] = a;
        const struct head_rows rows = {.hidden = c.p.hidden, .row = row, .target = target, .n = VOCAB};
        assert_true(head_scope_row_features(&c.s, &c.r, &rows, f, NULL));
        for (int i = 0; i < DIM; i++) hidden[i] = (double)c.p.hidden[h * DIM + i];
        reference_log_softmax(m, params, hidden, l);
        for (int j = 0; j < N; j++) {
            double sum = 0, size = 0;
            for (int a = 0; a < VOCAB; a++) {
                sum += exp(l[a]) * (double)f[a * N + j];
                size = fmax(size, fabs((double)f[a * N + j]));
            }
            assert_true(fabs(sum) < 2e-6 * size);
            assert_true(size > 0 && size <= (j ? most[j - 1] : (double)BOUND));
        }
    }
    free(params);
    int *row = calloc((size_t)c.p.n, sizeof *row);
    float *all = calloc((size_t)c.p.n * N, sizeof *all);
    for (int i = 0; i < c.p.n; i++) row[i] = i;
    const struct head_rows rows = {.hidden = c.p.hidden, .row = row, .target = c.p.target, .n = c.p.n};
    assert_true(head_scope_row_features(&c.s, &c.r, &rows, all, NULL));
    for (int j = 1; j < N; j++) {
        double mean = 0, square = 0;
        for (int i = 0; i < c.p.n; i++) {
            mean += (double)all[i * N + j] / c.p.n;
            square += pow((double)all[i * N + j], 2) / c.p.n;
        }
        assert_true(fabs(square - mean * mean - 1) < 1e-5);
    }
    free(row);
    free(all);
    scene_free(&c);
}

/* Rows of a are the principal directions of h: orthogonal, and the variance along one is what an eigenvector's must be.
 * Actions that lie in a plane leave the later corrections nothing but rounding: they are 0 everywhere. */
static void test_directions(void **state) {
    (void)state;
    struct scene c;
    struct model_config cfg = FIXTURE_SMALL;
    cfg.tied = false;
    scene_new(&c, &cfg, K, N_SEQ);
    double cov[DIM][DIM] = {{0}}, mean[DIM] = {0}, last = INFINITY;
    for (int h = 0; h < c.p.n; h++)
        for (int i = 0; i < DIM; i++) mean[i] += (double)c.p.hidden[h * DIM + i] / c.p.n;
    for (int h = 0; h < c.p.n; h++)
        for (int i = 0; i < DIM; i++)
            for (int j = 0; j < DIM; j++)
                cov[i][j] +=
                    ((double)c.p.hidden[h * DIM + i] - mean[i]) * ((double)c.p.hidden[h * DIM + j] - mean[j]) / c.p.n;
    for (int j = 0; j < K; j++) {
        const float *a = c.s.a + j * DIM;
        double length = 0, along = 0;
        for (int i = 0; i < DIM; i++) length += pow((double)a[i], 2);
        for (int i = 0; i < DIM; i++)
            for (int k = 0; k < DIM; k++) along += (double)a[i] * cov[i][k] * (double)a[k] / length;
        for (int i = 0; i < DIM; i++) {
            double image = 0;
            for (int k = 0; k < DIM; k++) image += cov[i][k] * (double)a[k] / sqrt(length);
            assert_true(fabs(image - along * (double)a[i] / sqrt(length)) < 1e-6 * cov[0][0] + 1e-6);
        }
        assert_true(along > 0 && along < last);
        last = along;
    }
    struct model *m = c.r.t.model;
    for (int a = 0; a < VOCAB; a++)
        for (int i = 0; i < DIM; i++) {
            double sum = 0;
            for (uint64_t axis = 0; axis < 2; axis++)
                sum += rng_normal(7, RNG_TEST, axis, (uint64_t)a) * rng_normal(8, RNG_TEST, axis, (uint64_t)i);
            m->params[m->head + (size_t)(a * DIM + i)] = (float)(0.4 * sum);
        }
    assert_true(head_scope_build(&c.s, &c.r, &c.p, NULL));
    float feature[N_SEQ * N];
    assert_true(head_scope_features(&c.s, &c.r, &c.q, feature, NULL));
    for (int i = 0; i < N_SEQ; i++)
        for (int j = 0; j < N; j++) assert_true(j < 3 ? feature[i * N + j] != 0 : feature[i * N + j] == 0);
    scene_free(&c);
}

static void test_pairs(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    float feature[N_SEQ * N], difference[3 * N];
    assert_true(head_scope_features(&c.s, &c.r, &c.q, feature, NULL));
    const int first[] = {0, 7, 3}, second[] = {1, 0, 3};
    head_scope_pairs(&c.s, feature, first, second, 3, difference);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < N; j++)
            assert_true(difference[i * N + j] == feature[first[i] * N + j] - feature[second[i] * N + j]);
    scene_free(&c);
}

/* ---- Descent ----------------------------------------------------------------------------------------------------- */

struct descent {
    struct scene *c;
    const struct fixture_pass *ref;
    double *f, w[N];
    float *weight, kl_coef;
};

static double descent_terms(const struct model *m, const double *params, const struct descent *d, double *kl) {
    const struct sequences *q = &d->c->q;
    const struct batch b = sequences_batch(q);
    double *h = reference_hidden(m, params, &b), *hf = reference_hidden(d->ref->m, d->ref->params, &b), value = 0,
           l[VOCAB], lf[VOCAB];
    *kl = 0;
    for (int i = 0; i < q->n_rows; i++) {
        reference_log_softmax(m, params, h + q->row[i] * m->cfg.d_model, l);
        reference_log_softmax(d->ref->m, d->ref->params, hf + q->row[i] * d->ref->m->cfg.d_model, lf);
        for (int a = 0; a < VOCAB; a++) {
            value += (double)d->weight[i] * exp(l[a]) * dot(d->w, d->f + (i * VOCAB + a) * N, N);
            *kl += (double)d->weight[i] * exp(l[a]) * (l[a] - lf[a]);
        }
    }
    free(h);
    free(hf);
    return value;
}

static double descent_loss(const struct model *m, const double *params, void *ctx) {
    const struct descent *d = ctx;
    double kl;
    const double value = descent_terms(m, params, d, &kl);
    return -value + (double)d->kl_coef * kl;
}

/* The student's side: a model of another width, its gradients, and the reference. */
struct student {
    struct fixture_pass pi, ref;
};

static struct student student_new(const struct sequences *q, int n_vocab) {
    struct model_config narrow = FIXTURE_SMALL, tied = FIXTURE_SMALL;
    narrow.d_model = 8;
    narrow.tied = false;
    narrow.n_vocab = tied.n_vocab = n_vocab;
    const struct batch b = sequences_batch(q);
    const struct head_rows rows = sequences_rows(q, NULL);
    return (struct student){fixture_pass(&narrow, 21, &b, &rows), fixture_pass(&tied, 33, &b, &rows)};
}

static void student_free(struct student *t) {
    fixture_pass_free(&t->pi);
    fixture_pass_free(&t->ref);
}

static float *row_weights(int n) {
    float *w = calloc((size_t)n, sizeof *w);
    for (int i = 0; i < n; i++) w[i] = (float)rng_normal(9, RNG_TEST, 2, (uint64_t)i);
    return w;
}

static void test_descent_gradient(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, 4);
    struct descent d = {.c = &c, .f = reference_rows(&c), .weight = row_weights(c.q.n_rows)};
    for (int with_kl = 0; with_kl < 2; with_kl++) {
        struct student t = student_new(&c.q, VOCAB);
        d.ref = &t.ref;
        d.kl_coef = with_kl ? KL_COEF : 0;
        random_weights(&c.s, 4, d.w);
        const struct head_rows rr = sequences_rows(&c.q, forward(&c));
        struct exact_terms found;
        assert_true(head_scope_descent(&c.s, t.pi.m, &t.pi.rows, &c.r, &rr, with_kl ? t.ref.m : NULL, &t.ref.rows,
                                       d.weight, d.kl_coef, t.pi.space, &found, t.pi.dhidden, t.pi.grads, NULL));
        double kl;
        assert_true(fabs(found.value - descent_terms(t.pi.m, t.pi.params, &d, &kl)) < 2e-4);
        if (with_kl) assert_true(fabs(found.kl - kl) < 2e-4);
        const struct batch b = sequences_batch(&c.q);
        assert_true(model_backward(t.pi.m, t.pi.a, &b, t.pi.dhidden, t.pi.grads, NULL));
        fixture_check_gradient(t.pi.m, t.pi.params, t.pi.grads, descent_loss, &d, true);
        student_free(&t);
    }
    free(d.f);
    free(d.weight);
    scene_free(&c);
}

/* One descent under the weights that s has; gradients of the head end in t->pi.grads. */
static struct exact_terms descend(struct scene *c, struct student *t, const float *weight) {
    struct exact_terms terms;
    const struct head_rows rr = sequences_rows(&c->q, forward(c));
    memset(t->pi.dhidden, 0, (size_t)c->q.n_tokens * 8 * sizeof *t->pi.dhidden);
    memset(t->pi.grads, 0, t->pi.m->n_params * sizeof *t->pi.grads);
    assert_true(head_scope_descent(&c->s, t->pi.m, &t->pi.rows, &c->r, &rr, t->ref.m, &t->ref.rows, weight, KL_COEF,
                                   t->pi.space, &terms, t->pi.dhidden, t->pi.grads, NULL));
    return terms;
}

/* At w0: head_exact_descent, bit for bit. */
static void test_descent_at_fitted_reward(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    struct student t = student_new(&c.q, VOCAB);
    float *weight = row_weights(c.q.n_rows), *dhidden = calloc((size_t)c.q.n_tokens * 8, sizeof *dhidden),
          *grads = calloc(t.pi.m->n_params, sizeof *grads);
    const struct exact_terms found = descend(&c, &t, weight);
    struct exact_terms plain;
    const struct head_rows rr = sequences_rows(&c.q, forward(&c));
    assert_true(head_exact_descent(t.pi.m, &t.pi.rows, c.r.t.model, &rr, BOUND, t.ref.m, &t.ref.rows, weight, KL_COEF,
                                   t.pi.space, &plain, dhidden, grads, NULL));
    assert_memory_equal(&plain, &found, sizeof plain);
    assert_memory_equal(grads, t.pi.grads, t.pi.m->n_params * sizeof *grads);
    assert_memory_equal(dhidden, t.pi.dhidden, (size_t)c.q.n_tokens * 8 * sizeof *dhidden);
    free(weight);
    free(dhidden);
    free(grads);
    student_free(&t);
    scene_free(&c);
}

/* The value of a policy is linear in w, and is the features' expectation under it. */
static void test_descent_is_linear(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    struct student t = student_new(&c.q, VOCAB);
    float *weight = row_weights(c.q.n_rows);
    double w[N], unit[N], expected = 0;
    for (int j = 0; j < N; j++) {
        random_weights(&c.s, 6, w);
        for (int i = 0; i < N; i++) unit[i] = i == j;
        assert_true(head_scope_set_weights(&c.s, unit, NULL));
        expected += w[j] * descend(&c, &t, weight).value;
    }
    assert_true(head_scope_set_weights(&c.s, w, NULL));
    assert_true(fabs(descend(&c, &t, weight).value - expected) < 1e-4);
    struct descent d = {.c = &c, .f = reference_rows(&c), .weight = weight, .ref = &t.ref};
    double kl;
    memcpy(d.w, w, sizeof w);
    assert_true(fabs(descent_terms(t.pi.m, t.pi.params, &d, &kl) - expected) < 2e-4);
    free(d.f);
    free(weight);
    student_free(&t);
    scene_free(&c);
}

/* ---- Bits -------------------------------------------------------------------------------------------------------- */

/* Several chunks of rows, a vocabulary that is no multiple of the vector width, matrix products of several tiles; 1, 2
 * and 4 threads; and a scope restored from its state. */
static void test_threads_and_restore(void **state) {
    (void)state;
    enum { BIG = 5003, WIDE = 48, MANY = 24, SEQS = 80 };
    struct model_config cfg = FIXTURE_SMALL;
    cfg.n_vocab = BIG;
    cfg.d_model = WIDE;
    struct scene c[3];
    struct student t[3];
    float *feature[3];
    struct exact_terms terms[3];
    double w[1 + MANY];
    for (int i = 0; i < 3; i++) {
        parallel_init(1 << i);
        scene_new(&c[i], &cfg, MANY, SEQS);
        assert_true(c[i].q.n_rows > 300);
        feature[i] = calloc(SEQS * (1 + MANY), sizeof *feature[i]);
        assert_true(head_scope_features(&c[i].s, &c[i].r, &c[i].q, feature[i], NULL));
        random_weights(&c[i].s, 8, w);
        t[i] = student_new(&c[i].q, BIG);
        float *weight = row_weights(c[i].q.n_rows);
        terms[i] = descend(&c[i], &t[i], weight);
        free(weight);
        parallel_shutdown();
        assert_memory_equal(c[0].s.state, c[i].s.state, c[0].s.n_state * sizeof(float));
        assert_memory_equal(feature[0], feature[i], SEQS * (1 + MANY) * sizeof(float));
        assert_memory_equal(&terms[0], &terms[i], sizeof terms[0]);
        assert_memory_equal(t[0].pi.grads, t[i].pi.grads, t[0].pi.m->n_params * sizeof(float));
    }
    struct head_scope again;
    assert_true(head_scope_init(&again, MANY, c[0].r.t.model, NULL));
    assert_int_equal(again.n_state, 2 * MANY * WIDE + 1 + MANY);
    memcpy(again.state, c[0].s.state, again.n_state * sizeof(float));
    assert_true(head_scope_attach(&again, c[0].r.t.model, NULL));
    assert_memory_equal(again.w, c[0].s.w, (1 + MANY) * sizeof(float));
    memset(feature[1], 0, SEQS * (1 + MANY) * sizeof(float));
    assert_true(head_scope_features(&again, &c[0].r, &c[0].q, feature[1], NULL));
    assert_memory_equal(feature[0], feature[1], SEQS * (1 + MANY) * sizeof(float));
    head_scope_free(&again);
    for (int i = 0; i < 3; i++) {
        free(feature[i]);
        student_free(&t[i]);
        scene_free(&c[i]);
    }
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

static void test_bad_input(void **state) {
    (void)state;
    struct scene c;
    struct err e = {""};
    struct head_scope s;
    float feature[N_SEQ * N];
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    struct model *m = c.r.t.model;
    assert_false(head_scope_init(&s, 0, m, &e));
    assert_false(head_scope_init(&s, DIM + 1, m, &e));
    assert_non_null(strstr(e.msg, "1 to 12"));
    assert_true(head_scope_init(&s, K, m, &e));
    assert_false(head_scope_features(&s, &c.r, &c.q, feature, &e)); /* neither built nor attached */
    assert_non_null(strstr(e.msg, "built"));
    struct model_config other = FIXTURE_SMALL;
    other.n_vocab = VOCAB + 1;
    struct model *stranger = fixture_model(&other, 1);
    assert_false(head_scope_attach(&s, stranger, &e));
    assert_non_null(strstr(e.msg, "vocabulary"));
    model_free(stranger);
    c.r.level = REWARD_SEQUENCE;
    assert_false(head_scope_build(&s, &c.r, &c.p, &e));
    assert_non_null(strstr(e.msg, "level token"));
    c.r.level = REWARD_TOKEN;
    const int n = c.p.n;
    c.p.n = 1;
    assert_false(head_scope_build(&s, &c.r, &c.p, &e));
    c.p.n = n;
    c.p.hidden[3] = NAN;
    assert_false(head_scope_build(&s, &c.r, &c.p, &e));
    assert_non_null(strstr(e.msg, "finite"));
    assert_false(s.attached);
    double w[N] = {1};
    assert_true(head_scope_set_weights(&c.s, w, &e));
    w[2] = 1e300; /* finite, but not as f32 */
    w[1] = 5;
    assert_false(head_scope_set_weights(&c.s, w, &e));
    assert_true(c.s.w[0] == 1 && c.s.w[1] == 0);
    struct head_scope_sample p;
    assert_false(head_scope_sample_init(&p, 1, m, &e));
    head_scope_free(&s);
    head_scope_free(&s);
    scene_free(&c);
}

/* Whichever allocation fails, the answer is an error; where none does, the same bits. */
static void test_out_of_memory(void **state) {
    (void)state;
    struct scene c;
    scene_new(&c, &FIXTURE_SMALL, K, N_SEQ);
    struct head_scope s;
    float feature[N_SEQ * N], again[N_SEQ * N];
    assert_true(head_scope_features(&c.s, &c.r, &c.q, feature, NULL));
    int failed = 0;
    for (long at = 1; at < 20; at++) {
        struct err e = {""};
        mem_fail_after(at);
        bool ok = head_scope_init(&s, K, c.r.t.model, &e);
        ok = ok && head_scope_build(&s, &c.r, &c.p, &e) && head_scope_features(&s, &c.r, &c.q, again, &e);
        mem_fail_after(0);
        head_scope_free(&s);
        if (ok) assert_memory_equal(feature, again, sizeof feature);
        if (!ok) assert_non_null(strstr(e.msg, "cannot allocate"));
        failed += !ok;
    }
    assert_int_equal(failed, 10); /* every allocation of head_scope_init, head_scope_build and head_scope_features */
    scene_free(&c);
}

/* ---- Into the confidence set ------------------------------------------------------------------------------------- */

static void test_confidence_set(void **state) {
    (void)state;
    enum { PAIRS = 60 };
    struct scene c;
    struct err e = {""};
    scene_new(&c, &FIXTURE_SMALL, K, 2 * PAIRS);
    float *feature = calloc(2 * PAIRS * N, sizeof *feature), difference[PAIRS * N];
    int first[PAIRS], second[PAIRS];
    double label[PAIRS], flip[PAIRS], value[2 * PAIRS], score[2 * PAIRS], g[N] = {0}, centre[N] = {1}, w_hat[N] = {1},
                                                                          w_min[N], w_max[N];
    assert_true(head_scope_features(&c.s, &c.r, &c.q, feature, &e) && reward_score(&c.r, &c.q, false, score, &e));
    for (int i = 0; i < PAIRS; i++) {
        first[i] = 2 * i;
        second[i] = 2 * i + 1;
        label[i] = rng_uniform(3, RNG_TEST, 0, (uint64_t)i) < 1 / (1 + exp(score[2 * i + 1] - score[2 * i]));
        flip[i] = 0.05;
    }
    head_scope_pairs(&c.s, feature, first, second, PAIRS, difference);
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < N; j++) g[j] += (double)difference[i * N + j] / 20;
    struct confidence *set = confidence_new(PAIRS, N, &e);
    const struct confidence_pairs pairs = {.feature = difference,
                                           .label = label,
                                           .flip = flip,
                                           .centre = centre,
                                           .n_pairs = PAIRS,
                                           .ridge = 1e-3,
                                           .bound = 5};
    struct confidence_fit fit;
    struct confidence_optimum min = {0}, max = {0};
    assert_true(confidence_set_pairs(set, &pairs, &e) && confidence_fit(set, w_hat, &fit, &e));
    /* so that w0 lies in the set */
    const double excess = confidence_loss(set, centre, NULL) - fit.loss, zeta = 0.01 + excess;
    if (!confidence_interval(set, g, zeta, w_min, &min, w_max, &max, &e)) fail_msg("%s", e.msg);
    const double at_centre = dot(g, centre, N);
    assert_true(min.gap < at_centre && at_centre < max.gap);
    assert_true(max.duality_gap < 1e-6 && min.duality_gap < 1e-6 && max.slack <= 1e-8);
    /* the value of the same responses under the worst reward is the gap that the solver reports */
    double gap = 0;
    assert_true(head_scope_set_weights(&c.s, w_max, &e));
    head_scope_value(&c.s, feature, 2 * PAIRS, value);
    for (int i = 0; i < 20; i++) gap += (value[2 * i] - value[2 * i + 1]) / 20;
    assert_true(fabs(gap - max.gap) < 1e-5);
    confidence_free(set);
    free(feature);
    scene_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features_against_double),
        cmocka_unit_test(test_fitted_reward),
        cmocka_unit_test(test_centred_bounded_scaled),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_descent_gradient),
        cmocka_unit_test(test_descent_at_fitted_reward),
        cmocka_unit_test(test_descent_is_linear),
        cmocka_unit_test(test_threads_and_restore),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_confidence_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
