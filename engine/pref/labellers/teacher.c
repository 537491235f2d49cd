/* The labeller `teacher`: the teacher's output is preferred, whatever it says (the paper's assumption). */
#include "engine/pref/labeller.h"

bool labeller_teacher_decide(const struct label_case *c, struct pref_pair *p) {
    (void)c;
    label_prefer(p, true, false, 1.0);
    return true;
}
