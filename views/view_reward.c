/* 5 Reward: how far the fitted reward can be trusted. As in the Dashboard, which panels appear is a table of layouts by
 * size. Every panel can be focused: one that the layout has no place for takes the last place. */
#include <stdio.h>
#include <string.h>

#include "views/layout.h"
#include "views/pair_text.h"
#include "views/reward.h"
#include "views/scroll.h"
#include "views/styled.h"
#include "views/view.h"

/* The first that fits. */
/* clang-format off */
static const struct layout LAYOUTS[] = {
    {50, 150, true, {{18, 3, {{REWARD_FIGURES, 1}, {REWARD_RELIABILITY, 1}, {REWARD_MARGINS, 1}}},
                     {19, 3, {{REWARD_ACCURACY, 2}, {REWARD_UNCERTAIN, 3}, {REWARD_DISPUTED, 3}}},
                     {18, 1, {{REWARD_PAIR, 1}}}}},
    {28, 114, true, {{1, 3, {{REWARD_FIGURES, 1}, {REWARD_RELIABILITY, 1}, {REWARD_MARGINS, 1}}},
                     {1, 3, {{REWARD_ACCURACY, 1}, {REWARD_UNCERTAIN, 1}, {REWARD_DISPUTED, 1}}}}},
    {20, 76, true,  {{13, 2, {{REWARD_RELIABILITY, 1}, {REWARD_MARGINS, 1}}},
                     {8, 2, {{REWARD_FIGURES, 1}, {REWARD_UNCERTAIN, 1}}}}},
    {30, 30, true,  {{1, 1, {{REWARD_FIGURES, 1}}}, {1, 1, {{REWARD_RELIABILITY, 1}}}, {1, 1, {{REWARD_UNCERTAIN, 1}}}}},
    {7, 30, true,   {{1, 1, {{REWARD_FIGURES, 1}}}}},
    {0, 0, false,   {{1, 1, {{REWARD_FIGURES, 1}}}}},
};
/* clang-format on */

static void init(void *state) { ((struct reward_view *)state)->focus = -1; }

static bool is_list(int panel) { return panel == REWARD_UNCERTAIN || panel == REWARD_DISPUTED; }

static int effective_focus(const struct reward_view *v, const struct layout *l) {
    if (v->focus >= 0) return v->focus;
    return layout_shows(l, REWARD_UNCERTAIN) ? REWARD_UNCERTAIN : (int)l->row[0].panel[0].id;
}

/* ---- nothing measured yet ---- */

static void add_reason(struct styled *t, const struct snapshot *s) {
    if (!s->has_reward) {
        char name[OPTION_TEXT_MAX];
        option_format(&s->options, &OPTIONS[OPTION_ID_algorithm], name, sizeof name);
        styled_printf(t, ROLE_TEXT, 0, "The algorithm %s fits no reward: there is nothing to measure.\n", name);
        return;
    }
    if (s->iteration > 1)
        styled_add(t, ROLE_TEXT, 0,
                   "Measured at the next fit: the checkpoint that the run resumed from is of a version that kept no "
                   "figures.\n");
    else
        styled_printf(
            t, ROLE_TEXT, 0,
            "Nothing measured yet: the figures come when the reward is fitted for the first time, after the first "
            "pairs are labelled and %d steps of reward fit.\n",
            s->options.reward_steps);
    styled_add(
        t, ROLE_DIM, 0,
        "\nThen here: the share of pairs that it ranks right, by label source, age and length; whether it is right "
        "as often as it is sure; the margins between better and worse answers; and the pairs that it is least sure "
        "of or that contradict their label most.\n");
}

static void draw_nothing(struct area a, const struct snapshot *s) {
    struct styled t = {0};
    const struct area in = a.rows >= 5 ? area_box(a, "Reward", true) : a;
    if (s->state_text[0] && s->state != RUN_RUNNING) styled_printf(&t, ROLE_WARNING, 0, "%s\n\n", s->state_text);
    add_reason(&t, s);
    styled_draw_cut(in, &t);
    styled_free(&t);
}

/* ---- panels ---- */

static void draw_panel(struct reward_view *v, int panel, struct area a, const struct snapshot *s, bool box) {
    const struct reward_panel *p = &REWARD_PANELS[panel];
    p->draw(box ? area_box(a, p->title, v->shown == panel) : a, s, v);
}

struct drawing {
    struct reward_view *v;
    const struct snapshot *s;
    const struct layout *l;
};

