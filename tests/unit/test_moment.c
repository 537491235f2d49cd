/* White-box moments: values and both gradients against naive double precision, all the way through the model; the
 * identities that the game rests on, on a random tree; agreement with the token-level reward and exact descent; extreme
 * logits; streaming in chunks; independence of threads; bad input. */
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
#include "engine/model/moment.h"
#include "tests/support/model_fixture.h"
#include "tests/support/reference_model.h"

enum { VOCAB = FIXTURE_VOCAB, N_ROWS = FIXTURE_ROWS, N_TOKENS = FIXTURE_TOKENS };
enum { STUDENT, EXPERT, CRITIC, PLAYERS };
static const float BOUND = 3.0f;

/* ---- the definitions ---- */

struct values {
    double v_expert, v_student;
};

/* From log softmax of the three; q [n] gets Q. */
static struct values reference_values(const double *lpi, const double *le, const double *lc, int n, double *q) {
    struct values v = {0};
    for (int a = 0; a < n; a++) {
        q[a] = (double)BOUND * tanh(lc[a] / (double)BOUND);
        v.v_expert += exp(le[a]) * q[a];
        v.v_student += exp(lpi[a]) * q[a];
    }
    return v;
}

/* ---- a batch under three models of different shape ---- */

struct setting {
    struct fixture_rows r; /* weight: of the game; other_weight: of the chosen actions */
    struct fixture_pass of[PLAYERS];
    double *l[PLAYERS];          /* log softmax [N_ROWS, VOCAB] in double */
    bool with_game, with_chosen; /* what critic_value computes */
};

static void setting_new(struct setting *s, bool tied) {
    *s = (struct setting){.with_game = true, .with_chosen = true};
    fixture_rows(&s->r);
    const int width[PLAYERS] = {12, 24, 18};
    for (int k = 0; k < PLAYERS; k++) {
        struct model_config c = FIXTURE_SMALL;
        struct head_rows rows = fixture_head_rows(&s->r, NULL);
        c.d_model = width[k];
        c.tied = tied;
        if (k != CRITIC) rows.target = NULL;
        s->of[k] = fixture_pass(&c, 21 + (uint64_t)k, &s->r.f.b, &rows);
        s->l[k] = fixture_log_softmax(s->of[k].m, s->of[k].params, &s->r);
    }
}

static void setting_free(struct setting *s) {
    fixture_batch_free(&s->r.f);
    for (int k = 0; k < PLAYERS; k++) {
        fixture_pass_free(&s->of[k]);
        free(s->l[k]);
    }
}

static struct moment_models models_of(const struct setting *s) {
    return (struct moment_models){.student = s->of[STUDENT].m,
                                  .expert = s->of[EXPERT].m,
                                  .critic = s->of[CRITIC].m,
                                  .student_rows = &s->of[STUDENT].rows,
                                  .expert_rows = &s->of[EXPERT].rows,
                                  .critic_rows = &s->of[CRITIC].rows,
                                  .bound = BOUND};
}

static double critic_value(const struct model *m, const double *params, void *ctx) {
    const struct setting *s = ctx;
    double *l = fixture_log_softmax(m, params, &s->r), q[VOCAB], sum = 0;
    for (int i = 0; i < N_ROWS; i++) {
        const size_t at = (size_t)i * VOCAB;
        const struct values v = reference_values(s->l[STUDENT] + at, s->l[EXPERT] + at, l + at, VOCAB, q);
        if (s->with_game) sum += (double)s->r.weight[i] * (v.v_expert - v.v_student);
        if (s->with_chosen) sum += (double)s->r.other_weight[i] * (q[s->r.target[i]] - v.v_expert);
    }
    free(l);
    return sum;
}

