/* The reward model: see reward.h. Level token lives in the vocabulary head (head.h, and moment.h where b is the
 * expert); level sequence is one dot product. */
#include "engine/reward/reward.h"

#include <math.h>

#include "engine/base/mem.h"

bool reward_init(struct reward *r, struct model *m, enum reward_level level, double bound, int max_new_tokens,
                 struct err *e) {
    *r = (struct reward){.level = level, .bound = (float)bound, .scale = 1.0f / sqrtf((float)max_new_tokens)};
    return trainee_init(&r->t, m, e);
}

void reward_free(struct reward *r) {
    trainee_free(&r->t);
    mem_free(r->row_expert);
    r->row_expert = NULL;
    r->cap_expert = 0;
}

void reward_use_expert(struct reward *r, const struct model *expert, struct activations *acts) {
    r->expert = expert;
    r->expert_acts = acts;
}

static double dot(const float *a, const float *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

bool reward_forward(struct reward *r, const struct sequences *s, bool keep, struct err *e) {
    const struct batch b = sequences_batch(s);
    return trainee_prepare(&r->t, s, e) && model_forward(r->t.model, r->t.acts, &b, keep, &r->hidden, e) &&
           (!r->expert || model_forward(r->expert, r->expert_acts, &b, false, &r->expert_hidden, e));
}

static struct moment_models advantages(const struct reward *r, const struct head_rows *critic,
                                       const struct head_rows *expert) {
    return (struct moment_models){
        .expert = r->expert, .critic = r->t.model, .expert_rows = expert, .critic_rows = critic, .bound = r->bound};
}

/* A_Q of every row into t.row_value. */
static bool measure_advantages(struct reward *r, const struct sequences *s, int from, struct err *e) {
    const struct head_rows rows = sequences_rows_between(s, r->hidden, from, s->n_seq);
    const struct head_rows expert_rows = sequences_rows_between(s, r->expert_hidden, from, s->n_seq);
    const struct moment_models m = advantages(r, &rows, &expert_rows);
    if (s->n_rows > r->cap_expert) {
        mem_free(r->row_expert);
        r->cap_expert = 0;
        if (!(r->row_expert = mem_alloc((size_t)s->n_rows * 2, sizeof *r->row_expert, "values of the expert", e)))
            return false;
        r->cap_expert = s->n_rows * 2;
    }
    float *q = r->t.row_value + s->row_start[from];
    const struct moment_out out = {.v_expert = r->row_expert, .q_target = q};
    if (!moment_measure(&m, r->t.space, &out, e)) return false;
    for (int i = 0; i < rows.n; i++) q[i] -= r->row_expert[i];
    return true;
}

bool reward_values(struct reward *r, const struct sequences *s, int from, double *value, struct err *e) {
    struct trainee *t = &r->t;
    const struct model *m = t->model;
    const int d = m->cfg.d_model;
    if (r->level == REWARD_SEQUENCE) {
        const double inv = 1.0 / sqrt((double)d);
        for (int i = from; i < s->n_seq; i++)
            value[i] = inv * dot(m->params + m->value, r->hidden + (size_t)sequences_last(s, i) * (size_t)d, d);
        return true;
    }
    const struct head_rows rows = sequences_rows_between(s, r->hidden, from, s->n_seq);
    if (r->expert ? !measure_advantages(r, s, from, e)
                  : !head_token_reward(m, &rows, r->bound, t->space, t->row_value + s->row_start[from], e))
        return false;
    for (int i = from; i < s->n_seq; i++) {
        double sum = 0;
        for (int h = s->row_start[i]; h < s->row_start[i + 1]; h++) sum += (double)t->row_value[h];
        value[i] = sum * (double)r->scale;
    }
    return true;
}

bool reward_score(struct reward *r, const struct sequences *s, bool keep, double *value, struct err *e) {
    return reward_forward(r, s, keep, e) && reward_values(r, s, 0, value, e);
}

static void backward_sequence(struct reward *r, const struct sequences *s, int from, const double *dvalue) {
    struct trainee *t = &r->t;
    const int d = t->model->cfg.d_model;
    const float *w = t->model->params + t->model->value;
    float *dw = t->grads + t->model->value;
    const double inv = 1.0 / sqrt((double)d);
    for (int i = from; i < s->n_seq; i++) {
        const size_t at = (size_t)sequences_last(s, i) * (size_t)d;
        const float g = (float)(dvalue[i] * inv);
        for (int k = 0; k < d; k++) {
            t->dhidden[at + (size_t)k] += g * w[k];
            dw[k] += g * r->hidden[at + (size_t)k];
        }
    }
}

bool reward_head_backward(struct reward *r, const struct sequences *s, int from, const double *dvalue, struct err *e) {
    struct trainee *t = &r->t;
    if (r->level == REWARD_SEQUENCE) {
        backward_sequence(r, s, from, dvalue);
        return true;
    }
    for (int i = from; i < s->n_seq; i++)
        for (int h = s->row_start[i]; h < s->row_start[i + 1]; h++)
            t->row_value[h] = (float)(dvalue[i] * (double)r->scale);
    const struct head_rows rows = sequences_rows_between(s, r->hidden, from, s->n_seq);
    const float *weight = t->row_value + s->row_start[from];
    if (!r->expert)
        return head_token_reward_backward(t->model, &rows, r->bound, weight, t->space, NULL, t->dhidden, t->grads, e);
    const struct head_rows expert_rows = sequences_rows_between(s, r->expert_hidden, from, s->n_seq);
    const struct moment_models m = advantages(r, &rows, &expert_rows);
    return moment_critic_backward(&m, NULL, weight, t->space, NULL, t->dhidden, t->grads, e);
}

bool reward_backward(struct reward *r, const struct sequences *s, const double *dvalue, struct err *e) {
    const struct batch b = sequences_batch(s);
    return reward_head_backward(r, s, 0, dvalue, e) &&
           model_backward(r->t.model, r->t.acts, &b, r->t.dhidden, r->t.grads, e);
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