static void draw_part(void *ctx, int panel, struct area a) {
    const struct drawing *g = ctx;
    const bool homeless = panel == layout_last(g->l) && !layout_shows(g->l, g->v->shown);
    draw_panel(g->v, homeless ? g->v->shown : panel, a, g->s, g->l->boxes);
}

static void draw(void *state, struct area a, const struct snapshot *s, const struct actions *act) {
    (void)act;
    struct reward_view *v = state;
    const struct layout *l = layout_for(LAYOUTS, a);
    struct drawing g = {v, s, l};
    v->shown = effective_focus(v, l);
    if (is_list(v->shown)) v->list = v->shown - REWARD_UNCERTAIN;
    if (!s->reward)
        draw_nothing(a, s);
    else if (v->full)
        draw_panel(v, v->shown, a, s, a.rows >= 5);
    else
        layout_draw(l, a, draw_part, &g);
}

/* ---- keys ---- */

static int toggle_full(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)key, (void)act;
    struct reward_view *v = state;
    if (v->full) {
        v->full = false;
        v->focus = v->back;
        return REACT_REDRAW;
    }
    if (!s->reward) return REACT_NONE;
    v->back = v->shown;
    v->focus = is_list(v->shown) ? REWARD_PAIR : v->shown;
    if (v->focus == REWARD_PAIR) reward_list_hold(v, s, v->list);
    v->full = true;
    return REACT_REDRAW;
}

static int leave_full(void *state, int key, const struct snapshot *s, struct actions *act) {
    return ((struct reward_view *)state)->full ? toggle_full(state, key, s, act) : REACT_UNHANDLED;
}

static int focus_panel(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)s, (void)act;
    struct reward_view *v = state;
    v->focus = (v->shown + (key == KEY_TAB ? 1 : N_REWARD_PANELS - 1)) % N_REWARD_PANELS;
    return REACT_REDRAW;
}

static int scroll(struct reward_view *v, int panel, int key) {
    const bool done = scroll_key(key, &v->scroll[panel].top, v->scroll[panel].page, v->scroll[panel].lines);
    return done ? REACT_REDRAW : REACT_UNHANDLED;
}

static int scroll_pair(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)s, (void)act;
    return scroll(state, REWARD_PAIR, key == 'J' ? 'j' : 'k');
}

static int other_pair(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)act;
    reward_list_step(state, s, key == 'l' || key == KEY_RIGHT_ ? 1 : -1);
    return REACT_REDRAW;
}

static int other_key(void *state, int key, const struct snapshot *s, struct actions *act) {
    (void)act;
    struct reward_view *v = state;
    if (is_list(v->shown))
        return reward_list_key(v, s, v->shown - REWARD_UNCERTAIN, key) ? REACT_REDRAW : REACT_UNHANDLED;
    return scroll(v, v->shown, key);
}

static char *copy(void *state, const struct snapshot *s, char *what, size_t size) {
    const struct shown_pair *p = reward_pair(state, s);
    return p ? pair_text(p, what, size) : NULL;
}

static const struct view_key KEYS_REWARD[] = {
    {{KEY_ENTER_},
     "Enter",
     "open",
     "show the selected pair, or the focused panel, alone; Enter or Esc goes back",
     toggle_full,
     NULL},
    {{KEY_ESCAPE, 'q'}, NULL, NULL, NULL, leave_full, NULL},
    {{KEY_TAB, KEY_BACK_TAB}, "Tab", "next panel", "focus the next panel; S-Tab the one before", focus_panel, NULL},
    {{'j'}, "j k", "select", "select a pair of the focused list, or scroll the focused panel", NULL, NULL},
    {{'h', KEY_LEFT_, 'l', KEY_RIGHT_},
     "h l",
     "other pair",
     "the pair before or after in the list (arrows too), also while one is open",
     other_pair,
     NULL},
    {{'J', 'K'}, "J K", NULL, "scroll the selected pair", scroll_pair, NULL},
    {{'y'}, "y", NULL, "copy the selected pair: prompt and both answers", NULL, NULL},
    {{0}, NULL, NULL, NULL, NULL, NULL},
};

const struct view_ops VIEW_REWARD = {
    .digit = 5,
    .name = "reward",
    .title = "Reward",
    .help =
        "How far the fitted reward can be trusted: what it ranks right, whether it is right as often as it is sure, "
        "its margins, and the pairs that it is least sure of or that contradict their label most.",
    .state_size = sizeof(struct reward_view),
    .init = init,
    .draw = draw,
    .other_key = other_key,
    .copy = copy,
    .keys = KEYS_REWARD,
};
