/* Divergences between two models: see divergence.h. This file cuts the rows into chunks, as head_exact.c does, and says
 * what each divergence is made of; divergence_row.c does the sums over the vocabulary. q is side 0 of the scratch,
 * because gradients leave from there. */
#include "engine/model/divergence.h"

#include "engine/math/parallel.h"
#include "engine/model/divergence_row.h"
#include "engine/model/head_internal.h"

/* Shares of a mixture below this are refused: floats would no longer tell them from 0. */
static const float MIN_SHARE = 1e-6f;

static bool share_inside(float c) { return c >= MIN_SHARE && c <= 1.0f - MIN_SHARE; }

static bool check_coef(enum divergence kind, float c, struct err *e) {
    if (kind == DIVERGENCE_JSD && !share_inside(c))
        return err_set(e, "divergence: jsd needs a coefficient between %g and 1 - %g, found %g", (double)MIN_SHARE,
                       (double)MIN_SHARE, (double)c);
    if ((kind == DIVERGENCE_SKEW_KL || kind == DIVERGENCE_SKEW_RKL) && c != 0.0f && !share_inside(c))
        return err_set(e, "divergence: a skew needs a coefficient of 0 or between %g and 1 - %g, found %g",
                       (double)MIN_SHARE, (double)MIN_SHARE, (double)c);
    return true;
}

static bool check_pair(const struct divergence_pair *pair, bool targets, struct err *e) {
    if (pair->p->cfg.n_vocab != pair->q->cfg.n_vocab)
        return err_set(e, "divergence: vocabularies differ: p has %d tokens, q has %d", pair->p->cfg.n_vocab,
                       pair->q->cfg.n_vocab);
    if (pair->p_rows->n != pair->q_rows->n)
        return err_set(e, "divergence: row counts differ: p has %d, q has %d", pair->p_rows->n, pair->q_rows->n);
    return head_check_rows(pair->p, pair->p_rows, false, e) && head_check_rows(pair->q, pair->q_rows, targets, e);
}

/* What enters and how much of it; the side that does not enter keeps the weights of a plain KL. */
static struct divergence_mix mix_of(enum divergence kind, float c) {
    struct divergence_mix m = {.p_other = 1.0f, .q_other = 1.0f};
    switch (kind) {
    case DIVERGENCE_FKL: m.to_p = 1.0f; break;
    case DIVERGENCE_RKL: m.to_q = 1.0f; break;
    case DIVERGENCE_JSD:
        m = (struct divergence_mix){
            .to_p = c, .p_own = c, .p_other = 1.0f - c, .to_q = 1.0f - c, .q_own = 1.0f - c, .q_other = c};
        break;
    case DIVERGENCE_SKEW_KL:
        m.to_p = 1.0f;
        m.p_own = c;
        m.p_other = 1.0f - c;
        break;
    case DIVERGENCE_SKEW_RKL:
        m.to_q = 1.0f;
        m.q_own = c;
        m.q_other = 1.0f - c;
        break;
    case DIVERGENCE_TV:
    default: m.to_tv = 1.0f; break;
    }
    return m;
}

struct pair_job {
    const float *zp; /* [n, n_vocab] logits of p */
    float *zq;       /* logits of q; backward: turned into dlogits */
    int n_vocab;
    /* measure */
    const struct divergence_out *out;
    const int32_t *target;
    int first; /* index in out of the chunk's first row */
    float jsd_coef, skew_coef;
    /* backward */
    struct divergence_mix mix;
    const float *weight;
    double value[HEAD_MAX_ROWS];
};

/* The logits of rows [first, first + n) under both models. */
static bool make_logits(struct pair_job *j, const struct divergence_pair *pair, int first, int n, struct head_space *s,
                        struct err *e) {
    return (j->zq = head_logits(pair->q, pair->q_rows, first, n, s, 0, e)) &&
           (j->zp = head_logits(pair->p, pair->p_rows, first, n, s, 1, e));
}

static void put(float *to, int i, double value) {
    if (to) to[i] = (float)value;
}

