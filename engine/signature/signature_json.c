/* The history and the alerts as JSON and back, for checkpoints: a column of hexadecimal floats a figure, rows oldest
 * first, no more than are kept. Columns have names, so a checkpoint of another version fails with one instead of being
 * read wrongly. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/signature/signature_private.h"

/* Ticks, iterations and counts: integers that a double holds exactly. */
static const double LARGEST_COUNT = 9007199254740992.0; /* 2^53 */

static bool read_reals(const cJSON *obj, const char *key, const char *where, double *x, int n, struct err *e) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(obj, key);
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != n)
        return err_set(e, "%s: \"%s\" must be an array of %d values", where, key, n);
    int i = 0;
    for (const cJSON *item = list->child; item; item = item->next) {
        if (!cJSON_IsString(item))
            return err_set(e, "%s: \"%s\" must hold strings, found %s", where, key, json_type_name(item));
        char *end;
        x[i++] = strtod(item->valuestring, &end);
        if (*end || end == item->valuestring)
            return err_set(e, "%s: \"%s\" must hold reals, found \"%s\"", where, key, item->valuestring);
    }
    return true;
}

static bool is_count(double x) { return x >= 0 && x <= LARGEST_COUNT && x == floor(x); }

static bool read_count(const cJSON *obj, const char *key, const char *where, double *x, struct err *e) {
    if (!read_reals(obj, key, where, x, 1, e)) return false;
    return is_count(*x) || err_set(e, "%s: \"%s\" must be a count, found %g", where, key, *x);
}

/* ---- the history ---- */

/* One ring: `row` has `capacity` rows of n_figures, row i of `pushed` is at i % capacity. The first two figures are the
 * tick and the iteration. */
struct ring {
    double *row;
    int capacity, n_figures;
    int64_t pushed;
    const char *(*name)(double figure);
};

static int kept(const struct ring *r) { return r->pushed < r->capacity ? (int)r->pushed : r->capacity; }

static double *figure_at(const struct ring *r, int i, int figure) {
    return &r->row[(r->pushed - kept(r) + i) % r->capacity * r->n_figures + figure];
}

static cJSON *ring_to_json(const struct ring *r) {
    cJSON *columns = cJSON_CreateObject();
    double x[SIGNATURE_STEPS];
    for (int f = 0; f < r->n_figures; f++) {
        for (int i = 0; i < kept(r); i++) x[i] = *figure_at(r, i, f);
        json_put(&columns, r->name(f), json_reals(x, kept(r)));
    }
    return columns;
}

static bool read_ring(const cJSON *obj, const char *key, const char *where, const struct ring *r, struct err *e) {
    const cJSON *columns = cJSON_GetObjectItemCaseSensitive(obj, key);
    double x[SIGNATURE_STEPS];
    if (!cJSON_IsObject(columns)) return err_set(e, "%s: \"%s\" must be an object", where, key);
    for (int f = 0; f < r->n_figures; f++) {
        if (!read_reals(columns, r->name(f), where, x, kept(r), e)) return false;
        for (int i = 0; i < kept(r); i++) {
            if (f < 2 && !is_count(x[i]))
                return err_set(e, "%s: \"%s\" must hold counts, found %g", where, r->name(f), x[i]);
            *figure_at(r, i, f) = x[i];
        }
    }
    return true;
}

static struct ring evaluations(struct signature_history *h) {
    return (struct ring){h->evaluation[0], SIGNATURE_EVALUATIONS, N_EVAL_FIGURES, h->n_evaluations,
                         signature_evaluation_name};
}

static struct ring steps(struct signature_history *h) {
    return (struct ring){h->step[0], SIGNATURE_STEPS, N_STEP_FIGURES, h->n_steps, signature_step_name};
}

_Static_assert(EVAL_TICK == 0 && EVAL_ITERATION == 1 && STEP_TICK == 0 && STEP_ITERATION == 1,
               "read_ring checks the first two columns");
_Static_assert((int)SIGNATURE_EVALUATIONS <= (int)SIGNATURE_STEPS, "a column must fit");

cJSON *signature_history_to_json(const struct signature_history *h) {
    struct signature_history copy = *h;
    const struct ring evaluation = evaluations(&copy), step = steps(&copy);
    const double n_evaluations = (double)h->n_evaluations, n_steps = (double)h->n_steps;
    cJSON *obj = cJSON_CreateObject();
    json_put(&obj, "n_evaluations", json_reals(&n_evaluations, 1));
    json_put(&obj, "n_steps", json_reals(&n_steps, 1));
    json_put(&obj, "evaluation", ring_to_json(&evaluation));
    json_put(&obj, "step", ring_to_json(&step));
    return obj;
}

bool signature_history_from_json(struct signature_history *h, const cJSON *obj, const char *where, struct err *e) {
    double n_evaluations, n_steps;
    signature_history_init(h);
    if (!read_count(obj, "n_evaluations", where, &n_evaluations, e) || !read_count(obj, "n_steps", where, &n_steps, e))
        return false;
    h->n_evaluations = (int64_t)n_evaluations;
    h->n_steps = (int64_t)n_steps;
    const struct ring evaluation = evaluations(h), step = steps(h);
    if (read_ring(obj, "evaluation", where, &evaluation, e) && read_ring(obj, "step", where, &step, e)) return true;
    signature_history_init(h);
    return false;
}

/* ---- alerts ---- */

enum { ALERT_REALS = sizeof(struct signature_alert) / sizeof(double) };
_Static_assert(sizeof(struct signature_alert) == (4 + SIGNATURE_VALUES) * sizeof(double),
               "an alert is a flat array of doubles");

cJSON *signature_alerts_to_json(const struct signature_alerts *a) {
    cJSON *obj = cJSON_CreateObject();
    json_put(&obj, "n_evaluations", json_reals(&a->n_evaluations, 1));
    json_put(&obj, "n_steps", json_reals(&a->n_steps, 1));
    for (int d = 0; d < N_DETECTORS; d++) {
        double x[ALERT_REALS];
        memcpy(x, &a->alert[d], sizeof x);
        json_put(&obj, signature_detector_name(d), json_reals(x, ALERT_REALS));
    }
    return obj;
}

bool signature_alerts_from_json(struct signature_alerts *a, const cJSON *obj, const char *where, struct err *e) {
    signature_alerts_init(a);
    bool ok = read_count(obj, "n_evaluations", where, &a->n_evaluations, e) &&
              read_count(obj, "n_steps", where, &a->n_steps, e);
    for (int d = 0; ok && d < N_DETECTORS; d++) {
        const char *name = signature_detector_name(d);
        struct signature_alert *alert = &a->alert[d];
        double x[ALERT_REALS];
        ok = read_reals(obj, name, where, x, ALERT_REALS, e);
        if (!ok) break;
        memcpy(alert, x, sizeof x);
        ok = (alert->active == 0 || alert->active == 1) && is_count(alert->since_tick) &&
             is_count(alert->since_iteration) && is_count(alert->clear);
        if (!ok) err_set(e, "%s: \"%s\" must start with 0 or 1 and three counts", where, name);
    }
    if (!ok) signature_alerts_init(a);
    return ok;
}
