/* Inside the Reward view: its state, its panels, and the lists of pairs that two of them show. */
#ifndef PBKD_VIEWS_REWARD_H
#define PBKD_VIEWS_REWARD_H

#include "engine/run/snapshot.h"
#include "views/canvas.h"

enum reward_panel_id {
    REWARD_FIGURES,
    REWARD_RELIABILITY,
    REWARD_MARGINS,
    REWARD_ACCURACY,
    REWARD_UNCERTAIN,
    REWARD_DISPUTED,
    REWARD_PAIR,
    N_REWARD_PANELS
};

enum { REWARD_LISTS = 2 }; /* uncertain, disputed */

struct reward_view {
    int focus; /* a panel; -1: nobody has chosen one, the layout does */
    int shown; /* the panel that had the focus at the last draw */
    bool full; /* the focused panel alone */
    int back;  /* the focus to return to from there */
    int list;  /* 0 or 1: where the pair panel's pair is from */
    struct {
        int64_t id; /* of the selected pair, 0: the first */
        int row;    /* where it was last seen */
        int top, page;
    } lists[REWARD_LISTS];
    struct {
        int top, page, lines;
    } scroll[N_REWARD_PANELS]; /* of panels that may be taller than their place */
};

struct reward_panel {
    const char *title;
    /* s->reward is not NULL. */
    void (*draw)(struct area a, const struct snapshot *s, struct reward_view *v);
};
extern const struct reward_panel REWARD_PANELS[N_REWARD_PANELS];

/* reward_panels.c */
/* Note how tall a panel's text is and what is seen of it; returns the first line to draw. */
int reward_scroll(struct reward_view *v, int panel, int page, int lines);

/* reward_lists.c */
void reward_draw_uncertain(struct area a, const struct snapshot *s, struct reward_view *v);
void reward_draw_disputed(struct area a, const struct snapshot *s, struct reward_view *v);
void reward_draw_pair(struct area a, const struct snapshot *s, struct reward_view *v);
/* A movement key in a list; by: -1 or 1 rows, whatever the key. */
bool reward_list_key(struct reward_view *v, const struct snapshot *s, int list, int key);
void reward_list_step(struct reward_view *v, const struct snapshot *s, int by);
/* Hold on to the pair that the list shows as selected, wherever it goes. */
void reward_list_hold(struct reward_view *v, const struct snapshot *s, int list);
/* The pair of the pair panel: the selected one of v->list; NULL when the list has none, or none with its id any
 * more. */
const struct shown_pair *reward_pair(const struct reward_view *v, const struct snapshot *s);

#endif
