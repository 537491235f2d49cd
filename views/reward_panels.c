/* The Reward view's figures and pictures: what the reward ranks right, how sure it is, and whether it may be. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/bars.h"
#include "views/figures.h"
#include "views/format.h"
#include "views/reward.h"

int reward_scroll(struct reward_view *v, int panel, int page, int lines) {
    int top = v->scroll[panel].top;
    if (top > lines - page) top = lines - page;
    v->scroll[panel].top = top < 0 ? 0 : top;
    v->scroll[panel].page = page;
    v->scroll[panel].lines = lines;
    return v->scroll[panel].top;
}

/* ---- figures ---- */

static struct diag_tally both(const struct diag_tally t[DIAG_SPLITS]) {
    return (struct diag_tally){t[0].n + t[1].n, t[0].right + t[1].right};
}

static struct figure *add_share(struct figures *t, const char *name, const char *brief, struct diag_tally x,
                                const char *none) {
    struct figure *f = figures_add(t, name, brief);
    if (x.n)
        snprintf(f->value, sizeof f->value, "%s of %d", format_percent(diag_share(x)).s, x.n);
    else
        snprintf(f->value, sizeof f->value, "%s", none);
    snprintf(f->short_value, sizeof f->short_value, x.n ? "%s of %d" : "-", format_percent(diag_share(x)).s, x.n);
    return f;
}

static void add_accuracies(struct figures *t, const struct snapshot *s) {
    const struct diagnostics *d = &s->reward->figures;
    const double held_out = diag_share(d->accuracy[DIAG_HELDOUT]);
    if (d->n_not_finite) {
        struct figure *f = figures_add(t, "not a number", "NaN");
        snprintf(f->value, sizeof f->value, "the rewards of %d pairs, which count nowhere below", d->n_not_finite);
        snprintf(f->short_value, sizeof f->short_value, "%d pairs", d->n_not_finite);
        f->role = ROLE_ERROR;
    }
    struct figure *f = add_share(t, "ranked right", "held-out", d->accuracy[DIAG_HELDOUT], "no held-out pairs yet");
    if (isfinite(held_out)) {
        const bool passed = held_out >= s->options.reward_gate;
        const size_t n = strlen(f->value);
        snprintf(f->value + n, sizeof f->value - n, " held out (gate %s)", format_percent(s->options.reward_gate).s);
        f->role = passed ? ROLE_GOOD : ROLE_WARNING;
    }
    add_share(t, "  in training", "train", d->accuracy[DIAG_TRAIN], "no training pairs");
    add_share(t, "  newest iteration", "newest", both(d->by_age[DIAG_AGE_0]), "made no pairs");
    add_share(t, "  by people", "people", both(d->by_source[SOURCE_HUMAN]), "none yet");
}

/* By how much it is surer than right, over all bins. */
static double oversure(const struct diagnostics *d) {
    double sum = 0;
    int n = 0;
    for (int i = 0; i < d->n_bins; i++) {
        sum += d->bin[i].n * (d->bin[i].p - d->bin[i].o);
        n += d->bin[i].n;
    }
    return n ? sum / n : (double)NAN;
}

static void add_calibration(struct figures *t, const struct diagnostics *d) {
    struct figure *f = figures_add(t, "calibration error", "ECE");
    const double over = oversure(d);
    if (!d->n_bins)
        snprintf(f->value, sizeof f->value, "needs %d held-out pairs", DIAG_BINS);
    else if (fabs(over) < 0.005)
        snprintf(f->value, sizeof f->value, "%s, on average as sure as right", format_number(d->ece).s);
    else
        snprintf(f->value, sizeof f->value, "%s, on average %s too %s", format_number(d->ece).s,
                 format_percent(fabs(over)).s, over > 0 ? "sure" : "modest");
    snprintf(f->short_value, sizeof f->short_value, "%s", format_number(d->ece).s);
    f = figures_add(t, "Brier score", "Brier");
    snprintf(f->value, sizeof f->value, "%s (0 best, 0.25 knows nothing)", format_number(d->brier).s);
    snprintf(f->short_value, sizeof f->short_value, "%s", format_number(d->brier).s);
    f = figures_add(t, "loss, nats/pair", "NLL");
    snprintf(f->value, sizeof f->value, "%s held out, %s in training", format_number(d->nll[DIAG_HELDOUT]).s,
             format_number(d->nll[DIAG_TRAIN]).s);
    snprintf(f->short_value, sizeof f->short_value, "%s, train %s", format_number(d->nll[DIAG_HELDOUT]).s,
             format_number(d->nll[DIAG_TRAIN]).s);
}

