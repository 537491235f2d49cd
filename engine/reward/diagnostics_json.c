/* Reward diagnostics in a checkpoint: see diagnostics.h. One walk over the fields serves writing and reading, so the
 * two cannot drift apart. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/json.h"
#include "engine/reward/diagnostics.h"

struct walk {
    bool writing;
    cJSON *list;       /* written to; NULL when there was no memory for it */
    const cJSON *next; /* read from */
    bool ok;           /* every entry so far was there and in range */
};

static void put(struct walk *w, double x) {
    char text[40];
    snprintf(text, sizeof text, "%a", x);
    json_push(&w->list, cJSON_CreateString(text));
}

/* The next entry; 0 when there is none. */
static double take(struct walk *w) {
    const cJSON *v = w->next;
    w->ok = w->ok && cJSON_IsString(v);
    if (!w->ok) return 0;
    char *end;
    const double x = strtod(v->valuestring, &end);
    w->ok = end != v->valuestring && !*end;
    w->next = v->next;
    return x;
}

static void real(struct walk *w, double *x) {
    if (w->writing)
        put(w, *x);
    else
        *x = take(w);
}

/* A whole number in [lo, hi]. */
static int64_t whole(struct walk *w, int64_t x, int64_t lo, int64_t hi) {
    if (w->writing) {
        put(w, (double)x);
        return x;
    }
    const double v = take(w);
    w->ok = w->ok && v >= (double)lo && v <= (double)hi && v == floor(v);
    return w->ok ? (int64_t)v : lo;
}

enum { MANY = 1 << 26 };                             /* pairs, iterations: sums over all bins still fit an int */
static const int64_t HUGE_NUMBER = (int64_t)1 << 53; /* ids, ticks: what a real holds exactly */

static void small(struct walk *w, int *x, int hi) { *x = (int)whole(w, *x, 0, hi); }

static void tallies(struct walk *w, struct diag_tally t[DIAG_SPLITS]) {
    for (int k = 0; k < DIAG_SPLITS; k++) {
        small(w, &t[k].n, MANY);
        real(w, &t[k].right);
    }
}

static void pairs(struct walk *w, int *n, struct diag_pair *list) {
    small(w, n, DIAG_LISTED);
    for (int i = 0; i < *n; i++) {
        struct diag_pair *p = &list[i];
        p->id = whole(w, p->id, 1, HUGE_NUMBER);
        real(w, &p->reward0);
        real(w, &p->reward1);
        real(w, &p->o);
        real(w, &p->loss);
        p->source = (enum label_source)whole(w, p->source, 0, N_LABEL_SOURCES - 1);
        small(w, &p->iteration, MANY);
        p->heldout = whole(w, p->heldout, 0, 1) != 0;
    }
}

static void walk_fields(struct walk *w, struct diagnostics *d) {
    small(w, &d->iteration, MANY);
    d->tick = whole(w, d->tick, 0, HUGE_NUMBER);
    for (int k = 0; k < DIAG_SPLITS; k++) small(w, &d->n[k], MANY);
    small(w, &d->n_not_finite, MANY);
    tallies(w, d->accuracy);
    int sources = N_LABEL_SOURCES; /* a checkpoint of an older version may know fewer */
    small(w, &sources, N_LABEL_SOURCES);
    for (int i = 0; i < sources; i++) tallies(w, d->by_source[i]);
    for (int i = 0; i < DIAG_AGES; i++) tallies(w, d->by_age[i]);
    for (int i = 0; i < DIAG_LENGTHS; i++) tallies(w, d->by_length[i]);
    for (int k = 0; k < DIAG_SPLITS; k++) real(w, &d->nll[k]);
    real(w, &d->ece);
    real(w, &d->brier);
    small(w, &d->n_bins, DIAG_BINS);
    for (int i = 0; i < d->n_bins; i++) {
        small(w, &d->bin[i].n, MANY);
        real(w, &d->bin[i].p);
        real(w, &d->bin[i].o);
    }
    real(w, &d->margin_max);
    for (int k = 0; k < DIAG_SPLITS; k++) {
        for (int i = 0; i < DIAG_MARGINS; i++) small(w, &d->margin[k][i], MANY);
        small(w, &d->n_beyond[k], MANY);
    }
    real(w, &d->length_only);
    real(w, &d->majority);
    real(w, &d->length_correlation);
    pairs(w, &d->n_uncertain, d->uncertain);
    pairs(w, &d->n_disputed, d->disputed);
}

cJSON *diagnostics_to_json(const struct diagnostics *d) {
    if (d->iteration == 0) return cJSON_CreateNull();
    struct diagnostics copy = *d; /* a writing walk stores what it finds */
    struct walk w = {.writing = true, .list = cJSON_CreateArray(), .ok = true};
    walk_fields(&w, &copy);
    return w.list;
}

bool diagnostics_from_json(struct diagnostics *d, const cJSON *json, const char *where, struct err *e) {
    diagnostics_measure(d, NULL, 0, 0, 0);
    if (!json || cJSON_IsNull(json)) return true;
    if (!cJSON_IsArray(json))
        return err_set(e, "%s: \"diagnostics\" must be an array, found %s", where, json_type_name(json));
    struct walk w = {.next = json->child, .ok = true};
    walk_fields(&w, d);
    if (w.ok && !w.next) return true;
    diagnostics_measure(d, NULL, 0, 0, 0);
    return err_set(
        e, "%s: \"diagnostics\" does not hold the figures of a fit: an entry is missing, too many, or out of range",
        where);
}
