/* The machine of micro-steps: which phase follows which, and the few things that happen between phases. See game.h. */
#include "engine/game/game.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/corpus/checker.h"
#include "engine/game/algorithm.h"
#include "engine/game/edit.h"
#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"

void game_log(struct game *g, enum alert_level level, const char *fmt, ...) {
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (g->see.log) g->see.log(g->see.ctx, level, text);
}

void game_series(struct game *g, enum series_id id, double value) {
    if (g->see.series) g->see.series(g->see.ctx, id, value);
}

bool game_check(const struct game *g, const char *text, const struct prompt *p) {
    return p->answer && checker_right(g->o->prompts_checker, text, p->answer);
}

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
        st->first_output = g->outputs.n;
        st->first_pair = g->dpref.n;
    }
    st->round = st->round_step = st->policy_step = st->gate_tries = st->gate_answer = st->identical = 0;
    st->groups = st->zero_groups = 0;
    st->sum_correct = st->sum_decided = 0;
    enter(g, algorithm_first_phase(g->o, st->iteration));
}

/* The student has just been trained for the first time: it is the reference from here, and the reward starts from it
 * unless it has a file. */
static void adopt_first_student(struct game *g) {
    const struct model *m = g->student.model;
    struct reward *rewards[] = {&g->fitted, &g->adversary, &g->held};
    memcpy(g->reference->params, m->params, m->n_params * sizeof *m->params);
    for (int i = 0; i < 3; i++)
        if (rewards[i]->t.model && !g->o->reward_model[0])
            memcpy(rewards[i]->t.model->params, m->params, m->n_params * sizeof *m->params);
}

/* The adversary starts every iteration from the fitted reward; a linear one does so when its basis is made. */
static void start_adversary(struct game *g) {
    if (g->head) return;
    memcpy(g->adversary.t.model->params, g->fitted.t.model->params, g->fitted.t.model->n_params * sizeof(float));
    adamw_reset(&g->adversary.t.opt);
}

/* The gate: no game on a reward that cannot tell the answers apart. */
static enum game_result gate(struct game *g, bool may_wait, bool *finished, struct err *e) {
    struct game_state *st = &g->st;
    enum { ANSWER_NONE, ANSWER_CONTINUE, ANSWER_TRAIN, ANSWER_STOP };
    const double accuracy = st->rm_heldout;
    if (isnan(accuracy) || accuracy >= g->o->reward_gate) {
        if (isnan(accuracy))
            game_log(g, ALERT_WARNING, "no held-out pairs: the reward could not be checked before the game");
        st->gate_answer = ANSWER_CONTINUE;
    } else if (st->gate_answer == ANSWER_NONE) {
        if (may_wait) return GAME_NEEDS_DECISION;
        game_log(g, ALERT_WARNING, "reward accuracy %.3f on held-out pairs is below the gate %.2f (length alone: %.3f)",
                 accuracy, g->o->reward_gate, st->rm_length);
        if (g->o->reward_gate_action == GATE_STOP)
            st->gate_answer = ANSWER_STOP;
        else
            st->gate_answer =
                g->o->reward_gate_action == GATE_TRAIN && st->gate_tries < 3 ? ANSWER_TRAIN : ANSWER_CONTINUE;
    }
    const int64_t answer = st->gate_answer;
    st->gate_answer = ANSWER_NONE;
    if (answer == ANSWER_STOP) {
        err_set(e, "reward accuracy %.3f on held-out pairs did not reach reward.gate %.2f (length alone: %.3f)",
                accuracy, g->o->reward_gate, st->rm_length);
        return GAME_FAILED;
    }
    if (answer == ANSWER_TRAIN) {
        st->gate_tries++;
        enter(g, PHASE_FIT);
        st->step = -1; /* game_step counts this micro-step */
        return GAME_OK;
    }
    start_adversary(g);
    *finished = true;
    return GAME_OK;
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
    enter(g, again ? algorithm_round_phase(g->o, st->iteration) : algorithm_next_phase(g->o, st->iteration, done));
}

