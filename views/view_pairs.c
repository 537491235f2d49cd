/* 3 Pairs: the newest pairs with what the reward makes of them; the selected one in full, with the difference word by
 * word. The selection is a pair, not a row: new pairs arrive above it and do not move it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/format.h"
#include "views/list.h"
#include "views/pair_text.h"
#include "views/scroll.h"
#include "views/token_text.h"
#include "views/view.h"
#include "views/word_diff.h"

struct pairs_view {
    int64_t selected_id; /* 0: the newest, whatever it is */
    int top, page;
    int detail_top, detail_page, detail_lines;
    bool full;
    char filter[64], search[64];
    bool jump;               /* a search was typed: go to the first match at the next draw */
    int row[SHOWN_PAIRS], n; /* pairs that pass the filter, as of the last draw */
};

static bool pair_has(const struct shown_pair *p, const char *text) {
    return text_has(p->prompt, text) || text_has(p->teacher, text) || text_has(p->student, text) ||
           text_has(label_source_name(p->source), text);
}

static void collect(struct pairs_view *v, const struct snapshot *s) {
    v->n = 0;
    for (int i = 0; i < s->n_shown; i++)
        if (pair_has(&s->pair[i], v->filter)) v->row[v->n++] = i;
}

/* Row of the selected pair; one that has left the list gives way to the oldest. */
static int selected_row(const struct pairs_view *v, const struct snapshot *s) {
    if (!v->selected_id) return 0;
    for (int i = 0; i < v->n; i++)
        if (s->pair[v->row[i]].id <= v->selected_id) return i;
    return v->n ? v->n - 1 : 0;
}

static void select_row(struct pairs_view *v, const struct snapshot *s, int row) {
    if (row < 0 || row >= v->n) return;
    v->selected_id = row == 0 ? 0 : s->pair[v->row[row]].id;
    v->detail_top = 0;
}

static const char *label_text(const struct shown_pair *p) {
    if (p->dropped) return "out";
    if (p->source == SOURCE_NONE) return "waits";
    return p->o == 0.5 ? "tie" : answer_name(p, p->o < 0.5);
}

/* Whether the reward puts the answers in another order than the label, or, without one, the student's before the
 * teacher's. */
static bool is_odd(const struct shown_pair *p, double diff) {
    if (p->source == SOURCE_NONE || p->o == 0.5) return p->by0.origin == ORIGIN_TEACHER && diff < 0;
    return p->o < 0.5 ? diff > 0 : diff < 0;
}

static void draw_row(struct area a, int row, const struct shown_pair *p, bool selected) {
    const enum role role = selected ? ROLE_SELECTED : ROLE_TEXT;
    const double diff = p->reward_teacher - p->reward_student;
    const char *by = p->dropped                 ? label_source_name(SOURCE_HUMAN)
                     : p->source == SOURCE_NONE ? ""
                                                : label_source_name(p->source);
    if (selected) area_fill(a, row, 0, a.cols, " ", role, 0);
    int col;
    if (a.cols >= 60) {
        col = area_printf(a, row, 0, role, 0, "%s%5lld %3d%s %7s %7s %7s  %-7s %-8s ", selected ? ">" : " ",
                          (long long)p->id, p->iteration, p->heldout ? "h" : " ", format_number(p->reward_teacher).s,
                          format_number(p->reward_student).s, format_number(diff).s, label_text(p), by);
    } else {
        col = area_printf(a, row, 0, role, 0, "%s%5lld %7s  %-7s ", selected ? ">" : " ", (long long)p->id,
                          format_number(diff).s, label_text(p));
    }
    area_text(a, row, col, a.cols - col, selected ? role : is_odd(p, diff) ? ROLE_WARNING : ROLE_DIM, 0, p->prompt);
}

static void draw_list(struct area a, struct pairs_view *v, const struct snapshot *s) {
    const int head = a.rows >= 5;
    const char *wide = s->options.game_data == DATA_OFFLINE
                           ? "  pair  it.   first  second    diff  prefers label by prompt"
                           : "  pair  it. teacher student    diff  prefers label by prompt";
    if (head) area_text(a, 0, 0, a.cols, ROLE_DIM, 0, a.cols >= 60 ? wide : "  pair    diff  prefers prompt");
    v->page = a.rows - head;
    int selected = selected_row(v, s);
    list_fit(&selected, &v->top, v->page, v->n);
    for (int i = 0; i < v->page && v->top + i < v->n; i++)
        draw_row(a, head + i, &s->pair[v->row[v->top + i]], v->top + i == selected);
}

