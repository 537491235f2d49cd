/* Generation against the plain forward pass: same tokens, same probabilities, for every way of batching, caching,
 * ending and stopping. The reference runs model_forward over the whole growing sequence for each token. */
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
#include "engine/math/matmul.h"
#include "engine/math/parallel.h"
#include "engine/model/architecture.h"
#include "engine/model/generate.h"

enum { VOCAB = 37, MAX_SEQ = 512 };

static struct model_config tiny(int n_head, int n_kv_head, bool tied) {
    return (struct model_config){.n_vocab = VOCAB,
                                 .d_model = 24,
                                 .n_layer = 3,
                                 .n_head = n_head,
                                 .n_kv_head = n_kv_head,
                                 .head_dim = 10,
                                 .d_ff = 40,
                                 .n_ctx = MAX_SEQ,
                                 .rope_base = 10000.0f,
                                 .rms_eps = 1e-5f,
                                 .tied = tied};
}

/* Random weights, large enough that the model has opinions. */
static struct model *random_model(const struct model_config *c, uint64_t seed) {
    struct err e;
    struct model *m = model_new(c, false, &e);
    assert_non_null(m);
    model_init(m, seed);
    for (int i = 0; i < model_n_tensors(m); i++) {
        struct tensor_ref t = model_tensor(m, i);
        float *w = m->params + t.offset;
        for (size_t k = 0; t.rows > 1 && k < (size_t)t.rows * (size_t)t.cols; k++) w[k] *= 12.0f;
        for (int k = 0; t.spec->role == ROLE_BIAS && k < t.cols; k++)
            w[k] = (float)rng_normal(seed, RNG_TEST, (uint64_t)i, (uint64_t)k);
    }
    return m;
}

static void random_tokens(int32_t *to, int n, uint64_t seed) {
    for (int i = 0; i < n; i++) to[i] = (int32_t)rng_below(VOCAB, seed, RNG_TEST, 0, (uint64_t)i);
}

/* log softmax(z / temperature) over the first n_valid ids after the sequence, in double from the plain forward pass. */
static void reference_log_probs(const struct model *m, const int32_t *token, int n, float temperature, int n_valid,
                                double *lp) {
    struct err e;
    struct activations *a = activations_new();
    int start[2] = {0, n}, d = m->cfg.d_model;
    struct batch b = {1, start, token};
    const float *hidden;
    assert_true(model_forward(m, a, &b, false, &hidden, &e));
    const float *h = hidden + (size_t)(n - 1) * (size_t)d;
    double total = 0.0;
    for (int v = 0; v < n_valid; v++) {
        lp[v] = 0.0;
        for (int k = 0; k < d; k++) lp[v] += (double)h[k] * (double)m->params[m->head + (size_t)(v * d + k)];
        lp[v] /= (double)temperature;
        total += exp(lp[v]);
    }
    for (int v = 0; v < n_valid; v++) lp[v] -= log(total);
    activations_free(a);
}