static enum game_result play(struct game *g, bool may_wait, bool *finished, struct err *e) {
    switch ((enum run_phase)g->st.phase) {
    case PHASE_EVALUATE_START: return evaluate_start_step(g, finished, e);
    case PHASE_COLLECT: return collect_step(g, finished, e);
    case PHASE_SFT: return game_sft_step(g, finished, e);
    case PHASE_SAMPLE: return sample_step(g, finished, e);
    case PHASE_FIT: return fit_phase_step(g, finished, e);
    case PHASE_GATE: return gate(g, may_wait, finished, e);
    case PHASE_ASCENT: return ascent_step(g, finished, e);
    case PHASE_DESCENT: return descent_step(g, finished, e);
    case PHASE_DISTIL: return distil_step(g, finished, e);
    case PHASE_DPO: return dpo_step(g, finished, e);
    case PHASE_EVALUATE: return evaluate_step(g, finished, e);
    case PHASE_CHECKPOINT: *finished = true; return GAME_OK; /* the owner writes it before this step */
    default: return GAME_DONE;
    }
}

/* What an optimiser step refuses: its norm stands there from the last attempt on. */
static bool refused(const struct trainee *t) { return t->model && !isfinite(t->opt.norm); }

/* Of a step that failed: was it refused? Then nothing of it stays but its mark. */
static enum game_result undo_refused(struct game *g, const struct game_state *before, struct err *e) {
    struct trainee *t[] = {&g->student, &g->fitted.t, &g->adversary.t, &g->held.t};
    static const char *const NAMES[] = {"the student", "the fitted reward", "the adversary", "the held reward"};
    int which = 0;
    while (which < 4 && !refused(t[which])) which++;
    if (which == 4) return GAME_FAILED;
    watch_begin(g);
    watch_figure(g, which == 0 ? STEP_GRADIENT_STUDENT : STEP_GRADIENT_REWARD, t[which]->opt.norm);
    t[which]->opt.norm = 0;
    g->st = *before;
    watch_step(g, g->st.tick);
    err_set(e,
            "the gradient of %s at tick %lld is not finite; the step is undone. Lower game.policy_lr, game.reward_lr, "
            "reward.lr or sft.lr, then resume",
            NAMES[which], (long long)g->st.tick);
    g->st.tick++;
    return GAME_REFUSED;
}

enum game_result game_step(struct game *g, bool may_wait, struct err *e) {
    struct game_state *st = &g->st;
    const struct game_state before = *st;
    int64_t fresh[GAME_FRESH_LABELS];
    const int n_fresh = g->n_fresh;
    bool finished = false;
    memcpy(fresh, g->fresh, sizeof fresh);
    if (st->phase == PHASE_END) begin_iteration(g); /* a person may have asked for more iterations since */
    watch_begin(g);
    const enum game_result r = play(g, may_wait, &finished, e);
    if (r == GAME_FAILED && undo_refused(g, &before, e) == GAME_REFUSED) {
        memcpy(g->fresh, fresh, sizeof fresh);
        g->n_fresh = n_fresh;
        return GAME_REFUSED;
    }
    if (r != GAME_OK) return r;
    if (st->phase == PHASE_ASCENT || st->phase == (int64_t)algorithm_info(g->o)->trains) watch_step(g, st->tick);
    st->tick++;
    st->step++;
    if (finished) next_phase(g);
    return GAME_OK;
}

static double ratio(double a, double b) { return b > 0 ? fmin(1.0, a / b) : 1.0; }

