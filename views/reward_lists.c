/* The Reward view's lists of pairs, and one pair in full with what the reward and the label say of it. The selection is
 * a pair, not a row: a new fit makes new lists, and a pair that is being read stays. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/format.h"
#include "views/list.h"
#include "views/pair_text.h"
#include "views/reward.h"
#include "views/styled.h"
#include "views/word_diff.h"

struct pair_list {
    const struct shown_pair *shown;
    const struct diag_pair *figure;
    int n;
};

static struct pair_list list_of(const struct snapshot *s, int list) {
    const struct reward_report *r = s->reward;
    if (!r) return (struct pair_list){.n = 0};
    if (list) return (struct pair_list){r->disputed, r->figures.disputed, r->figures.n_disputed};
    return (struct pair_list){r->uncertain, r->figures.uncertain, r->figures.n_uncertain};
}

static int row_of(struct pair_list l, int64_t id) {
    for (int i = 0; i < l.n; i++)
        if (l.figure[i].id == id) return i;
    return -1;
}

/* One that has left the list gives way to what stands in its row. */
static int selected_row(const struct reward_view *v, struct pair_list l, int list) {
    const int row = row_of(l, v->lists[list].id);
    return row >= 0 ? row : v->lists[list].row < l.n ? v->lists[list].row : l.n - 1;
}

static void select_row(struct reward_view *v, struct pair_list l, int list, int row) {
    if (row < 0 || row >= l.n) return;
    if (l.figure[row].id != v->lists[list].id) v->scroll[REWARD_PAIR].top = 0;
    v->lists[list].row = row;
    v->lists[list].id = l.figure[row].id;
}

bool reward_list_key(struct reward_view *v, const struct snapshot *s, int list, int key) {
    const struct pair_list l = list_of(s, list);
    int row = selected_row(v, l, list);
    if (!list_key(key, &row, v->lists[list].page, l.n)) return false;
    select_row(v, l, list, row);
    return true;
}

void reward_list_step(struct reward_view *v, const struct snapshot *s, int by) {
    const struct pair_list l = list_of(s, v->list);
    select_row(v, l, v->list, selected_row(v, l, v->list) + by);
}

void reward_list_hold(struct reward_view *v, const struct snapshot *s, int list) {
    const struct pair_list l = list_of(s, list);
    select_row(v, l, list, selected_row(v, l, list));
}

/* ---- rows ---- */

static const char *label_name(const struct diag_pair *p, const struct shown_pair *shown) {
    return p->source == SOURCE_NONE ? "none" : p->o == 0.5 ? "tie" : answer_name(shown, p->o < 0.5);
}

/* The answer that the reward prefers, and how sure it is. */
static struct short_text opinion(const struct diag_pair *p, const struct shown_pair *shown) {
    struct short_text t;
    const double delta = p->reward0 - p->reward1;
    snprintf(t.s, sizeof t.s, "%-7s %5.1f %%", delta < 0 || delta > 0 ? answer_name(shown, delta < 0) : "neither",
             100 * stats_sigmoid(fabs(delta)));
    return t;
}

static bool is_wrong(const struct diag_pair *p) {
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list gives a pair for every row that is drawn */
    return p->source != SOURCE_NONE && p->o != 0.5 && (p->reward0 > p->reward1) != (p->o > 0.5);
}

enum { WIDE_ROW = 54, OPINION_ROW = 21 };

/* The selected row of a list without the focus has its mark only. */
static void draw_row(struct area a, int row, const struct diag_pair *p, const struct shown_pair *shown, bool selected,
                     bool focus) {
    const enum role role = selected && focus ? ROLE_SELECTED : ROLE_TEXT;
    const enum role words = role == ROLE_SELECTED ? role : is_wrong(p) ? ROLE_WARNING : ROLE_TEXT;
    area_fill(a, row, 0, a.cols, " ", role, 0);
    int col = area_printf(a, row, 0, role, 0, "%s%5lld ", selected ? ">" : " ", (long long)p->id);
    if (a.cols >= WIDE_ROW) col += area_printf(a, row, col, role, 0, "%3d%s ", p->iteration, p->heldout ? "h" : " ");
    if (a.cols >= OPINION_ROW) col += area_printf(a, row, col, words, 0, "%s ", opinion(p, shown).s);
    col += area_printf(a, row, col, words, 0, "%-7s ", label_name(p, shown));
    if (a.cols >= WIDE_ROW)
        col += area_printf(a, row, col, role, 0, "%-7s %5s ",
                           p->source == SOURCE_NONE ? "" : label_source_name(p->source), format_number(p->loss).s);
    area_text(a, row, col, a.cols - col, role == ROLE_SELECTED ? role : ROLE_DIM, 0, shown->prompt);
}

static const char *heading(int cols) {
    return cols >= WIDE_ROW      ? "  pair  it. reward prefers  label   by       loss prompt"
           : cols >= OPINION_ROW ? "  pair reward prefers  label   prompt"
                                 : "  pair label";
}

static void draw_list(struct area a, const struct snapshot *s, struct reward_view *v, int list) {
    const struct pair_list l = list_of(s, list);
    const int head = a.rows >= 4;
    if (head) area_text(a, 0, 0, a.cols, ROLE_DIM, 0, heading(a.cols));
    int row = selected_row(v, l, list);
    v->lists[list].page = a.rows - head;
    list_fit(&row, &v->lists[list].top, a.rows - head, l.n);
    for (int i = 0; i < a.rows - head && v->lists[list].top + i < l.n; i++) {
        const int at = v->lists[list].top + i;
        draw_row(a, head + i, &l.figure[at], &l.shown[at], at == row, v->shown == REWARD_UNCERTAIN + list);
    }
    if (!l.n) area_text(a, head, 1, a.cols - 1, ROLE_DIM, 0, "no pairs");
}

