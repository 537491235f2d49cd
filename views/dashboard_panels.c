/* The panels of the Dashboard: charts of the game, figures in words, the current pair. Each draws into whatever area it
 * gets. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/game/algorithm.h"
#include "views/chart.h"
#include "views/dashboard.h"
#include "views/figures.h"
#include "views/format.h"
#include "views/pair_text.h"
#include "views/styled.h"

/* All charts share one range of ticks, so that what happened at one time stands in one column. */
static struct chart make_chart(const struct snapshot *s, const struct dashboard *d) {
    struct chart c = chart_make();
    c.x1 = d->end >= 0 ? d->end : s->tick;
    c.x0 = d->span > 0 && d->span < c.x1 ? c.x1 - d->span : 0;
    c.mark = s->mark;
    c.n_marks = s->n_marks;
    return c;
}

/* ---- the game ---- */

/* Both half-steps in the order of their ticks: up after an ascent, down after a descent. */
static void merge_saw(const struct snapshot *s, struct dashboard *d) {
    static const struct series NONE = {.n = 0};
    const struct series *up = s->series[SERIES_GAP_ASCENT], *down = s->series[SERIES_GAP_DESCENT];
    if (!up) up = &NONE;
    if (!down) down = &NONE;
    d->n_saw = 0;
    for (int i = 0, j = 0; i < up->n || j < down->n;) {
        const bool ascent = j == down->n || (i < up->n && up->tick[i] <= down->tick[j]);
        d->saw_tick[d->n_saw] = ascent ? up->tick[i] : down->tick[j];
        d->saw[d->n_saw++] = ascent ? up->value[i++] : down->value[j++];
    }
}

static void draw_game(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    merge_saw(s, d);
    chart_add(&c, s->series[SERIES_GAP_WORST], a.cols < 50 ? "worst" : "worst held-out gap", ROLE_SERIES1);
    chart_add(&c, s->series[SERIES_GAP_TRUE], a.cols < 50 ? "true" : "true gap", ROLE_SERIES3);
    if (a.cols >= 70) chart_add(&c, s->series[SERIES_GAP_FITTED], "fitted gap", ROLE_SERIES4);
    struct chart_line *saw = &c.line[c.n_lines++];
    *saw = (struct chart_line){.name = a.cols < 50 ? "batch" : "batch gap (up: ascent, down: descent)",
                               .role = ROLE_SERIES2,
                               .n = d->n_saw,
                               .tick = d->saw_tick,
                               .value = d->saw};
    /* All gaps that the preferences allow, where they are known; else the interval of the estimate. */
    if (s->series[SERIES_GAP_MIN] && s->series[SERIES_GAP_MAX]) {
        chart_set_band(&c, s->series[SERIES_GAP_MIN], s->series[SERIES_GAP_MAX]);
        c.note = a.cols < 70 ? "band: set" : "band: the confidence set";
    } else {
        chart_set_band(&c, s->series[SERIES_GAP_WORST_LO], s->series[SERIES_GAP_WORST_HI]);
    }
    c.from_zero = true;
    c.empty = algorithm_has_adversary(&s->options) ? "the game has not started: gaps appear with the first evaluation"
              : s->options.prompts_checker != CHECKER_NONE
                  ? "no reward plays in this algorithm: the true gap comes with the first evaluation"
                  : "no reward plays in this algorithm, and without prompts.checker no gap is known";
    chart_draw(a, &c);
}

static void draw_reward(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    char gate[48];
    chart_add(&c, s->series[SERIES_RM_HELDOUT], "held-out", ROLE_SERIES1);
    chart_add(&c, s->series[SERIES_RM_NEWEST], "newest pairs", ROLE_SERIES3);
    chart_add(&c, s->series[SERIES_RM_LENGTH], "length alone", ROLE_SERIES4);
    chart_add(&c, s->series[SERIES_RM_TRAIN], "train", ROLE_SERIES2);
    for (int i = 0; i < c.n_lines; i++) c.line[i].percent = true;
    snprintf(gate, sizeof gate, "%s%s", a.cols >= 40 ? "gate " : "", format_percent(s->options.reward_gate).s);
    c.level = s->options.reward_gate;
    c.level_name = gate;
    c.top = 1;
    c.empty = algorithm_has_fitted(&s->options) ? "the reward is not fitted yet" : "this algorithm fits no reward";
    chart_draw(a, &c);
}