/* -sum_a pi A_Q, or without the expert -sum_a pi Q. */
static double student_terms(const struct model *m, const double *params, const struct setting *s, bool expert) {
    double *l = fixture_log_softmax(m, params, &s->r), q[VOCAB], sum = 0;
    for (int i = 0; i < N_ROWS; i++) {
        const size_t at = (size_t)i * VOCAB;
        const struct values v = reference_values(l + at, s->l[EXPERT] + at, s->l[CRITIC] + at, VOCAB, q);
        for (int a = 0; a < VOCAB; a++)
            sum -= (double)s->r.weight[i] * exp(l[at + (size_t)a]) * (q[a] - (expert ? v.v_expert : 0));
    }
    free(l);
    return sum;
}

static double student_loss(const struct model *m, const double *params, void *ctx) {
    return student_terms(m, params, ctx, true);
}

static void test_values(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s, true);
    struct moment_models m = models_of(&s);
    float ve[N_ROWS], vpi[N_ROWS], qt[N_ROWS], mo[N_ROWS], again_v[N_ROWS], again_q[N_ROWS];
    assert_true(moment_measure(&m, s.of[CRITIC].space, &(struct moment_out){ve, vpi, qt, mo}, NULL));
    for (int i = 0; i < N_ROWS; i++) {
        double q[VOCAB];
        const size_t at = (size_t)i * VOCAB;
        const struct values v = reference_values(s.l[STUDENT] + at, s.l[EXPERT] + at, s.l[CRITIC] + at, VOCAB, q);
        assert_true(fabs((double)ve[i] - v.v_expert) < 1e-5);
        assert_true(fabs((double)vpi[i] - v.v_student) < 1e-5);
        assert_true(fabs((double)mo[i] - (v.v_expert - v.v_student)) < 1e-5);
        assert_true(fabs((double)qt[i] - q[s.r.target[i]]) < 1e-5);
        assert_true(fabs((double)mo[i]) > 1e-3); /* the three differ, so the above says something */
    }
    m.student = NULL; /* for preferences no student is needed */
    m.student_rows = NULL;
    assert_true(
        moment_measure(&m, s.of[CRITIC].space, &(struct moment_out){.v_expert = again_v, .q_target = again_q}, NULL));
    assert_memory_equal(again_v, ve, sizeof ve);
    assert_memory_equal(again_q, qt, sizeof qt);
    setting_free(&s);
}

static void train_critic(struct setting *s, bool with_game, bool with_chosen) {
    struct fixture_pass *critic = &s->of[CRITIC];
    struct moment_models m = models_of(s);
    s->with_game = with_game;
    s->with_chosen = with_chosen;
    if (!with_game) m.student = NULL;
    critic->rows.target = with_chosen ? s->r.target : NULL;
    memset(critic->dhidden, 0, (size_t)N_TOKENS * 18 * sizeof *critic->dhidden);
    memset(critic->grads, 0, critic->m->n_params * sizeof *critic->grads);
    double value;
    assert_true(moment_critic_backward(&m, with_game ? s->r.weight : NULL, with_chosen ? s->r.other_weight : NULL,
                                       critic->space, &value, critic->dhidden, critic->grads, NULL));
    assert_true(fabs(value - critic_value(critic->m, critic->params, s)) < 1e-5 * N_ROWS);
    assert_true(model_backward(critic->m, critic->a, &s->r.f.b, critic->dhidden, critic->grads, NULL));
    fixture_check_gradient(critic->m, critic->params, critic->grads, critic_value, s, true);
}

static void test_critic_gradient(void **state) {
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct setting s;
        setting_new(&s, tied);
        train_critic(&s, true, true);
        train_critic(&s, true, false);
        train_critic(&s, false, true);
        setting_free(&s);
    }
}