static void add_answer(struct styled *t, const struct options *o, const struct shown_pair *p, int side, double top) {
    const enum role role = answer_role(p, side);
    const double reward = side ? p->reward_student : p->reward_teacher;
    const char *text = side ? p->student : p->teacher;
    const struct short_text source = answer_source(o, p, side);
    styled_printf(t, role, ATTR_BOLD, "\n%s", answer_name(p, side));
    styled_printf(t, role, 0, "  reward %s", isfinite(reward) ? format_number(reward).s : "not scored yet");
    styled_printf(t, ROLE_DIM, 0, "%s%s\n", *source.s ? "  " : "", source.s);
    if (*text)
        token_text_add(t, text, side ? &p->tokens1 : &p->tokens0, top);
    else
        styled_add(t, ROLE_TEXT, 0, "(empty)");
    if (side ? p->truncated1 : p->truncated0) styled_add(t, ROLE_DIM, 0, " (cut at max_new_tokens)");
    styled_add(t, ROLE_TEXT, 0, "\n");
}

static void add_label(struct styled *t, const struct shown_pair *p) {
    if (p->dropped)
        styled_printf(t, ROLE_WARNING, 0, "\nout of training: %s",
                      p->edit ? "the written answer was taken back, or the pair is bad" : "both bad, or flagged");
    else if (p->source == SOURCE_NONE)
        styled_add(t, ROLE_WARNING, 0, "\nno label yet: press 2 to label pairs\n");
    else if (p->o == 0.5)
        styled_printf(t, ROLE_TEXT, 0, "\nlabel: both are equal, by %s", label_source_name(p->source));
    else
        styled_printf(t, ROLE_TEXT, 0, "\nlabel: the %s is better, by %s", answer_phrase(p, p->o < 0.5).s,
                      label_source_name(p->source));
    if (p->event) styled_printf(t, ROLE_DIM, 0, ", event #%lld", (long long)p->event);
    if (p->dropped || p->source != SOURCE_NONE) styled_add(t, ROLE_TEXT, 0, "\n");
    if (p->heldout) styled_add(t, ROLE_DIM, 0, "held out: measures the reward, never trains it\n");
}

static void draw_detail(struct area a, struct pairs_view *v, const struct snapshot *s, const struct shown_pair *p) {
    struct styled t = {0};
    const double top = token_text_top(p);
    styled_add(&t, ROLE_DIM, ATTR_BOLD, "prompt\n");
    styled_printf(&t, ROLE_TEXT, 0, "%s\n", p->prompt);
    add_answer(&t, &s->options, p, 0, top);
    add_answer(&t, &s->options, p, 1, top);
    if (top > 0)
        styled_printf(&t, ROLE_DIM, 0, "\ntokens by %s: bold for the answer, underlined against it\n",
                      s->options.reward_access == ACCESS_WHITE_BOX ? "A_Q, their advantage over the teacher"
                                                                   : "their reward");
    styled_add(&t, ROLE_DIM, ATTR_BOLD, "\ndifference");
    styled_printf(&t, ROLE_DIM, 0, "  [-only %s-] {+only %s+}\n", answer_name(p, 0), answer_name(p, 1));
    if (strcmp(p->teacher, p->student) == 0)
        styled_add(&t, ROLE_DIM, 0, "none: the answers are identical, so this pair is never shown for a label");
    else
        word_diff_unified(&t, p->teacher, p->student);
    styled_add(&t, ROLE_TEXT, 0, "\n");
    add_label(&t, p);
    v->detail_page = a.rows;
    v->detail_lines = styled_lines(&t, a.cols);
    if (v->detail_top > v->detail_lines - a.rows)
        v->detail_top = v->detail_lines > a.rows ? v->detail_lines - a.rows : 0;
    styled_draw(a, &t, v->detail_top, NULL);
    styled_free(&t);
}

static void draw_boxed_detail(struct area a, struct pairs_view *v, const struct snapshot *s, bool focus) {
    const struct shown_pair *p = &s->pair[v->row[selected_row(v, s)]];
    char title[96];
    struct area in = a.rows >= 5 ? area_sub(a, 1, 1, a.rows - 2, a.cols - 2) : a; /* where the box will leave room */
    draw_detail(in, v, s, p);
    const int below = v->detail_lines - v->detail_top - in.rows;
    if (below > 0)
        snprintf(title, sizeof title, "Pair %lld, %d lines below (J)", (long long)p->id, below);
    else
        snprintf(title, sizeof title, "Pair %lld", (long long)p->id);
    if (a.rows >= 5) area_box(a, title, focus);
}

static void find_next(struct pairs_view *v, const struct snapshot *s, int direction) {
    const int from = selected_row(v, s);
    for (int k = 1; k <= v->n && v->search[0]; k++) {
        const int i = ((from + direction * k) % v->n + v->n) % v->n;
        if (!pair_has(&s->pair[v->row[i]], v->search)) continue;
        select_row(v, s, i);
        return;
    }
}