/* What the reward has to beat. */
static void add_baselines(struct figures *t, const struct diagnostics *d) {
    const double reward = diag_share(d->accuracy[DIAG_HELDOUT]), length = fmax(d->length_only, 1 - d->length_only);
    struct figure *f = figures_add(t, "length alone", "length");
    snprintf(f->value, sizeof f->value, "the longer answer is better in %s", format_percent(d->length_only).s);
    snprintf(f->short_value, sizeof f->short_value, "longer wins %s", format_percent(d->length_only).s);
    if (reward <= length) f->role = ROLE_WARNING;
    f = figures_add(t, "one side always", "one side");
    snprintf(f->value, sizeof f->value, "%s would be right by saying so", format_percent(d->majority).s);
    snprintf(f->short_value, sizeof f->short_value, "%s", format_percent(d->majority).s);
    f = figures_add(t, "reward and length", "r~length");
    snprintf(f->value, sizeof f->value, "correlation %s", format_number(d->length_correlation).s);
    snprintf(f->short_value, sizeof f->short_value, "corr. %s", format_number(d->length_correlation).s);
}

static void draw_figures(struct area a, const struct snapshot *s, struct reward_view *v) {
    const struct diagnostics *d = &s->reward->figures;
    struct figures t = {.n = 0};
    add_accuracies(&t, s);
    add_calibration(&t, d);
    add_baselines(&t, d);
    struct figure *f = figures_add(&t, "measured", "measured");
    snprintf(f->value, sizeof f->value, "after the fit of iteration %d, tick %lld", d->iteration, (long long)d->tick);
    snprintf(f->short_value, sizeof f->short_value, "it. %d, tick %lld", d->iteration, (long long)d->tick);
    figures_draw(a, &t, reward_scroll(v, REWARD_FIGURES, a.rows, t.n));
}

/* ---- reliability ---- */

/* Bins as they are drawn: neighbours are merged until they fit. */
static struct calibration_bin merged(const struct diagnostics *d, int first, int group) {
    struct calibration_bin m = {.n = 0};
    for (int i = first; i < first + group && i < d->n_bins; i++) {
        m.n += d->bin[i].n;
        m.p += d->bin[i].n * d->bin[i].p;
        m.o += d->bin[i].n * d->bin[i].o;
    }
    if (m.n) m.p /= m.n, m.o /= m.n;
    return m;
}

/* Bars go from 50 %, where being sure begins, to 100 %. */
static double on_scale(double share) { return 2 * share - 1; }

enum { SURE_COLS = 7, RIGHT_COLS = 12 }; /* "  95 %  " bar "  93 %  38" */

/* The bar is the share that is right, the mark how sure the reward was; dots between them where it was too sure. */
static void draw_bin(struct area a, int row, struct calibration_bin b) {
    const struct area bar = area_sub(a, row, SURE_COLS, 1, a.cols - SURE_COLS - RIGHT_COLS);
    const double chance = 2 * sqrt(b.p * (1 - b.p) / (b.n ? b.n : 1)); /* two standard deviations of a fair share */
    const enum role role = b.o < b.p - chance ? ROLE_WARNING : ROLE_TEXT;
    area_printf(a, row, 0, ROLE_TEXT, 0, "%5s", format_percent(b.p).s);
    const int mark = (int)(on_scale(b.p) * bar.cols), at = mark < bar.cols ? mark : bar.cols - 1;
    const int from = bar_right(bar, on_scale(b.o), ROLE_SERIES1);
    for (int i = from; i < at; i++) area_fill(bar, 0, i, 1, "░", ROLE_WARNING, 0);
    if (at >= 0) area_fill(bar, 0, at, 1, "│", ROLE_MARK, ATTR_BOLD);
    area_printf(a, row, a.cols - RIGHT_COLS, role, 0, " %5s", format_percent(b.o).s);
    area_printf(a, row, a.cols - RIGHT_COLS + 6, ROLE_DIM, 0, " %5s", format_count(b.n).s);
}

static void draw_words(struct area a, const char *text) {
    struct wrapped w;
    wrap_text(&w, text, a.cols);
    area_wrapped(a, &w, text, 0, ROLE_DIM);
    wrapped_free(&w);
}

/* The longest explanation that fits, if any. */
static void explain(struct area a) {
    static const char *const TEXTS[] = {
        "bar: how often it is right, mark: how sure it is. A bar short of its mark is a reward too sure of itself; "
        "where labels are taken to be turned round at times, the best reward is a little modest.",
        "bar: how often right, mark: how sure"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct wrapped w;
        wrap_text(&w, TEXTS[i], a.cols);
        const bool fits = w.n <= a.rows;
        if (fits) area_wrapped(a, &w, TEXTS[i], 0, ROLE_DIM);
        wrapped_free(&w);
        if (fits) return;
    }
}

