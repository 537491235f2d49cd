/* 1 Dashboard: the game at a glance. Which panels appear is a table of layouts by size, the most important panels
 * first; any panel can be focused and shown alone. */
#include "views/chart.h"
#include "views/dashboard.h"
#include "views/layout.h"
#include "views/pair_text.h"
#include "views/scroll.h"
#include "views/view.h"

/* The first that fits. With an exact inner maximum the curve over beta has its place as well, where there is room. */
/* clang-format off */
static const struct layout LAYOUTS_HEAD[] = {
    {40, 150, true, {{4, 2, {{PANEL_GAME, 5}, {PANEL_FIGURES, 3}}},
                     {3, 3, {{PANEL_REWARD, 1}, {PANEL_MISFIT, 1}, {PANEL_STUDENT, 1}}},
                     {3, 4, {{PANEL_CURVE, 4}, {PANEL_DRIFT, 3}, {PANEL_REGRET, 3}, {PANEL_PAIR, 4}}}}},
    {28, 100, true, {{6, 2, {{PANEL_GAME, 9}, {PANEL_FIGURES, 8}}},
                     {5, 3, {{PANEL_REWARD, 1}, {PANEL_MISFIT, 1}, {PANEL_CURVE, 1}}},
                     {3, 1, {{PANEL_PAIR, 1}}}}},
    {0, 0, false,   {{0, 0, {{0, 0}}}}}, /* else as below */
};
static const struct layout LAYOUTS[] = {
    {40, 150, true, {{4, 2, {{PANEL_GAME, 5}, {PANEL_FIGURES, 3}}},
                     {3, 3, {{PANEL_REWARD, 1}, {PANEL_MISFIT, 1}, {PANEL_STUDENT, 1}}},
                     {3, 3, {{PANEL_DRIFT, 1}, {PANEL_REGRET, 1}, {PANEL_PAIR, 1}}}}},
    {28, 100, true, {{6, 2, {{PANEL_GAME, 9}, {PANEL_FIGURES, 8}}},
                     {5, 3, {{PANEL_REWARD, 1}, {PANEL_MISFIT, 1}, {PANEL_STUDENT, 1}}},
                     {3, 1, {{PANEL_PAIR, 1}}}}},
    {17, 76, true,  {{6, 2, {{PANEL_GAME, 4}, {PANEL_FIGURES, 3}}},
                     {4, 2, {{PANEL_REWARD, 4}, {PANEL_PAIR, 3}}}}},
    {8, 76, true,   {{1, 2, {{PANEL_GAME, 4}, {PANEL_FIGURES, 3}}}}},
    {30, 30, true,  {{5, 1, {{PANEL_FIGURES, 1}}}, {5, 1, {{PANEL_GAME, 1}}},
                     {4, 1, {{PANEL_REWARD, 1}}}, {4, 1, {{PANEL_PAIR, 1}}}}},
    {8, 30, false,  {{2, 1, {{PANEL_FIGURES, 1}}}, {3, 1, {{PANEL_GAME, 1}}}}},
    {0, 0, false,   {{1, 1, {{PANEL_FIGURES, 1}}}}},
};
/* clang-format on */

static const struct layout *find_layout(const struct snapshot *s, struct area a) {
    const struct layout *l = layout_for(s->options.game_scope == SCOPE_HEAD ? LAYOUTS_HEAD : LAYOUTS, a);
    return l->row[0].n ? l : layout_for(LAYOUTS, a);
}

static void init(void *state) {
    struct dashboard *d = state;
    d->end = -1;
}

static void draw_panel(struct dashboard *d, enum panel_id id, struct area a, const struct snapshot *s, bool box,
                       bool focusable) {
    const bool focus = focusable && d->focus == id;
    PANELS[id].draw(box ? area_box(a, panel_title(id, s), focus) : a, s, d);
}

struct drawing {
    struct dashboard *d;
    const struct snapshot *s;
    bool boxes;
};

static void draw_part(void *ctx, int panel, struct area a) {
    const struct drawing *g = ctx;
    draw_panel(g->d, (enum panel_id)panel, a, g->s, g->boxes, g->boxes);
}

