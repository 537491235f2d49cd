/* The panels of the Dashboard: charts of the game, figures in words, the current pair. Each draws into whatever area it
 * gets. */
#include <math.h>
#include <stdio.h>
#include <string.h>

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
    const struct series *up = s->series[METRIC_GAP_ASCENT], *down = s->series[METRIC_GAP_DESCENT];
    if (!up) up = &NONE;
    if (!down) down = &NONE;
    d->n_saw = 0;
    for (int i = 0, j = 0; i < up->n || j < down->n;) {
        const bool ascent = j == down->n || (i < up->n && up->tick[i] <= down->tick[j]);
        d->saw_tick[d->n_saw] = ascent ? up->tick[i] : down->tick[j];
        d->saw[d->n_saw++] = ascent ? up->value[i++] : down->value[j++];
    }
}

/* How a panel draws the curves that metrics.def puts into it: their roles by place (then ROLE_SERIES1 and on, again and
 * again), and whether one is left out as long as the run has nothing of it. */
static const struct {
    enum role role[4];
    bool known_only;
} STYLES[] = {
    [CURVES_GAME] = {{ROLE_SERIES1, ROLE_SERIES3, ROLE_SERIES4, ROLE_SERIES2}, false},
    [CURVES_REWARD] = {{ROLE_SERIES1, ROLE_SERIES3, ROLE_SERIES4, ROLE_SERIES2}, false},
    [CURVES_LOSS] = {{ROLE_SERIES1, ROLE_SERIES2, ROLE_SERIES3, ROLE_SERIES4}, true},
    [CURVES_MISFIT] = {{ROLE_SERIES1, ROLE_SERIES2, ROLE_SERIES3, ROLE_SERIES4}, false},
    [CURVES_STUDENT] = {{ROLE_STUDENT, ROLE_STUDENT, ROLE_STUDENT, ROLE_STUDENT}, true},
    [CURVES_DRIFT] = {{ROLE_SERIES1, ROLE_SERIES2, ROLE_SERIES3, ROLE_SERIES4}, false},
    [CURVES_REGRET] = {{ROLE_SERIES1, ROLE_SERIES2, ROLE_SERIES3, ROLE_SERIES4}, false},
};

/* The first `most` curves of a panel. */
static void add_curves(struct chart *c, const struct snapshot *s, enum metric_panel panel, bool brief, int most) {
    struct metric_drawn m[N_METRICS];
    const int n = metric_curves(panel, m);
    for (int i = 0; i < n && c->n_lines < most; i++) {
        const struct series *x = s->series[m[i].id];
        if (x || !STYLES[panel].known_only)
            chart_add(c, x, brief ? m[i].curve->brief : m[i].curve->legend, STYLES[panel].role[i % 4]);
    }
}

static void draw_game(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    merge_saw(s, d);
    /* the gaps themselves, as many as have room, and what the two players do to the batch's */
    add_curves(&c, s, CURVES_GAME, a.cols < 50, a.cols < 70 ? 2 : CHART_LINES - 1);
    struct chart_line *saw = &c.line[c.n_lines++];
    *saw = (struct chart_line){.name = a.cols < 50 ? "batch" : "batch gap (up: ascent, down: descent)",
                               .role = ROLE_SERIES2,
                               .n = d->n_saw,
                               .tick = d->saw_tick,
                               .value = d->saw};
    /* All gaps that the preferences allow, where they are known; else the interval of the estimate. */
    if (s->series[METRIC_GAP_MIN] && s->series[METRIC_GAP_MAX]) {
        chart_set_band(&c, s->series[METRIC_GAP_MIN], s->series[METRIC_GAP_MAX]);
        c.note = a.cols < 70 ? "band: set" : "band: the confidence set";
    } else {
        chart_set_band(&c, s->series[METRIC_GAP_WORST_LO], s->series[METRIC_GAP_WORST_HI]);
    }
    c.from_zero = true;
    c.empty = s->has_adversary ? "the game has not started: gaps appear with the first evaluation"
              : s->options.prompts_checker != CHECKER_NONE
                  ? "no reward plays in this algorithm: the true gap comes with the first evaluation"
                  : "no reward plays in this algorithm, and without prompts.checker no gap is known";
    chart_draw(a, &c);
}