static void draw(void *state, struct area a, const struct snapshot *s, const struct actions *act) {
    (void)act;
    struct pairs_view *v = state;
    collect(v, s);
    if (v->jump) find_next(v, s, 1);
    v->jump = false;
    if (!v->n) {
        struct area in = area_box(a, "Pairs", true);
        area_text(in, 0, 1, in.cols - 1, ROLE_DIM, 0,
                  s->n_shown ? "no pair passes the filter: & and Enter shows all"
                             : "no pairs yet: the first come with the first collection");
        return;
    }
    char title[128];
    snprintf(title, sizeof title, "Pairs%s%s, newest first", v->filter[0] ? " with " : "", v->filter);
    if (v->full) {
        draw_boxed_detail(a, v, s, true);
    } else if (a.rows < 8) {
        draw_list(a, v, s);
    } else if (a.cols >= 150) {
        const int left = a.cols * 9 / 20;
        draw_list(area_box(area_sub(a, 0, 0, a.rows, left), title, true), v, s);
        draw_boxed_detail(area_sub(a, 0, left, a.rows, a.cols - left), v, s, false);
    } else {
        const int top = a.rows >= 20 ? a.rows * 2 / 5 : a.rows / 2;
        struct area list = area_sub(a, 0, 0, top, a.cols);
        draw_list(a.rows >= 16 ? area_box(list, title, true) : list, v, s);
        draw_boxed_detail(area_sub(a, top, 0, a.rows - top, a.cols), v, s, false);
    }
}

/* ---- keys ---- */

static int toggle_full(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)key, (void)s, (void)act;
    struct pairs_view *v = state;
    v->full = !v->full;
    return REACT_REDRAW;
}

static int leave_full(void *state, int key, const struct snapshot *s, struct actions *act) {
    return ((struct pairs_view *)state)->full ? toggle_full(state, key, s, act) : REACT_UNHANDLED;
}

static int scroll_pair(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)s, (void)act;
    struct pairs_view *v = state;
    v->detail_top += key == 'J' ? 1 : -(v->detail_top > 0);
    return REACT_REDRAW;
}

static int search_on(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct pairs_view *v = state;
    collect(v, s);
    if (!v->search[0]) act->message(act->ctx, ALERT_INFO, "nothing to search for yet: / first");
    find_next(v, s, key == 'n' ? 1 : -1);
    return REACT_REDRAW;
}

static int other_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)act;
    struct pairs_view *v = state;
    collect(v, s);
    if (v->full)
        return scroll_key(key, &v->detail_top, v->detail_page, v->detail_lines) ? REACT_REDRAW : REACT_UNHANDLED;
    int row = selected_row(v, s);
    if (!list_key(key, &row, v->page, v->n)) return REACT_UNHANDLED;
    select_row(v, s, row);
    return REACT_REDRAW;
}

static char *copy(void *state, const struct snapshot *s, char *what, size_t size) {
    struct pairs_view *v = state;
    collect(v, s);
    if (!v->n) return NULL;
    return pair_text(&s->pair[v->row[selected_row(v, s)]], what, size);
}

static void search(void *state, const char *text) {
    struct pairs_view *v = state;
    snprintf(v->search, sizeof v->search, "%s", text);
    v->jump = true;
}

static void filter(void *state, const char *text) {
    struct pairs_view *v = state;
    snprintf(v->filter, sizeof v->filter, "%s", text);
    v->selected_id = 0;
    v->top = v->detail_top = 0;
}

static const struct view_key KEYS_PAIRS[] = {
    {{KEY_ENTER_}, "Enter", "full screen", "show the selected pair alone, or the list again", toggle_full, NULL},
    {{KEY_ESCAPE, 'q'}, NULL, NULL, NULL, leave_full, NULL},
    {{'J', 'K'}, "J K", "scroll pair", "scroll the selected pair", scroll_pair, NULL},
    {{'g'}, "g", "newest", "select the newest pair and stay with the newest", NULL, NULL},
    {{'2'}, "2", "label", "go to the Label view", NULL, NULL},
    {{'y'}, "y", NULL, "copy the selected pair: prompt and both answers", NULL, NULL},
    {{'/'}, "/", "search", "search prompts and answers; n next, N previous", NULL, NULL},
    {{'n', 'N'}, NULL, NULL, NULL, search_on, NULL},
    {{'&'}, "&", "filter", "show only pairs with a text in prompt, answers or label source", NULL, NULL},
    {{0}, NULL, NULL, NULL, NULL, NULL},
};

const struct view_ops VIEW_PAIRS = {
    .digit = 3,
    .name = "pairs",
    .title = "Pairs",
    .help = "The newest pairs of teacher and student answers: rewards, labels, and the difference word by word. Bold "
            "tokens speak for an answer in the reward's eyes, underlined ones against it (white-box: A_Q).",
    .state_size = sizeof(struct pairs_view),
    .draw = draw,
    .other_key = other_key,
    .copy = copy,
    .search = search,
    .filter = filter,
    .keys = KEYS_PAIRS,
};
