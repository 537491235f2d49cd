/* Histories of figures made by hand: see signature_feed.h. */
#include "tests/support/signature_feed.h"

#include <math.h>
#include <stddef.h>

void fed_new(struct fed_game *g) {
    *g = (struct fed_game){0};
    signature_history_init(&g->history);
    signature_alerts_init(&g->alerts);
    signature_no_figures(g->row, N_EVAL_FIGURES);
    signature_no_figures(g->step, N_STEP_FIGURES);
}

void fed_check(struct fed_game *g) {
    g->n = signature_check(&g->history, &g->alerts, g->finding);
    for (int i = 0; i < g->n; i++) {
        g->raised += g->finding[i].change == SIGNATURE_RAISED;
        g->cleared += g->finding[i].change == SIGNATURE_CLEARED;
    }
}

void fed_evaluation(struct fed_game *g) {
    g->row[EVAL_TICK] = ++g->tick;
    g->row[EVAL_ITERATION] = ++g->iteration;
    if (g->hide_evaluation) g->row[g->hide_evaluation] = (double)NAN;
    signature_push_evaluation(&g->history, g->row);
    signature_no_figures(g->row, N_EVAL_FIGURES);
    fed_check(g);
}

void fed_step(struct fed_game *g) {
    g->step[STEP_TICK] = ++g->tick;
    g->step[STEP_ITERATION] = g->iteration + 1;
    if (g->hide_step) g->step[g->hide_step] = (double)NAN;
    signature_push_step(&g->history, g->step);
    signature_no_figures(g->step, N_STEP_FIGURES);
    fed_check(g);
}

void fed_gap(struct fed_game *g, int figure, double mean, double half) {
    g->row[figure] = mean;
    g->row[figure + 1] = mean - half;
    g->row[figure + 2] = mean + half;
}

void fed_evaluations(struct fed_game *g, int figure, const double *x, int n) {
    for (int i = 0; i < n; i++) {
        g->row[figure] = x[i];
        fed_evaluation(g);
    }
}

void fed_gaps(struct fed_game *g, int figure, double half, const double *x, int n) {
    for (int i = 0; i < n; i++) {
        fed_gap(g, figure, x[i], half);
        fed_evaluation(g);
    }
}

void fed_steps(struct fed_game *g, int figure, double x, int n) {
    static const double OFF[] = {1.0, 0.7, 1.3};
    for (int i = 0; i < n; i++) {
        g->step[figure] = x * OFF[i % 3];
        fed_step(g);
    }
}

void fed_flat_steps(struct fed_game *g, int figure, double x, int n) {
    for (int i = 0; i < n; i++) {
        g->step[figure] = x;
        fed_step(g);
    }
}

const struct signature_finding *fed_find(const struct fed_game *g, enum signature_id id) {
    for (int i = 0; i < g->n; i++)
        if (g->finding[i].id == id) return &g->finding[i];
    return NULL;
}