static void draw_reward(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    char gate[48];
    add_curves(&c, s, CURVES_REWARD, false, CHART_LINES);
    for (int i = 0; i < c.n_lines; i++) c.line[i].percent = true;
    snprintf(gate, sizeof gate, "%s%s", a.cols >= 40 ? "gate " : "", format_percent(s->options.reward_gate).s);
    c.level = s->options.reward_gate;
    c.level_name = gate;
    c.top = 1;
    c.empty = s->has_reward ? "the reward is not fitted yet" : "this algorithm fits no reward";
    chart_draw(a, &c);
}

/* What trains the student where no reward is held by preferences. */
static void draw_loss(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    add_curves(&c, s, CURVES_LOSS, false, CHART_LINES);
    c.empty = "the student has not been trained yet";
    chart_draw(a, &c);
}

static void draw_misfit(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    char zeta[48], beta[48];
    if (!s->holds_adversary) {
        draw_loss(a, s, d);
        return;
    }
    snprintf(beta, sizeof beta, "beta %.6g", s->metric[METRIC_BETA]);
    c.note = beta;
    add_curves(&c, s, CURVES_MISFIT, false, CHART_LINES);
    snprintf(zeta, sizeof zeta, "zeta %.6g", s->metric[METRIC_ZETA]);
    c.level = s->metric[METRIC_ZETA];
    c.level_name = zeta;
    c.from_zero = true;
    c.empty = "the adversary has not played yet";
    chart_draw(a, &c);
}

/* The best measure that this run has: its accuracy, which has a level to reach, or another. */
static void draw_student(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    char teacher[48];
    const bool accuracy = s->series[METRIC_ACCURACY] != NULL;
    add_curves(&c, s, CURVES_STUDENT, false, 1);
    c.line[0].percent = accuracy;
    if (accuracy && isfinite(s->metric[METRIC_TEACHER_ACCURACY])) {
        snprintf(teacher, sizeof teacher, "teacher %s", format_percent(s->metric[METRIC_TEACHER_ACCURACY]).s);
        c.level = s->metric[METRIC_TEACHER_ACCURACY];
        c.level_name = teacher;
        c.top = 1;
    }
    c.empty = "the student has not been evaluated yet";
    chart_draw(a, &c);
}

static void draw_drift(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    add_curves(&c, s, CURVES_DRIFT, false, CHART_LINES);
    c.from_zero = true;
    chart_draw(a, &c);
}

static void draw_regret(struct area a, const struct snapshot *s, struct dashboard *d) {
    struct chart c = make_chart(s, d);
    const struct series *regret = s->series[METRIC_REGRET];
    add_curves(&c, s, CURVES_REGRET, false, CHART_LINES - 1);
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
    struct tick_mark at = {
        .tick = s->metric[METRIC_BETA] > 0 ? llround(100 * log10(s->metric[METRIC_BETA])) : INT64_MIN, .what = "beta"};
    c.mark = &at;
    c.n_marks = 1;
    snprintf(zeta, sizeof zeta, "zeta %.6g", s->metric[METRIC_ZETA]);
    c.level = s->metric[METRIC_ZETA];
    c.level_name = zeta;
    c.from_zero = true;
    c.decades = true;
    c.x_name = "beta";
    c.empty = s->options.game_scope == SCOPE_HEAD ? "solved at the first evaluation"
                                                  : "known with game.scope head: there the inner maximum is exact";
    chart_draw(a, &c);
}

/* ---- figures ---- */

