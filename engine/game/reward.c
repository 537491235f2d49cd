/* The reward model: see reward.h. Level token lives in the vocabulary head (head.h); level sequence is one dot product. */
#include "engine/game/reward.h"

#include <math.h>

bool reward_init(struct reward *r, struct model *m, enum reward_level level, double bound, int max_new_tokens, struct err *e) {
    *r = (struct reward){.level = level, .bound = (float)bound, .scale = 1.0f / sqrtf((float)max_new_tokens)};
    return trainee_init(&r->t, m, e);
}

void reward_free(struct reward *r) { trainee_free(&r->t); }

static double dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

bool reward_score(struct reward *r, const struct sequences *s, bool keep, double *value, struct err *e) {
    struct trainee *t = &r->t;
    const struct model *m = t->model;
    const int d = m->cfg.d_model;
    const struct batch b = sequences_batch(s);
    if (!trainee_prepare(t, s, e) || !model_forward(m, t->acts, &b, keep, &r->hidden, e)) return false;
    if (r->level == REWARD_SEQUENCE) {
        const double inv = 1.0 / sqrt((double)d);
        for (int i = 0; i < s->n_seq; i++)
            value[i] = inv * dot(m->params + m->value, r->hidden + (size_t)sequences_last(s, i) * (size_t)d, d);
        return true;
    }
    const struct head_rows rows = sequences_rows(s, r->hidden);
    if (!head_token_reward(m, &rows, r->bound, t->space, t->row_value, e)) return false;
    for (int i = 0; i < s->n_seq; i++) {
        double sum = 0;
        for (int h = s->row_start[i]; h < s->row_start[i + 1]; h++) sum += (double)t->row_value[h];
        value[i] = sum * (double)r->scale;
    }
    return true;
}

static void backward_sequence(struct reward *r, const struct sequences *s, const double *dvalue) {
    struct trainee *t = &r->t;
    const int d = t->model->cfg.d_model;
    const float *w = t->model->params + t->model->value;
    float *dw = t->grads + t->model->value;
    const double inv = 1.0 / sqrt((double)d);
    for (int i = 0; i < s->n_seq; i++) {
        const size_t at = (size_t)sequences_last(s, i) * (size_t)d;
        const float g = (float)(dvalue[i] * inv);
        for (int k = 0; k < d; k++) {
            t->dhidden[at + (size_t)k] += g * w[k];
            dw[k] += g * r->hidden[at + (size_t)k];
        }
    }
}

bool reward_backward(struct reward *r, const struct sequences *s, const double *dvalue, struct err *e) {
    struct trainee *t = &r->t;
    if (r->level == REWARD_SEQUENCE) {
        backward_sequence(r, s, dvalue);
    } else {
        for (int i = 0; i < s->n_seq; i++)
            for (int h = s->row_start[i]; h < s->row_start[i + 1]; h++) t->row_value[h] = (float)(dvalue[i] * (double)r->scale);
        const struct head_rows rows = sequences_rows(s, r->hidden);
        if (!head_token_reward_backward(t->model, &rows, r->bound, t->row_value, t->space, NULL, t->dhidden, t->grads, e)) return false;
    }
    const struct batch b = sequences_batch(s);
    return model_backward(t->model, t->acts, &b, t->dhidden, t->grads, e);
}

bool reward_step(struct reward *r, double lr, double *grad_norm, struct err *e) {
    struct trainee *t = &r->t;
    struct adamw_config c = ADAMW_DEFAULTS;
    c.lr = (float)lr;
    if (!adamw_step(&t->opt, &c, t->model->params, t->grads, grad_norm, e)) return false;
    if (r->level == REWARD_SEQUENCE) {
        const int d = t->model->cfg.d_model;
        float *w = t->model->params + t->model->value;
        const double norm = sqrt(dot(w, w, d));
        if (norm > (double)r->bound)
            for (int k = 0; k < d; k++) w[k] *= (float)((double)r->bound / norm);
    }
    return true;
}
