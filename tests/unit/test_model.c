/* The model: configuration bounds, forward pass against a double-precision reference, every tensor's gradient against
 * central differences of that reference, and the independences the engine promises (threads, packing, keeping). */
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
#include "engine/math/adamw.h"
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/model/architecture.h"
#include "engine/model/head.h"
#include "engine/model/model.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"

static void test_config_bounds(void **state) {
    (void)state;
    struct err e;
    assert_true(model_config_check(&FIXTURE_GROUPED, &e));
    struct model_config c = FIXTURE_GROUPED;
    c.n_kv_head = 3;
    assert_false(model_config_check(&c, &e));
    assert_non_null(strstr(e.msg, "n_kv_head"));
    c = FIXTURE_GROUPED;
    c.head_dim = 5;
    assert_false(model_config_check(&c, &e));
    c = FIXTURE_GROUPED;
    c.n_vocab = 0;
    assert_false(model_config_check(&c, &e));
    assert_non_null(strstr(e.msg, "n_vocab"));
    c = FIXTURE_GROUPED;
    c.d_ff = -4;
    assert_false(model_config_check(&c, &e));
    c = FIXTURE_GROUPED;
    c.rms_eps = NAN;
    assert_false(model_config_check(&c, &e));
    c = FIXTURE_GROUPED;
    c.n_vocab = 1 << 22;
    c.d_model = 1 << 16;
    assert_false(model_config_check(&c, &e));
    assert_null(model_new(&c, false, &e));
}

static const struct architecture *qwen2(void) { return architecture_find("qwen2", 5, NULL); }

static void test_layout_covers_every_parameter_once(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct model_config c = FIXTURE_GROUPED;
        c.tied = kind & 1;
        if (kind & 2) c.arch = qwen2();
        struct model *m = model_new(&c, true, NULL);
        unsigned char *seen = calloc(m->n_params, 1);
        for (int i = 0; i < model_n_tensors(m); i++) {
            const struct tensor_ref t = model_tensor(m, i);
            for (size_t k = 0; k < (size_t)t.rows * (size_t)t.cols; k++) assert_int_equal(seen[t.offset + k]++, 0);
        }
        size_t missing = 0;
        for (size_t k = 0; k < m->n_params; k++) missing += !seen[k];
        assert_int_equal(missing, (size_t)c.d_model); /* the value vector */
        assert_int_equal(m->value + (size_t)c.d_model, m->n_params);
        assert_string_equal(model_tensor(m, 0).name, "token_embd.weight");
        assert_string_equal(model_tensor(m, kind & 2 ? 14 : 11).name, "blk.1.attn_q.weight");
        assert_int_equal(m->n_params, model_config_params(&c) + (size_t)c.d_model);
        free(seen);
        model_free(m);
    }
}

static void test_copy_and_hash(void **state) {
    (void)state;
    struct model *m = fixture_model(&FIXTURE_GROUPED, 3);
    struct model *v = model_copy(m, true, NULL);
    assert_memory_equal(m->params, v->params, m->n_params * sizeof(float));
    for (int i = 0; i < FIXTURE_GROUPED.d_model; i++) assert_true(v->params[v->value + (size_t)i] == 0.0f);
    struct model *back = model_copy(v, false, NULL);
    assert_int_equal(model_hash(back), model_hash(m));
    back->params[7] = nextafterf(back->params[7], 2.0f);
    assert_int_not_equal(model_hash(back), model_hash(m));
    model_free(m);
    model_free(v);
    model_free(back);
}

