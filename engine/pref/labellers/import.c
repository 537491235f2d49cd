/* The labeller `import`: the labels are those of a file, which makes its own pairs (game/labelling.c); about others it
 * knows nothing. */
#include "engine/pref/labeller.h"

bool labeller_import_decide(const struct label_case *c, struct pref_pair *p) {
    (void)c, (void)p;
    return false;
}
