/* How long a run still takes: see eta.h. */
#include "engine/run/eta.h"

#include <math.h>

double eta_seconds(const struct eta_phase *phase, int n) {
    double seconds = 0, work = 0, left = 0;
    for (int i = 0; i < n; i++)
        if (phase[i].done > 0 && phase[i].work > 0) {
            seconds += phase[i].seconds;
            work += phase[i].done * phase[i].work;
        }
    if (work <= 0) return (double)NAN;
    for (int i = 0; i < n; i++) {
        const struct eta_phase *p = &phase[i];
        left += p->left * (p->done > 0 ? p->seconds / p->done : p->work * seconds / work);
    }
    return left;
}
