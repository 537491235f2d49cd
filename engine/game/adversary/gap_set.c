/* See gap_set.h. The struct is nothing but doubles, in the order in which the list holds them. */
#include "engine/game/adversary/gap_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"

enum { N_REALS = 6 + 2 * GAP_CURVE };
_Static_assert(sizeof(struct gap_set) == N_REALS * sizeof(double), "read and written as an array");

void gap_set_init(struct gap_set *s) {
    double x[N_REALS];
    for (int i = 0; i < N_REALS; i++) x[i] = (double)NAN;
    memcpy(s, x, sizeof x);
}

double gap_curve_beta(int i) { return pow(10, -2 + 5.0 * i / (GAP_CURVE - 1)); }

cJSON *gap_set_to_json(const struct gap_set *s) {
    double x[N_REALS];
    memcpy(x, s, sizeof x);
    return json_reals(x, N_REALS);
}

bool gap_set_from_json(struct gap_set *s, const cJSON *json, const char *where, struct err *e) {
    double x[N_REALS];
    int i = 0;
    gap_set_init(s);
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != N_REALS)
        return err_set(e, "%s: \"gap_set\" must be a list of %d reals", where, N_REALS);
    for (const cJSON *v = json->child; v; v = v->next, i++) {
        char *end;
        if (!cJSON_IsString(v)) return err_set(e, "%s: \"gap_set\" must hold reals as text", where);
        x[i] = strtod(v->valuestring, &end);
        if (*end || end == v->valuestring)
            return err_set(e, "%s: \"gap_set\" must hold reals, found \"%.40s\"", where, v->valuestring);
    }
    memcpy(s, x, sizeof x);
    return true;
}