/* What trains the student where no reward is held by preferences. */
static void draw_loss(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    static const struct {
        enum series_id id;
        const char *name;
    } LOSSES[] = {{SERIES_SFT_LOSS, "cross-entropy"},
                  {SERIES_DISTIL_LOSS, "divergence"},
                  {SERIES_DPO_LOSS, "preference loss"},
                  {SERIES_STUDENT_REWARD, "reward of samples"}};
    for (size_t i = 0; i < sizeof LOSSES / sizeof *LOSSES; i++)
        if (s->series[LOSSES[i].id])
            chart_add(&c, s->series[LOSSES[i].id], LOSSES[i].name, (enum role)((int)ROLE_SERIES1 + (int)i));
    c.empty = "the student has not been trained yet";
    chart_draw(a, &c);
}

static void draw_misfit(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    char zeta[48], beta[48];
    if (!algorithm_holds_adversary(&s->options)) {
        draw_loss(a, s, d);
        return;
    }
    snprintf(beta, sizeof beta, "beta %.6g", s->beta);
    c.note = beta;
    chart_add(&c, s->series[SERIES_SLACK], "L-L_hat", ROLE_SERIES1);
    snprintf(zeta, sizeof zeta, "zeta %.6g", s->zeta);
    c.level = s->zeta;
    c.level_name = zeta;
    c.from_zero = true;
    c.empty = "the adversary has not played yet";
    chart_draw(a, &c);
}

static void draw_student(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    char teacher[48];
    const struct series *accuracy = s->series[SERIES_ACCURACY];
    if (accuracy)
        chart_add(&c, accuracy, "accuracy", ROLE_STUDENT);
    else
        chart_add(&c, s->series[SERIES_STUDENT_REWARD], "reward of samples", ROLE_STUDENT);
    c.line[0].percent = accuracy != NULL;
    if (accuracy && isfinite(s->teacher_accuracy)) {
        snprintf(teacher, sizeof teacher, "teacher %s", format_percent(s->teacher_accuracy).s);
        c.level = s->teacher_accuracy;
        c.level_name = teacher;
        c.top = 1;
    }
    c.empty = "the student has not been evaluated yet";
    chart_draw(a, &c);
}

static void draw_drift(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    chart_add(&c, s->series[SERIES_KL], "KL to start", ROLE_SERIES1);
    chart_add(&c, s->series[SERIES_ENTROPY], "entropy", ROLE_SERIES2);
    c.from_zero = true;
    chart_draw(a, &c);
}

static void draw_regret(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    const struct series *regret = s->series[SERIES_REGRET];
    chart_add(&c, regret, "regret", ROLE_SERIES1);
    if (regret && regret->n > 1) { /* c such that both meet at the newest point */
        const double t_end = regret->n, scale = (double)regret->value[regret->n - 1] / sqrt(t_end * log(t_end));
        for (int i = 0; i < regret->n; i++) d->reference[i] = (float)(scale * sqrt((i + 1) * log(i + 1)));
        c.line[c.n_lines++] = (struct chart_line){
            .name = "c sqrt(t log t)", .role = ROLE_AXIS, .n = regret->n, .tick = regret->tick, .value = d->reference};
    }
    c.from_zero = true;
    chart_draw(a, &c);
}

/* What beta does, as the newest evaluation solved it: the gap of the maximiser and how far its fit is from the best
 * one, over powers of ten. The mark stands at the beta in force. */
