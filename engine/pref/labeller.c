/* Labellers: see labeller.h. One row of labellers.def and one function that decides a pair make a labeller; noise,
 * weights and flip rates are laid over the decision in one place, so that no labeller can forget them. */
#include "engine/pref/labeller.h"

#include <math.h>

#include "engine/base/rng.h"
#include "engine/option/mix.h"
#include "engine/option/option.h"

const struct labeller_info LABELLERS[N_LABELLERS] = {
#define LABELLER(id, name, number, needs, stem, flip, weight, help)                                                    \
    [LABELLER_##id] = {name, help, SOURCE_##id, needs, labeller_##stem##_decide},
#include "engine/option/labellers.def"
};

/* ---- mixtures ---- */

bool labeller_mix_parse(const char *text, struct labeller_mix *m, struct err *e) {
    return mix_parse(OPTIONS[OPTION_ID_labeller].choices, text, m->share, N_LABELLERS, e);
}

unsigned labeller_mix_needs(const struct labeller_mix *m) {
    unsigned needs = 0;
    for (int i = 0; i < N_LABELLERS; i++)
        if (m->share[i] > 0.0) needs |= LABELLERS[i].needs;
    return needs;
}

enum labeller labeller_mix_draw(const struct labeller_mix *m, double u) {
    int drawn = 0;
    double below = 0;
    for (int i = 0; i < N_LABELLERS; i++) { /* rounding may leave the sum below u: then the last with a share */
        if (m->share[i] <= 0.0) continue;
        drawn = i;
        below += m->share[i];
        if (u < below) break;
    }
    return (enum labeller)drawn;
}

/* ---- labels ---- */

void label_prefer(struct pref_pair *p, bool first, bool second, double strength) {
    p->o = first == second ? 0.5 : first ? 1.0 : 0.0;
    p->strength = first == second ? 0.0 : strength;
}

/* Whether to leave out a pair of two answers none of which is the teacher's: it is there for its order alone. */
static bool has_no_order(const struct labeller_info *by, const struct pref_pair *p) {
    if (by->needs & KNOWS_TEACHER_ALONE) return true;
    return !(by->needs & NEEDS_PERSON) && (!p->active || p->o == 0.5);
}

static void turn_round(const struct label_policy *policy, const struct label_case *c, struct pref_pair *p) {
    p->noise = policy->noise;
    p->flipped =
        p->o != 0.5 && rng_uniform(policy->seed, RNG_LABEL, (uint64_t)c->tick, 2 * c->index + 1) < policy->noise;
    if (p->flipped) p->o = 1.0 - p->o;
}

enum label_outcome label_pair(const struct label_policy *policy, const struct label_case *c, struct pref_pair *p) {
    const enum labeller drawn =
        labeller_mix_draw(&policy->mix, rng_uniform(policy->seed, RNG_LABEL, (uint64_t)c->tick, 2 * c->index));
    const struct labeller_info *by = &LABELLERS[drawn];
    p->o = 1.0;
    p->strength = 1.0;
    p->weight = policy->weight[drawn];
    p->flip = policy->flip[drawn];
    p->noise = 0.0;
    p->flipped = false;
    if (by->needs & NEEDS_FILE) return LABEL_NO_PAIR;
    p->active = by->decide(c, p);
    if (c->others && has_no_order(by, p)) return LABEL_NO_PAIR;
    p->source = p->active ? by->source : SOURCE_NONE;
    if (!p->active) return LABEL_AWAITED;
    turn_round(policy, c, p);
    return LABEL_GIVEN;
}
