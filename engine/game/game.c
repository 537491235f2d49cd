/* The machine of micro-steps: which phase follows which, and the few things that happen between phases. See game.h. */
#include "engine/game/game.h"

#include <math.h>
#include <string.h>

#include "engine/game/adversary/adversaries.h"
#include "engine/game/algorithm.h"
#include "engine/game/edit.h"
#include "engine/game/figures.h"
#include "engine/game/trainees.h"

static void enter(struct game *g, enum run_phase phase) {
    g->st.phase = phase;
    g->st.step = 0;
}

static void begin_iteration(struct game *g) {
    struct game_state *st = &g->st;
    if (st->iteration >= g->o->iterations) {
        enter(g, PHASE_END);
        return;
    }
    st->iteration++;
    if (algorithm_gathers(g->o, st->iteration)) {
        st->first_output = g->corpus.outputs.n;
        st->first_pair = g->corpus.dpref.n;
    }
    st->round = st->round_step = st->policy_step = st->gate_tries = st->gate_answer = st->identical = 0;
    st->groups = st->zero_groups = 0;
    st->sum_correct = st->sum_decided = 0;
    enter(g, phase_first(g->o, st->iteration));
}

/* The student has just been trained for the first time: it is the reference from here, and the reward starts from it
 * unless it has a file. */
static void adopt_first_student(struct game *g) {
    const struct model *m = g->players.student.model;
    struct game_trainee list[N_TRAINEES];
    memcpy(g->players.reference->params, m->params, m->n_params * sizeof *m->params);
    if (g->o->reward_model[0]) return;
    game_trainees(g, list);
    for (int i = 0; i < N_TRAINEES; i++)
        if (i != TRAINEE_STUDENT && list[i].t)
            memcpy(list[i].t->model->params, m->params, m->n_params * sizeof *m->params);
}

/* What follows a finished phase. */
static void next_phase(struct game *g) {
    struct game_state *st = &g->st;
    const enum run_phase done = (enum run_phase)st->phase;
    if (done == PHASE_EVALUATE_START || done == PHASE_CHECKPOINT) {
        begin_iteration(g);
        return;
    }
    if (done == PHASE_SFT && algorithm_info(g->o)->trains != PHASE_SFT) adopt_first_student(g);
    bool again = false;
    if (done == PHASE_DESCENT) {
        again = st->round_step < g->o->game_policy_steps; /* scope head: a new adversary within the round */
        if (!again) {
            st->round_step = 0;
            again = ++st->round < g->o->game_rounds;
        }
    }
    enter(g, again ? phase_round(g->o, st->iteration) : phase_next(g->o, st->iteration, done));
}

/* Of a step that failed: was it refused by an optimiser, whose norm stands there from the last attempt on? Then nothing
 * of it stays but its mark. */
static enum game_result undo_refused(struct game *g, const struct game_state *before, struct err *e) {
    struct game_trainee list[N_TRAINEES];
    int which = 0;
    game_trainees(g, list);
    while (which < N_TRAINEES && !(list[which].t && !isfinite(list[which].t->opt.norm))) which++;
    if (which == N_TRAINEES) return GAME_FAILED;
    struct trainee *t = list[which].t;
    watch_begin(&g->watch);
    watch_figure(&g->watch, which == TRAINEE_STUDENT ? STEP_GRADIENT_STUDENT : STEP_GRADIENT_REWARD, t->opt.norm);
    t->opt.norm = 0;
    g->st = *before;
    game_watch_step(g, g->st.tick);
    err_set(e,
            "the gradient of %s at tick %lld is not finite; the step is undone. Lower game.policy_lr, game.reward_lr, "
            "reward.lr or sft.lr, then resume",
            list[which].title, (long long)g->st.tick);
    g->st.tick++;
    return GAME_REFUSED;
}

enum game_result game_step(struct game *g, bool may_wait, struct err *e) {
    struct game_state *st = &g->st;
    const struct game_state before = *st;
    int64_t fresh[PAIR_FRESH_LABELS];
    const int n_fresh = g->sampler.n_fresh;
    bool finished = false;
    g->may_wait = may_wait;
    memcpy(fresh, g->sampler.fresh, sizeof fresh);
    if (st->phase == PHASE_END) begin_iteration(g); /* a person may have asked for more iterations since */
    watch_begin(&g->watch);
    const enum game_result r = phase_step(g, &finished, e);
    if (r == GAME_FAILED && undo_refused(g, &before, e) == GAME_REFUSED) {
        memcpy(g->sampler.fresh, fresh, sizeof fresh);
        g->sampler.n_fresh = n_fresh;
        return GAME_REFUSED;
    }
    if (r != GAME_OK) return r;
    if (st->phase == PHASE_ASCENT || st->phase == (int64_t)algorithm_info(g->o)->trains) game_watch_step(g, st->tick);
    st->tick++;
    st->step++;
    if (finished) next_phase(g);
    return GAME_OK;
}

bool game_apply_label(struct game *g, const struct label_event *ev, double flip, double weight, bool again,
                      struct err *e) {
    int first = 0, n = 0;
    if (!dpref_apply_event(&g->corpus.dpref, ev, flip, weight, e)) return false;
    if (ev->decision == DECISION_EDIT && !edit_make_pairs(g, ev, flip, weight, again, &first, &n, e)) return false;
    game_pairs_changed(g);
    if (again) return true;
    if (ev->decision == DECISION_A || ev->decision == DECISION_B || ev->decision == DECISION_TIE)
        pair_sampler_use_next(&g->sampler, ev->pair_id);
    for (int i = 0; i < n; i++) pair_sampler_use_next(&g->sampler, g->corpus.dpref.pair[first + i].id);
    return true;
}

uint64_t game_weights_hash(const struct game *g) { return model_hash(g->players.student.model); }