static void test_student_gradient(void **state) {
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct setting s;
        setting_new(&s, tied);
        struct fixture_pass *student = &s.of[STUDENT];
        struct moment_models m = models_of(&s);
        double loss, without;
        assert_true(
            moment_student_backward(&m, s.r.weight, s.of[CRITIC].space, &loss, student->dhidden, student->grads, NULL));
        assert_true(fabs(loss - student_loss(student->m, student->params, &s)) < 1e-5 * N_ROWS);
        /* Without the expert: the same gradient, bit for bit. */
        float *dhidden = calloc((size_t)N_TOKENS * 12, sizeof *dhidden);
        float *grads = calloc(student->m->n_params, sizeof *grads);
        m.expert = NULL;
        assert_true(moment_student_backward(&m, s.r.weight, s.of[CRITIC].space, &without, dhidden, grads, NULL));
        assert_true(fabs(without - student_terms(student->m, student->params, &s, false)) < 1e-5 * N_ROWS);
        assert_memory_equal(dhidden, student->dhidden, (size_t)N_TOKENS * 12 * sizeof *dhidden);
        assert_memory_equal(grads, student->grads, student->m->n_params * sizeof *grads);
        assert_true(model_backward(student->m, student->a, &s.r.f.b, student->dhidden, student->grads, NULL));
        fixture_check_gradient(student->m, student->params, student->grads, student_loss, &s, true);
        free(dhidden);
        free(grads);
        setting_free(&s);
    }
}

/* A student equal to the expert has no moment, and the critic then learns nothing from the game. */
static void test_equal_policies(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s, true);
    struct moment_models m = models_of(&s);
    m.student = m.expert;
    m.student_rows = m.expert_rows;
    float mo[N_ROWS];
    double value;
    assert_true(moment_measure(&m, s.of[CRITIC].space, &(struct moment_out){.moment = mo}, NULL));
    assert_true(moment_critic_backward(&m, s.r.weight, NULL, s.of[CRITIC].space, &value, s.of[CRITIC].dhidden,
                                       s.of[CRITIC].grads, NULL));
    assert_true(value == 0.0);
    for (int i = 0; i < N_ROWS; i++) assert_true(mo[i] == 0.0f);
    for (int i = 0; i < N_TOKENS * 18; i++) assert_true(s.of[CRITIC].dhidden[i] == 0.0f);
    for (size_t i = 0; i < m.critic->n_params; i++) assert_true(s.of[CRITIC].grads[i] == 0.0f);
    setting_free(&s);
}

/* With the critic's own distribution as the expert, A_Q is the black-box token reward and descent is exact descent. */
static void test_black_box_is_a_special_case(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s, true);
    struct moment_models m = models_of(&s);
    m.expert = m.critic;
    m.expert_rows = m.critic_rows;
    float ve[N_ROWS], qt[N_ROWS], reward[N_ROWS];
    assert_true(moment_measure(&m, s.of[CRITIC].space, &(struct moment_out){.v_expert = ve, .q_target = qt}, NULL));
    assert_true(head_token_reward(m.critic, m.critic_rows, BOUND, s.of[CRITIC].space, reward, NULL));
    for (int i = 0; i < N_ROWS; i++) assert_true(fabsf(qt[i] - ve[i] - reward[i]) < 1e-5f);
    double loss;
    struct exact_terms terms;
    float *dhidden = calloc((size_t)N_TOKENS * 12, sizeof *dhidden),
          *grads = calloc(m.student->n_params, sizeof *grads);
    assert_true(moment_student_backward(&m, s.r.weight, s.of[CRITIC].space, &loss, s.of[STUDENT].dhidden,
                                        s.of[STUDENT].grads, NULL));
    assert_true(head_exact_descent(m.student, m.student_rows, m.critic, m.critic_rows, BOUND, NULL, NULL, s.r.weight,
                                   0.0f, s.of[CRITIC].space, &terms, dhidden, grads, NULL));
    assert_true(fabs(loss + terms.value) < 1e-5 * N_ROWS);
    for (size_t i = 0; i < m.student->n_params; i++) assert_true(fabsf(grads[i] - s.of[STUDENT].grads[i]) < 1e-5f);
    for (int i = 0; i < N_TOKENS * 12; i++) assert_true(fabsf(dhidden[i] - s.of[STUDENT].dhidden[i]) < 1e-5f);
    free(dhidden);
    free(grads);
    setting_free(&s);
}

/* ---- a tree: every node below DEPTH is a state, its children the states after each action ---- */

