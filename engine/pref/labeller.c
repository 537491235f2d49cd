/* Labellers: see labeller.h. One row of labeller_table.h and one function that decides a pair make a labeller; noise, weights
 * and flip rates are laid over the decision in one place, so that no labeller can forget them. */
#include "engine/pref/labeller.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/strbuf.h"

const struct labeller_info LABELLERS[N_LABELLERS] = {
#define LABELLER(id, name, number, needs, stem, flip, weight, help)                                                    \
    [LABELLER_##id] = {name, help, SOURCE_##id, needs, labeller_##stem##_decide},
    LABELLER_TABLE(LABELLER)
#undef LABELLER
};

/* ---- mixtures ---- */

static bool fail_name(const char *name, int len, struct err *e) {
    struct strbuf known = {0};
    for (int i = 0; i < N_LABELLERS; i++) strbuf_printf(&known, "%s%s", i ? ", " : "", LABELLERS[i].name);
    err_set(e, "must be one of %s, or several with their shares (\"teacher:0.8,human:0.2\"), found \"%.*s\"",
            strbuf_str(&known), len > 60 ? 60 : len, name);
    strbuf_free(&known);
    return false;
}

static void trim(const char **s, int *len) {
    while (*len > 0 && **s == ' ') ++*s, --*len;
    while (*len > 0 && (*s)[*len - 1] == ' ') --*len;
}

static bool parse_share(const char *labeller, const char *s, int len, double *share, struct err *e) {
    char number[40], *end = number;
    trim(&s, &len);
    snprintf(number, sizeof number, "%.*s", len, s);
    if (len > 0 && len < (int)sizeof number && strspn(number, "0123456789+-.eE") == (size_t)len)
        *share = strtod(number, &end);
    return (end > number && !*end && *share >= 0.0 && isfinite(*share)) ||
           err_set(e, "the share of %s must be a number of 0 or more, found \"%s\"", labeller, number);
}

/* One NAME or NAME:SHARE; *shared says which. */
static bool parse_entry(const char *s, int len, struct labeller_mix *m, bool *shared, struct err *e) {
    const char *colon = memchr(s, ':', (size_t)len);
    const char *name = s;
    int n = colon ? (int)(colon - s) : len, which = 0;
    trim(&name, &n);
    while (which < N_LABELLERS &&
           !(strlen(LABELLERS[which].name) == (size_t)n && !memcmp(LABELLERS[which].name, name, (size_t)n)))
        which++;
    if (which == N_LABELLERS) return fail_name(name, n, e);
    if (m->share[which] >= 0.0) return err_set(e, "%s is named twice", LABELLERS[which].name);
    *shared = colon != NULL;
    m->share[which] = 1.0;
    return !colon || parse_share(LABELLERS[which].name, colon + 1, (int)(s + len - colon - 1), &m->share[which], e);
}

bool labeller_mix_parse(const char *text, struct labeller_mix *m, struct err *e) {
    int n = 0, n_shared = 0;
    double sum = 0;
    for (int i = 0; i < N_LABELLERS; i++) m->share[i] = -1.0; /* not named yet */
    for (const char *s = text;; n++) {
        const int len = (int)strcspn(s, ",");
        bool shared = false;
        if (!parse_entry(s, len, m, &shared, e)) return false;
        n_shared += shared;
        if (!s[len]) break;
        s += len + 1;
    }
    if (n_shared != 0 && n_shared != n + 1)
        return err_set(e, "either all labellers have a share or none, found \"%.200s\"", text);
    for (int i = 0; i < N_LABELLERS; i++) sum += m->share[i] = fmax(m->share[i], 0.0);
    if (!(sum > 0.0 && isfinite(sum)))
        return err_set(e, "the shares must add up to more than 0, found \"%.200s\"", text);
    for (int i = 0; i < N_LABELLERS; i++) m->share[i] /= sum;
    return true;
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
