/* White-box moments: see moment.h. Chunks of rows as in head_exact.c.
 *
 * With l = log softmax z of the critic, b = softmax z, Q_a = R tanh(l_a / R), t_a = dQ_a/dl_a = 1 - (Q_a/R)^2, and
 * c_a the factor of Q_a in the objective, c_a = game (pi_E - pi)_a + chosen ([a = target] - pi_E(a)):
 *     dvalue/dz_k = c_k t_k - b_k sum_a c_a t_a
 * To the student, whose logits are x:
 *     dloss/dx_k = -weight pi_k (A_Q(k) - sum_a pi_a A_Q(a)) = -weight pi_k (Q_k - V_pi)
 * The model that gradients go to is side 0 of the scratch, because they leave from there. A model that is not needed
 * is replaced by one that is: the sums then hold numbers that nobody reads. */
#include "engine/model/moment.h"

#include <math.h>

#include "engine/math/kernels.h"
#include "engine/math/parallel.h"
#include "engine/math/simd.h"
#include "engine/model/head_internal.h"

/* softmax z = exp(z - top) * scale; log softmax z = (z - top) - log_sum. */
struct norm {
    float top, scale, log_sum;
};

static struct norm normalise(const float *z, int n) {
    const float top = row_max(z, n);
    const double sum = row_sum_exp(z, n, top);
    return (struct norm){.top = top, .scale = (float)(1.0 / sum), .log_sum = (float)log(sum)};
}

struct row_norms {
    struct norm expert, student, critic;
};

struct row_sums {
    double v_expert, v_student, moment;
    double slope; /* sum_a c_a t_a without the target's own share */
};

/* Partial sums over lanes, the values still without the factor R. */
struct lane_sums {
    float v_expert[SIMD_LANES], v_student[SIMD_LANES], moment[SIMD_LANES], slope[SIMD_LANES];
};

struct action {
    float expert, student; /* probabilities */
    float th, t;           /* Q/R and dQ/dl */
};

SIMD_INLINE struct action action_at(float ze, float zs, float zc, const struct row_norms *k, float inv_bound) {
    const float th = simd_tanh(((zc - k->critic.top) - k->critic.log_sum) * inv_bound);
    return (struct action){.expert = simd_exp(ze - k->expert.top) * k->expert.scale,
                           .student = simd_exp(zs - k->student.top) * k->student.scale,
                           .th = th,
                           .t = 1.0f - th * th};
}

SIMD_INLINE void add_action(struct lane_sums *s, int j, struct action a, float game, float chosen) {
    const float apart = a.expert - a.student;
    s->v_expert[j] += a.expert * a.th;
    s->v_student[j] += a.student * a.th;
    s->moment[j] += apart * a.th;
    s->slope[j] += (game * apart - chosen * a.expert) * a.t;
}

SIMD_CLONES static struct row_sums sum_row(const float *ze, const float *zs, const float *zc, int n, struct row_norms k,
                                           float bound, float game, float chosen) {
    const float inv = 1.0f / bound;
    struct row_sums out = {0};
    for (int i = 0; i < n;) {
        const int stop = n - i > 1024 ? i + 1024 : n;
        struct lane_sums lane = {0};
        for (; i + SIMD_LANES <= stop; i += SIMD_LANES)
            for (int j = 0; j < SIMD_LANES; j++)
                add_action(&lane, j, action_at(ze[i + j], zs[i + j], zc[i + j], &k, inv), game, chosen);
        for (; i < stop; i++) add_action(&lane, 0, action_at(ze[i], zs[i], zc[i], &k, inv), game, chosen);
        out.v_expert += (double)bound * (double)simd_lane_sum(lane.v_expert);
        out.v_student += (double)bound * (double)simd_lane_sum(lane.v_student);
        out.moment += (double)bound * (double)simd_lane_sum(lane.moment);
        out.slope += (double)simd_lane_sum(lane.slope);
    }
    return out;
}

/* z_k = c_k t_k - b_k slope, without the target's own c t. */
SIMD_CLONES static void critic_gradient_row(const float *ze, const float *zs, float *zc, int n, struct row_norms k,
                                            float bound, float game, float chosen, float slope) {
    const float inv = 1.0f / bound;
    for (int i = 0; i < n; i++) {
        const struct action a = action_at(ze[i], zs[i], zc[i], &k, inv);
        const float b = simd_exp(zc[i] - k.critic.top) * k.critic.scale;
        zc[i] = (game * (a.expert - a.student) - chosen * a.expert) * a.t - b * slope;
    }
}

