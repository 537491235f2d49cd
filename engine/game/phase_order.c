/* The table of phases at work: see phase_order.h. */
#include "engine/game/phase_order.h"

#include "engine/game/phase/phases.h"

struct phase_info {
    int place; /* 0: before the first iteration */
    bool (*runs)(const struct options *o, int64_t iteration);
    enum game_result (*step)(struct game *g, bool *finished, struct err *e);
    int64_t (*steps)(const struct game *g, int64_t iteration);
    double (*work)(const struct game *g, const struct costs *c);
};

/* A mark is all NULL. */
static const struct phase_info PHASES[N_PHASES] = {
#define PHASE(id, name, place, stem)                                                                                   \
    [id] = {place, phase_##stem##_runs, phase_##stem##_step, phase_##stem##_steps, phase_##stem##_work},
#define MARK(id, name)
    PHASE_TABLE(PHASE, MARK)
#undef PHASE
#undef MARK
};

enum game_result phase_step(struct game *g, bool *finished, struct err *e) {
    const struct phase_info *p = &PHASES[g->st.phase];
    return p->step ? p->step(g, finished, e) : GAME_DONE;
}

/* ---- order ---- */

bool phase_takes_place(const struct options *o, int64_t iteration, enum run_phase p) {
    const bool before = PHASES[p].place == 0;
    return PHASES[p].runs && before == (iteration == 0) && PHASES[p].runs(o, iteration);
}

/* The phase of lowest place above `place` that takes place. PHASE_CHECKPOINT, the last, always does. */
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

/* ---- what is ahead ---- */

int64_t game_phase_steps(const struct game *g, int64_t iteration, enum run_phase p) {
    return phase_takes_place(g->o, iteration, p) ? PHASES[p].steps(g, iteration) : 0;
}

/* The first iteration may have what later ones leave out; these are all alike. */
static bool takes_place_ever(const struct options *o, enum run_phase p) {
    return phase_takes_place(o, 0, p) || phase_takes_place(o, 1, p) || phase_takes_place(o, 2, p);
}

double game_step_work(const struct game *g, const struct costs *c, enum run_phase p) {
    return takes_place_ever(g->o, p) ? PHASES[p].work(g, c) : 0;
}

static bool is_of_rounds(enum run_phase p) { return p == PHASE_ASCENT || p == PHASE_DESCENT; }

/* Micro-steps of p in the round under way that are over: ascent and descent take turns in it. */
static double done_in_round(const struct game *g, enum run_phase p, double a_round) {
    const struct game_state *st = &g->st;
    const bool descends = st->phase == PHASE_DESCENT;
    if (p == PHASE_DESCENT) return (double)st->round_step;
    const struct adversary_ops *ops = g->adversary.ops;
    if (ops && ops->descents) return (double)(st->round_step / ops->descents(g->o) + descends);
    return descends ? a_round : (double)st->step;
}

/* Micro-steps of p in the iteration under way that are over. */
static double done_now(const struct game *g, enum run_phase p) {
    const struct game_state *st = &g->st;
    const enum run_phase now = (enum run_phase)st->phase;
    const double all = (double)game_phase_steps(g, st->iteration, p);
    if (is_of_rounds(now) && is_of_rounds(p)) {
        const double a_round = all / (double)phase_at_least_1(g->o->game_rounds);
        return a_round * (double)st->round + done_in_round(g, p, a_round);
    }
    if (p == now) return (double)st->step < all ? (double)st->step : all - 1;
    return PHASES[p].place < PHASES[now].place ? all : 0;
}

double game_phase_done(const struct game *g) {
    const enum run_phase now = (enum run_phase)g->st.phase;
    const double all = (double)game_phase_steps(g, g->st.iteration, now);
    if (now == PHASE_END) return 1.0;
    return all > 0 && done_now(g, now) >= 0 ? done_now(g, now) / all : 0.0;
}

double game_phase_left(const struct game *g, enum run_phase p) {
    const int64_t now = g->st.iteration, last = g->o->iterations;
    if (g->st.phase == PHASE_END) return 0;
    const double ahead = (double)game_phase_steps(g, now, p) - done_now(g, p);
    double left = ahead > 0 ? ahead : 0;
    if (now < 1 && last >= 1) left += (double)game_phase_steps(g, 1, p);
    const int64_t later = last - (now > 1 ? now : 1); /* these are all alike */
    return later > 0 ? left + (double)later * (double)game_phase_steps(g, 2, p) : left;
}
