/* Training state of one model: see trainee.h. */
#include "engine/train/trainee.h"

#include <string.h>

#include "engine/base/mem.h"

bool trainee_init(struct trainee *t, struct model *m, struct err *e) {
    *t = (struct trainee){.model = m, .acts = activations_new(), .space = head_space_new()};
    t->grads = mem_alloc(m->n_params, sizeof *t->grads, "gradients", e);
    if (!t->grads || !adamw_init(&t->opt, m->n_params, e)) {
        trainee_free(t);
        return false;
    }
    return true;
}

void trainee_free(struct trainee *t) {
    model_free(t->model);
    if (t->acts) activations_free(t->acts);
    if (t->space) head_space_free(t->space);
    mem_free(t->grads);
    mem_free(t->dhidden);
    mem_free(t->row_value);
    adamw_free(&t->opt);
    *t = (struct trainee){0};
}

bool trainee_prepare(struct trainee *t, const struct sequences *s, struct err *e) {
    const size_t need = (size_t)s->n_tokens * (size_t)t->model->cfg.d_model;
    if (need > t->cap_dhidden) {
        mem_free(t->dhidden);
        t->cap_dhidden = 0;
        t->dhidden = mem_alloc(need + need / 4, sizeof *t->dhidden, "gradient of hidden states", e);
        if (!t->dhidden) return false;
        t->cap_dhidden = need + need / 4;
    }
    if (s->n_rows > t->cap_rows) {
        mem_free(t->row_value);
        t->cap_rows = 0;
        t->row_value = mem_alloc((size_t)s->n_rows * 2, sizeof *t->row_value, "row weights", e);
        if (!t->row_value) return false;
        t->cap_rows = s->n_rows * 2;
    }
    if (need > 0) memset(t->dhidden, 0, need * sizeof *t->dhidden); /* without a token there is no buffer */
    return true;
}

double schedule_lr(double lr, int64_t step, int64_t n_steps, int64_t warmup, double final_share) {
    if (warmup > 0 && step < warmup) return lr * (double)(step + 1) / (double)warmup;
    if (n_steps <= warmup + 1 || step >= n_steps) return lr * (step >= n_steps ? final_share : 1.0);
    const double done = (double)(step - warmup) / (double)(n_steps - warmup);
    return lr * (1.0 - (1.0 - final_share) * done);
}
