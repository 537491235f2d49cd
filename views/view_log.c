/* 9 Log: what happened, newest last. Follows the tail until a person scrolls away. */
#include <stdio.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "views/list.h"
#include "views/scroll.h"
#include "views/view.h"

struct log_view {
    int top, page; /* line at the top; rows of the screen */
    int last;      /* top at which the newest line is the lowest on the screen */
    int shown;     /* lines on the screen: a long one takes several rows */
    bool scrolled; /* away from the tail */
    char filter[64], search[64];
    int jump;              /* +1, -1: go to the next match at the next draw */
    int found;             /* line of the match, -1 none */
    int row[LOG_LINES], n; /* lines that pass the filter, as of the last draw */
};

static void init(void *state) { ((struct log_view *)state)->found = -1; }

static void collect(struct log_view *v, const struct snapshot *s) {
    v->n = 0;
    for (int i = 0; i < s->n_log; i++)
        if (text_has(s->log[i].text, v->filter)) v->row[v->n++] = i;
}

/* Columns before the text: mark, tick, blank. */
static int text_column(struct area a) { return a.cols >= 40 ? 10 : 2; }

/* Rows that a line takes. */
static int height(const struct log_view *v, struct area a, const struct snapshot *s, int line) {
    struct wrapped w;
    wrap_text(&w, s->log[v->row[line]].text, a.cols - text_column(a));
    const int n = w.n < 1 ? 1 : w.n;
    wrapped_free(&w);
    return n;
}

/* The line from which on everything up to `line` (not included) fits in so many rows. */
static int first_that_fits(const struct log_view *v, struct area a, const struct snapshot *s, int line, int rows) {
    while (line > 0 && (rows -= height(v, a, s, line - 1)) >= 0) line--;
    return line;
}

/* Search from the last match (or the end) in the direction of the jump, around the ends. */
static void follow_jump(struct log_view *v, struct area a, const struct snapshot *s) {
    if (!v->jump || !v->search[0] || !v->n) return;
    const int from = v->found >= 0 && v->found < v->n ? v->found : v->jump > 0 ? v->n - 1 : 0;
    v->found = -1;
    for (int k = 1; k <= v->n && v->found < 0; k++) {
        const int i = ((from + v->jump * k) % v->n + v->n) % v->n;
        if (text_has(s->log[v->row[i]].text, v->search)) v->found = i;
    }
    v->jump = 0;
    if (v->found < 0) return;
    v->scrolled = true;
    if (v->found < v->top || v->found >= v->top + v->shown) v->top = first_that_fits(v, a, s, v->found, v->page / 2);
}

/* Returns the rows used. */
static int draw_line(struct area a, const struct log_line *l, bool found) {
    static const char *const MARKS[] = {" ", "!", "E"};
    static const enum role ROLES[] = {ROLE_TEXT, ROLE_WARNING, ROLE_ERROR};
    const int level = l->level <= ALERT_ERROR ? (int)l->level : 2, col = text_column(a);
    area_text(a, 0, 0, 1, found ? ROLE_SELECTED : ROLES[level], ATTR_BOLD, found ? ">" : MARKS[level]);
    if (col > 2) area_printf(a, 0, 1, ROLE_DIM, 0, "%*lld", col - 3, (long long)l->tick);
    struct wrapped w;
    wrap_text(&w, l->text, a.cols - col);
    const int n =
        area_wrapped(area_sub(a, 0, col, a.rows, a.cols - col), &w, l->text, 0, found ? ROLE_SELECTED : ROLES[level]);
    wrapped_free(&w);
    return n < 1 ? 1 : n;
}

static void draw(void *state, struct area a, const struct snapshot *s, const struct actions *act) {
    (void)act;
    struct log_view *v = state;
    char title[160];
    collect(v, s);
    snprintf(title, sizeof title, "Log, %d of %d lines%s%s%s", v->n, s->n_log, v->filter[0] ? " with " : "", v->filter,
             v->scrolled ? " (G follows again)" : "");
    struct area in = a.rows >= 6 ? area_box(a, title, true) : a;
    v->page = in.rows;
    v->last = first_that_fits(v, in, s, v->n, in.rows);
    if (v->last == v->n && v->n) v->last--; /* a line of more rows than there are */
    follow_jump(v, in, s);
    if (!v->scrolled || v->top > v->last) v->top = v->last;
    int row = 0, line = v->top;
    for (; row < in.rows && line < v->n; line++)
        row += draw_line(area_sub(in, row, 0, in.rows - row, in.cols), &s->log[v->row[line]], line == v->found);
    v->shown = line - v->top;
    if (!v->n)
        area_text(in, 0, 1, in.cols - 1, ROLE_DIM, 0,
                  s->n_log ? "no line passes the filter: & and Enter shows all" : "nothing has happened yet");
}

static int search_on(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct log_view *v = state;
    (void)s;
    if (!v->search[0]) act->message(act->ctx, ALERT_INFO, "nothing to search for yet: / first");
    v->jump = key == 'n' ? 1 : -1;
    return REACT_REDRAW;
}

static int other_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct log_view *v = state;
    (void)s, (void)act;
    if (!scroll_key(key, &v->top, v->page, v->last + v->page)) return REACT_UNHANDLED;
    v->scrolled = v->top < v->last;
    if (!v->scrolled) v->found = -1;
    return REACT_REDRAW;
}

/* The line that a search found, else the lines on the screen. */
static char *copy(void *state, const struct snapshot *s, char *what, size_t size) {
    struct log_view *v = state;
    struct strbuf b = {0};
    collect(v, s);
    const bool one = v->found >= 0 && v->found < v->n;
    const int first = one ? v->found : v->top, end = one                       ? first + 1
                                                     : v->top + v->page < v->n ? v->top + v->page
                                                                               : v->n;
    if (first >= end) return NULL;
    for (int i = first; i < end; i++)
        strbuf_printf(&b, "%lld %s\n", (long long)s->log[v->row[i]].tick, s->log[v->row[i]].text);
    snprintf(what, size, "%d log line%s", end - first, end - first == 1 ? "" : "s");
    return strbuf_take(&b);
}

static void search(void *state, const char *text) {
    struct log_view *v = state;
    snprintf(v->search, sizeof v->search, "%s", text);
    v->jump = 1;
}

static void filter(void *state, const char *text) {
    struct log_view *v = state;
    snprintf(v->filter, sizeof v->filter, "%s", text);
    v->found = -1;
    v->scrolled = false;
}

static const struct view_key KEYS_LOG[] = {
    {{'G'}, "G", "newest", "go to the newest line and follow", NULL, NULL},
    {{'/'}, "/", "search", "search; n next, N previous match", NULL, NULL},
    {{'n', 'N'}, NULL, NULL, NULL, search_on, NULL},
    {{'&'}, "&", "filter", "show only lines with a text", NULL, NULL},
    {{'y'}, "y", NULL, "copy the line that a search found, or the lines on the screen", NULL, NULL},
    {{'g'}, "g", "oldest", "go to the oldest line kept", NULL, NULL},
    {{0}, NULL, NULL, NULL, NULL, NULL},
};

const struct view_ops VIEW_LOG = {
    .digit = 9,
    .name = "log",
    .title = "Log",
    .help = "Events and alerts of the run, with the tick of each.",
    .state_size = sizeof(struct log_view),
    .init = init,
    .draw = draw,
    .other_key = other_key,
    .copy = copy,
    .search = search,
    .filter = filter,
    .keys = KEYS_LOG,
};