static void draw_curve(struct area a, const struct snapshot *s, struct dashboard *d) {
    (void)d;
    struct chart c = chart_make();
    int64_t tick[GAP_CURVE];
    float gap[GAP_CURVE], excess[GAP_CURVE];
    char zeta[48];
    const bool known = isfinite(s->gap_set.curve_gap[0]);
    for (int i = 0; i < GAP_CURVE; i++) {
        tick[i] = llround(100 * log10(gap_curve_beta(i)));
        gap[i] = (float)s->gap_set.curve_gap[i];
        excess[i] = (float)s->gap_set.curve_excess[i];
    }
    c.line[c.n_lines++] = (struct chart_line){
        .name = "gap", .role = ROLE_SERIES1, .n = known ? GAP_CURVE : 0, .tick = tick, .value = gap};
    c.line[c.n_lines++] = (struct chart_line){
        .name = "L-L_hat", .role = ROLE_SERIES2, .n = known ? GAP_CURVE : 0, .tick = tick, .value = excess};
    struct tick_mark at = {.tick = s->beta > 0 ? llround(100 * log10(s->beta)) : INT64_MIN, .what = "beta"};
    c.mark = &at;
    c.n_marks = 1;
    snprintf(zeta, sizeof zeta, "zeta %.6g", s->zeta);
    c.level = s->zeta;
    c.level_name = zeta;
    c.from_zero = true;
    c.decades = true;
    c.x_name = "beta";
    c.empty = s->options.game_scope == SCOPE_HEAD ? "solved at the first evaluation"
                                                  : "known with game.scope head: there the inner maximum is exact";
    chart_draw(a, &c);
}

/* ---- figures ---- */

static double newest(const struct snapshot *s, enum series_id id) {
    const struct series *x = s->series[id];
    return x && x->n ? (double)x->value[x->n - 1] : (double)NAN;
}

static void add_interval(struct figures *t, const char *name, const char *brief, struct interval v) {
    struct figure *f = figures_add(t, name, brief);
    snprintf(f->value, sizeof f->value, "%s", isfinite(v.mean) ? format_interval(v).s : "not measured yet");
    snprintf(f->short_value, sizeof f->short_value, "%s", format_number(v.mean).s);
}

static void add_number(struct figures *t, const char *name, const char *brief, double v, const char *unit) {
    struct figure *f = figures_add(t, name, brief);
    snprintf(f->value, sizeof f->value, "%s %s", format_number(v).s, isfinite(v) ? unit : "");
    snprintf(f->short_value, sizeof f->short_value, "%s", format_number(v).s);
}

static void add_accuracies(struct figures *t, const struct snapshot *s) {
    if (isfinite(s->accuracy_now)) {
        struct figure *f = figures_add(t, "student accuracy", "student");
        snprintf(f->value, sizeof f->value, "%s (start %s, teacher %s)", format_percent(s->accuracy_now).s,
                 format_percent(s->accuracy_before).s, format_percent(s->teacher_accuracy).s);
        snprintf(f->short_value, sizeof f->short_value, "%s, was %s", format_percent(s->accuracy_now).s,
                 format_percent(s->accuracy_before).s);
    }
    const double reward = newest(s, SERIES_RM_HELDOUT);
    if (!algorithm_has_fitted(&s->options)) return;
    struct figure *f = figures_add(t, "reward accuracy", "reward");
    const bool passed = reward >= s->options.reward_gate;
    snprintf(f->value, sizeof f->value, "%s held-out (gate %s%s)", format_percent(reward).s,
             format_percent(s->options.reward_gate).s,
             !isfinite(reward) ? ""
             : passed          ? ", reached"
                               : ", NOT reached");
    snprintf(f->short_value, sizeof f->short_value, "%s (gate %s)", format_percent(reward).s,
             format_percent(s->options.reward_gate).s);
    if (isfinite(reward)) f->role = passed ? ROLE_GOOD : ROLE_WARNING;
}

