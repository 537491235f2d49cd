/* Inside the Dashboard: its state and its panels. */
#ifndef PBKD_VIEWS_DASHBOARD_H
#define PBKD_VIEWS_DASHBOARD_H

#include "engine/run/snapshot.h"
#include "views/canvas.h"

enum panel_id {
    PANEL_GAME,
    PANEL_FIGURES,
    PANEL_REWARD,
    PANEL_MISFIT,
    PANEL_STUDENT,
    PANEL_DRIFT,
    PANEL_REGRET,
    PANEL_PAIR,
    PANEL_CURVE,
    N_PANELS
};

struct dashboard {
    enum panel_id focus;
    bool full;               /* the focused panel alone */
    int64_t span, end;       /* ticks shown; span 0: all; end -1: up to now */
    int pair_top;            /* scrolling of the current pair */
    uint64_t merged_version; /* of the snapshot that saw and reference were made from */
    int n_saw;
    int64_t saw_tick[2 * SERIES_POINTS]; /* gap after ascents and descents as one line */
    float saw[2 * SERIES_POINTS];
    float reference[SERIES_POINTS]; /* c sqrt(t log t) at the ticks of the regret */
};

struct panel {
    const char *title;
    void (*draw)(struct area a, const struct snapshot *s, struct dashboard *d);
};
extern const struct panel PANELS[N_PANELS];
/* What stands over a panel in this run. */
const char *panel_title(enum panel_id id, const struct snapshot *s);

#endif