static void test_bad_batches(void **state) {
    (void)state;
    struct model *m = fixture_model(&FIXTURE_GROUPED, 3);
    struct activations *a = activations_new();
    const float *hidden;
    struct err e;
    const int32_t bad_token[] = {1, 23}, negative[] = {-1, 2}, good[] = {1, 2};
    const int start[] = {0, 2}, empty[] = {0, 0, 2};
    struct batch b = {.n_seq = 1, .start = start, .token = bad_token};
    assert_false(model_forward(m, a, &b, false, &hidden, &e));
    assert_non_null(strstr(e.msg, "vocabulary"));
    b.token = negative;
    assert_false(model_forward(m, a, &b, false, &hidden, &e));
    b = (struct batch){.n_seq = 2, .start = empty, .token = good};
    assert_false(model_forward(m, a, &b, false, &hidden, &e));
    float *grads = calloc(m->n_params, sizeof *grads);
    b = (struct batch){.n_seq = 1, .start = start, .token = good};
    assert_true(model_forward(m, a, &b, false, &hidden, &e));
    assert_false(model_backward(m, a, &b, hidden, grads, &e)); /* nothing was kept */
    m->cfg.n_ctx = 1;
    assert_false(model_forward(m, a, &b, false, &hidden, &e));
    free(grads);
    activations_free(a);
    model_free(m);
}

/* A scalar of the hidden states that reaches all of them: sum of coef * hidden. */
static float coef_at(size_t i) { return (float)rng_normal(5, RNG_TEST, 0, i); }

static double reference_scalar(const struct model *m, const double *params, const struct batch *b) {
    double *h = reference_hidden(m, params, b), sum = 0;
    for (size_t i = 0; i < (size_t)b->start[b->n_seq] * (size_t)m->cfg.d_model; i++) sum += (double)coef_at(i) * h[i];
    free(h);
    return sum;
}

static double scalar_loss(const struct model *m, const double *params, void *ctx) {
    return reference_scalar(m, params, ctx);
}

static void check_forward_and_backward(const struct model_config *c, struct batch *b) {
    struct model *m = fixture_model(c, 11);
    struct activations *a = activations_new();
    const size_t n = (size_t)b->start[b->n_seq] * (size_t)c->d_model;
    const float *hidden;
    struct err e = {{0}};
    assert_true(model_forward(m, a, b, true, &hidden, &e));
    double *params = fixture_doubles(m->params, m->n_params), *expected = reference_hidden(m, params, b);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)hidden[i] - expected[i]) < 1e-5 * (1 + fabs(expected[i]))))
            fail_msg("hidden[%zu] is %.9g, reference %.9g", i, (double)hidden[i], expected[i]);
    float *dhidden = calloc(n, sizeof *dhidden), *grads = calloc(m->n_params, sizeof *grads);
    for (size_t i = 0; i < n; i++) dhidden[i] = coef_at(i);
    assert_true(model_backward(m, a, b, dhidden, grads, &e));
    fixture_check_gradient(m, params, grads, scalar_loss, b, false);
    free(dhidden);
    free(grads);
    free(params);
    free(expected);
    activations_free(a);
    model_free(m);
}

static void test_gradient_of_every_tensor(void **state) {
    (void)state;
    struct fixture_batch f;
    fixture_batch(&f, FIXTURE_GROUPED.n_vocab, (const int[]){5, 1, 9, 3}, 4);
    struct model_config c = FIXTURE_GROUPED;
    check_forward_and_backward(&c, &f.b); /* grouped queries */
    c.n_kv_head = 4;
    check_forward_and_backward(&c, &f.b); /* one key-value head each */
    c.n_kv_head = 1;
    c.tied = false;
    c.n_layer = 1;
    check_forward_and_backward(&c, &f.b);
    c = FIXTURE_GROUPED;
    c.arch = qwen2(); /* biases of q, k and v */
    check_forward_and_backward(&c, &f.b);
    fixture_batch_free(&f);
}

/* Sequences longer than an attention block: the online softmax and the accumulation over blocks. */
static void test_gradient_across_attention_blocks(void **state) {
    (void)state;
    struct fixture_batch f;
    fixture_batch(&f, FIXTURE_GROUPED.n_vocab, (const int[]){150, 64, 65}, 3);
    struct model_config c = FIXTURE_GROUPED;
    c.n_layer = 1;
    check_forward_and_backward(&c, &f.b);
    fixture_batch_free(&f);
}