static int argmax(const double *x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* The uniform number of this position must fall where the token lies in the cumulative distribution. */
static void check_inverse_cdf(const struct gen_config *c, uint64_t stream, int position, const double *lp,
                              int32_t token) {
    double u = rng_uniform(c->seed, RNG_SAMPLE, c->tick, (stream << 20) + (uint64_t)position), below = 0.0;
    for (int v = 0; v < token; v++) below += exp(lp[v]);
    assert_true(u > below - 1e-3 && u < below + exp(lp[token]) + 1e-3);
}

static void check_against_reference(const struct model *m, const struct gen_config *c, const struct gen_request *r,
                                    uint64_t stream, const struct gen_output *o) {
    int32_t seq[MAX_SEQ];
    double lp[VOCAB];
    memcpy(seq, r->prompt, (size_t)r->n_prompt * sizeof *seq);
    int n_valid = c->n_valid_vocab ? c->n_valid_vocab : VOCAB;
    for (int i = 0; i < o->n; i++) {
        float temperature = c->temperature > 0.0f ? c->temperature : 1.0f;
        reference_log_probs(m, seq, r->n_prompt + i, temperature, n_valid, lp);
        assert_in_range(o->token[i], 0, n_valid - 1);
        if (c->temperature <= 0.0f)
            assert_int_equal(o->token[i], argmax(lp, n_valid));
        else
            check_inverse_cdf(c, stream, i, lp, o->token[i]);
        assert_true(fabs(lp[o->token[i]] - (double)o->log_prob[i]) < 2e-3);
        seq[r->n_prompt + i] = o->token[i];
    }
}

static void greedy_equals_repeated_forward(void **state) {
    (void)state;
    struct model_config cfg[] = {tiny(2, 2, true), tiny(4, 2, true), tiny(6, 2, false), tiny(3, 1, false),
                                 tiny(4, 2, true)};
    cfg[4].arch = architecture_find("qwen2", 5, NULL);
    cfg[1].head_dim = 36; /* more than a vector's lanes, and a rest */
    cfg[3].head_dim = 32;
    for (size_t k = 0; k < sizeof cfg / sizeof *cfg; k++) {
        struct err e;
        struct model *m = random_model(&cfg[k], 11 + k);
        int32_t prompt[4][300];
        int len[4] = {1, 7, 70, 300}; /* the last one is prefilled in more than one step */
        struct gen_request req[4];
        struct gen_output out[4];
        for (int r = 0; r < 4; r++) {
            random_tokens(prompt[r], len[r], 100 * k + (uint64_t)r);
            req[r] = (struct gen_request){.prompt = prompt[r], .n_prompt = len[r], .n_samples = 1};
        }
        struct gen_config c = {.max_new_tokens = 20};
        assert_true(generate(m, &c, req, 4, out, NULL, &e));
        for (int r = 0; r < 4; r++) {
            assert_int_equal(out[r].n, 20);
            assert_true(out[r].truncated);
            check_against_reference(m, &c, &req[r], 0, &out[r]);
        }
        gen_output_free(out, 4);
        model_free(m);
    }
}

static void recorded_log_probs_are_of_the_sampled_distribution(void **state) {
    (void)state;
    struct err e;
    struct model_config cfg = tiny(4, 2, true);
    struct model *m = random_model(&cfg, 5);
    int32_t prompt[9];
    random_tokens(prompt, 9, 3);
    struct gen_request req = {.prompt = prompt, .n_prompt = 9, .n_samples = 6, .stream = 40};
    struct gen_config c = {.max_new_tokens = 15, .temperature = 0.7f, .n_valid_vocab = 30, .seed = 9, .tick = 2};
    struct gen_output out[6];
    assert_true(generate(m, &c, &req, 1, out, NULL, &e));
    for (int s = 0; s < 6; s++) check_against_reference(m, &c, &req, req.stream + (uint64_t)s, &out[s]);
    gen_output_free(out, 6);
    model_free(m);
}

/* Chi-square of 20,000 first tokens (and of second tokens given the commonest first) against the softmax: under the
 * right distribution the statistic exceeds df + 4 sqrt(2 df) with probability of about 1e-4. */
static void check_chi_square(const struct model *m, const int32_t *seq, int n_seq, const struct gen_config *c,
                             const int *count, int n) {
    double lp[VOCAB], statistic = 0.0, pooled_expected = 0.0;
    int cells = 0, pooled = 0;
    reference_log_probs(m, seq, n_seq, c->temperature, c->n_valid_vocab, lp);
    for (int v = 0; v < c->n_valid_vocab; v++) {
        double expected = n * exp(lp[v]);
        if (expected < 5.0) {
            pooled += count[v];
            pooled_expected += expected;
            continue;
        }
        statistic += (count[v] - expected) * (count[v] - expected) / expected;
        cells++;
    }
    if (pooled_expected > 1.0) {
        statistic += (pooled - pooled_expected) * (pooled - pooled_expected) / pooled_expected;
        cells++;
    }
    assert_true(cells > 5); /* or the test would say nothing */
    double df = cells - 1;
    if (statistic > df + 4.0 * sqrt(2.0 * df)) fail_msg("chi-square %.1f with %.0f degrees of freedom", statistic, df);
}

static void sampled_frequencies_match_softmax(void **state) {
    (void)state;
    enum { N = 20000 };
    struct err e;
    struct model_config cfg = tiny(4, 2, true);
    struct model *m = random_model(&cfg, 21);
    int32_t seq[6];
    random_tokens(seq, 5, 17);
    struct gen_request req = {.prompt = seq, .n_prompt = 5, .n_samples = N, .stream = 1000};
    struct gen_config c = {.max_new_tokens = 2, .temperature = 2.5f, .n_valid_vocab = 33, .seed = 4, .tick = 8};
    struct gen_output *out = calloc(N, sizeof *out);
    assert_true(generate(m, &c, &req, 1, out, NULL, &e));
    int first[VOCAB] = {0}, second[VOCAB] = {0}, commonest = 0;
    for (int s = 0; s < N; s++) first[out[s].token[0]]++;
    for (int v = 0; v < VOCAB; v++)
        if (first[v] > first[commonest]) commonest = v;
    for (int s = 0; s < N; s++)
        if (out[s].token[0] == commonest) second[out[s].token[1]]++;
    for (int v = 33; v < VOCAB; v++) assert_int_equal(first[v] + second[v], 0);
    check_chi_square(m, seq, 5, &c, first, N);
    seq[5] = commonest;
    check_chi_square(m, seq, 6, &c, second, first[commonest]);
    gen_output_free(out, N);
    free(out);
    model_free(m);
}

static void assert_same_outputs(const struct gen_output *a, const struct gen_output *b, int n, float tolerance) {
    for (int s = 0; s < n; s++) {
        assert_int_equal(a[s].n, b[s].n);
        assert_int_equal(a[s].truncated, b[s].truncated);
        assert_memory_equal(a[s].token, b[s].token, (size_t)a[s].n * sizeof *a[s].token);
        for (int i = 0; i < a[s].n; i++) assert_true(fabsf(a[s].log_prob[i] - b[s].log_prob[i]) <= tolerance);
    }
}

/* Two prompts with 5 and 3 samples; end tokens so that sequences leave the batch at different times. */
struct scene {
    struct model *m;
    int32_t prompt[2][20], end_ids[3];
    struct gen_request req[2];
    struct gen_config c;
};

static void make_scene(struct scene *s) {
    struct model_config cfg = tiny(4, 2, true);
    *s = (struct scene){.m = random_model(&cfg, 33), .end_ids = {3, 11, 19}};
    random_tokens(s->prompt[0], 20, 1);
    random_tokens(s->prompt[1], 12, 2);
    s->req[0] = (struct gen_request){.prompt = s->prompt[0], .n_prompt = 20, .n_samples = 5, .stream = 100};
    s->req[1] = (struct gen_request){.prompt = s->prompt[1], .n_prompt = 12, .n_samples = 3, .stream = 200};
    s->c = (struct gen_config){
        .max_new_tokens = 24, .temperature = 1.5f, .seed = 77, .tick = 6, .end_ids = s->end_ids, .n_end_ids = 3};
}

static void shared_prompts_give_what_separate_requests_give(void **state) {
    (void)state;
    struct err e;
    struct scene s;
    make_scene(&s);
    struct gen_output shared[8], alone[8];
    assert_true(generate(s.m, &s.c, s.req, 2, shared, NULL, &e));
    for (int i = 0; i < 8; i++) {
        struct gen_request r = s.req[i >= 5];
        r.stream += (uint64_t)(i < 5 ? i : i - 5);
        r.n_samples = 1;
        assert_true(generate(s.m, &s.c, &r, 1, &alone[i], NULL, &e));
    }
    assert_same_outputs(shared, alone, 8, 1e-4f);
    int different = 0; /* samples of one prompt are not copies of each other */
    for (int i = 1; i < 5; i++) different += shared[i].n != shared[0].n || shared[i].token[0] != shared[0].token[0];
    assert_true(different > 0);
    gen_output_free(shared, 8);
    gen_output_free(alone, 8);
    model_free(s.m);
}

static void threads_and_memory_change_nothing(void **state) {
    (void)state;
    struct err e;
    struct scene s;
    make_scene(&s);
    struct gen_output one[8], other[8];
    parallel_init(1);
    assert_true(generate(s.m, &s.c, s.req, 2, one, NULL, &e));
    for (int threads = 2; threads <= 4; threads++) {
        parallel_init(threads);
        assert_true(generate(s.m, &s.c, s.req, 2, other, NULL, &e));
        assert_same_outputs(one, other, 8, 0.0f);
        gen_output_free(other, 8);
    }
    parallel_shutdown();
    for (size_t bytes = 1; bytes < 200000; bytes *= 7) { /* from one sequence at a time to all in one wave */
        s.c.cache_bytes = bytes;
        assert_true(generate(s.m, &s.c, s.req, 2, other, NULL, &e));
        assert_same_outputs(one, other, 8, 1e-4f);
        gen_output_free(other, 8);
    }
    gen_output_free(one, 8);
    model_free(s.m);
}

/* Enough sequences for their decoding to be shared out among processors, fewer and fewer as they end. */
static void shared_out_decoding_changes_nothing(void **state) {
    (void)state;
    enum { N = 90 };
    struct err e;
    struct scene s;
    make_scene(&s);
    s.req[0].n_samples = 50;
    s.req[1].n_samples = N - 50;
    struct gen_output one[N], other[N];
    parallel_init(1);
    assert_true(generate(s.m, &s.c, s.req, 2, one, NULL, &e));
    for (int threads = 2; threads <= 5; threads++) {
        parallel_init(threads);
        assert_true(generate(s.m, &s.c, s.req, 2, other, NULL, &e));
        assert_same_outputs(one, other, N, 0.0f);
        gen_output_free(other, N);
    }
    parallel_shutdown();
    s.c.cache_bytes = 1; /* one at a time: never shared out */
    assert_true(generate(s.m, &s.c, s.req, 2, other, NULL, &e));
    assert_same_outputs(one, other, N, 1e-4f);
    gen_output_free(other, N);
    gen_output_free(one, N);
    model_free(s.m);
}

static void ends_at_end_tokens(void **state) {
    (void)state;
    struct err e;
    struct scene s;
    make_scene(&s);
    struct gen_output out[8];
    assert_true(generate(s.m, &s.c, s.req, 2, out, NULL, &e));
    int ended = 0;
    for (int i = 0; i < 8; i++) {
        for (int t = 0; t < out[i].n; t++) {
            int32_t id = out[i].token[t];
            bool end = id == 3 || id == 11 || id == 19, last = t == out[i].n - 1;
            if (!last) assert_false(end);
            if (last) assert_int_equal(out[i].truncated, !end);
        }
        ended += !out[i].truncated;
        if (out[i].truncated) assert_int_equal(out[i].n, 24);
    }
    assert_true(ended > 0);
    gen_output_free(out, 8);
    model_free(s.m);
}

static void is_cut_at_the_context(void **state) {
    (void)state;
    struct err e;
    struct model_config cfg = tiny(2, 1, true);
    cfg.n_ctx = 16;
    struct model *m = random_model(&cfg, 2);
    int32_t prompt[16];
    random_tokens(prompt, 16, 5);
    struct gen_request req = {.prompt = prompt, .n_prompt = 12, .n_samples = 2};
    struct gen_config c = {.max_new_tokens = 100, .temperature = 1.0f};
    struct gen_output out[2];
    assert_true(generate(m, &c, &req, 1, out, NULL, &e));
    for (int s = 0; s < 2; s++) {
        assert_int_equal(out[s].n, 4);
        assert_true(out[s].truncated);
        check_against_reference(m, &c, &req, req.stream + (uint64_t)s, &out[s]);
    }
    gen_output_free(out, 2);
    req.n_prompt = 16;
    assert_false(generate(m, &c, &req, 1, out, NULL, &e));
    assert_non_null(strstr(e.msg, "context is 16"));
    model_free(m);
}

static void refuses_bad_requests(void **state) {
    (void)state;
    struct err e;
    struct scene s;
    make_scene(&s);
    struct gen_output out[8];
    s.prompt[1][4] = VOCAB;
    assert_false(generate(s.m, &s.c, s.req, 2, out, NULL, &e));
    s.prompt[1][4] = -1;
    assert_false(generate(s.m, &s.c, s.req, 2, out, NULL, &e));
    s.prompt[1][4] = 0;
    s.req[1].n_prompt = 0;
    assert_false(generate(s.m, &s.c, s.req, 2, out, NULL, &e));
    s.req[1].n_prompt = 12;
    s.c.max_new_tokens = 0;
    assert_false(generate(s.m, &s.c, s.req, 2, out, NULL, &e));
    s.c.max_new_tokens = 24;
    s.m->params[s.m->out_norm] = NAN;
    assert_false(generate(s.m, &s.c, s.req, 2, out, NULL, &e));
    assert_non_null(strstr(e.msg, "not finite"));
    s.m->params[s.m->out_norm] = 1.0f;
    s.req[0].n_samples = s.req[1].n_samples = 0;
    assert_true(generate(s.m, &s.c, s.req, 2, NULL, NULL, &e));
    model_free(s.m);
}

static bool count_down(void *ctx) { return --*(int *)ctx > 0; }

static void stops_at_safe_points(void **state) {
    (void)state;
    struct err e;
    struct scene s;
    make_scene(&s);
    s.c.n_end_ids = 0;
    s.c.safe_point = count_down;
    struct gen_output out[8];
    for (int calls = 1; calls < 10; calls++) {
        int left = calls;
        bool stopped = false;
        s.c.ctx = &left;
        assert_true(generate(s.m, &s.c, s.req, 2, out, &stopped, &e));
        assert_true(stopped);
        assert_int_equal(left, 0);
        for (int i = 0; i < 8; i++) assert_null(out[i].token);
    }
    int plenty = 1000;
    bool stopped = true;
    s.c.ctx = &plenty;
    assert_true(generate(s.m, &s.c, s.req, 2, out, &stopped, &e));
    assert_false(stopped);
    gen_output_free(out, 8);
    model_free(s.m);
}

/* Every allocation fails once: an error each time, nothing leaked (under the sanitizer), and success in the end. */
static void survives_running_out_of_memory(void **state) {
    (void)state;
    struct err e;
    struct scene s;
    make_scene(&s);
    struct gen_output out[8];
    int failures = 0;
    for (bool ok = false; !ok;) {
        mem_fail_after(failures + 1);
        ok = generate(s.m, &s.c, s.req, 2, out, NULL, &e);
        mem_fail_after(0);
        if (!ok) assert_non_null(strstr(e.msg, "cannot allocate"));
        failures += !ok;
        assert_true(failures < 100);
    }
    assert_true(failures >= 16 + 10); /* outputs and buffers */
    gen_output_free(out, 8);
    model_free(s.m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_equals_repeated_forward),
        cmocka_unit_test(recorded_log_probs_are_of_the_sampled_distribution),
        cmocka_unit_test(sampled_frequencies_match_softmax),
        cmocka_unit_test(shared_prompts_give_what_separate_requests_give),
        cmocka_unit_test(threads_and_memory_change_nothing),
        cmocka_unit_test(shared_out_decoding_changes_nothing),
        cmocka_unit_test(ends_at_end_tokens),
        cmocka_unit_test(is_cut_at_the_context),
        cmocka_unit_test(refuses_bad_requests),
        cmocka_unit_test(stops_at_safe_points),
        cmocka_unit_test(survives_running_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
