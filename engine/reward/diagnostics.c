/* Reward diagnostics: see diagnostics.h. */
#include "engine/reward/diagnostics.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/reward/pref_fit.h"

double diag_share(struct diag_tally t) { return t.n ? t.right / t.n : (double)NAN; }

static double delta_of(const struct scored_pair *p) { return p->reward0 - p->reward1; }

static bool is_labelled(const struct scored_pair *p) { return p->source != SOURCE_NONE; }

static bool is_decided(const struct scored_pair *p) { return is_labelled(p) && p->o != 0.5; }

/* Delta as seen from the answer that the label prefers. */
static double margin_of(const struct scored_pair *p) { return p->o > 0.5 ? delta_of(p) : -delta_of(p); }

static double loss_of(const struct scored_pair *p) {
    return is_labelled(p) ? pref_loss(delta_of(p) - (2.0 * p->o - 1.0) * p->margin, p->o, p->flip, NULL) : (double)NAN;
}

/* ---- what it ranks right ---- */

static void count(struct diag_tally *t, double margin) {
    t->n++;
    t->right += margin > 0 ? 1.0 : margin == 0 ? 0.5 : 0.0;
}

static int age_class(int age) {
    return age <= 0 ? DIAG_AGE_0 : age == 1 ? DIAG_AGE_1 : age <= 3 ? DIAG_AGE_2_3 : DIAG_AGE_4;
}

static int length_class(const struct scored_pair *p) {
    const int more = p->o > 0.5 ? p->length0 - p->length1 : p->length1 - p->length0;
    return more < 0 ? DIAG_SHORTER : more == 0 ? DIAG_AS_LONG : DIAG_LONGER;
}

static void tally(struct diagnostics *d, const struct scored_pair *pair, int n) {
    for (int i = 0; i < n; i++) {
        const struct scored_pair *p = &pair[i];
        const int split = p->heldout ? DIAG_HELDOUT : DIAG_TRAIN;
        d->n[split] += is_labelled(p);
        if (!is_decided(p)) continue;
        const double margin = margin_of(p);
        count(&d->accuracy[split], margin);
        count(&d->by_source[p->source][split], margin);
        count(&d->by_age[age_class(d->iteration - p->iteration)][split], margin);
        count(&d->by_length[length_class(p)][split], margin);
    }
}

static void measure_baselines(struct diagnostics *d, const struct scored_pair *pair, int n) {
    double longer = 0;
    int decided = 0, first = 0;
    for (int i = 0; i < n; i++) {
        if (!is_decided(&pair[i])) continue;
        const int class = length_class(&pair[i]);
        decided++;
        first += pair[i].o > 0.5;
        longer += class == DIAG_LONGER ? 1.0 : class == DIAG_AS_LONG ? 0.5 : 0.0;
    }
    d->length_only = decided ? longer / decided : (double)NAN;
    d->majority = decided ? (double)(2 * first > decided ? first : decided - first) / decided : (double)NAN;
}

static void correlate_with_length(struct diagnostics *d, const struct scored_pair *pair, int n) {
    double *reward = mem_small((size_t)(4 * n + 1) * sizeof *reward), *length = reward + 2 * n;
    for (int i = 0; i < n; i++) {
        reward[2 * i] = pair[i].reward0;
        reward[2 * i + 1] = pair[i].reward1;
        length[2 * i] = pair[i].length0;
        length[2 * i + 1] = pair[i].length1;
    }
    d->length_correlation = n >= 2 ? stats_correlation(reward, length, 2 * (size_t)n) : (double)NAN;
    free(reward);
}

/* ---- likelihood and calibration ---- */

static void measure_nll(struct diagnostics *d, const struct scored_pair *pair, int n) {
    double sum[DIAG_SPLITS] = {0}, weight[DIAG_SPLITS] = {0};
    for (int i = 0; i < n; i++) {
        if (!is_labelled(&pair[i])) continue;
        sum[pair[i].heldout] += pair[i].weight * loss_of(&pair[i]);
        weight[pair[i].heldout] += pair[i].weight;
    }
    for (int k = 0; k < DIAG_SPLITS; k++) d->nll[k] = weight[k] > 0 ? sum[k] / weight[k] : (double)NAN;
}

