/* The help overlay: see help.h. */
#include "tui/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/mem.h"
#include "views/scroll.h"

void help_add(struct help *h, const char *label, const char *text, int key, const char *command) {
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->line = mem_grow(h->line, (size_t)h->cap * sizeof *h->line);
    }
    h->line[h->n++] = (struct help_line){mem_strdup(label), text, key, command};
}

static void clear_lines(struct help *h) {
    for (int i = 0; i < h->n; i++) free(h->line[i].label);
    free(h->line);
    h->line = NULL;
    h->n = h->cap = 0;
}

void help_open(struct help *h, const struct view_ops *view, const struct key_bindings *b, const char *topic) {
    clear_lines(h);
    h->selected = h->top = 0;
    h->contents(h, view, b);
    snprintf(h->filter, sizeof h->filter, "%s", topic ? topic : "");
    h->typing = false;
    h->open = true;
}

void help_close(struct help *h) {
    clear_lines(h);
    *h = (struct help){.contents = h->contents};
}

static bool matches(const struct help *h, const struct help_line *l) {
    if (!h->filter[0]) return true;
    return l->text && (strcasestr(l->label, h->filter) || strcasestr(l->text, h->filter));
}

/* The i-th line that passes the filter, NULL past the end; *n gets how many pass. */
static const struct help_line *visible(const struct help *h, int i, int *n) {
    const struct help_line *found = NULL;
    *n = 0;
    for (int k = 0; k < h->n; k++) {
        if (!matches(h, &h->line[k])) continue;
        if (*n == i) found = &h->line[k];
        ++*n;
    }
    return found;
}

static int label_cols(struct area a) { return a.cols >= 60 ? 24 : a.cols / 3; }

/* Draw text in a column of its own, wrapped; returns the rows it takes. */
static int draw_column(struct area a, enum role role, const char *text) {
    struct wrapped w;
    wrap_text(&w, text, a.cols);
    area_wrapped(a, &w, text, 0, role);
    const int n = w.n < 1 ? 1 : w.n;
    wrapped_free(&w);
    return n;
}

/* Rows that a line takes. Drawing on nothing only measures. */
static int draw_line(struct area a, const struct help_line *l, bool selected) {
    const int cols = label_cols(a);
    if (!l->text) {
        if (a.rows) area_text(a, 0, 0, a.cols, ROLE_TITLE_FOCUS, ATTR_BOLD, l->label);
        return 1;
    }
    struct area label = area_sub(a, 0, 1, a.rows, cols - 2), text = area_sub(a, 0, cols, a.rows, a.cols - cols);
    const int n = draw_column(label, selected ? ROLE_SELECTED : ROLE_HINT_KEY, l->label);
    const int m = draw_column(text, selected ? ROLE_SELECTED : ROLE_TEXT, l->text);
    return n > m ? n : m;
}

static int line_rows(struct area a, const struct help_line *l) {
    return draw_line(area_sub(a, 0, 0, 0, a.cols), l, false);
}

/* Let the window follow the selection: all of its rows are in sight where they fit. */
static void follow_selection(struct help *h, struct area a) {
    int n, rows = 0;
    if (h->selected < h->top) h->top = h->selected;
    for (int i = h->selected; i >= h->top; i--) {
        rows += line_rows(a, visible(h, i, &n));
        if (rows > a.rows && i < h->selected) {
            h->top = i + 1;
            return;
        }
    }
}

void help_draw(struct help *h, struct area a) {
    char title[128];
    snprintf(title, sizeof title, h->typing || h->filter[0] ? "Help: %s%s" : "Help", h->filter, h->typing ? "_" : "");
    struct area in = area_box(a, title, true);
    for (int row = 0; row < in.rows; row++) area_fill(in, row, 0, in.cols, " ", ROLE_TEXT, 0);
    int n, row = 0;
    visible(h, -1, &n);
    if (h->selected >= n) h->selected = n > 0 ? n - 1 : 0;
    if (n) follow_selection(h, in);
    for (int i = h->top; i < n && row < in.rows; i++) {
        const struct help_line *l = visible(h, i, &n);
        const int rows = line_rows(in, l);
        if (i == h->selected && l->text)
            for (int k = 0; k < rows; k++) area_fill(in, row + k, 0, in.cols, " ", ROLE_SELECTED, 0);
        draw_line(area_sub(in, row, 0, in.rows - row, in.cols), l, i == h->selected);
        row += rows;
    }
    if (n == 0) area_printf(in, 0, 1, ROLE_DIM, 0, "nothing about \"%s\"", h->filter);
}

/* A key while the filter is typed. */
static void type_key(struct help *h, int key) {
    const size_t n = strlen(h->filter);
    if (key == KEY_ENTER_)
        h->typing = false;
    else if (key == KEY_ESCAPE)
        h->typing = false, h->filter[0] = '\0';
    else if (key == KEY_BACKSPACE_ && n > 0)
        h->filter[n - 1] = '\0';
    else if (key >= 32 && key < 127 && n + 1 < sizeof h->filter)
        h->filter[n] = (char)key, h->filter[n + 1] = '\0';
    h->selected = h->top = 0;
}

enum help_result help_key(struct help *h, int key, struct help_line *line) {
    int n;
    if (h->typing && key != KEY_UP_ && key != KEY_DOWN_) {
        type_key(h, key);
        return HELP_STAYS;
    }
    if (key == '/') {
        h->typing = true;
        h->filter[0] = '\0';
        return HELP_STAYS;
    }
    if (key == KEY_ENTER_) {
        const struct help_line *l = visible(h, h->selected, &n);
        if (!l || (!l->key && !l->command)) return HELP_STAYS;
        *line = *l;
        line->label = NULL; /* goes with the overlay */
        help_close(h);
        return line->key ? HELP_RUN_KEY : HELP_RUN_COMMAND;
    }
    if (key == 'q' || key == KEY_ESCAPE || key == '?' || key == KEY_F1_) {
        help_close(h);
        return HELP_CLOSED;
    }
    visible(h, -1, &n);
    scroll_key(key, &h->selected, 1, n);
    return HELP_STAYS;
}
