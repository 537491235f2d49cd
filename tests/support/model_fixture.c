/* Small models, batches and rows, and the gradient check: see model_fixture.h. */
#include "tests/support/model_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/reference_model.h"

const struct model_config FIXTURE_SMALL = {.n_vocab = FIXTURE_VOCAB,
                                           .d_model = FIXTURE_DIM,
                                           .n_layer = 1,
                                           .n_head = 2,
                                           .n_kv_head = 1,
                                           .head_dim = 6,
                                           .d_ff = 20,
                                           .n_ctx = 64,
                                           .rope_base = 100.0f,
                                           .rms_eps = 1e-5f,
                                           .tied = true};
const struct model_config FIXTURE_GROUPED = {.n_vocab = 23,
                                             .d_model = 12,
                                             .n_layer = 2,
                                             .n_head = 4,
                                             .n_kv_head = 2,
                                             .head_dim = 6,
                                             .d_ff = 20,
                                             .n_ctx = 256,
                                             .rope_base = 100.0f,
                                             .rms_eps = 1e-5f,
                                             .tied = true};

enum { ELEMENTS = 12 };

/* f32 gradients against exact ones: rounding of a few hundred terms. */
static const double TOLERANCE = 1e-4, STEP = 1e-5;

struct model *fixture_model(const struct model_config *c, uint64_t seed) {
    struct model *m = model_new(c, false, NULL);
    assert_non_null(m);
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        const bool norm = strstr(t.name, "norm") != NULL;
        for (size_t k = 0; k < (size_t)t.rows * (size_t)t.cols; k++) {
            const double z = rng_normal(seed, RNG_TEST, (uint64_t)i + 1, k);
            m->params[t.offset + k] = (float)(norm ? 1.0 + 0.3 * z : i == 0 ? z : 1.5 * z / sqrt((double)t.cols));
        }
    }
    return m;
}

struct model *fixture_model_of_logits(const float *z) {
    struct model_config c = FIXTURE_SMALL;
    c.tied = false;
    struct model *m = fixture_model(&c, 41);
    for (int i = 0; i < FIXTURE_VOCAB * FIXTURE_DIM; i++)
        m->params[m->head + (size_t)i] = i % FIXTURE_DIM ? 0.0f : z[i / FIXTURE_DIM];
    return m;
}

void fixture_batch(struct fixture_batch *f, int n_vocab, const int *len, int n_seq) {
    f->start = calloc((size_t)n_seq + 1, sizeof *f->start);
    for (int s = 0; s < n_seq; s++) f->start[s + 1] = f->start[s] + len[s];
    const int n = f->start[n_seq];
    f->token = calloc((size_t)n, sizeof *f->token);
    for (int t = 0; t < n; t++) f->token[t] = (int32_t)rng_below((uint64_t)n_vocab, 77, RNG_TEST, 0, (uint64_t)t);
    f->b = (struct batch){.n_seq = n_seq, .start = f->start, .token = f->token};
}

void fixture_batch_free(struct fixture_batch *f) {
    free(f->start);
    free(f->token);
}

void fixture_rows(struct fixture_rows *r) {
    static const int ROWS[FIXTURE_ROWS] = {4, 0, 16, 6, 9, 9, 3, 12, 5};
    *r = (struct fixture_rows){0};
    fixture_batch(&r->f, FIXTURE_VOCAB, (const int[]){6, 1, 10}, 3);
    for (int i = 0; i < FIXTURE_ROWS; i++) {
        r->row[i] = ROWS[i];
        r->target[i] = (int32_t)rng_below(FIXTURE_VOCAB, 9, RNG_TEST, 1, (uint64_t)i);
        r->weight[i] = (float)rng_normal(9, RNG_TEST, 2, (uint64_t)i);
        r->other_weight[i] = (float)rng_normal(9, RNG_TEST, 3, (uint64_t)i);
    }
}

struct head_rows fixture_head_rows(const struct fixture_rows *r, const float *hidden) {
    return (struct head_rows){.hidden = hidden, .row = r->row, .target = r->target, .n = FIXTURE_ROWS};
}

double *fixture_log_softmax(const struct model *m, const double *params, const struct fixture_rows *r) {
    double *h = reference_hidden(m, params, &r->f.b), *l = calloc((size_t)FIXTURE_ROWS * FIXTURE_VOCAB, sizeof *l);
    for (int i = 0; i < FIXTURE_ROWS; i++)
        reference_log_softmax(m, params, h + r->row[i] * m->cfg.d_model, l + i * FIXTURE_VOCAB);
    free(h);
    return l;
}

