/* The labeller `self`: the answer that agrees with the majority of the student's samples is preferred to one that does
 * not, with the difference of their shares of the vote as strength. */
#include <math.h>

#include "engine/pref/labeller.h"

bool labeller_self_decide(const struct label_case *c, struct pref_pair *p) {
    const struct vote *v = c->vote;
    if (!v || !v->majority) return false;
    label_prefer(p, vote_agree(c->answer[0], v->majority), vote_agree(c->answer[1], v->majority),
                 fabs(vote_share(v, c->answer[0]) - vote_share(v, c->answer[1])));
    return true;
}
