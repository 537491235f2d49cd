/* 6 Tune: every option of the table, grouped, with where its value comes from and when a change takes effect; what was
 * changed so far. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "views/list.h"
#include "views/styled.h"
#include "views/view.h"

struct tune_view {
    int selected, top, page; /* rows of the list, group headings included */
    char filter[64], search[64];
    int *row; /* index into OPTIONS, or -1 - index for the heading of that option's group */
    int n;
};

static void init(void *state) { ((struct tune_view *)state)->selected = 1; } /* row 0 is a heading */

static void destroy(void *state) { free(((struct tune_view *)state)->row); }

/* "game" of "game.rounds"; a name without a dot belongs to a group of its name when there is one, else to "general". */
static void group_of(const char *name, char out[64]) {
    const char *dot = strchr(name, '.');
    const int n = (int)(dot ? (size_t)(dot - name) : strlen(name));
    snprintf(out, 64, "%.*s", n, name);
    if (dot) return;
    for (int i = 0; i < N_OPTIONS; i++)
        if (strncmp(OPTIONS[i].name, name, (size_t)n) == 0 && OPTIONS[i].name[n] == '.') return;
    snprintf(out, 64, "general");
}

static void add_group(struct tune_view *v, const char *group) {
    bool heading = false;
    for (int i = 0; i < N_OPTIONS; i++) {
        char own[64];
        group_of(OPTIONS[i].name, own);
        if (strcmp(own, group) != 0 || !(text_has(OPTIONS[i].name, v->filter) || text_has(OPTIONS[i].help, v->filter)))
            continue;
        if (!heading) v->row[v->n++] = -1 - i;
        heading = true;
        v->row[v->n++] = i;
    }
}

/* Rows in the order in which groups first appear, "general" first. */
static void collect(struct tune_view *v) {
    if (!v->row) v->row = mem_small(2 * (size_t)N_OPTIONS * sizeof *v->row);
    v->n = 0;
    add_group(v, "general");
    for (int i = 0; i < N_OPTIONS; i++) {
        char group[64], earlier[64];
        group_of(OPTIONS[i].name, group);
        bool fresh = strcmp(group, "general") != 0;
        for (int k = 0; k < i && fresh; k++) {
            group_of(OPTIONS[k].name, earlier);
            fresh = strcmp(group, earlier) != 0;
        }
        if (fresh) add_group(v, group);
    }
}

static const struct option_info *selected_option(const struct tune_view *v) {
    return v->selected < v->n && v->row[v->selected] >= 0 ? &OPTIONS[v->row[v->selected]] : NULL;
}

/* ---- one option ---- */

static void default_text(const struct option_info *o, char *out, size_t size) {
    struct options *defaults = mem_small(sizeof *defaults);
    options_default(defaults);
    option_format(defaults, o, out, size);
    free(defaults);
}

static void range_text(const struct option_info *o, char *out, size_t size) {
    if (o->choices)
        snprintf(out, size, "%s", o->choices);
    else if (o->type == OPTION_TEXT)
        snprintf(out, size, "text");
    else
        snprintf(out, size, "%.10g .. %.10g", o->min, o->max);
}

/* Where the value in force comes from. */
static const char *source_text(const struct snapshot *s, const struct option_info *o) {
    char now[OPTION_TEXT_MAX], start[OPTION_TEXT_MAX], def[OPTION_TEXT_MAX];
    option_format(&s->options, o, now, sizeof now);
    option_format(&s->options_start, o, start, sizeof start);
    default_text(o, def, sizeof def);
    return strcmp(now, start) != 0 ? "changed here" : strcmp(start, def) != 0 ? "config" : "default";
}

struct columns { /* widths; 0: not shown */
    int name, value, def, range, when, source;
};

