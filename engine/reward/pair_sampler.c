/* Mini-batches of pairs: see pair_sampler.h. */
#include "engine/reward/pair_sampler.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"

void pair_sampler_free(struct pair_sampler *s) {
    free(s->groups.group);
    free(s->held_groups.group);
    *s = (struct pair_sampler){0};
}

/* The other half is that of r_held. The last digit of the hash decides the held-out tenth, so it is left out here. */
static bool is_other_half(const struct pair_sampler *s, const struct pref_pair *p) {
    return s->halved && p->prompt_hash / 10 % 2 == 1;
}

static bool trains(const struct pref_pair *p) { return p->active && !p->heldout && p->weight > 0; }

bool pair_trains(const struct pair_sampler *s, const struct pref_pair *p) { return trains(p) && !is_other_half(s, p); }

bool pair_trains_held(const struct pair_sampler *s, const struct pref_pair *p) {
    return trains(p) && is_other_half(s, p);
}

bool pair_is_evaluated(const struct pair_sampler *s, const struct pref_pair *p, bool heldout) {
    return p->active && p->heldout == heldout && (heldout || !is_other_half(s, p));
}

void pair_sampler_use_next(struct pair_sampler *s, int64_t pair_id) {
    if (s->n_fresh < PAIR_FRESH_LABELS) s->fresh[s->n_fresh++] = pair_id;
}

static void add_to_groups(const struct dpref *d, struct pair_groups *s, int i) {
    const struct pref_pair *p = &d->pair[i];
    struct pair_group *last = s->n ? &s->group[s->n - 1] : NULL;
    const struct pref_pair *q = last ? &d->pair[last->first] : NULL;
    const bool same_y0 = q && q->by0.origin == p->by0.origin && q->by0.item == p->by0.item;
    if (same_y0 && last->first + last->count == i && q->prompt_hash == p->prompt_hash && q->iteration == p->iteration) {
        last->count++;
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->group = mem_grow(s->group, (size_t)s->cap * sizeof *s->group);
    }
    s->group[s->n++] = (struct pair_group){i, 1};
}

void pair_sampler_refresh(struct pair_sampler *s, const struct dpref *d) {
    if (!s->stale) return;
    s->stale = false;
    s->groups.n = s->held_groups.n = 0;
    for (int i = 0; i < d->n; i++) {
        if (pair_trains(s, &d->pair[i])) add_to_groups(d, &s->groups, i);
        if (pair_trains_held(s, &d->pair[i])) add_to_groups(d, &s->held_groups, i);
    }
}

/* Whole groups at random, from p->pair[have] on until there are n pairs; returns how many there are then. */
static int draw_groups(const struct pair_groups *s, const struct dpref *d, const struct pair_draw *how, int have, int n,
                       uint64_t stream, struct pref_space *p) {
    for (uint64_t draw = 0; have < n && s->n > 0; draw++) {
        const uint64_t at = rng_below((uint64_t)s->n, how->seed, RNG_PAIRS, how->tick, stream + draw);
        for (int i = 0; i < s->group[at].count && have < n; i++) p->pair[have++] = &d->pair[s->group[at].first + i];
    }
    return have;
}

int pair_sampler_draw(struct pair_sampler *s, const struct dpref *d, const struct pair_draw *how, int n,
                      struct pref_space *p) {
    pair_sampler_refresh(s, d);
    pref_space_reserve(p, n + PAIR_FRESH_LABELS + 64, n + PAIR_FRESH_LABELS);
    p->margin = how->margin;
    int have = 0;
    for (int i = 0; i < s->n_fresh; i++) {
        const struct pref_pair *q = dpref_find(d, s->fresh[i]);
        if (q && pair_trains(s, q)) p->pair[have++] = q;
    }
    s->n_fresh = 0;
    return draw_groups(&s->groups, d, how, have, n, 0, p);
}

int pair_sampler_draw_held(struct pair_sampler *s, const struct dpref *d, const struct pair_draw *how, int n,
                           struct pref_space *p) {
    pref_space_reserve(p, n, 0);
    p->margin = how->margin;
    return draw_groups(&s->held_groups, d, how, 0, n, 1ull << 32, p);
}
