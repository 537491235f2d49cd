/* Header and hints around the active view: see chrome.h.
 *
 * The header is a row of parts. When the row is too narrow, parts are left out by rank, the least needed first, so that
 * a small terminal still says what runs, in which state and how large the gap is. */
#include "views/chrome.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "views/format.h"
#include "views/views.h"

enum { MAX_PARTS = 12, PART_TEXT = 96 };

struct part {
    char text[PART_TEXT];
    char brief[32]; /* said instead before the part is left out; empty: nothing shorter */
    int rank;       /* 0 is never left out; the highest goes first */
    enum role role;
    int attr;
    bool absent;
};

struct header {
    struct part part[MAX_PARTS];
    int n;
};

static struct part *add_part(struct header *h, int rank) {
    struct part *p = &h->part[h->n++];
    *p = (struct part){.rank = rank, .role = ROLE_HEADER};
    return p;
}

static void add_state(struct header *h, const struct snapshot *s, bool frozen) {
    struct part *p = add_part(h, 0);
    snprintf(p->text, PART_TEXT, " %s ", run_state_name(s->state));
    p->attr = s->state == RUN_RUNNING ? ATTR_BOLD : ATTR_BOLD | ATTR_REVERSE;
    if (s->state == RUN_FAILED)
        p->role = ROLE_ERROR;
    else if (s->state == RUN_WAITING || s->state == RUN_PAUSED)
        p->role = ROLE_WARNING;
    if (!frozen) return;
    p = add_part(h, 0);
    snprintf(p->text, PART_TEXT, " DISPLAY FROZEN "); /* the run goes on: not to be mistaken for PAUSED */
    p->attr = ATTR_REVERSE | ATTR_BOLD | ATTR_UNDERLINE;
    p->role = ROLE_WARNING;
}

static void add_progress(struct header *h, const struct snapshot *s) {
    snprintf(add_part(h, 2)->text, PART_TEXT, "t %d/%d", s->iteration, s->options.iterations);
    if (s->state == RUN_DONE || s->state == RUN_FAILED) return;
    const char *phase = run_phase_name(s->phase);
    if (isfinite(s->phase_done))
        snprintf(add_part(h, 3)->text, PART_TEXT, "%s %.0f %%", phase, 100 * s->phase_done);
    else
        snprintf(add_part(h, 3)->text, PART_TEXT, "%s", phase);
}

static void add_figures(struct header *h, const struct snapshot *s) {
    if (isfinite(s->metric[METRIC_GAP_WORST])) {
        struct part *gap = add_part(h, 1);
        snprintf(gap->text, PART_TEXT, "gap %s", format_interval(snapshot_interval(s, METRIC_GAP_WORST)).s);
        snprintf(gap->brief, sizeof gap->brief, "gap %s", format_number(s->metric[METRIC_GAP_WORST]).s);
    }
    const double accuracy = s->metric[METRIC_RM_HELDOUT];
    if (isfinite(accuracy)) snprintf(add_part(h, 4)->text, PART_TEXT, "RM acc %s", format_percent(accuracy).s);
    if (s->pending_option == OPTION_ID_beta)
        snprintf(add_part(h, 5)->text, PART_TEXT, "beta %.6g → %s", s->metric[METRIC_BETA], s->pending_value);
    else
        snprintf(add_part(h, 5)->text, PART_TEXT, "beta %.6g", s->metric[METRIC_BETA]);
    if (s->labels_waiting)
        snprintf(add_part(h, 6)->text, PART_TEXT, "labels %d (%d wait)", s->labels_human, s->labels_waiting);
    else
        snprintf(add_part(h, 6)->text, PART_TEXT, "labels %d", s->labels_human);
    if (s->state == RUN_RUNNING || s->state == RUN_LOADING) {
        if (s->tokens_per_second > 0)
            snprintf(add_part(h, 8)->text, PART_TEXT, "%s tok/s", format_count(s->tokens_per_second).s);
        if (isfinite(s->eta_seconds))
            snprintf(add_part(h, 7)->text, PART_TEXT, "eta %s", format_duration(s->eta_seconds).s);
    }
}

static int header_cells(const struct header *h) {
    int cells = 0;
    for (int i = 0; i < h->n; i++)
        if (!h->part[i].absent) cells += text_cells(h->part[i].text) + 2;
    return cells ? cells - 2 : 0;
}

/* Shorten or leave out the part of the highest rank; false when only those that stay are left. */
static bool drop_one(struct header *h) {
    int worst = -1;
    for (int i = 0; i < h->n; i++)
        if (!h->part[i].absent && h->part[i].rank > 0 && (worst < 0 || h->part[i].rank > h->part[worst].rank))
            worst = i;
    if (worst < 0) return false;
    struct part *p = &h->part[worst];
    if (p->brief[0] && strcmp(p->text, p->brief) != 0)
        memcpy(p->text, p->brief, sizeof p->brief);
    else
        p->absent = true;
    return true;
}

void draw_header(struct area a, const struct snapshot *s, bool frozen) {
    struct header h = {.n = 0};
    struct part *name = add_part(&h, 9);
    snprintf(name->text, PART_TEXT, "%s", s->run_name);
    name->attr = ATTR_BOLD;
    add_state(&h, s, frozen);
    add_progress(&h, s);
    add_figures(&h, s);
    if (text_cells(name->text) <= 12) name->rank = 4; /* a short name is worth its place */
    while (header_cells(&h) > a.cols && drop_one(&h)) {
    }
    area_fill(a, 0, 0, a.cols, " ", ROLE_HEADER, 0);
    int col = 0;
    for (int i = 0; i < h.n && col < a.cols; i++) {
        if (h.part[i].absent) continue;
        col += area_text(a, 0, col, a.cols - col, h.part[i].role, h.part[i].attr, h.part[i].text) + 2;
    }
}

/* One hint when it fits entirely; returns cells used, 0 when it does not fit. */
static int draw_hint(struct area a, int col, const char *label, const char *text) {
    const int need = text_cells(label) + 1 + text_cells(text);
    if (col > 0 && col + need > a.cols) return 0;
    int used = area_text(a, 0, col, a.cols - col, ROLE_HINT_KEY, ATTR_BOLD, label) + 1;
    used += area_text(a, 0, col + used, a.cols - col - used, ROLE_HINT, 0, text);
    return used + 2;
}

/* All views with their digits on the right, when there is room for all of them. */
static void draw_view_names(struct area a, int from, const struct view_ops *active) {
    int cells = 0;
    for (int i = 0; i < N_VIEWS; i++) cells += 3 + text_cells(VIEWS[i]->title);
    int col = a.cols - cells + 1;
    if (col < from) return;
    for (int i = 0; i < N_VIEWS; i++) {
        const int attr = VIEWS[i] == active ? ATTR_BOLD | ATTR_REVERSE : 0;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): every row of VIEWS has a view */
        col += area_printf(a, 0, col, ROLE_HINT_KEY, attr, "%d", VIEWS[i]->digit);
        col += area_printf(a, 0, col, ROLE_HINT, attr, " %s", VIEWS[i]->title) + 1;
    }
}

void draw_hints(struct area a, const struct view_ops *v) {
    area_fill(a, 0, 0, a.cols, " ", ROLE_HINT, 0);
    int col = draw_hint(a, 0, "?", "help");
    for (const struct view_key *k = v ? v->keys : NULL; k && k->key[0]; k++)
        if (k->short_help) col += draw_hint(a, col, k->label, k->short_help);
    draw_view_names(a, col, v);
}