static struct columns columns_for(int cols) {
    struct columns c = {.name = cols >= 60 ? 26 : 20};
    int left = cols - c.name - 2;
    c.value = left > 40 ? 20 : left > 24 ? left - 15 : left;
    left -= c.value;
    if (left >= 14) c.when = 15, left -= 15;
    if (left >= 14) c.source = 13, left -= 13;
    if (left >= 11) c.def = left > 34 ? 18 : 11, left -= c.def;
    if (left >= 14) c.range = left;
    return c;
}

static void draw_cell(struct area a, int row, int *col, int width, enum role role, int attr, const char *text) {
    if (width > 1) area_text(a, row, *col, width - 1, role, attr, text);
    *col += width;
}

static void draw_option(struct area a, int row, const struct snapshot *s, const struct option_info *o, bool selected) {
    const struct columns w = columns_for(a.cols);
    char value[OPTION_TEXT_MAX + 80], text[OPTION_TEXT_MAX];
    option_format(&s->options, o, text, sizeof text);
    const bool pending = s->pending_option == option_index(o);
    snprintf(value, sizeof value, pending ? "%s → %s" : "%s%.0s", text, s->pending_value);
    const char *source = source_text(s, o);
    const bool changed = strcmp(source, "changed here") == 0;
    const enum role role = selected ? ROLE_SELECTED : changed || pending ? ROLE_WARNING : ROLE_TEXT;
    if (selected) area_fill(a, row, 0, a.cols, " ", ROLE_SELECTED, 0);
    area_text(a, row, 0, 1, role, 0, selected ? ">" : pending ? "~" : changed ? "*" : " ");
    int col = 2;
    draw_cell(a, row, &col, w.name, role, 0, o->name);
    draw_cell(a, row, &col, w.value, role, ATTR_BOLD, value[0] ? value : "(empty)");
    draw_cell(a, row, &col, w.when, selected ? role : ROLE_DIM, 0, option_when_text(o->when));
    draw_cell(a, row, &col, w.source, role, 0, source);
    default_text(o, text, sizeof text);
    draw_cell(a, row, &col, w.def, selected ? role : ROLE_DIM, 0, text[0] ? text : "(empty)");
    range_text(o, text, sizeof text);
    if (o->unit && o->unit[0] && strlen(text) + strlen(o->unit) + 2 < sizeof text) {
        strcat(text, " ");
        strcat(text, o->unit);
    }
    draw_cell(a, row, &col, w.range ? w.range + 1 : 0, selected ? role : ROLE_DIM, 0, text);
}

static void draw_columns(struct area a, int row) {
    const struct columns w = columns_for(a.cols);
    int col = 2;
    draw_cell(a, row, &col, w.name, ROLE_DIM, 0, "option");
    draw_cell(a, row, &col, w.value, ROLE_DIM, 0, "value");
    draw_cell(a, row, &col, w.when, ROLE_DIM, 0, "takes effect");
    draw_cell(a, row, &col, w.source, ROLE_DIM, 0, "source");
    draw_cell(a, row, &col, w.def, ROLE_DIM, 0, "default");
    draw_cell(a, row, &col, w.range ? w.range + 1 : 0, ROLE_DIM, 0, "range");
}

static void draw_list(struct area a, struct tune_view *v, const struct snapshot *s) {
    const int head = a.rows >= 8;
    if (head) draw_columns(a, 0);
    struct area list = area_sub(a, head, 0, a.rows - head, a.cols);
    v->page = list.rows;
    list_fit(&v->selected, &v->top, v->page, v->n);
    for (int i = 0; i < list.rows && v->top + i < v->n; i++) {
        const int at = v->top + i, option = v->row[at];
        if (option >= 0) {
            draw_option(list, i, s, &OPTIONS[option], at == v->selected);
            continue;
        }
        char group[64];
        group_of(OPTIONS[-1 - option].name, group);
        area_text(list, i, 0, list.cols, at == v->selected ? ROLE_SELECTED : ROLE_TITLE, ATTR_BOLD, group);
    }
    if (!v->n) area_text(list, 0, 1, list.cols - 1, ROLE_DIM, 0, "no option passes the filter: & and Enter shows all");
}