enum { DEPTH = 4, ACTIONS = 3, STATES = 1 + 3 + 9 + 27, WIDTH = 8, TRAJECTORIES = 81 };

struct tree {
    double pi[STATES][ACTIONS], expert[STATES][ACTIONS], q[STATES][ACTIONS];
    double v[STATES]; /* V_E */
};

static int child(int state, int action) { return ACTIONS * state + 1 + action; }

/* J(policy, r) = sum over trajectories of their probability times r(tau) = V_E(s_1) + sum_h A_Q(s_h, a_h); with
 * per_step, sum_h [V_E(s_h) - Q(s_h, a_h)] takes the place of r. */
static double expectation(const struct tree *t, const double policy[][ACTIONS], bool per_step) {
    double sum = 0;
    for (int tau = 0; tau < TRAJECTORIES; tau++) {
        double p = 1, r = per_step ? 0 : t->v[0];
        for (int h = 0, state = 0, rest = tau; h < DEPTH; h++, rest /= ACTIONS) {
            const int a = rest % ACTIONS;
            p *= policy[state][a];
            r += per_step ? t->v[state] - t->q[state][a] : t->q[state][a] - t->v[state];
            state = child(state, a);
        }
        sum += p * r;
    }
    return sum;
}

/* Rewards of single steps r(s,a) = Q(s,a) - V_E(s'), V_E = 0 at the end, telescope to V_E(s_1) + sum_h A_Q(s_h, a_h).
 */
static void check_telescoping(const struct tree *t) {
    for (int tau = 0; tau < TRAJECTORIES; tau++) {
        double steps = 0, induced = t->v[0];
        for (int h = 0, state = 0, rest = tau; h < DEPTH; h++, rest /= ACTIONS) {
            const int a = rest % ACTIONS, next = child(state, a);
            steps += t->q[state][a] - (h + 1 < DEPTH ? t->v[next] : 0);
            induced += t->q[state][a] - t->v[state];
            state = next;
        }
        assert_true(fabs(steps - induced) < 1e-12);
    }
}

/* The three players at the tree's states: row s of their hidden states is state s. */
struct tree_models {
    struct model *m[PLAYERS];
    float hidden[PLAYERS][STATES * WIDTH];
    int row[STATES];
    struct head_rows rows[PLAYERS];
};

static void tree_new(struct tree_models *g, struct tree *t) {
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = ACTIONS;
    c.d_model = WIDTH;
    c.tied = false;
    for (int k = 0; k < PLAYERS; k++) {
        g->m[k] = fixture_model(&c, 61 + (uint64_t)k);
        for (int i = 0; i < STATES * WIDTH; i++)
            g->hidden[k][i] = (float)rng_normal(6, RNG_TEST, (uint64_t)k, (uint64_t)i);
        g->rows[k] = (struct head_rows){.hidden = g->hidden[k], .row = g->row, .n = STATES};
    }
    for (int s = 0; s < STATES; s++) {
        double l[PLAYERS][ACTIONS];
        for (int k = 0; k < PLAYERS; k++) {
            double *params = fixture_doubles(g->m[k]->params, g->m[k]->n_params);
            double *h = fixture_doubles(g->hidden[k] + s * WIDTH, WIDTH);
            reference_log_softmax(g->m[k], params, h, l[k]);
            free(params);
            free(h);
        }
        g->row[s] = s;
        t->v[s] = reference_values(l[STUDENT], l[EXPERT], l[CRITIC], ACTIONS, t->q[s]).v_expert;
        for (int a = 0; a < ACTIONS; a++) {
            t->pi[s][a] = exp(l[STUDENT][a]);
            t->expert[s][a] = exp(l[EXPERT][a]);
        }
    }
}

/* Performance difference: J(pi_E, r) - J(pi, r) = E_{tau ~ pi} sum_h [V_E(s_h) - Q(s_h, a_h)], in double to 1e-12; and
 * the engine's moments, weighted by how often the student comes to each state, give the same gap. */