/* One training step's hidden states and gradients, for comparison between settings. */
static void run_step(const struct model *m, const struct batch *b, float *hidden_out, float *grads) {
    struct activations *a = activations_new();
    const float *hidden;
    const size_t n = (size_t)b->start[b->n_seq] * (size_t)m->cfg.d_model;
    assert_true(model_forward(m, a, b, true, &hidden, NULL));
    memcpy(hidden_out, hidden, n * sizeof *hidden_out);
    memset(grads, 0, m->n_params * sizeof *grads);
    assert_true(model_backward(m, a, b, hidden, grads, NULL));
    activations_free(a);
}

static void test_thread_count_changes_nothing(void **state) {
    (void)state;
    struct model_config c = FIXTURE_GROUPED;
    c.d_model = 96;
    c.d_ff = 200;
    c.head_dim = 24;
    c.n_vocab = 300;
    struct model *m = fixture_model(&c, 17);
    struct fixture_batch f;
    int len[40];
    for (int i = 0; i < 40; i++) len[i] = 5 + 3 * i % 31;
    fixture_batch(&f, c.n_vocab, len, 40);
    const size_t n = (size_t)f.b.start[40] * (size_t)c.d_model;
    float *h[3], *g[3];
    const int threads[3] = {1, 2, 5};
    for (int i = 0; i < 3; i++) {
        h[i] = calloc(n, sizeof **h);
        g[i] = calloc(m->n_params, sizeof **g);
        parallel_init(threads[i]);
        assert_int_equal(parallel_threads(), threads[i]);
        run_step(m, &f.b, h[i], g[i]);
        parallel_shutdown();
        assert_memory_equal(h[0], h[i], n * sizeof **h);
        assert_memory_equal(g[0], g[i], m->n_params * sizeof **g);
    }
    for (int i = 0; i < 3; i++) {
        free(h[i]);
        free(g[i]);
    }
    fixture_batch_free(&f);
    model_free(m);
}

static void test_packing_and_keeping_change_nothing(void **state) {
    (void)state;
    struct model *m = fixture_model(&FIXTURE_GROUPED, 19);
    struct fixture_batch f;
    fixture_batch(&f, FIXTURE_GROUPED.n_vocab, (const int[]){7, 70, 2, 30}, 4);
    struct activations *a = activations_new(), *alone = activations_new();
    const float *packed, *single;
    const size_t d = (size_t)FIXTURE_GROUPED.d_model;
    for (int keep = 0; keep < 2; keep++) {
        assert_true(model_forward(m, a, &f.b, keep, &packed, NULL));
        for (int s = 0; s < f.b.n_seq; s++) {
            const int len = f.b.start[s + 1] - f.b.start[s], start[] = {0, len};
            const struct batch one = {.n_seq = 1, .start = start, .token = f.b.token + f.b.start[s]};
            assert_true(model_forward(m, alone, &one, !keep, &single, NULL));
            for (size_t i = 0; i < (size_t)len * d; i++)
                assert_true(fabsf(single[i] - packed[(size_t)f.b.start[s] * d + i]) < 1e-5f);
        }
    }
    activations_free(a);
    activations_free(alone);
    fixture_batch_free(&f);
    model_free(m);
}

