/* Adversaries that are a model of their own: see own_model.h. */
#include "engine/game/adversary/own_model.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

bool own_model_reward(const struct options *o, struct reward *r, const struct model *from, struct err *e) {
    const enum reward_level level = o->reward_level == LEVEL_SEQUENCE ? REWARD_SEQUENCE : REWARD_TOKEN;
    struct model *m = model_copy(from, level == REWARD_SEQUENCE, e);
    return m && reward_init(r, m, level, o->reward_bound, o->max_new_tokens, e);
}

bool own_model_open(struct game *g, const struct model *from, struct err *e) {
    struct reward *r = g->adversary.state = g->adversary.reward = mem_small(sizeof *r);
    if (!own_model_reward(g->o, r, from, e)) return false;
    g->adversary.trainee = &r->t;
    return true;
}

void own_model_close(struct game *g) {
    struct reward *r = g->adversary.state;
    if (r) reward_free(r);
    free(r);
}

void own_model_start(struct game *g) {
    struct trainee *t = g->adversary.trainee;
    const struct model *fitted = g->rewards.fitted.t.model;
    memcpy(t->model->params, fitted->params, fitted->n_params * sizeof *fitted->params);
    adamw_reset(&t->opt);
}

bool own_model_values(struct game *g, const struct sequences *s, double *value, struct err *e) {
    return reward_score(g->adversary.reward, s, false, value, e);
}

bool own_model_descend(struct game *g, const struct exact_descent *d, struct exact_terms *terms, struct err *e) {
    const struct reward *r = g->adversary.reward;
    struct trainee *t = d->student;
    return head_exact_descent(t->model, d->rows, r->t.model, d->reward_rows, r->bound, d->reference, d->reference_rows,
                              d->weight, d->kl, t->space, terms, t->dhidden, t->grads, e);
}

bool own_model_gaps(struct game *g, struct reward *r, int n, int k, double *gap, struct err *e) {
    struct pref_space *p = &g->scratch.pairs;
    pref_space_reserve(p, n * (k + 1), 0);
    if (!reward_score(r, &g->scratch.seqs_reward, false, p->value, e)) return false;
    for (int i = 0; i < n; i++) {
        double mean = 0;
        for (int j = 0; j < k; j++) mean += p->value[n + i * k + j] / k;
        gap[i] = p->value[i] - mean;
    }
    g->st.tokens += (double)g->scratch.seqs_reward.n_tokens;
    return true;
}

bool own_model_measure(struct game *g, int first, int n, int k, struct err *e) {
    struct evaluation *v = &g->evaluation;
    if (g->adversary.ops->plays && !own_model_gaps(g, g->adversary.reward, n, k, v->gap_worst + first, e)) return false;
    return !g->rewards.fitted.t.model || own_model_gaps(g, &g->rewards.fitted, n, k, v->gap_fitted + first, e);
}
