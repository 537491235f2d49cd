/* The reward in its three forms against the naive double-precision reference: values, gradients, and batches of which a
 * part is scored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/reward/reward.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"

static const struct model_config SMALL = {.n_vocab = 29,
                                          .d_model = 12,
                                          .n_layer = 2,
                                          .n_head = 2,
                                          .n_kv_head = 1,
                                          .head_dim = 6,
                                          .d_ff = 16,
                                          .n_ctx = 32,
                                          .rope_base = 10000,
                                          .rms_eps = 1e-5f,
                                          .tied = true};
enum { N_SEQ = 4, MAX_NEW = 5 };
static const double BOUND = 3.0;
static const double DVALUE[N_SEQ] = {0.7, -1.3, 0.4, 2.1};

enum form { BLACK, WHITE, WHOLE, N_FORMS };

struct setting {
    enum form form;
    struct sequences s;
    struct reward r;
    struct model *expert;
    struct activations *expert_acts;
    double *expert_params;
};

static void setting_new(struct setting *t, enum form form) {
    static const int32_t X[] = {1, 2, 3}, Y[] = {4, 9, 28, 0, 17};
    struct model_config wide = SMALL; /* the expert need not have the critic's shape */
    wide.d_model = 18, wide.n_head = 3, wide.n_kv_head = 3;
    struct model *m = fixture_model(&SMALL, 5), *with_value = model_copy(m, form == WHOLE, NULL);
    for (int k = 0; form == WHOLE && k < SMALL.d_model; k++)
        with_value->params[with_value->value + (size_t)k] = 0.1f * (float)(k - 4);
    model_free(m);
    *t = (struct setting){.form = form, .expert = fixture_model(&wide, 6), .expert_acts = activations_new()};
    t->expert_params = fixture_doubles(t->expert->params, t->expert->n_params);
    assert_true(reward_init(&t->r, with_value, form == WHOLE ? REWARD_SEQUENCE : REWARD_TOKEN, BOUND, MAX_NEW, NULL));
    if (form == WHITE) reward_use_expert(&t->r, t->expert, t->expert_acts);
    for (int i = 0; i < N_SEQ; i++) sequences_add(&t->s, X, 1 + i % 3, Y + i / 2, 2 + i % 2, form == WHOLE);
}

static void setting_free(struct setting *t) {
    sequences_free(&t->s);
    reward_free(&t->r);
    model_free(t->expert);
    activations_free(t->expert_acts);
    free(t->expert_params);
}

/* r of every sequence in double. */
static void reference_values(const struct setting *t, const struct model *m, const double *params,
                             double value[N_SEQ]) {
    const struct batch b = sequences_batch(&t->s);
    double *h = reference_hidden(m, params, &b), *he = reference_hidden(t->expert, t->expert_params, &b);
    double z[29], ze[29];
    for (int i = 0; i < N_SEQ; i++) {
        value[i] = 0;
        for (int k = 0; t->form == WHOLE && k < m->cfg.d_model; k++)
            value[i] +=
                params[m->value + (size_t)k] * h[(size_t)sequences_last(&t->s, i) * 12 + (size_t)k] / sqrt(12.0);
        for (int j = t->s.row_start[i]; t->form != WHOLE && j < t->s.row_start[i + 1]; j++) {
            reference_log_softmax(m, params, h + (size_t)t->s.row[j] * 12, z);
            reference_log_softmax(t->expert, t->expert_params, he + (size_t)t->s.row[j] * 18, ze);
            double r = BOUND * tanh(z[t->s.target[j]] / BOUND);
            for (int a = 0; a < 29; a++) r -= exp(t->form == WHITE ? ze[a] : z[a]) * BOUND * tanh(z[a] / BOUND);
            value[i] += r / sqrt(MAX_NEW);
        }
    }
    free(h);
    free(he);
}

static double reference_loss(const struct model *m, const double *params, void *ctx) {
    double value[N_SEQ], sum = 0;
    reference_values(ctx, m, params, value);
    for (int i = 0; i < N_SEQ; i++) sum += DVALUE[i] * value[i];
    return sum;
}