/* z_k = -w pi_k (Q_k - V_pi) */
SIMD_CLONES static void student_gradient_row(float *zs, const float *zc, int n, struct row_norms k, float bound,
                                             float v_student, float w) {
    const float inv = 1.0f / bound;
    for (int i = 0; i < n; i++) {
        const struct action a = action_at(zs[i], zs[i], zc[i], &k, inv);
        zs[i] = w * a.student * (v_student - bound * a.th);
    }
}

struct moment_job {
    float *ze, *zs, *zc; /* [n, n_vocab] logits */
    int n_vocab;
    float bound;
    const int32_t *target;       /* NULL: none is needed */
    const float *game, *chosen;  /* critic backward */
    const float *weight;         /* student backward */
    const struct moment_out *to; /* measure */
    int first;                   /* index in `to` of the chunk's first row */
    double value[HEAD_MAX_ROWS]; /* of each row's part of the objective */
};

/* Q(target)/R. */
static float tanh_of_target(const struct moment_job *j, const float *zc, struct norm k, int row) {
    return tanhf(((zc[j->target[row]] - k.top) - k.log_sum) / j->bound);
}

static void measure_rows(void *ctx, int begin, int end) {
    const struct moment_job *j = ctx;
    const int n = j->n_vocab;
    for (int r = begin; r < end; r++) {
        const size_t at = (size_t)r * (size_t)n;
        const float *ze = j->ze + at, *zs = j->zs + at, *zc = j->zc + at;
        const struct row_norms k = {normalise(ze, n), normalise(zs, n), normalise(zc, n)};
        const struct row_sums s = sum_row(ze, zs, zc, n, k, j->bound, 0.0f, 0.0f);
        const int i = j->first + r;
        if (j->to->v_expert) j->to->v_expert[i] = (float)s.v_expert;
        if (j->to->v_student) j->to->v_student[i] = (float)s.v_student;
        if (j->to->moment) j->to->moment[i] = (float)s.moment;
        if (j->to->q_target) j->to->q_target[i] = j->bound * tanh_of_target(j, zc, k.critic, r);
    }
}

static void critic_rows(void *ctx, int begin, int end) {
    struct moment_job *j = ctx;
    const int n = j->n_vocab;
    for (int r = begin; r < end; r++) {
        const size_t at = (size_t)r * (size_t)n;
        const float *ze = j->ze + at, *zs = j->zs + at;
        float *zc = j->zc + at;
        const float game = j->game ? j->game[r] : 0.0f, chosen = j->chosen ? j->chosen[r] : 0.0f;
        const struct row_norms k = {normalise(ze, n), normalise(zs, n), normalise(zc, n)};
        const struct row_sums s = sum_row(ze, zs, zc, n, k, j->bound, game, chosen);
        const float th = j->chosen ? tanh_of_target(j, zc, k.critic, r) : 0.0f;
        const float own = chosen * (1.0f - th * th);
        j->value[r] = (double)game * s.moment + (double)chosen * ((double)(j->bound * th) - s.v_expert);
        critic_gradient_row(ze, zs, zc, n, k, j->bound, game, chosen, (float)(s.slope + (double)own));
        if (j->chosen) zc[j->target[r]] += own;
    }
}

static void student_rows(void *ctx, int begin, int end) {
    struct moment_job *j = ctx;
    const int n = j->n_vocab;
    for (int r = begin; r < end; r++) {
        const size_t at = (size_t)r * (size_t)n;
        const float *ze = j->ze + at, *zc = j->zc + at;
        float *zs = j->zs + at;
        const struct row_norms k = {normalise(ze, n), normalise(zs, n), normalise(zc, n)};
        const struct row_sums s = sum_row(ze, zs, zc, n, k, j->bound, 0.0f, 0.0f);
        j->value[r] = (double)j->weight[r] * (j->ze == j->zs ? -s.v_student : s.moment);
        student_gradient_row(zs, zc, n, k, j->bound, (float)s.v_student, j->weight[r]);
    }
}

/* Which of the models a function needs, the critic always; with targets or without. */
static bool check(const struct moment_models *m, bool expert, bool student, bool targets, struct err *e) {
    if (!(m->bound > 0.0f) || !isfinite(m->bound))
        return err_set(e, "moment: the bound of Q must be above 0, found %g", (double)m->bound);
    if (!m->critic || (expert && !m->expert) || (student && !m->student))
        return err_set(e, "moment: the %s is missing",
                       !m->critic             ? "critic"
                       : expert && !m->expert ? "expert"
                                              : "student");
    const int vocab = m->critic->cfg.n_vocab, n = m->critic_rows->n;
    const int vocab_e = expert ? m->expert->cfg.n_vocab : vocab, vocab_s = student ? m->student->cfg.n_vocab : vocab;
    if (vocab_e != vocab || vocab_s != vocab)
        return err_set(e, "moment: vocabularies differ: critic %d, expert %d, student %d", vocab, vocab_e, vocab_s);
    const int n_e = expert ? m->expert_rows->n : n, n_s = student ? m->student_rows->n : n;
    if (n_e != n || n_s != n)
        return err_set(e, "moment: row counts differ: critic %d, expert %d, student %d", n, n_e, n_s);
    return head_check_rows(m->critic, m->critic_rows, targets, e) &&
           (!expert || head_check_rows(m->expert, m->expert_rows, false, e)) &&
           (!student || head_check_rows(m->student, m->student_rows, false, e));
}