/* ---- the selected option, and the history ---- */

static void draw_detail(struct area a, const struct tune_view *v, const struct snapshot *s) {
    const struct option_info *o = selected_option(v);
    if (!o) return;
    struct styled t = {0};
    char text[OPTION_TEXT_MAX];
    styled_printf(&t, ROLE_TITLE, ATTR_BOLD, "%s ", o->name);
    option_format(&s->options, o, text, sizeof text);
    styled_printf(&t, ROLE_TEXT, 0, "= %s%s%s", text[0] ? text : "(empty)", o->unit && o->unit[0] ? " " : "",
                  o->unit ? o->unit : "");
    if (s->pending_option == option_index(o)) styled_printf(&t, ROLE_WARNING, 0, ", %s is pending", s->pending_value);
    styled_printf(&t, ROLE_TEXT, 0, ": %s.\n", o->help);
    default_text(o, text, sizeof text);
    styled_printf(&t, ROLE_DIM, 0, "default %s, ", text[0] ? text : "(empty)");
    range_text(o, text, sizeof text);
    styled_printf(&t, ROLE_DIM, 0, "%s; takes effect: %s; from: %s", text, option_when_text(o->when),
                  source_text(s, o));
    styled_draw_cut(a, &t);
    styled_free(&t);
}

/* Newest first. What was applied stands as a mark; a refusal is known by its acknowledgement alone. */
static void draw_history(struct area a, const struct snapshot *s) {
    struct styled t = {0};
    if (s->pending_option >= 0)
        styled_printf(&t, ROLE_WARNING, ATTR_BOLD, "pending: %s → %s (%s)\n", OPTIONS[s->pending_option].name,
                      s->pending_value, option_when_text(OPTIONS[s->pending_option].when));
    int ack = s->n_acks - 1, mark = s->n_marks - 1;
    while (ack >= 0 || mark >= 0) {
        if (ack >= 0 && (mark < 0 || s->ack[ack].tick >= s->mark[mark].tick)) {
            const struct acknowledgement *k = &s->ack[ack--];
            if (!k->applied) styled_printf(&t, ROLE_ERROR, 0, "tick %lld refused: %s\n", (long long)k->tick, k->text);
        } else {
            const struct tick_mark *m = &s->mark[mark--];
            styled_printf(&t, ROLE_TEXT, 0, "tick %lld %s\n", (long long)m->tick, m->what);
        }
    }
    if (!t.n) styled_add(&t, ROLE_DIM, 0, "nothing changed yet: Enter edits, [ ] move beta");
    styled_draw_cut(a, &t);
    styled_free(&t);
}

static void draw(void *state, struct area a, const struct snapshot *s, const struct actions *act) {
    (void)act;
    struct tune_view *v = state;
    collect(v);
    if (a.rows < 8) {
        draw_list(a, v, s);
        return;
    }
    if (a.rows < 14) { /* the list and two lines on the selected option */
        draw_list(area_sub(a, 0, 0, a.rows - 2, a.cols), v, s);
        draw_detail(area_sub(a, a.rows - 2, 0, 2, a.cols), v, s);
        return;
    }
    const bool beside = a.cols >= 150;
    const int bottom = a.rows >= 28 ? 12 : 6, list_cols = beside ? a.cols - 50 : a.cols;
    const bool history = beside || a.rows >= 28;
    const int list_rows = a.rows - (beside ? 6 : bottom);
    char title[128];
    snprintf(title, sizeof title, "Options%s%s", v->filter[0] ? " with " : "", v->filter);
    draw_list(area_box(area_sub(a, 0, 0, list_rows, list_cols), title, true), v, s);
    draw_detail(area_box(area_sub(a, list_rows, 0, 6, list_cols), "Selected", false), v, s);
    if (!history) return;
    struct area h =
        beside ? area_sub(a, 0, list_cols, a.rows, a.cols - list_cols) : area_sub(a, list_rows + 6, 0, 6, a.cols);
    draw_history(area_box(h, "Changes, newest first", false), s);
}

