/* Preference likelihood: see pref_fit.h. */
#include "engine/reward/pref_fit.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/math/stats.h"

double pref_loss(double delta, double o, double flip, double *dl) {
    const double soft = (1.0 - flip) * o + flip * (1.0 - o);
    if (dl) *dl = stats_sigmoid(delta) - soft;
    return soft * stats_softplus(-delta) + (1.0 - soft) * stats_softplus(delta);
}

double pref_pair_loss(const struct pref_pair *p, double delta, double margin, double *dl) {
    return pref_loss(delta - (2.0 * p->o - 1.0) * margin * p->strength, p->o, p->flip, dl);
}

static bool same_teacher_output(const struct pref_pair *a, const struct pref_pair *b) {
    return a->prompt_hash == b->prompt_hash && a->n_x == b->n_x && a->n_y0 == b->n_y0 &&
           memcmp(a->tokens, b->tokens, (size_t)(a->n_x + a->n_y0) * sizeof *a->tokens) == 0;
}

void pref_sequences(struct sequences *s, const struct pref_pair *const *pair, int n, bool include_last, int *first,
                    int *second) {
    for (int i = 0; i < n; i++) {
        const struct pref_pair *p = pair[i];
        const int32_t *x = p->tokens, *y0 = x + p->n_x, *y1 = y0 + p->n_y0;
        first[i] = i > 0 && same_teacher_output(pair[i - 1], p)
                       ? first[i - 1]
                       : sequences_add(s, x, p->n_x, y0, p->n_y0, include_last);
        second[i] = sequences_add(s, x, p->n_x, y1, p->n_y1, include_last);
    }
}

void pref_space_reserve(struct pref_space *p, int n_pairs, int n_extra_sequences) {
    const int need = n_pairs * 2 + n_extra_sequences;
    if (need <= p->cap) return;
    p->cap = need * 2;
    const size_t n = (size_t)p->cap;
    p->pair = mem_grow(p->pair, n * sizeof *p->pair);
    p->first = mem_grow(p->first, n * sizeof *p->first);
    p->second = mem_grow(p->second, n * sizeof *p->second);
    p->value = mem_grow(p->value, n * sizeof *p->value);
    p->dvalue = mem_grow(p->dvalue, n * sizeof *p->dvalue);
}

void pref_space_free(struct pref_space *p) {
    sequences_free(&p->seqs);
    free(p->pair);
    free(p->first);
    free(p->second);
    free(p->value);
    free(p->dvalue);
    *p = (struct pref_space){0};
}

bool pref_fit_step(struct reward *r, struct pref_space *p, int n, double center, double lr, double *nll,
                   int64_t *tokens, struct err *e) {
    sequences_clear(&p->seqs);
    pref_sequences(&p->seqs, p->pair, n, r->level == REWARD_SEQUENCE, p->first, p->second);
    if (!reward_score(r, &p->seqs, true, p->value, e)) return false;
    double weight = 0, sum = 0;
    for (int i = 0; i < n; i++) weight += p->pair[i]->weight;
    if (weight <= 0) return err_set(e, "preference fit: the batch has no pair of positive weight");
    for (int i = 0; i < p->seqs.n_seq; i++) p->dvalue[i] = 0;
    for (int i = 0; i < n; i++) {
        const double w = p->pair[i]->weight / weight;
        const double r0 = p->value[p->first[i]], r1 = p->value[p->second[i]];
        double dl;
        sum += w * pref_pair_loss(p->pair[i], r0 - r1, p->margin, &dl);
        p->dvalue[p->first[i]] += w * (dl + 2.0 * center * (r0 + r1));
        p->dvalue[p->second[i]] += w * (-dl + 2.0 * center * (r0 + r1));
    }
    *nll = sum;
    if (tokens) *tokens += p->seqs.n_tokens;
    return reward_backward(r, &p->seqs, p->dvalue, e) && reward_step(r, lr, NULL, e);
}

static void add_pair(struct pref_sums *s, const struct pref_pair *p, double margin, double delta) {
    if (p->source == SOURCE_NONE) return; /* nobody has said what is right */
    s->n += 1;
    s->weight += p->weight;
    s->nll += p->weight * pref_pair_loss(p, delta, margin, NULL);
    if (p->o == 0.5) return;
    const bool prefers_first = p->o > 0.5;
    const double right = delta == 0 ? 0.5 : (double)((delta > 0) == prefers_first);
    s->decided += 1;
    s->correct += right;
    s->length_correct += p->n_y0 == p->n_y1 ? 0.5 : (double)((p->n_y0 > p->n_y1) == prefers_first);
    if (p->source == SOURCE_HUMAN) {
        s->human_decided += 1;
        s->human_correct += right;
    }
}

bool pref_evaluate(struct reward *r, struct pref_space *p, int n, struct pref_sums *sums, double *delta,
                   int64_t *tokens, struct err *e) {
    sequences_clear(&p->seqs);
    pref_sequences(&p->seqs, p->pair, n, r->level == REWARD_SEQUENCE, p->first, p->second);
    if (!reward_score(r, &p->seqs, false, p->value, e)) return false;
    for (int i = 0; i < n; i++) {
        const double d = p->value[p->first[i]] - p->value[p->second[i]];
        if (delta) delta[i] = d;
        add_pair(sums, p->pair[i], p->margin, d);
    }
    if (tokens) *tokens += p->seqs.n_tokens;
    return true;
}