static void values_and_gradients_are_those_of_the_reference(void **state) {
    (void)state;
    for (enum form f = 0; f < N_FORMS; f++) {
        struct setting t;
        double value[N_SEQ], expected[N_SEQ];
        setting_new(&t, f);
        double *params = fixture_doubles(t.r.t.model->params, t.r.t.model->n_params);
        assert_true(reward_score(&t.r, &t.s, true, value, NULL));
        reference_values(&t, t.r.t.model, params, expected);
        for (int i = 0; i < N_SEQ; i++)
            if (!(fabs(value[i] - expected[i]) < 2e-5))
                fail_msg("form %d, sequence %d: %g for %g", (int)f, i, value[i], expected[i]);
        assert_true(reward_backward(&t.r, &t.s, DVALUE, NULL));
        fixture_check_gradient(t.r.t.model, params, t.r.t.grads, reference_loss, &t, true);
        free(params);
        setting_free(&t);
    }
}

/* Where the critic itself is the expert, the white-box reward is the black-box one. */
static void the_critic_as_its_own_expert_is_the_black_box(void **state) {
    (void)state;
    struct setting t;
    double black[N_SEQ], white[N_SEQ];
    setting_new(&t, BLACK);
    assert_true(reward_score(&t.r, &t.s, false, black, NULL));
    reward_use_expert(&t.r, t.r.t.model, t.expert_acts);
    assert_true(reward_score(&t.r, &t.s, false, white, NULL));
    for (int i = 0; i < N_SEQ; i++) assert_true(fabs(black[i] - white[i]) < 1e-5);
    setting_free(&t);
}

/* Scoring the last sequences alone gives their values and, together with zeros for the others, the same gradient. */
static void a_part_of_a_batch_is_scored_as_in_the_whole(void **state) {
    (void)state;
    enum { FROM = 2 };
    for (enum form f = 0; f < N_FORMS; f++) {
        struct setting t;
        double whole[N_SEQ], part[N_SEQ] = {-9, -9, -9, -9};
        const double dvalue[N_SEQ] = {0, 0, DVALUE[2], DVALUE[3]};
        setting_new(&t, f);
        const size_t n = t.r.t.model->n_params;
        const struct batch b = sequences_batch(&t.s);
        assert_true(reward_score(&t.r, &t.s, true, whole, NULL) && reward_backward(&t.r, &t.s, dvalue, NULL));
        float *grads = malloc(n * sizeof *grads);
        memcpy(grads, t.r.t.grads, n * sizeof *grads);
        memset(t.r.t.grads, 0, n * sizeof *grads);
        assert_true(reward_forward(&t.r, &t.s, true, NULL) && reward_values(&t.r, &t.s, FROM, part, NULL));
        assert_true(part[0] == -9 && part[1] == -9 && part[2] == whole[2] && part[3] == whole[3]);
        assert_true(reward_head_backward(&t.r, &t.s, FROM, dvalue, NULL));
        assert_true(model_backward(t.r.t.model, t.r.t.acts, &b, t.r.t.dhidden, t.r.t.grads, NULL));
        for (size_t i = 0; i < n; i++) assert_true(fabsf(grads[i] - t.r.t.grads[i]) <= 1e-5f);
        free(grads);
        setting_free(&t);
    }
}

/* Without a token there is nothing to make room for; the undefined-behaviour sanitizer watches what is done then. */
static void nothing_to_train_on_needs_no_room(void **state) {
    (void)state;
    struct setting t;
    const struct sequences none = {0};
    struct err e = {""};
    setting_new(&t, BLACK);
    assert_null(t.r.t.dhidden);
    if (!trainee_prepare(&t.r.t, &none, &e)) fail_msg("%s", e.msg);
    assert_null(t.r.t.dhidden);
    assert_int_equal(t.r.t.cap_dhidden, 0);
    setting_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients_are_those_of_the_reference),
        cmocka_unit_test(the_critic_as_its_own_expert_is_the_black_box),
        cmocka_unit_test(a_part_of_a_batch_is_scored_as_in_the_whole),
        cmocka_unit_test(nothing_to_train_on_needs_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