static void test_identities_on_a_tree(void **state) {
    (void)state;
    struct tree_models *g = calloc(1, sizeof *g);
    struct tree t;
    tree_new(g, &t);
    const double gap = expectation(&t, t.expert, false) - expectation(&t, t.pi, false);
    assert_true(fabs(expectation(&t, t.pi, true) - gap) < 1e-12);
    assert_true(fabs(expectation(&t, t.expert, false) - t.v[0]) < 1e-12);
    assert_true(fabs(gap) > 0.01);
    check_telescoping(&t);

    double visits[STATES] = {1};
    float weight[STATES], mo[STATES];
    for (int s = 0; s < STATES; s++) {
        weight[s] = (float)visits[s];
        for (int a = 0; a < ACTIONS && child(s, a) < STATES; a++) visits[child(s, a)] = visits[s] * t.pi[s][a];
    }
    const struct moment_models m = {g->m[STUDENT],    g->m[EXPERT],     g->m[CRITIC], &g->rows[STUDENT],
                                    &g->rows[EXPERT], &g->rows[CRITIC], BOUND};
    struct head_space *space = head_space_new();
    float *grads = calloc(g->m[STUDENT]->n_params, sizeof *grads), *dhidden = calloc(STATES * WIDTH, sizeof *dhidden);
    double sum = 0, loss;
    assert_true(moment_measure(&m, space, &(struct moment_out){.moment = mo}, NULL));
    for (int s = 0; s < STATES; s++) sum += visits[s] * (double)mo[s];
    assert_true(fabs(sum - gap) < 1e-5);
    assert_true(moment_student_backward(&m, weight, space, &loss, dhidden, grads, NULL));
    assert_true(fabs(loss - gap) < 1e-5);
    free(grads);
    free(dhidden);
    head_space_free(space);
    for (int k = 0; k < PLAYERS; k++) model_free(g->m[k]);
    free(g);
}

/* ---- extreme logits, bad input ---- */

/* At the hidden state (1, 0, ...) token 5 has logit top, token 6 -top, the others 0. */
static struct model *certain_model(float top) {
    const float z[VOCAB] = {[5] = top, [6] = -top};
    return fixture_model_of_logits(z);
}

/* The critic is certain of token 5, the expert as well, the student of token 6, 2e4 nats away. */
static void test_extreme_logits(void **state) {
    (void)state;
    struct model *yes = certain_model(1e4f), *no = certain_model(-1e4f);
    float hidden[12] = {1.0f}, ve, vpi, qt, mo, dhidden[12] = {0}, one = 1.0f;
    const int row = 0;
    const int32_t target = 6;
    const struct head_rows r = {.hidden = hidden, .row = &row, .target = &target, .n = 1};
    struct moment_models m = {no, yes, yes, &r, &r, &r, BOUND};
    struct head_space *s = head_space_new();
    float *grads = calloc(yes->n_params, sizeof *grads);
    double value, loss;
    assert_true(moment_measure(&m, s, &(struct moment_out){&ve, &vpi, &qt, &mo}, NULL));
    assert_true(fabsf(ve) < 1e-6f && fabsf(vpi + BOUND) < 1e-6f && fabsf(qt + BOUND) < 1e-6f);
    assert_true(fabsf(mo - BOUND) < 1e-6f);
    assert_true(moment_critic_backward(&m, &one, &one, s, &value, dhidden, grads, NULL));
    assert_true(fabs(value) < 1e-5); /* the moment, R, and A_Q of token 6, -R */
    assert_true(moment_student_backward(&m, &one, s, &loss, dhidden, grads, NULL));
    assert_true(fabs(loss - (double)BOUND) < 1e-5);
    for (int i = 0; i < 12; i++) assert_true(isfinite(dhidden[i]));
    for (size_t i = 0; i < yes->n_params; i++) assert_true(isfinite(grads[i]));
    no->params[no->head] = NAN; /* what is not finite is not hidden */
    assert_true(moment_measure(&m, s, &(struct moment_out){&ve, &vpi, &qt, &mo}, NULL));
    assert_true(isnan(mo) && isnan(vpi) && !isnan(ve));
    assert_true(moment_student_backward(&m, &one, s, &loss, dhidden, grads, NULL));
    assert_true(isnan(loss) && isnan(dhidden[0]));
    free(grads);
    head_space_free(s);
    model_free(yes);
    model_free(no);
}

