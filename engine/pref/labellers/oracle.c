/* The labeller `oracle`: the checker's verdicts decide; both right or both wrong is a tie. */
#include "engine/pref/labeller.h"

bool labeller_oracle_decide(const struct label_case *c, struct pref_pair *p) {
    if (c->verdict[0] == VERDICT_NONE || c->verdict[1] == VERDICT_NONE) return false;
    label_prefer(p, c->verdict[0] == VERDICT_RIGHT, c->verdict[1] == VERDICT_RIGHT, 1.0);
    return true;
}