/* Of a metric that this run has told; the regret of a run without a game is 0, and says nothing. */
static double newest(const struct snapshot *s, enum metric_id id) {
    return s->series[id] ? s->metric[id] : (double)NAN;
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
    if (isfinite(s->metric[METRIC_ACCURACY])) {
        struct figure *f = figures_add(t, "student accuracy", "student");
        snprintf(f->value, sizeof f->value, "%s (start %s, teacher %s)", format_percent(s->metric[METRIC_ACCURACY]).s,
                 format_percent(s->metric[METRIC_ACCURACY_START]).s,
                 format_percent(s->metric[METRIC_TEACHER_ACCURACY]).s);
        snprintf(f->short_value, sizeof f->short_value, "%s, was %s", format_percent(s->metric[METRIC_ACCURACY]).s,
                 format_percent(s->metric[METRIC_ACCURACY_START]).s);
    }
    const double reward = newest(s, METRIC_RM_HELDOUT);
    if (!s->has_reward) return;
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
    if (!s->holds_adversary) return;
    struct figure *f = figures_add(t, "misfit L - L_hat", "L-L_hat");
    snprintf(f->value, sizeof f->value, "%s of zeta %.6g nats/pair", format_number(s->metric[METRIC_SLACK]).s,
             s->metric[METRIC_ZETA]);
    snprintf(f->short_value, sizeof f->short_value, "%s of %.6g", format_number(s->metric[METRIC_SLACK]).s,
             s->metric[METRIC_ZETA]);
    f = figures_add(t, "beta", "beta");
    const bool pending = s->pending_option == OPTION_ID_beta;
    snprintf(f->value, sizeof f->value, "%.6g%s%s%s", s->metric[METRIC_BETA], pending ? " → " : "",
             pending ? s->pending_value : "", pending ? " at the next step" : "");
    snprintf(f->short_value, sizeof f->short_value, "%.6g%s%s", s->metric[METRIC_BETA], pending ? " → " : "",
             pending ? s->pending_value : "");
}

/* Most important first: a small panel shows as many as it has rows. */
static void collect_figures(struct figures *t, const struct snapshot *s) {
    t->n = 0;
    if (s->has_ascent) add_interval(t, "worst-case gap", "gap", snapshot_interval(s, METRIC_GAP_WORST));
    if (isfinite(s->gap_set.max)) {
        struct figure *set = figures_add(t, "gap over the set", "over set");
        snprintf(set->value, sizeof set->value, "[%s, %s]%s", format_number(s->gap_set.min).s,
                 format_number(s->gap_set.max).s, s->metric[METRIC_COVERAGE] == 0 ? " misses the truth" : "");
        snprintf(set->short_value, sizeof set->short_value, "[%s, %s]", format_number(s->gap_set.min).s,
                 format_number(s->gap_set.max).s);
    }
    add_accuracies(t, s);
    add_constraint(t, s);
    if (isfinite(s->metric[METRIC_GAP_TRUE]))
        add_interval(t, "true gap (accuracy)", "true gap", snapshot_interval(s, METRIC_GAP_TRUE));
    if (s->has_reward && s->has_adversary)
        add_interval(t, "fitted gap", "fitted", snapshot_interval(s, METRIC_GAP_FITTED));
    if (isfinite(s->metric[METRIC_GAP_HELD]))
        add_interval(t, "gap under r_held", "r_held", snapshot_interval(s, METRIC_GAP_HELD));
    struct figure *f = figures_add(t, "labels by people", "labels");
    snprintf(f->value, sizeof f->value, "%d (%d pairs waiting)", s->labels_human, s->labels_waiting);
    snprintf(f->short_value, sizeof f->short_value, "%d (%d waiting)", s->labels_human, s->labels_waiting);
    f = figures_add(t, "preference pairs", "pairs");
    snprintf(f->value, sizeof f->value, "%d (%d held out)", s->n_pairs, s->n_heldout);
    snprintf(f->short_value, sizeof f->short_value, "%d", s->n_pairs);
    add_number(t, "KL to the start", "KL", newest(s, METRIC_KL), "nats/token");
    add_number(t, "entropy", "entropy", newest(s, METRIC_ENTROPY), "nats/token");
    if (isfinite(newest(s, METRIC_STUDENT_REWARD)))
        add_number(t, "reward of samples", "samples", newest(s, METRIC_STUDENT_REWARD), "");
    add_number(t, "best fit L_hat", "L_hat", s->metric[METRIC_NLL], "nats/pair");
    add_number(t, "calibration error", "ECE", newest(s, METRIC_ECE), "held-out");
    add_number(t, "cumulative regret", "regret", newest(s, METRIC_REGRET), "");
    if (isfinite(newest(s, METRIC_REGRET_RATE)))
        add_number(t, "regret rate", "rate", newest(s, METRIC_REGRET_RATE), "sqrt(t log t)");
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
    return id == PANEL_MISFIT && !s->holds_adversary ? "What trains the student" : PANELS[id].title;
}
