/* What the inner maximum says of the performance gap on held-out prompts (scope `head`, algorithms.md section 4):
 * between what the preferences allow it to lie, with certificates, and how it depends on beta. All NAN before the first
 * evaluation and in scope `full`. */
#ifndef PBKD_GAME_ADVERSARY_GAP_SET_H
#define PBKD_GAME_ADVERSARY_GAP_SET_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "engine/base/err.h"

enum { GAP_CURVE = 17 };

struct gap_set {
    double min, max;    /* of the mean gap over the confidence set */
    double beta;        /* multiplier at the maximum; 0: the preferences do not hold it, the ball does */
    double active;      /* 1 where L = L_hat + zeta at the maximum, else 0 */
    double kkt;         /* the larger of the two certificates' residuals (confidence.h) */
    double duality_gap; /* by how much at most max falls short, or min exceeds */
    double curve_gap[GAP_CURVE], curve_excess[GAP_CURVE]; /* G and L - L_hat of the maximiser at gap_curve_beta(i) */
};

void gap_set_init(struct gap_set *s);
/* 0.01 to 1000, a constant factor apart. */
double gap_curve_beta(int i);

/* A list of reals as C99 hexadecimal floats (NULL without memory), and back: false with e filled unless it is such a list. */
cJSON *gap_set_to_json(const struct gap_set *s);
bool gap_set_from_json(struct gap_set *s, const cJSON *json, const char *where, struct err *e);

#endif