double game_phase_done(const struct game *g) {
    const struct game_state *st = &g->st;
    const double step = (double)st->step;
    switch ((enum run_phase)st->phase) {
    case PHASE_COLLECT: return ratio(g->outputs.n - (double)st->first_output, g->o->prompts_per_iteration);
    case PHASE_SAMPLE: return ratio(step * CHUNK_SAMPLES, g->o->prompts_per_iteration);
    case PHASE_FIT: return ratio(step, g->o->reward_steps + 1.0);
    case PHASE_SFT: return ratio(step, (double)game_sft_steps(g));
    case PHASE_DISTIL:
    case PHASE_DPO: return ratio(step, (double)game_student_steps(g));
    case PHASE_ASCENT:
    case PHASE_DESCENT:
        return ratio((double)st->round + ratio((double)st->round_step, g->o->game_policy_steps), g->o->game_rounds);
    case PHASE_EVALUATE:
        return ratio(step, (g->n_eval_prompts + CHUNK_GREEDY - 1) / CHUNK_GREEDY +
                               (g->n_gap_prompts + CHUNK_SAMPLES - 1) / CHUNK_SAMPLES);
    case PHASE_END: return 1.0;
    default: return 0.0;
    }
}

double game_run_done(const struct game *g) {
    if (g->st.phase == PHASE_END || g->o->iterations == 0) return 1.0;
    if (g->st.iteration == 0) return 0.0;
    /* shares of an iteration's work, roughly: what a person needs from an eta */
    static const double BEGIN[N_PHASES] = {
        [PHASE_SFT] = 0.05,   [PHASE_SAMPLE] = 0.05, [PHASE_FIT] = 0.10,      [PHASE_GATE] = 0.2,
        [PHASE_ASCENT] = 0.2, [PHASE_DESCENT] = 0.2, [PHASE_EVALUATE] = 0.92, [PHASE_CHECKPOINT] = 0.99};
    static const double LENGTH[N_PHASES] = {
        [PHASE_COLLECT] = 0.05, [PHASE_SFT] = 0.01,     [PHASE_SAMPLE] = 0.05,  [PHASE_FIT] = 0.1,
        [PHASE_ASCENT] = 0.72,  [PHASE_DESCENT] = 0.72, [PHASE_EVALUATE] = 0.07};
    /* the bulk of the work, from the gate to the evaluation */
    const bool trains = algorithm_info(g->o)->trains == g->st.phase;
    const double begin = trains ? BEGIN[PHASE_DESCENT] : BEGIN[g->st.phase],
                 length = trains ? LENGTH[PHASE_DESCENT] : LENGTH[g->st.phase];
    const double within = begin + length * game_phase_done(g);
    return fmin(1.0, ((double)g->st.iteration - 1 + within) / g->o->iterations);
}

static void use_next(struct game *g, int64_t pair_id) {
    if (g->n_fresh < GAME_FRESH_LABELS) g->fresh[g->n_fresh++] = pair_id;
}

bool game_apply_label(struct game *g, const struct label_event *ev, double flip, double weight, bool again,
                      struct err *e) {
    int first = 0, n = 0;
    if (!dpref_apply_event(&g->dpref, ev, flip, weight, e)) return false;
    if (ev->decision == DECISION_EDIT && !edit_make_pairs(g, ev, flip, weight, again, &first, &n, e)) return false;
    game_pairs_changed(g);
    if (again) return true;
    if (ev->decision == DECISION_A || ev->decision == DECISION_B || ev->decision == DECISION_TIE)
        use_next(g, ev->pair_id);
    for (int i = 0; i < n; i++) use_next(g, g->dpref.pair[first + i].id);
    return true;
}

double game_beta(const struct game *g) { return g->o->beta_mode == BETA_AUTO ? g->st.beta : g->o->beta; }

double game_zeta(const struct game *g) {
    if (!g->head) return g->o->zeta;
    const bool measured = g->o->zeta_mode == ZETA_WILKS && isfinite(g->st.zeta); /* the first fit measures it */
    return fmax(1e-9, measured ? g->st.zeta : g->o->zeta);
}

void game_pairs_changed(struct game *g) {
    g->groups_stale = true;
    if (g->head) g->head->stale = true;
}

void game_option_set(struct game *g, const char *name) {
    if (g->head && (strcmp(name, "head.bound") == 0 || strcmp(name, "head.ridge") == 0)) g->head->stale = true;
    if (strcmp(name, "beta") == 0 || strcmp(name, "beta.mode") == 0) g->st.beta = g->st.beta_integral = g->o->beta;
}

uint64_t game_weights_hash(const struct game *g) { return model_hash(g->student.model); }