/* Side of the scratch for each model; ABSENT: not needed, at most one of expert and student. */
enum { ABSENT = -1 };
struct sides {
    int expert, student, critic;
};

/* Logits of rows [first, first + n) under the models that are needed. */
static bool make_logits(struct moment_job *j, const struct moment_models *m, struct sides on, int first, int n,
                        struct head_space *s, struct err *e) {
    if (!(j->zc = head_logits(m->critic, m->critic_rows, first, n, s, on.critic, e))) return false;
    if (on.expert != ABSENT && !(j->ze = head_logits(m->expert, m->expert_rows, first, n, s, on.expert, e)))
        return false;
    if (on.student != ABSENT && !(j->zs = head_logits(m->student, m->student_rows, first, n, s, on.student, e)))
        return false;
    if (on.expert == ABSENT) j->ze = j->zs;
    if (on.student == ABSENT) j->zs = j->ze;
    return true;
}

bool moment_measure(const struct moment_models *m, struct head_space *s, const struct moment_out *out, struct err *e) {
    const bool student = out->v_student || out->moment, targets = out->q_target != NULL;
    if (!check(m, true, student, targets, e)) return false;
    const struct sides on = {.critic = 0, .expert = 1, .student = student ? 2 : ABSENT};
    const int total = m->critic_rows->n, step = head_chunk_rows(m->critic->cfg.n_vocab);
    for (int first = 0; first < total; first += step) {
        const int n = total - first < step ? total - first : step;
        struct moment_job j = {.n_vocab = m->critic->cfg.n_vocab,
                               .bound = m->bound,
                               .target = targets ? m->critic_rows->target + first : NULL,
                               .to = out,
                               .first = first};
        if (!make_logits(&j, m, on, first, n, s, e)) return false;
        parallel_ranges(n, head_grain(j.n_vocab), measure_rows, &j);
    }
    return true;
}

bool moment_critic_backward(const struct moment_models *m, const float *game, const float *chosen, struct head_space *s,
                            double *value, float *dhidden, float *grads, struct err *e) {
    if (!check(m, true, game != NULL, chosen != NULL, e)) return false;
    const struct sides on = {.critic = 0, .expert = 1, .student = game ? 2 : ABSENT};
    const int total = m->critic_rows->n, step = head_chunk_rows(m->critic->cfg.n_vocab);
    double sum = 0;
    for (int first = 0; first < total; first += step) {
        const int n = total - first < step ? total - first : step;
        struct moment_job j = {.n_vocab = m->critic->cfg.n_vocab,
                               .bound = m->bound,
                               .target = chosen ? m->critic_rows->target + first : NULL,
                               .game = game ? game + first : NULL,
                               .chosen = chosen ? chosen + first : NULL};
        if (!make_logits(&j, m, on, first, n, s, e)) return false;
        parallel_ranges(n, head_grain(j.n_vocab), critic_rows, &j);
        for (int i = 0; i < n; i++) sum += j.value[i];
        if (!head_push_gradient(m->critic, m->critic_rows, first, n, j.zc, s, dhidden, grads, e)) return false;
    }
    if (value) *value = sum;
    return true;
}

bool moment_student_backward(const struct moment_models *m, const float *weight, struct head_space *s, double *loss,
                             float *dhidden, float *grads, struct err *e) {
    if (!check(m, m->expert != NULL, true, false, e)) return false;
    const struct sides on = {.student = 0, .critic = 1, .expert = m->expert ? 2 : ABSENT};
    const int total = m->student_rows->n, step = head_chunk_rows(m->student->cfg.n_vocab);
    double sum = 0;
    for (int first = 0; first < total; first += step) {
        const int n = total - first < step ? total - first : step;
        struct moment_job j = {.n_vocab = m->student->cfg.n_vocab, .bound = m->bound, .weight = weight + first};
        if (!make_logits(&j, m, on, first, n, s, e)) return false;
        parallel_ranges(n, head_grain(j.n_vocab), student_rows, &j);
        for (int i = 0; i < n; i++) sum += j.value[i];
        if (!head_push_gradient(m->student, m->student_rows, first, n, j.zs, s, dhidden, grads, e)) return false;
    }
    if (loss) *loss = sum;
    return true;
}
