/* The table of phases at work: see phase_order.h. */
#include "engine/game/phase_order.h"

#include <math.h>

#include "engine/game/phase/phases.h"

struct phase_info {
    int place; /* 0: not part of an iteration */
    bool (*runs)(const struct options *o, int64_t iteration);
    enum game_result (*step)(struct game *g, bool *finished, struct err *e);
    double (*done)(const struct game *g);
    double share;
};

static const struct phase_info PHASES[N_PHASES] = {
#define PHASE(id, name, place, stem, share)                                                                            \
    [id] = {place, phase_##stem##_runs, phase_##stem##_step, phase_##stem##_done, share},
#define MARK(id, name)
    PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK
};

enum game_result phase_step(struct game *g, bool *finished, struct err *e) {
    const struct phase_info *p = &PHASES[g->st.phase];
    return p->step ? p->step(g, finished, e) : GAME_DONE;
}

/* The phase of lowest place above `place` that runs. PHASE_CHECKPOINT, the last, always does. */
static enum run_phase first_after(const struct options *o, int64_t iteration, int place) {
    enum run_phase first = PHASE_CHECKPOINT;
    for (int i = 0; i < N_PHASES; i++) {
        const struct phase_info *p = &PHASES[i];
        if (p->place > place && p->place < PHASES[first].place && p->runs(o, iteration)) first = (enum run_phase)i;
    }
    return first;
}

enum run_phase phase_first(const struct options *o, int64_t iteration) { return first_after(o, iteration, 0); }

enum run_phase phase_next(const struct options *o, int64_t iteration, enum run_phase p) {
    return first_after(o, iteration, PHASES[p].place);
}

enum run_phase phase_round(const struct options *o, int64_t iteration) {
    return first_after(o, iteration, PHASES[PHASE_ASCENT].place - 1);
}

double game_phase_done(const struct game *g) {
    const struct phase_info *p = &PHASES[g->st.phase];
    if (g->st.phase == PHASE_END) return 1.0;
    return p->done ? p->done(g) : 0.0;
}

/* Rounds are one stretch: it begins with the ascent and is done as far as the rounds are. */
static int stretch_of(const struct phase_info *p) {
    return p == &PHASES[PHASE_DESCENT] ? PHASES[PHASE_ASCENT].place : p->place;
}

/* Of the iteration under way, by the shares of the phases that run in it. */
static double iteration_done(const struct game *g) {
    const struct phase_info *now = &PHASES[g->st.phase];
    double before = 0, within = 0, all = 0;
    for (int i = 0; i < N_PHASES; i++) {
        const struct phase_info *p = &PHASES[i];
        if (p->place == 0 || !p->runs(g->o, g->st.iteration)) continue;
        all += p->share;
        if (stretch_of(p) < stretch_of(now)) before += p->share;
        if (stretch_of(p) == stretch_of(now)) within += p->share;
    }
    return all > 0 ? (before + within * game_phase_done(g)) / all : 0.0;
}

double game_run_done(const struct game *g) {
    if (g->st.phase == PHASE_END || g->o->iterations == 0) return 1.0;
    if (g->st.iteration == 0) return 0.0;
    return fmin(1.0, ((double)g->st.iteration - 1 + iteration_done(g)) / g->o->iterations);
}