static void draw(void *state, struct area a, const struct snapshot *s, const struct actions *act) {
    (void)act;
    struct dashboard *d = state;
    const struct layout *l = find_layout(s, a);
    struct drawing g = {d, s, l->boxes};
    if (d->full)
        draw_panel(d, d->focus, a, s, true, true);
    else
        layout_draw(l, a, draw_part, &g);
}

static void zoom(struct dashboard *d, const struct snapshot *s, bool in) {
    const int64_t now = s->tick > 1 ? s->tick : 1, span = d->span ? d->span : now;
    d->span = in ? (span > 4 ? span / 2 : span) : span * 2;
    if (d->span >= now) d->span = 0, d->end = -1;
}

static void pan(struct dashboard *d, const struct snapshot *s, int direction) {
    if (!d->span) return; /* everything is in sight */
    const int64_t end = d->end >= 0 ? d->end : s->tick;
    d->end = end + direction * (d->span / 4 > 1 ? d->span / 4 : 1);
    if (d->end < d->span) d->end = d->span;
    if (d->end >= s->tick) d->end = -1; /* at the tail: follow it again */
}

/* ---- keys ---- */

static int focus_panel(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)s, (void)act;
    struct dashboard *d = state;
    d->focus = (d->focus + (key == KEY_TAB ? 1 : N_PANELS - 1)) % N_PANELS;
    return REACT_REDRAW;
}

static int toggle_full(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)key, (void)s, (void)act;
    struct dashboard *d = state;
    d->full = !d->full;
    return REACT_REDRAW;
}

static int leave_full(void *state, int key, const struct snapshot *s, struct actions *act) {
    return ((struct dashboard *)state)->full ? toggle_full(state, key, s, act) : REACT_UNHANDLED;
}

static int zoom_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)act;
    zoom(state, s, key != '-');
    return REACT_REDRAW;
}

static int pan_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)act;
    pan(state, s, key == 'l' || key == KEY_RIGHT_ ? 1 : -1);
    return REACT_REDRAW;
}

static int show_all(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)key, (void)s, (void)act;
    struct dashboard *d = state;
    d->span = 0;
    d->end = -1;
    return REACT_REDRAW;
}

static int other_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)s, (void)act;
    return scroll_key(key, &((struct dashboard *)state)->pair_top, 4, 10000) ? REACT_REDRAW : REACT_UNHANDLED;
}

static char *copy(void *state, const struct snapshot *s, char *what, size_t size) {
    (void)state;
    return s->n_shown ? pair_text(&s->pair[0], what, size) : NULL;
}

static const struct view_key KEYS_DASHBOARD[] = {
    {{KEY_ENTER_}, "Enter", "enlarge", "show the focused panel alone, or all again", toggle_full, NULL},
    {{KEY_ESCAPE, 'q'}, NULL, NULL, NULL, leave_full, NULL},
    {{KEY_TAB, KEY_BACK_TAB}, "Tab", "next panel", "focus the next panel; S-Tab the one before", focus_panel, NULL},
    {{'+', '=', '-'}, "+ -", "zoom", "show fewer or more ticks", zoom_key, NULL},
    {{'h', KEY_LEFT_, 'l', KEY_RIGHT_}, "h l", "pan", "move the shown ticks back or forth (arrows too)", pan_key, NULL},
    {{'0'}, "0", "all", "show all ticks and follow the run", show_all, NULL},
    {{'j'}, "j k", NULL, "scroll the newest pair", NULL, NULL},
    {{'y'}, "y", NULL, "copy the newest pair: prompt and both answers", NULL, NULL},
    {{0}, NULL, NULL, NULL, NULL, NULL},
};

const struct view_ops VIEW_DASHBOARD = {
    .digit = 1,
    .name = "dashboard",
    .title = "Dashboard",
    .help =
        "The game as it is played: gaps with their intervals, the reward's accuracy, the preference constraint, "
        "the student, the newest pair. With game.scope head the band holds every gap that the preferences allow, and "
        "one panel shows what beta does.",
    .state_size = sizeof(struct dashboard),
    .init = init,
    .draw = draw,
    .other_key = other_key,
    .copy = copy,
    .keys = KEYS_DASHBOARD,
};
