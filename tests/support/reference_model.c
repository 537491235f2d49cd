/* A naive double-precision transformer: see reference_model.h. Speed is no aim. */
#include "tests/support/reference_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/model/architecture.h"

/* y[rows] = w[rows, cols] x */
static void matvec(double *y, const double *w, const double *x, int rows, int cols) {
    for (int r = 0; r < rows; r++) {
        y[r] = 0;
        for (int c = 0; c < cols; c++) y[r] += w[(size_t)r * (size_t)cols + (size_t)c] * x[c];
    }
}

static void add(double *y, const double *b, int n) {
    for (int i = 0; i < n; i++) y[i] += b[i];
}

static void rms_norm(double *y, const double *x, const double *w, int d, double eps) {
    double mean = 0;
    for (int i = 0; i < d; i++) mean += x[i] * x[i] / d;
    for (int i = 0; i < d; i++) y[i] = x[i] / sqrt(mean + eps) * w[i];
}

static void rotate(double *x, int head_dim, int pos, double base) {
    for (int j = 0; j < head_dim / 2; j++) {
        /* The angle is an f32 product by convention (it is how the published models were trained). */
        const float freq = 1.0f / powf((float)base, 2.0f * (float)j / (float)head_dim);
        const double angle = (double)((float)pos * freq), a = x[j], b = x[j + head_dim / 2];
        x[j] = a * cos(angle) - b * sin(angle);
        x[j + head_dim / 2] = b * cos(angle) + a * sin(angle);
    }
}

/* Attention of one sequence: x [len, d] += wo * attention. */
static void attention(const struct model *m, const double *w, const struct layer_params *p, double *x, int len) {
    const struct model_config *c = &m->cfg;
    const int d = c->d_model, hd = c->head_dim, nq = c->n_head * hd, nk = c->n_kv_head * hd;
    double *q = calloc((size_t)len * (size_t)nq, sizeof *q), *k = calloc((size_t)len * (size_t)nk, sizeof *k);
    double *v = calloc((size_t)len * (size_t)nk, sizeof *v), *xn = calloc((size_t)d, sizeof *xn);
    double *out = calloc((size_t)nq, sizeof *out), *s = calloc((size_t)len, sizeof *s),
           *more = calloc((size_t)d, sizeof *more);
    for (int t = 0; t < len; t++) {
        rms_norm(xn, x + (size_t)t * (size_t)d, w + p->attn_norm, d, (double)c->rms_eps);
        matvec(q + (size_t)t * (size_t)nq, w + p->wq, xn, nq, d);
        matvec(k + (size_t)t * (size_t)nk, w + p->wk, xn, nk, d);
        matvec(v + (size_t)t * (size_t)nk, w + p->wv, xn, nk, d);
        if (c->arch->parts & PART_QKV_BIAS) {
            add(q + (size_t)t * (size_t)nq, w + p->bq, nq);
            add(k + (size_t)t * (size_t)nk, w + p->bk, nk);
            add(v + (size_t)t * (size_t)nk, w + p->bv, nk);
        }
        for (int h = 0; h < c->n_head; h++) rotate(q + (size_t)t * (size_t)nq + h * hd, hd, t, (double)c->rope_base);
        for (int h = 0; h < c->n_kv_head; h++) rotate(k + (size_t)t * (size_t)nk + h * hd, hd, t, (double)c->rope_base);
    }
    for (int t = 0; t < len; t++) {
        memset(out, 0, (size_t)nq * sizeof *out);
        for (int h = 0; h < c->n_head; h++) {
            const int kv = h / (c->n_head / c->n_kv_head);
            double sum = 0;
            for (int u = 0; u <= t; u++) {
                double dot = 0;
                for (int i = 0; i < hd; i++) dot += q[t * nq + h * hd + i] * k[u * nk + kv * hd + i];
                sum += s[u] = exp(dot / sqrt((double)hd));
            }
            for (int u = 0; u <= t; u++)
                for (int i = 0; i < hd; i++) out[h * hd + i] += s[u] / sum * v[u * nk + kv * hd + i];
        }
        matvec(more, w + p->wo, out, d, nq);
        add(x + (size_t)t * (size_t)d, more, d);
    }
    free(q);
    free(k);
    free(v);
    free(xn);
    free(out);
    free(s);
    free(more);
}

static void feed_forward(const struct model *m, const double *w, const struct layer_params *p, double *x) {
    const int d = m->cfg.d_model, ff = m->cfg.d_ff;
    double *xn = calloc((size_t)d, sizeof *xn), *gate = calloc((size_t)ff, sizeof *gate),
           *up = calloc((size_t)ff, sizeof *up);
    double *more = calloc((size_t)d, sizeof *more);
    rms_norm(xn, x, w + p->ffn_norm, d, (double)m->cfg.rms_eps);
    matvec(gate, w + p->w_gate, xn, ff, d);
    matvec(up, w + p->w_up, xn, ff, d);
    for (int i = 0; i < ff; i++) up[i] *= gate[i] / (1.0 + exp(-gate[i]));
    matvec(more, w + p->w_down, up, d, ff);
    add(x, more, d);
    free(xn);
    free(gate);
    free(up);
    free(more);
}

double *reference_hidden(const struct model *m, const double *params, const struct batch *b) {
    const size_t d = (size_t)m->cfg.d_model, n = (size_t)b->start[b->n_seq];
    double *x = calloc(n * d, sizeof *x);
    for (size_t t = 0; t < n; t++) memcpy(x + t * d, params + m->embed + (size_t)b->token[t] * d, d * sizeof *x);
    for (int l = 0; l < m->cfg.n_layer; l++) {
        for (int s = 0; s < b->n_seq; s++)
            attention(m, params, &m->layer[l], x + (size_t)b->start[s] * d, b->start[s + 1] - b->start[s]);
        for (size_t t = 0; t < n; t++) feed_forward(m, params, &m->layer[l], x + t * d);
    }
    for (size_t t = 0; t < n; t++)
        rms_norm(x + t * d, x + t * d, params + m->out_norm, m->cfg.d_model, (double)m->cfg.rms_eps);
    return x;
}

void reference_log_softmax(const struct model *m, const double *params, const double *hidden, double *out) {
    const int n = m->cfg.n_vocab;
    matvec(out, params + m->head, hidden, n, m->cfg.d_model);
    double top = out[0], sum = 0;
    for (int i = 1; i < n; i++) top = fmax(top, out[i]);
    for (int i = 0; i < n; i++) sum += exp(out[i] - top);
    for (int i = 0; i < n; i++) out[i] -= top + log(sum);
}

void reference_rewards(const double *log_softmax, int n_vocab, double bound, double *reward) {
    double mean = 0;
    for (int a = 0; a < n_vocab; a++) {
        reward[a] = bound * tanh(log_softmax[a] / bound);
        mean += exp(log_softmax[a]) * reward[a];
    }
    for (int a = 0; a < n_vocab; a++) reward[a] -= mean;
}