void fixture_many(struct fixture_many *f, int n, int n_vocab, int d, float scale) {
    const size_t size = (size_t)n;
    *f = (struct fixture_many){.hidden = calloc(size * (size_t)d, sizeof *f->hidden),
                               .weight = calloc(size, sizeof *f->weight),
                               .row = calloc(size, sizeof *f->row),
                               .target = calloc(size, sizeof *f->target)};
    for (int i = 0; i < n * d; i++) f->hidden[i] = scale * (float)rng_normal(4, RNG_TEST, 0, (uint64_t)i);
    for (int i = 0; i < n; i++) {
        f->row[i] = n - 1 - i;
        f->target[i] = (int32_t)rng_below((uint64_t)n_vocab, 4, RNG_TEST, 1, (uint64_t)i);
        f->weight[i] = (float)(1 + i % 7) / (float)n;
    }
    f->rows = (struct head_rows){.hidden = f->hidden, .row = f->row, .target = f->target, .n = n};
}

void fixture_many_free(struct fixture_many *f) {
    free(f->hidden);
    free(f->weight);
    free(f->row);
    free(f->target);
}

struct fixture_pass fixture_pass(const struct model_config *c, uint64_t seed, const struct batch *b,
                                 const struct head_rows *rows) {
    struct fixture_pass p = {
        .m = fixture_model(c, seed), .a = activations_new(), .space = head_space_new(), .rows = *rows};
    assert_true(model_forward(p.m, p.a, b, true, &p.rows.hidden, NULL));
    p.dhidden = calloc((size_t)b->start[b->n_seq] * (size_t)c->d_model, sizeof *p.dhidden);
    p.grads = calloc(p.m->n_params, sizeof *p.grads);
    p.params = fixture_doubles(p.m->params, p.m->n_params);
    return p;
}

void fixture_pass_free(struct fixture_pass *p) {
    free(p->dhidden);
    free(p->grads);
    free(p->params);
    head_space_free(p->space);
    activations_free(p->a);
    model_free(p->m);
}

double *fixture_doubles(const float *x, size_t n) {
    double *d = calloc(n, sizeof *d);
    for (size_t i = 0; i < n; i++) d[i] = (double)x[i];
    return d;
}

static double difference_at(const struct model *m, double *params, size_t i, fixture_loss loss, void *ctx) {
    const double kept = params[i];
    params[i] = kept + STEP;
    const double up = loss(m, params, ctx);
    params[i] = kept - STEP;
    const double down = loss(m, params, ctx);
    params[i] = kept;
    return (up - down) / (2 * STEP);
}

/* Derivative along direction sign_k = +-1 of the tensor's elements, and the same from grads. */
static void check_direction(const struct model *m, double *params, const float *grads, const struct tensor_ref *t,
                            fixture_loss loss, void *ctx) {
    const size_t n = (size_t)t->rows * (size_t)t->cols;
    double *kept = calloc(n, sizeof *kept), value[2], found = 0, norm = 0;
    memcpy(kept, params + t->offset, n * sizeof *kept);
    const double step = STEP / sqrt((double)n);
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < n; k++) {
            const double sign = rng_u64(1, RNG_TEST, t->offset, k) & 1 ? 1.0 : -1.0;
            params[t->offset + k] = kept[k] + (side ? -step : step) * sign;
        }
        value[side] = loss(m, params, ctx);
    }
    memcpy(params + t->offset, kept, n * sizeof *kept);
    for (size_t k = 0; k < n; k++) {
        const double g = (double)grads[t->offset + k];
        found += rng_u64(1, RNG_TEST, t->offset, k) & 1 ? g : -g;
        norm += g * g;
    }
    free(kept);
    const double expected = (value[0] - value[1]) / (2 * step);
    if (fabs(found - expected) > TOLERANCE * (sqrt(norm) + fabs(expected)))
        fail_msg("%s: derivative along a direction is %.9g, reference %.9g", t->name, found, expected);
}

static void check_elements(const struct model *m, double *params, const float *grads, const struct tensor_ref *t,
                           fixture_loss loss, void *ctx) {
    const size_t n = (size_t)t->rows * (size_t)t->cols;
    size_t largest = 0;
    for (size_t k = 0; k < n; k++)
        if (fabsf(grads[t->offset + k]) > fabsf(grads[t->offset + largest])) largest = k;
    const double scale = fabs((double)grads[t->offset + largest]);
    if (!(scale > 1e-6)) fail_msg("%s: gradient is %g everywhere", t->name, scale);
    for (int i = 0; i < ELEMENTS; i++) {
        const size_t k = i == 0 ? largest : (size_t)rng_below(n, 2, RNG_TEST, t->offset, (uint64_t)i);
        const double expected = difference_at(m, params, t->offset + k, loss, ctx),
                     found = (double)grads[t->offset + k];
        if (fabs(found - expected) > TOLERANCE * scale)
            fail_msg("%s[%zu]: gradient %.9g, reference %.9g (largest %.3g)", t->name, k, found, expected, scale);
    }
}

void fixture_check_gradient(const struct model *m, double *params, const float *grads, fixture_loss loss, void *ctx,
                            bool with_head) {
    for (int i = 0; i < model_n_tensors(m); i++) {
        const struct tensor_ref t = model_tensor(m, i);
        if (!with_head && strcmp(t.name, "output.weight") == 0) continue;
        check_elements(m, params, grads, &t, loss, ctx);
        check_direction(m, params, grads, &t, loss, ctx);
    }
}