static void expect_error(const struct moment_models *m, struct setting *s, const char *part) {
    struct err e[3] = {{{0}}, {{0}}, {{0}}};
    float mo[N_ROWS], qt[N_ROWS];
    struct fixture_pass *student = &s->of[STUDENT], *critic = &s->of[CRITIC];
    assert_false(moment_measure(m, critic->space, &(struct moment_out){.moment = mo, .q_target = qt}, &e[0]));
    assert_false(moment_critic_backward(m, s->r.weight, s->r.other_weight, critic->space, NULL, critic->dhidden,
                                        critic->grads, &e[1]));
    assert_false(
        moment_student_backward(m, s->r.weight, student->space, NULL, student->dhidden, student->grads, &e[2]));
    for (int i = 0; i < 3; i++)
        if (!strstr(e[i].msg, part)) fail_msg("'%s' does not say '%s'", e[i].msg, part);
}

static void test_bad_input(void **state) {
    (void)state;
    struct setting s;
    setting_new(&s, true);
    const struct moment_models good = models_of(&s);
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = VOCAB + 1;
    struct model *other = fixture_model(&c, 1);
    struct moment_models m = good;
    m.expert = other;
    expect_error(&m, &s, "vocabularies differ: critic 29, expert 30");
    m = good;
    m.student = other;
    expect_error(&m, &s, "student 30");
    struct head_rows fewer = s.of[EXPERT].rows;
    fewer.n = N_ROWS - 1;
    m = good;
    m.expert_rows = &fewer;
    expect_error(&m, &s, "row counts differ: critic 9, expert 8");
    m = good;
    m.student_rows = &fewer;
    expect_error(&m, &s, "student 8");
    const float bounds[] = {0.0f, -1.0f, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        m = good;
        m.bound = bounds[i];
        expect_error(&m, &s, "bound");
    }
    m = good;
    m.critic = NULL;
    expect_error(&m, &s, "critic is missing");
    m = good;
    m.student = NULL;
    expect_error(&m, &s, "student is missing");
    struct err e = {{0}};
    float out[N_ROWS];
    m = good;
    m.expert = NULL;
    assert_false(moment_measure(&m, s.of[CRITIC].space, &(struct moment_out){.v_expert = out}, &e));
    assert_non_null(strstr(e.msg, "expert is missing"));
    s.r.row[2] = -1;
    expect_error(&good, &s, "negative");
    s.r.row[2] = 16;
    s.r.target[3] = VOCAB;
    assert_false(moment_critic_backward(&good, NULL, s.r.other_weight, s.of[CRITIC].space, NULL, s.of[CRITIC].dhidden,
                                        s.of[CRITIC].grads, &e));
    assert_non_null(strstr(e.msg, "outside the vocabulary"));
    model_free(other);
    setting_free(&s);
}

/* ---- more rows than a chunk ---- */

enum { MANY = 300, WORDS = 5003, DIM = 16 };

struct run {
    float ve[MANY], vpi[MANY], qt[MANY], mo[MANY], dcritic[MANY * DIM], dstudent[MANY * DIM];
    double value, loss;
    float *critic_grads, *student_grads;
};

static void run_once(const struct moment_models *m, const float *weight, int threads, struct run *r) {
    struct head_space *s = head_space_new();
    r->critic_grads = calloc(m->critic->n_params, sizeof *r->critic_grads);
    r->student_grads = calloc(m->student->n_params, sizeof *r->student_grads);
    parallel_init(threads);
    assert_true(moment_measure(m, s, &(struct moment_out){r->ve, r->vpi, r->qt, r->mo}, NULL));
    assert_true(moment_critic_backward(m, weight, weight, s, &r->value, r->dcritic, r->critic_grads, NULL));
    assert_true(moment_student_backward(m, weight, s, &r->loss, r->dstudent, r->student_grads, NULL));
    parallel_shutdown();
    head_space_free(s);
}