static void calibrate(struct diagnostics *d, const struct scored_pair *pair, int n) {
    double *sure = mem_small((size_t)(2 * n + 1) * sizeof *sure), *right = sure + n;
    int m = 0;
    for (int i = 0; i < n; i++) {
        if (!is_labelled(&pair[i]) || !pair[i].heldout) continue;
        const double delta = delta_of(&pair[i]);
        sure[m] = stats_sigmoid(fabs(delta));
        right[m++] = delta > 0 ? pair[i].o : delta < 0 ? 1.0 - pair[i].o : 0.5;
    }
    d->ece = d->brier = (double)NAN;
    if (m >= DIAG_BINS) {
        d->n_bins = DIAG_BINS;
        d->ece = stats_ece(sure, right, (size_t)m, DIAG_BINS);
        d->brier = stats_brier(sure, right, (size_t)m);
        stats_calibration(sure, right, (size_t)m, d->bin, DIAG_BINS);
    }
    free(sure);
}

/* ---- margins ---- */

static double round_up(double x) {
    static const double STEPS[] = {1, 2, 3, 4, 6, 8, 10};
    if (!(x > 0)) return 1;
    const double power = pow(10, floor(log10(x)));
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
        if (STEPS[i] * power >= x) return STEPS[i] * power;
    return 10 * power;
}

static int compare_reals(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double margin_range(const struct scored_pair *pair, int n) {
    double *size = mem_small((size_t)(n + 1) * sizeof *size), range = 0;
    int m = 0;
    for (int i = 0; i < n; i++)
        if (is_decided(&pair[i])) size[m++] = fabs(delta_of(&pair[i]));
    qsort(size, (size_t)m, sizeof *size, compare_reals);
    if (m > 0) range = size[m - 1 - m / 50];
    free(size);
    return round_up(range);
}

static void count_margins(struct diagnostics *d, const struct scored_pair *pair, int n) {
    d->margin_max = margin_range(pair, n);
    for (int i = 0; i < n; i++) {
        if (!is_decided(&pair[i])) continue;
        const double at = (margin_of(&pair[i]) / d->margin_max + 1.0) * (DIAG_MARGINS / 2.0);
        d->margin[pair[i].heldout][at < 0 ? 0 : at >= DIAG_MARGINS ? DIAG_MARGINS - 1 : (int)at]++;
        d->n_beyond[pair[i].heldout] += fabs(delta_of(&pair[i])) > d->margin_max;
    }
}

/* ---- pairs to look at ---- */

/* Put p into a list that is sorted by rising key and keeps the DIAG_LISTED smallest. */
static void enlist(struct diag_pair *list, double *keys, int *n, const struct scored_pair *p, double key) {
    int at = *n;
    while (at > 0 && (keys[at - 1] > key || (keys[at - 1] == key && list[at - 1].id < p->id))) at--;
    if (at == DIAG_LISTED) return;
    *n += *n < DIAG_LISTED;
    for (int i = *n - 1; i > at; i--) {
        list[i] = list[i - 1];
        keys[i] = keys[i - 1];
    }
    keys[at] = key;
    list[at] = (struct diag_pair){.id = p->id,
                                  .reward0 = p->reward0,
                                  .reward1 = p->reward1,
                                  .o = p->o,
                                  .loss = loss_of(p),
                                  .source = p->source,
                                  .iteration = p->iteration,
                                  .heldout = p->heldout};
}

static void list_pairs(struct diagnostics *d, const struct scored_pair *pair, int n) {
    double closeness[DIAG_LISTED], loss[DIAG_LISTED];
    for (int i = 0; i < n; i++) {
        enlist(d->uncertain, closeness, &d->n_uncertain, &pair[i], fabs(delta_of(&pair[i])));
        if (is_labelled(&pair[i])) enlist(d->disputed, loss, &d->n_disputed, &pair[i], -loss_of(&pair[i]));
    }
}

void diagnostics_measure(struct diagnostics *d, const struct scored_pair *pair, int n, int iteration, int64_t tick) {
    *d = (struct diagnostics){.iteration = iteration, .tick = tick};
    struct scored_pair *finite = mem_small((size_t)(n + 1) * sizeof *finite);
    int m = 0;
    for (int i = 0; i < n; i++)
        if (isfinite(pair[i].reward0) && isfinite(pair[i].reward1)) finite[m++] = pair[i];
    d->n_not_finite = n - m;
    tally(d, finite, m);
    measure_nll(d, finite, m);
    calibrate(d, finite, m);
    count_margins(d, finite, m);
    measure_baselines(d, finite, m);
    correlate_with_length(d, finite, m);
    list_pairs(d, finite, m);
    free(finite);
}