static void measure_rows(void *ctx, int begin, int end) {
    const struct pair_job *j = ctx;
    const struct divergence_out *o = j->out;
    const int n = j->n_vocab;
    for (int r = begin; r < end; r++) {
        const float *zp = j->zp + (size_t)r * (size_t)n, *zq = j->zq + (size_t)r * (size_t)n;
        const struct divergence_norm np = divergence_normalise(zp, n), nq = divergence_normalise(zq, n);
        const int i = j->first + r;
        if (o->log_prob_p) o->log_prob_p[i] = (float)((double)zp[j->target[r]] - (double)np.top - np.log_sum);
        if (o->log_prob_q) o->log_prob_q[i] = (float)((double)zq[j->target[r]] - (double)nq.top - nq.log_sum);
        struct divergence_sums s = divergence_sum_row(zp, zq, n, np, nq, mix_of(DIVERGENCE_FKL, 0.0f));
        put(o->entropy_p, i, s.entropy_p);
        put(o->entropy_q, i, s.entropy_q);
        put(o->value[DIVERGENCE_FKL], i, s.kl_p);
        put(o->value[DIVERGENCE_RKL], i, s.kl_q);
        put(o->value[DIVERGENCE_TV], i, s.tv);
        if (o->value[DIVERGENCE_JSD]) {
            const struct divergence_mix m = mix_of(DIVERGENCE_JSD, j->jsd_coef);
            s = divergence_sum_row(zp, zq, n, np, nq, m);
            put(o->value[DIVERGENCE_JSD], i, (double)m.to_p * s.kl_p + (double)m.to_q * s.kl_q);
        }
        if (o->value[DIVERGENCE_SKEW_KL] || o->value[DIVERGENCE_SKEW_RKL]) {
            struct divergence_mix m = mix_of(DIVERGENCE_SKEW_KL, j->skew_coef);
            m.q_own = m.p_own;
            m.q_other = m.p_other;
            s = divergence_sum_row(zp, zq, n, np, nq, m);
            put(o->value[DIVERGENCE_SKEW_KL], i, s.kl_p);
            put(o->value[DIVERGENCE_SKEW_RKL], i, s.kl_q);
        }
    }
}

bool divergence_measure(const struct divergence_pair *pair, float jsd_coef, float skew_coef, struct head_space *s,
                        const struct divergence_out *out, struct err *e) {
    const bool targets = out->log_prob_p || out->log_prob_q;
    const bool skew = out->value[DIVERGENCE_SKEW_KL] || out->value[DIVERGENCE_SKEW_RKL];
    if (!check_pair(pair, targets, e)) return false;
    if (out->value[DIVERGENCE_JSD] && !check_coef(DIVERGENCE_JSD, jsd_coef, e)) return false;
    if (skew && !check_coef(DIVERGENCE_SKEW_KL, skew_coef, e)) return false;
    const int total = pair->q_rows->n, step = head_chunk_rows(pair->q->cfg.n_vocab);
    for (int first = 0; first < total; first += step) {
        const int n = total - first < step ? total - first : step;
        struct pair_job j = {.n_vocab = pair->q->cfg.n_vocab,
                             .out = out,
                             .target = targets ? pair->q_rows->target + first : NULL,
                             .first = first,
                             .jsd_coef = jsd_coef,
                             .skew_coef = skew_coef};
        if (!make_logits(&j, pair, first, n, s, e)) return false;
        parallel_ranges(n, head_grain(j.n_vocab), measure_rows, &j);
    }
    return true;
}

static void backward_rows(void *ctx, int begin, int end) {
    struct pair_job *j = ctx;
    const int n = j->n_vocab;
    for (int r = begin; r < end; r++) {
        const float *zp = j->zp + (size_t)r * (size_t)n;
        float *zq = j->zq + (size_t)r * (size_t)n;
        const struct divergence_norm np = divergence_normalise(zp, n), nq = divergence_normalise(zq, n);
        const struct divergence_sums s = divergence_sum_row(zp, zq, n, np, nq, j->mix);
        const struct divergence_mix m = j->mix;
        j->value[r] = (double)m.to_p * s.kl_p + (double)m.to_q * s.kl_q + (double)m.to_tv * s.tv;
        divergence_gradient_row(zp, zq, n, np, nq, m, (float)s.slope, j->weight[r]);
    }
}

bool divergence_backward(const struct divergence_pair *pair, enum divergence kind, float coef, const float *weight,
                         struct head_space *s, double *loss, float *value, float *dhidden, float *grads,
                         struct err *e) {
    if (!check_pair(pair, false, e) || !check_coef(kind, coef, e)) return false;
    const int total = pair->q_rows->n, step = head_chunk_rows(pair->q->cfg.n_vocab);
    double sum = 0;
    for (int first = 0; first < total; first += step) {
        const int n = total - first < step ? total - first : step;
        struct pair_job j = {.n_vocab = pair->q->cfg.n_vocab, .mix = mix_of(kind, coef), .weight = weight + first};
        if (!make_logits(&j, pair, first, n, s, e)) return false;
        parallel_ranges(n, head_grain(j.n_vocab), backward_rows, &j);
        for (int i = 0; i < n; i++) {
            sum += (double)weight[first + i] * j.value[i];
            put(value, first + i, j.value[i]);
        }
        if (!head_push_gradient(pair->q, pair->q_rows, first, n, j.zq, s, dhidden, grads, e)) return false;
    }
    if (loss) *loss = sum;
    return true;
}