static void draw_reliability(struct area a, const struct snapshot *s, struct reward_view *v) {
    (void)v;
    const struct diagnostics *d = &s->reward->figures;
    const int group = a.rows > 1 ? (DIAG_BINS + a.rows - 2) / (a.rows - 1) : DIAG_BINS;
    char text[96];
    snprintf(text, sizeof text, "%d held-out pairs with labels: a diagram needs %d", d->n[DIAG_HELDOUT], DIAG_BINS);
    if (!d->n_bins || a.cols < SURE_COLS + RIGHT_COLS + 8) {
        if (d->n_bins) snprintf(text, sizeof text, "calibration error %s", format_number(d->ece).s);
        draw_words(a, text);
        return;
    }
    area_text(a, 0, 0, a.cols, ROLE_DIM, 0, " sure");
    area_printf(a, 0, a.cols - RIGHT_COLS, ROLE_DIM, 0, " right pairs");
    const int room = a.cols - SURE_COLS - RIGHT_COLS;
    area_text(a, 0, SURE_COLS, room, ROLE_AXIS, 0, "50 %");
    if (room >= 14) area_text(a, 0, a.cols - RIGHT_COLS - 5, 5, ROLE_AXIS, 0, "100 %");
    int row = 1;
    for (int i = 0; i < d->n_bins && row < a.rows; i += group) draw_bin(a, row++, merged(d, i, group));
    explain(area_sub(a, row + 1, 0, a.rows - row - 1, a.cols));
}

/* ---- margins ---- */

enum { MIN_BARS = 2 }; /* rows */

static int wrong_in(const int count[DIAG_MARGINS], int *n) {
    int wrong = 0;
    *n = 0;
    for (int i = 0; i < DIAG_MARGINS; i++) {
        *n += count[i];
        if (i < DIAG_MARGINS / 2) wrong += count[i];
    }
    return wrong;
}

/* The axis below the bars: -m, 0, m under it, and what the halves mean between them. beyond: the outermost bars hold
 * more than they span. */
static void draw_margin_axis(struct area a, int row, int left, int width, double m, bool beyond) {
    const int zero = left + width * DIAG_MARGINS / 2;
    area_fill(a, row, left, width * DIAG_MARGINS, "─", ROLE_AXIS, 0);
    area_fill(a, row, zero, 1, "┴", ROLE_AXIS, 0);
    struct short_text lo, hi;
    snprintf(lo.s, sizeof lo.s, "%s%.6g", beyond ? "<" : "", -m);
    snprintf(hi.s, sizeof hi.s, "%s%.6g", beyond ? ">" : "", m);
    const int end = left + width * DIAG_MARGINS, hi_cols = text_cells(hi.s), lo_cols = text_cells(lo.s);
    area_text(a, row + 1, left, lo_cols, ROLE_AXIS, 0, lo.s);
    area_text(a, row + 1, zero, 1, ROLE_AXIS, 0, "0");
    area_text(a, row + 1, end - hi_cols, hi_cols, ROLE_AXIS, 0, hi.s);
    const int wrong = left + lo_cols + (zero - left - lo_cols - 5) / 2,
              right = zero + 1 + (end - hi_cols - zero - 6) / 2;
    if (wrong > left + lo_cols) area_text(a, row + 1, wrong, 5, ROLE_WARNING, 0, "wrong");
    if (right > zero + 1) area_text(a, row + 1, right, 5, ROLE_GOOD, 0, "right");
}

static void draw_histogram(struct area a, const struct diagnostics *d, int split) {
    const int *count = d->margin[split];
    int n, most = 1;
    const int wrong = wrong_in(count, &n), rows = a.rows - 3;
    for (int i = 0; i < DIAG_MARGINS; i++) most = count[i] > most ? count[i] : most;
    const int left = text_cells(format_count(most).s) + 1, width = (a.cols - left) / DIAG_MARGINS;
    area_printf(a, 0, 0, ROLE_DIM, 0, "%d %s pairs, %d ranked wrong", n,
                split == DIAG_HELDOUT ? "held-out" : "training", wrong);
    if (rows < MIN_BARS || width < 1 || !n) return;
    area_text(a, 1, 0, left - 1, ROLE_AXIS, 0, format_count(most).s);
    for (int i = 0; i < rows; i++) area_fill(a, 1 + i, left - 1, 1, i ? "│" : "┤", ROLE_AXIS, 0);
    area_fill(a, 1 + rows, left - 1, 1, "└", ROLE_AXIS, 0);
    for (int i = 0; i < DIAG_MARGINS; i++) {
        const int gap = width > 2; /* bars that touch are read as one */
        bar_up(area_sub(a, 1, left + i * width, rows, width - gap), (double)count[i] / most,
               i < DIAG_MARGINS / 2 ? ROLE_WARNING : ROLE_SERIES1);
    }
    draw_margin_axis(a, 1 + rows, left, width, d->margin_max, d->n_beyond[split] > 0);
}