static void add_constraint(struct figures *t, const struct snapshot *s) {
    if (!algorithm_holds_adversary(&s->options)) return;
    struct figure *f = figures_add(t, "misfit L - L_hat", "L-L_hat");
    snprintf(f->value, sizeof f->value, "%s of zeta %.6g nats/pair", format_number(s->slack).s, s->zeta);
    snprintf(f->short_value, sizeof f->short_value, "%s of %.6g", format_number(s->slack).s, s->zeta);
    f = figures_add(t, "beta", "beta");
    const bool pending = s->pending_option == OPTION_ID_beta;
    snprintf(f->value, sizeof f->value, "%.6g%s%s%s", s->beta, pending ? " → " : "", pending ? s->pending_value : "",
             pending ? " at the next step" : "");
    snprintf(f->short_value, sizeof f->short_value, "%.6g%s%s", s->beta, pending ? " → " : "",
             pending ? s->pending_value : "");
}

/* Most important first: a small panel shows as many as it has rows. */
static void collect_figures(struct figures *t, const struct snapshot *s) {
    t->n = 0;
    if (algorithm_info(&s->options)->ascent) add_interval(t, "worst-case gap", "gap", s->gap_worst);
    if (isfinite(s->gap_set.max)) {
        struct figure *set = figures_add(t, "gap over the set", "over set");
        snprintf(set->value, sizeof set->value, "[%s, %s]%s", format_number(s->gap_set.min).s,
                 format_number(s->gap_set.max).s, s->coverage == 0 ? " misses the truth" : "");
        snprintf(set->short_value, sizeof set->short_value, "[%s, %s]", format_number(s->gap_set.min).s,
                 format_number(s->gap_set.max).s);
    }
    add_accuracies(t, s);
    add_constraint(t, s);
    if (isfinite(s->gap_true.mean)) add_interval(t, "true gap (accuracy)", "true gap", s->gap_true);
    if (algorithm_has_fitted(&s->options) && algorithm_has_adversary(&s->options))
        add_interval(t, "fitted gap", "fitted", s->gap_fitted);
    if (isfinite(s->gap_held.mean)) add_interval(t, "gap under r_held", "r_held", s->gap_held);
    struct figure *f = figures_add(t, "labels by people", "labels");
    snprintf(f->value, sizeof f->value, "%d (%d pairs waiting)", s->labels_human, s->labels_waiting);
    snprintf(f->short_value, sizeof f->short_value, "%d (%d waiting)", s->labels_human, s->labels_waiting);
    f = figures_add(t, "preference pairs", "pairs");
    snprintf(f->value, sizeof f->value, "%d (%d held out)", s->n_pairs, s->n_heldout);
    snprintf(f->short_value, sizeof f->short_value, "%d", s->n_pairs);
    add_number(t, "KL to the start", "KL", newest(s, SERIES_KL), "nats/token");
    add_number(t, "entropy", "entropy", newest(s, SERIES_ENTROPY), "nats/token");
    if (isfinite(newest(s, SERIES_STUDENT_REWARD)))
        add_number(t, "reward of samples", "samples", newest(s, SERIES_STUDENT_REWARD), "");
    add_number(t, "best fit L_hat", "L_hat", s->nll_best, "nats/pair");
    add_number(t, "calibration error", "ECE", newest(s, SERIES_ECE), "held-out");
    add_number(t, "cumulative regret", "regret", newest(s, SERIES_REGRET), "");
    if (isfinite(newest(s, SERIES_REGRET_RATE)))
        add_number(t, "regret rate", "rate", newest(s, SERIES_REGRET_RATE), "sqrt(t log t)");
    f = figures_add(t, "running for", "time");
    snprintf(f->value, sizeof f->value, "%s, to go %s", format_duration(s->elapsed_seconds).s,
             format_duration(s->eta_seconds).s);
    snprintf(f->short_value, sizeof f->short_value, "%s", format_duration(s->elapsed_seconds).s);
    if (s->n_marks) {
        f = figures_add(t, "last act", "act");
        snprintf(f->value, sizeof f->value, "%s (tick %lld)", s->mark[s->n_marks - 1].what,
                 (long long)s->mark[s->n_marks - 1].tick);
        snprintf(f->short_value, sizeof f->short_value, "%s", s->mark[s->n_marks - 1].what);
    }
}