/* Training works end to end: a tiny model learns four sequences by heart. */
static void test_learns_by_heart(void **state) {
    (void)state;
    struct model_config c = FIXTURE_GROUPED;
    c.d_model = 32;
    c.d_ff = 64;
    c.head_dim = 8;
    struct model *m = model_new(&c, false, NULL);
    model_init(m, 1);
    struct fixture_batch f;
    fixture_batch(&f, c.n_vocab, (const int[]){8, 8, 8, 8}, 4);
    int row[28];
    int32_t target[28];
    float weight[28];
    int n = 0;
    for (int s = 0; s < 4; s++)
        for (int t = f.b.start[s]; t + 1 < f.b.start[s + 1]; t++, n++) {
            row[n] = t;
            target[n] = f.b.token[t + 1];
            weight[n] = 1.0f / 28;
        }
    struct adamw opt;
    struct adamw_config oc = ADAMW_DEFAULTS;
    oc.lr = 3e-3f;
    assert_true(adamw_init(&opt, m->n_params, NULL));
    struct activations *a = activations_new();
    struct head_space *space = head_space_new();
    float *grads = calloc(m->n_params, sizeof *grads), *dh = calloc((size_t)32 * 32, sizeof *dh);
    double first = 0, loss = 0;
    for (int step = 0; step < 150; step++) {
        struct head_rows r = {.row = row, .target = target, .n = n};
        memset(dh, 0, (size_t)32 * 32 * sizeof *dh);
        assert_true(model_forward(m, a, &f.b, true, &r.hidden, NULL));
        assert_true(head_nll_backward(m, &r, weight, space, &loss, NULL, dh, grads, NULL));
        assert_true(model_backward(m, a, &f.b, dh, grads, NULL));
        assert_true(adamw_step(&opt, &oc, m->params, grads, NULL, NULL));
        if (step == 0) first = loss;
    }
    assert_true(fabs(first - log(23.0)) < 0.2); /* a fresh model knows nothing */
    assert_true(loss < 0.6);                    /* the first tokens of a sequence cannot all be told apart */
    free(grads);
    free(dh);
    head_space_free(space);
    activations_free(a);
    adamw_free(&opt);
    fixture_batch_free(&f);
    model_free(m);
}

/* Every allocation of a step fails once: an error comes back, nothing leaks, and the same buffers then work. */
static void test_memory_runs_out_anywhere(void **state) {
    (void)state;
    struct model *m = fixture_model(&FIXTURE_GROUPED, 3);
    struct fixture_batch f;
    fixture_batch(&f, FIXTURE_GROUPED.n_vocab, (const int[]){5, 9}, 2);
    float *grads = calloc(m->n_params, sizeof *grads), *dhidden = calloc((size_t)14 * 12, sizeof *dhidden);
    const int row[] = {3, 8};
    const int32_t target[] = {1, 2};
    const float weight[] = {0.5f, 0.5f};
    int failures = 0;
    bool ok = false;
    for (long n = 1; !ok && n < 100; n++) {
        struct activations *a = activations_new();
        struct head_space *space = head_space_new();
        struct head_rows r = {.row = row, .target = target, .n = 2};
        struct err e = {{0}};
        for (int attempt = 0; attempt < 2; attempt++) {
            mem_fail_after(attempt == 0 ? n : 0);
            ok = model_forward(m, a, &f.b, true, &r.hidden, &e) &&
                 head_nll_backward(m, &r, weight, space, NULL, NULL, dhidden, grads, &e) &&
                 model_backward(m, a, &f.b, dhidden, grads, &e);
            mem_fail_after(0);
            if (ok) break;
            assert_int_equal(attempt, 0); /* without the fault the same call succeeds */
            assert_non_null(strstr(e.msg, "cannot allocate"));
            failures++;
        }
        ok = e.msg[0] == '\0'; /* n was past the last allocation */
        activations_free(a);
        head_space_free(space);
    }
    assert_true(ok);
    assert_in_range(failures, 15, 40);
    mem_fail_after(1);
    assert_null(model_copy(m, false, NULL));
    mem_fail_after(2);
    struct adamw o;
    assert_false(adamw_init(&o, 10, NULL));
    mem_fail_after(0);
    free(grads);
    free(dhidden);
    fixture_batch_free(&f);
    model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_bounds),
        cmocka_unit_test(test_layout_covers_every_parameter_once),
        cmocka_unit_test(test_copy_and_hash),
        cmocka_unit_test(test_bad_batches),
        cmocka_unit_test(test_gradient_of_every_tensor),
        cmocka_unit_test(test_gradient_across_attention_blocks),
        cmocka_unit_test(test_thread_count_changes_nothing),
        cmocka_unit_test(test_packing_and_keeping_change_nothing),
        cmocka_unit_test(test_learns_by_heart),
        cmocka_unit_test(test_memory_runs_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
