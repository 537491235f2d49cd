/* The labeller `human`: nothing is known of a pair until a person has seen it. */
#include "engine/pref/labeller.h"

bool labeller_human_decide(const struct label_case *c, struct pref_pair *p) {
    (void)c, (void)p;
    return false;
}