void reward_draw_uncertain(struct area a, const struct snapshot *s, struct reward_view *v) { draw_list(a, s, v, 0); }

void reward_draw_disputed(struct area a, const struct snapshot *s, struct reward_view *v) { draw_list(a, s, v, 1); }

/* ---- one pair ---- */

/* The selected row of v->list, or -1. */
static int pair_row(const struct reward_view *v, struct pair_list l) {
    return v->full && v->lists[v->list].id ? row_of(l, v->lists[v->list].id) : selected_row(v, l, v->list);
}

const struct shown_pair *reward_pair(const struct reward_view *v, const struct snapshot *s) {
    const struct pair_list l = list_of(s, v->list);
    const int row = pair_row(v, l);
    if (row >= 0) return l.shown[row].id ? &l.shown[row] : NULL;
    for (int i = 0; i < s->n_shown && l.n; i++)
        if (s->pair[i].id == v->lists[v->list].id) return &s->pair[i];
    return NULL;
}

/* What made it worth a look. */
static void add_verdict(struct styled *t, const struct diag_pair *p, const struct shown_pair *shown) {
    const double delta = p->reward0 - p->reward1, sure = stats_sigmoid(fabs(delta));
    styled_add(t, ROLE_DIM, ATTR_BOLD, "reward ");
    if (!(delta < 0 || delta > 0))
        styled_add(t, ROLE_TEXT, 0, "both are equal");
    else
        styled_printf(t, ROLE_TEXT, 0, "%.1f %% sure of the %s", 100 * sure, answer_phrase(shown, delta < 0).s);
    styled_add(t, ROLE_DIM, ATTR_BOLD, "\nlabel  ");
    if (p->source == SOURCE_NONE)
        styled_add(t, ROLE_WARNING, 0, "none yet\n");
    else if (p->o == 0.5)
        styled_printf(t, ROLE_TEXT, 0, "both are equal, by %s", label_source_name(p->source));
    else
        styled_printf(t, is_wrong(p) ? ROLE_WARNING : ROLE_TEXT, 0, "%sthe %s is better, by %s",
                      is_wrong(p) ? "no, " : "", answer_phrase(shown, p->o < 0.5).s, label_source_name(p->source));
    if (p->source != SOURCE_NONE) styled_printf(t, ROLE_TEXT, 0, " (loss %s nats)\n", format_number(p->loss).s);
    if (p->heldout) styled_add(t, ROLE_DIM, 0, "held out: measures the reward, never trains it\n");
}

static void add_answer(struct styled *t, const struct options *o, const struct shown_pair *p, int side) {
    const enum role role = answer_role(p, side);
    const char *text = side ? p->student : p->teacher;
    const struct short_text source = answer_source(o, p, side);
    styled_printf(t, role, ATTR_BOLD, "\n%s", answer_name(p, side));
    styled_printf(t, role, 0, "  reward %s", format_number(side ? p->reward_student : p->reward_teacher).s);
    styled_printf(t, ROLE_DIM, 0, "%s%s\n", *source.s ? "  " : "", source.s);
    styled_add(t, ROLE_TEXT, 0, *text ? text : "(empty)");
    if (side ? p->truncated1 : p->truncated0) styled_add(t, ROLE_DIM, 0, " (cut at max_new_tokens)");
    styled_add(t, ROLE_TEXT, 0, "\n");
}

static void add_pair(struct styled *t, const struct options *o, const struct shown_pair *p) {
    styled_add(t, ROLE_DIM, ATTR_BOLD, "\nprompt\n");
    styled_add(t, ROLE_TEXT, 0, p->prompt);
    styled_add(t, ROLE_TEXT, 0, "\n");
    add_answer(t, o, p, 0);
    add_answer(t, o, p, 1);
    styled_add(t, ROLE_DIM, ATTR_BOLD, "\ndifference");
    styled_printf(t, ROLE_DIM, 0, "  [-only %s-] {+only %s+}\n", answer_name(p, 0), answer_name(p, 1));
    word_diff_unified(t, p->teacher, p->student);
}

void reward_draw_pair(struct area a, const struct snapshot *s, struct reward_view *v) {
    const struct pair_list l = list_of(s, v->list);
    const int row = pair_row(v, l);
    const struct shown_pair *p = reward_pair(v, s);
    struct styled t = {0};
    if (p || row >= 0)
        styled_printf(&t, ROLE_TITLE, ATTR_BOLD, "pair %lld, iteration %d\n", (long long)(p ? p->id : l.figure[row].id),
                      p ? p->iteration : l.figure[row].iteration);
    if (row >= 0) add_verdict(&t, &l.figure[row], &l.shown[row]);
    if (p)
        add_pair(&t, &s->options, p);
    else
        styled_add(&t, ROLE_DIM, 0,
                   l.n ? "the reward was fitted again and the pair is no longer among these: h l for others"
                       : "no pair");
    styled_draw(a, &t, reward_scroll(v, REWARD_PAIR, a.rows, styled_lines(&t, a.cols)), NULL);
    styled_free(&t);
}