/* Rows on both sides of the chunk boundary against the reference; the sums are those of the rows. */
static void check_many(const struct moment_models *m, const float *weight, const struct run *r) {
    const struct model *of[PLAYERS] = {m->student, m->expert, m->critic};
    double *h = fixture_doubles(m->critic_rows->hidden, (size_t)MANY * DIM), *q = calloc(WORDS, sizeof *q);
    double *params[PLAYERS], *l[PLAYERS], value = 0, loss = 0;
    for (int k = 0; k < PLAYERS; k++) {
        params[k] = fixture_doubles(of[k]->params, of[k]->n_params);
        l[k] = calloc(WORDS, sizeof *l[k]);
    }
    const int rows[] = {0, 1, 100, 254, 255, 256, 257, 299};
    for (int i = 0; i < 8; i++) {
        const int at = rows[i];
        for (int k = 0; k < PLAYERS; k++)
            reference_log_softmax(of[k], params[k], h + (size_t)m->critic_rows->row[at] * DIM, l[k]);
        const struct values v = reference_values(l[STUDENT], l[EXPERT], l[CRITIC], WORDS, q);
        assert_true(fabs((double)r->ve[at] - v.v_expert) < 2e-5);
        assert_true(fabs((double)r->vpi[at] - v.v_student) < 2e-5);
        assert_true(fabs((double)r->mo[at] - (v.v_expert - v.v_student)) < 2e-5);
        assert_true(fabs((double)r->qt[at] - q[m->critic_rows->target[at]]) < 2e-5);
    }
    for (int i = 0; i < MANY; i++) {
        loss += (double)weight[i] * (double)r->mo[i];
        value += (double)weight[i] * (double)(r->mo[i] + (r->qt[i] - r->ve[i]));
    }
    assert_true(fabs(loss - r->loss) < 1e-5 && fabs(value - r->value) < 1e-5);
    for (int k = 0; k < PLAYERS; k++) {
        free(params[k]);
        free(l[k]);
    }
    free(h);
    free(q);
}

/* A vocabulary that is no multiple of the vector width; 1, 2 and 4 threads. */
static void test_chunks_and_threads(void **state) {
    (void)state;
    struct model_config c = FIXTURE_SMALL;
    c.n_vocab = WORDS;
    c.d_model = DIM;
    struct model *of[PLAYERS];
    for (int k = 0; k < PLAYERS; k++) of[k] = fixture_model(&c, 51 + (uint64_t)k);
    struct fixture_many f;
    fixture_many(&f, MANY, WORDS, DIM, 0.5f);
    const struct moment_models m = {of[STUDENT], of[EXPERT], of[CRITIC], &f.rows, &f.rows, &f.rows, BOUND};
    struct run *r = calloc(3, sizeof *r);
    const size_t grads = m.critic->n_params * sizeof(float);
    for (int k = 0; k < 3; k++) {
        run_once(&m, f.weight, 1 << k, &r[k]);
        assert_memory_equal(&r[0], &r[k], offsetof(struct run, critic_grads));
        assert_memory_equal(r[0].critic_grads, r[k].critic_grads, grads);
        assert_memory_equal(r[0].student_grads, r[k].student_grads, grads);
    }
    check_many(&m, f.weight, &r[0]);
    for (int k = 0; k < 3; k++) {
        free(r[k].critic_grads);
        free(r[k].student_grads);
        model_free(of[k]);
    }
    free(r);
    fixture_many_free(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_critic_gradient),
        cmocka_unit_test(test_student_gradient),
        cmocka_unit_test(test_equal_policies),
        cmocka_unit_test(test_black_box_is_a_special_case),
        cmocka_unit_test(test_identities_on_a_tree),
        cmocka_unit_test(test_extreme_logits),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_chunks_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