static void draw_margins(struct area a, const struct snapshot *s, struct reward_view *v) {
    (void)v;
    const struct diagnostics *d = &s->reward->figures;
    const int half = a.rows / 2;
    if (a.rows >= 16) {
        draw_histogram(area_sub(a, 0, 0, half, a.cols), d, DIAG_HELDOUT);
        draw_histogram(area_sub(a, half, 0, a.rows - half, a.cols), d, DIAG_TRAIN);
        return;
    }
    draw_histogram(a, d,
                   d->accuracy[DIAG_HELDOUT].n ? DIAG_HELDOUT : DIAG_TRAIN); /* the honest ones, if there are any */
}

/* ---- where it is right ---- */

enum { MAX_LINES = 3 + N_LABEL_SOURCES + DIAG_AGES + DIAG_LENGTHS, SHARE_COLS = 11 };

struct accuracy_line {
    char name[32];
    const struct diag_tally *tally; /* [DIAG_SPLITS] */
};

static int add_line(struct accuracy_line *line, int n, const char *format, const char *word,
                    const struct diag_tally *t) {
    if (n && !t[DIAG_TRAIN].n && !t[DIAG_HELDOUT].n) return n; /* no pairs of that kind */
    snprintf(line[n].name, sizeof line[n].name, format, word);
    line[n].tally = t;
    return n + 1;
}

static int accuracy_lines(const struct diagnostics *d, struct accuracy_line *line) {
    static const char *const AGES[] = {"newest", "1 iteration old", "2 or 3 old", "4 or more old"};
    static const char *const LENGTHS[] = {"shorter better", "equally long", "longer better"};
    int n = add_line(line, 0, "%s", "all pairs", d->accuracy);
    for (int i = 0; i < DIAG_AGES; i++) n = add_line(line, n, "%s", AGES[i], d->by_age[i]);
    for (int i = 0; i < N_LABEL_SOURCES; i++)
        n = add_line(line, n, "by %s", label_source_name((enum label_source)i), d->by_source[i]);
    for (int i = 0; i < DIAG_LENGTHS; i++) n = add_line(line, n, "%s", LENGTHS[i], d->by_length[i]);
    return n;
}

static void draw_share(struct area a, int row, int col, struct diag_tally t) {
    if (!t.n) {
        area_text(a, row, col + 5, 1, ROLE_DIM, 0, "-");
        return;
    }
    area_printf(a, row, col, ROLE_TEXT, 0, "%6s", format_percent(diag_share(t)).s);
    area_printf(a, row, col + 6, ROLE_DIM, 0, "%5s", format_count(t.n).s);
}

static void draw_accuracy(struct area a, const struct snapshot *s, struct reward_view *v) {
    struct accuracy_line line[MAX_LINES];
    const int n = accuracy_lines(&s->reward->figures, line), head = a.rows >= 3;
    const int name = a.cols - 2 * SHARE_COLS >= 12 ? a.cols - 2 * SHARE_COLS : a.cols - SHARE_COLS;
    const int splits = name == a.cols - SHARE_COLS ? 1 : 2, col = name < 22 ? name : 22;
    if (head) {
        area_text(a, 0, col + 1, SHARE_COLS, ROLE_DIM, 0, "held out");
        if (splits == 2) area_text(a, 0, col + SHARE_COLS + 1, SHARE_COLS, ROLE_DIM, 0, "training");
    }
    const int top = reward_scroll(v, REWARD_ACCURACY, a.rows - head, n);
    for (int i = top, row = head; i < n && row < a.rows; i++, row++) {
        area_text(a, row, 0, col - 1, i ? ROLE_DIM : ROLE_TEXT, 0, line[i].name);
        draw_share(a, row, col, line[i].tally[DIAG_HELDOUT]);
        if (splits == 2) draw_share(a, row, col + SHARE_COLS, line[i].tally[DIAG_TRAIN]);
    }
}

const struct reward_panel REWARD_PANELS[N_REWARD_PANELS] = {
    [REWARD_FIGURES] = {"The fitted reward", draw_figures},
    [REWARD_RELIABILITY] = {"Reliability: as right as sure?", draw_reliability},
    [REWARD_MARGINS] = {"Margins: better - worse answer", draw_margins},
    [REWARD_ACCURACY] = {"Ranked right", draw_accuracy},
    [REWARD_UNCERTAIN] = {"Least sure of", reward_draw_uncertain},
    [REWARD_DISPUTED] = {"Most disputed: reward against label", reward_draw_disputed},
    [REWARD_PAIR] = {"Selected pair", reward_draw_pair},
};