static void find_next(struct tune_view *v, int direction) {
    for (int k = 1; k <= v->n && v->search[0]; k++) {
        const int i = ((v->selected + direction * k) % v->n + v->n) % v->n;
        if (v->row[i] < 0 || !text_has(OPTIONS[v->row[i]].name, v->search)) continue;
        v->selected = i;
        return;
    }
}

static int search_on(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)s, (void)act;
    find_next(state, key == 'n' ? 1 : -1);
    return REACT_REDRAW;
}

static int edit_option(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)key, (void)s;
    const struct option_info *o = selected_option(state);
    if (!o) return REACT_NONE;
    if (option_is_fixed(o)) {
        act->message(act->ctx, ALERT_WARNING,
                     "this option is fixed when a run starts: give it in the config of a new run");
        return REACT_REDRAW;
    }
    snprintf(act->prompt_text, sizeof act->prompt_text, "set %s ", o->name);
    return REACT_PROMPT | REACT_REDRAW;
}

static int other_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    struct tune_view *v = state;
    (void)s, (void)act;
    const int before = v->selected;
    if (!list_key(key, &v->selected, v->page, v->n)) return REACT_UNHANDLED;
    /* Headings are passed over. */
    if (v->selected < v->n && v->n && v->row[v->selected] < 0)
        v->selected += v->selected >= before || v->selected == 0 ? 1 : -1;
    return REACT_REDRAW;
}

/* As --set takes it. */
static char *copy(void *state, const struct snapshot *s, char *what, size_t size) {
    struct tune_view *v = state;
    collect(v);
    const struct option_info *o = selected_option(v);
    if (!o) return NULL;
    char value[OPTION_TEXT_MAX];
    struct strbuf b = {0};
    option_format(&s->options, o, value, sizeof value);
    strbuf_printf(&b, "%s=%s", o->name, value);
    snprintf(what, size, "%s and its value", o->name);
    return strbuf_take(&b);
}

static void search(void *state, const char *text) {
    struct tune_view *v = state;
    snprintf(v->search, sizeof v->search, "%s", text);
    find_next(v, 1);
}

static void filter(void *state, const char *text) {
    struct tune_view *v = state;
    snprintf(v->filter, sizeof v->filter, "%s", text);
    v->selected = 1; /* the first option under the first heading */
    v->top = 0;
}

static const struct view_key KEYS_TUNE[] = {
    {{KEY_ENTER_}, "Enter", "edit", "open the command line with set NAME for the selected option", edit_option, NULL},
    {{'['}, "[ ]", "beta", "beta divided or multiplied by 1.25 (works everywhere)", NULL, NULL},
    {{'y'}, "y", NULL, "copy the selected option as NAME=VALUE, which --set takes", NULL, NULL},
    {{'/'}, "/", "search", "search option names; n next, N previous", NULL, NULL},
    {{'n', 'N'}, NULL, NULL, NULL, search_on, NULL},
    {{'&'}, "&", "filter", "show only options whose name or help has a text", NULL, NULL},
    {{0}, NULL, NULL, NULL, NULL, NULL},
};

const struct view_ops VIEW_TUNE = {
    .digit = 6,
    .name = "tune",
    .title = "Tune",
    .help = "Every option: value, default, range, when a change takes effect and where the value comes from; what was "
            "changed.",
    .state_size = sizeof(struct tune_view),
    .init = init,
    .destroy = destroy,
    .draw = draw,
    .other_key = other_key,
    .copy = copy,
    .search = search,
    .filter = filter,
    .keys = KEYS_TUNE,
};
