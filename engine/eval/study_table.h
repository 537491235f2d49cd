/* What a study found, as numbers: per variant and metric the mean over seeds with its interval, and the difference to
 * the first variant, paired by seed. Then the same as text, CSV, JSON and figures.
 *
 * Intervals are 95 %, Student's t over seeds (stats_t_interval): over the three or five seeds of a study a bootstrap
 * would be too narrow, because it cannot reach beyond the values seen. Coverage, yes or no in every run, gets Wilson's
 * interval of a share; where every run has a share of its own, such as accuracies, Student's t stops at none and all.
 * With one seed there is nothing to compare: then the interval over prompts that the run itself reports is shown where
 * there is one. */
#ifndef PBKD_EVAL_STUDY_TABLE_H
#define PBKD_EVAL_STUDY_TABLE_H

#include "engine/eval/study.h"
#include "engine/math/stats.h"

/* id, name in CSV and JSON, column title, where it stands in a result ("" = derived), factor and decimals as text (100:
 * a share, given in percent), what it is */
#define STUDY_METRICS(X)                                                                                               \
    X(REWARD, "reward_accuracy", "reward %", "reward.accuracy_heldout_first", 100, 1,                                  \
      "reward accuracy on held-out pairs before the game")                                                             \
    X(BEFORE, "accuracy_before", "before %", "student.accuracy_before", 100, 1, "student accuracy before")             \
    X(AFTER, "accuracy_after", "after %", "student.accuracy_after", 100, 1, "student accuracy after")                  \
    X(RISE, "rise", "rise", "", 1, 1, "rise of the student's accuracy in points")                                      \
    X(GAP_WORST, "gap_worst", "gap worst", "gap.worst", 1, 3, "worst-case gap")                                        \
    X(GAP_FITTED, "gap_fitted", "gap fitted", "gap.fitted", 1, 3, "gap under the fitted reward")                       \
    X(GAP_TRUE, "gap_true", "gap true", "gap.true", 1, 3, "teacher accuracy - student accuracy")                       \
    X(COVERAGE, "coverage", "coverage %", "coverage", 100, 1, "confidence sets that contain the true reward")          \
    X(REDRAWN, "coverage_redrawn", "redrawn %", "coverage_redrawn", 100, 1,                                            \
      "of head.redraws sets of labels drawn from the true reward in every run, those whose set contains it")           \
    X(PAIRS, "pairs", "pairs", "pairs", 1, 0, "pairs collected")                                                       \
    X(SECONDS, "seconds", "seconds", "seconds", 1, 0, "seconds of computing")

enum study_metric {
#define X(id, name, title, path, factor, decimals, help) STUDY_METRIC_##id,
    STUDY_METRICS(X)
#undef X
        N_STUDY_METRICS
};
struct study_metric_info {
    const char *name, *title, *path;
    double factor;
    int decimals;
    const char *help;
};
extern const struct study_metric_info STUDY_METRIC[N_STUDY_METRICS];

enum study_over { OVER_NONE, OVER_SEEDS, OVER_PROMPTS }; /* what the interval is over */

struct study_cell {
    int n;             /* seeds it is a mean of; 0: not measured, v is NAN */
    struct interval v; /* lo = hi = mean when over is OVER_NONE */
    enum study_over over;
};
struct study_row {
    const char *label;      /* borrowed */
    const char *const *set; /* NAME=VALUE, STUDY_ASSIGN_MAX at most, borrowed; NULL: none */
    int n_done, n_failed;
    double *value; /* [N_STUDY_METRICS][n_seeds], NAN = none; owned */
    struct study_cell cell[N_STUDY_METRICS], difference[N_STUDY_METRICS]; /* to the first row; its own are empty */
};
struct study_table {
    const struct study_kind *kind;
    const char *config; /* borrowed, may be NULL */
    int n_rows, n_seeds, first_seed;
    struct study_row *row;
};

struct study_table *study_table_make(const struct study *s);
void study_table_free(struct study_table *t);
/* The rows' figures from their values, after `value`, n_rows and n_seeds are filled in. */
void study_table_compute(struct study_table *t);
/* Value of a metric in a result object; NAN when absent. own gets the run's interval when it has one (else n = 0). */
double study_metric_read(const cJSON *result, enum study_metric m, struct study_cell *own);

/* "0.912 [0.873, 0.951]" in the metric's unit; "-" when not measured. */
void study_cell_text(const struct study_cell *c, enum study_metric m, bool difference, char *out, size_t size);
/* Whether any row has it: columns of other studies are left out. */
bool study_table_has(const struct study_table *t, enum study_metric m);

/* The sanity question: of how many seeds the first row's reward was right on more than 90 %, and of how many it is
 * known. */
void study_sanity(const struct study_table *t, int *yes, int *known);

/* Tables at most `columns` wide: what does not fit goes into a further block. With the notes that the reader needs. */
void study_table_text(const struct study_table *t, int columns, struct strbuf *out);
/* RFC 4180: a header line, a line per variant; empty fields where nothing was measured. */
void study_table_csv(const struct study_table *t, struct strbuf *out);
/* One object with every seed's values. */
void study_table_json(const struct study *s, const struct study_table *t, struct strbuf *out);

/* Figures: for each of up to three metrics the variants with their intervals and seeds. */
void study_figure_svg(const struct study_table *t, struct strbuf *out);
void study_figure_text(const struct study_table *t, int columns, bool utf8, struct strbuf *out);
/* Which metrics a figure of this table shows; returns how many. */
int study_figure_metrics(const struct study_table *t, enum study_metric out[3]);
/* The axis of a metric: from all values and interval ends, rounded outwards to `step`; false when there are none. */
bool study_axis(const struct study_table *t, enum study_metric m, double *lo, double *hi, double *step);

#endif