/* The alert or the reason of waiting, wrapped over at most `rows`; returns the rows used. */
static int draw_alert(struct area a, const struct snapshot *s, int rows) {
    const bool stands = s->state != RUN_RUNNING && s->state_text[0];
    const char *text = stands ? s->state_text : s->alert_now;
    if (!text || rows < 1) return 0;
    struct styled t = {0};
    const bool serious = !stands && s->n_alerts > 0 && s->alert[0].level == ALERT_ERROR;
    const enum role role = s->state == RUN_FAILED || serious   ? ROLE_ERROR
                           : stands && s->state != RUN_WAITING ? ROLE_TEXT
                                                               : ROLE_WARNING;
    styled_printf(&t, role, 0, "%s%s", role == ROLE_TEXT ? "" : "! ", text);
    if (!stands && s->n_alerts > 0) styled_printf(&t, role, 0, ". %s", s->alert[0].advice);
    const int n = styled_draw_cut(area_sub(a, 0, 0, rows, a.cols), &t);
    styled_free(&t);
    return n < rows ? n : rows;
}

static void draw_figures(struct area a, const struct snapshot *s, struct dashboard *d) {
    (void)d;
    struct figures t;
    collect_figures(&t, s);
    const int alert = a.rows >= 8 ? draw_alert(a, s, 3) : 0;
    figures_draw(area_sub(a, alert, 0, a.rows - alert, a.cols), &t, 0);
}

/* ---- the current pair ---- */

static void add_answer(struct styled *t, const char *who, enum role role, double reward, const char *text, bool cut) {
    styled_printf(t, role, ATTR_BOLD, "%s ", who);
    if (isfinite(reward)) styled_printf(t, role, 0, "(reward %s) ", format_number(reward).s);
    styled_add(t, ROLE_TEXT, 0, *text ? text : "(empty)");
    styled_add(t, ROLE_DIM, 0, cut ? " (cut)\n" : "\n");
}

static void draw_pair(struct area a, const struct snapshot *s, struct dashboard *d) {
    if (!s->n_shown) {
        struct styled none = {0};
        styled_add(&none, ROLE_DIM, 0, "no pairs yet: the first come with the first collection");
        styled_draw_cut(a, &none);
        styled_free(&none);
        return;
    }
    const struct shown_pair *p = &s->pair[0];
    struct styled t = {0};
    styled_printf(&t, ROLE_DIM, ATTR_BOLD, "prompt ");
    styled_printf(&t, ROLE_TEXT, 0, "%s\n", p->prompt);
    add_answer(&t, answer_name(p, 0), answer_role(p, 0), p->reward_teacher, p->teacher, p->truncated0);
    add_answer(&t, answer_name(p, 1), answer_role(p, 1), p->reward_student, p->student, p->truncated1);
    const int last = styled_lines(&t, a.cols) - a.rows;
    if (d->pair_top > last) d->pair_top = last > 0 ? last : 0;
    styled_draw(a, &t, d->pair_top, NULL);
    styled_free(&t);
}

const struct panel PANELS[N_PANELS] = {
    [PANEL_GAME] = {"The game: teacher - student, in reward", draw_game},
    [PANEL_FIGURES] = {"Now", draw_figures},
    [PANEL_REWARD] = {"Reward model: pairs it ranks right", draw_reward},
    [PANEL_MISFIT] = {"Misfit to the preferences, nats", draw_misfit},
    [PANEL_STUDENT] = {"Student on held-out prompts", draw_student},
    [PANEL_DRIFT] = {"Student drift, nats/token", draw_drift},
    [PANEL_REGRET] = {"Cumulative regret", draw_regret},
    [PANEL_PAIR] = {"Newest pair", draw_pair},
    [PANEL_CURVE] = {"What beta does: gap, misfit", draw_curve},
};

const char *panel_title(enum panel_id id, const struct snapshot *s) {
    return id == PANEL_MISFIT && !algorithm_holds_adversary(&s->options) ? "What trains the student" : PANELS[id].title;
}
