/* Which pairs a training step sees. Pairs of D_pref that train are kept as groups of neighbours that share a prompt and
 * a first answer, which packs that answer once; a mini-batch is whole groups drawn at random. What a person has just
 * labelled comes before: a label enters the very next step of the reward.
 *
 * Where a held reward stands beside the game's (r_held, never played against), prompts are halved between the two by
 * their hash, so that neither has seen the other's pairs. */
#ifndef PBKD_REWARD_PAIR_SAMPLER_H
#define PBKD_REWARD_PAIR_SAMPLER_H

#include "engine/reward/pref_fit.h"

#define PAIR_FRESH_LABELS 64

struct pair_group {
    int first, count; /* consecutive in D_pref */
};

struct pair_groups {
    struct pair_group *group;
    int n, cap;
};

struct pair_sampler {
    struct pair_groups groups, held_groups; /* of the game's rewards, and of r_held */
    bool halved;                            /* there is a held reward */
    bool stale;                             /* pairs or labels changed since the groups were made */
    int64_t fresh[PAIR_FRESH_LABELS];       /* ids of pairs that a person just labelled */
    int n_fresh;
};

void pair_sampler_free(struct pair_sampler *s);
/* Whether the pair trains the game's rewards, and whether it trains r_held instead. */
bool pair_trains(const struct pair_sampler *s, const struct pref_pair *p);
bool pair_trains_held(const struct pair_sampler *s, const struct pref_pair *p);
/* Whether an evaluation of the game's rewards looks at it: those that are held out, or those that may train them. */
bool pair_is_evaluated(const struct pair_sampler *s, const struct pref_pair *p, bool heldout);
/* A label that the very next step is to use; one too many is used when its group is drawn. */
void pair_sampler_use_next(struct pair_sampler *s, int64_t pair_id);
/* Make the groups again if they are stale. */
void pair_sampler_refresh(struct pair_sampler *s, const struct dpref *d);

/* What a draw depends on, beside the pairs. */
struct pair_draw {
    uint64_t seed, tick;
    double margin; /* of pref_pair_loss */
};
/* Fill p->pair with a mini-batch of about n pairs: freshly labelled ones first, which are fresh no longer, then whole
 * groups. Returns the number. */
int pair_sampler_draw(struct pair_sampler *s, const struct dpref *d, const struct pair_draw *how, int n,
                      struct pref_space *p);
/* The same for r_held, of its groups alone, which must be up to date; at most n. */
int pair_sampler_draw_held(struct pair_sampler *s, const struct dpref *d, const struct pair_draw *how, int n,
                           struct pref_space *p);

#endif
