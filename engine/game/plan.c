/* What a run has ahead of it: see plan.h. */
#include "engine/game/plan.h"

#include "engine/game/algorithm.h"
#include "engine/game/phase_order.h"
#include "engine/game/student_step.h"

/* ---- micro-steps ---- */

static int64_t chunks(int64_t n, int64_t size) { return (n + size - 1) / size; }

static int64_t at_least_1(int64_t n) { return n > 0 ? n : 1; }

static int64_t n_start_outputs(const struct game *g) {
    return g->evaluation.n_eval_prompts > g->evaluation.n_gap_prompts ? g->evaluation.n_eval_prompts
                                                                      : g->evaluation.n_gap_prompts;
}

static int64_t n_gap_chunks(const struct game *g) {
    return algorithm_has_adversary(g->o) ? chunks(g->evaluation.n_gap_prompts, CHUNK_SAMPLES) : 0;
}

static bool takes_place(const struct options *o, int64_t iteration, enum run_phase p) {
    enum run_phase at = phase_first(o, iteration);
    while (at != p && at != PHASE_CHECKPOINT) at = phase_next(o, iteration, at);
    return at == p;
}

/* Ascents of a round: in scope head one for every set of descent steps. */
static int64_t ascents(const struct game *g) {
    return algorithm_linear_adversary(g->o) ? at_least_1(chunks(g->o->game_policy_steps, g->o->head_solve_every))
                                            : at_least_1(g->o->game_reward_steps);
}

int64_t game_phase_steps(const struct game *g, int64_t iteration, enum run_phase p) {
    const struct options *o = g->o;
    if (iteration == 0)
        return p == PHASE_EVALUATE_START ? at_least_1(chunks(n_start_outputs(g), CHUNK_TEACHER) +
                                                      chunks(g->evaluation.n_eval_prompts, CHUNK_GREEDY))
                                         : 0;
    if (p == PHASE_EVALUATE_START || !takes_place(o, iteration, p)) return 0;
    switch (p) {
    case PHASE_COLLECT:
        return algorithm_gathers(o, iteration) ? at_least_1(chunks(o->prompts_per_iteration, CHUNK_TEACHER)) : 1;
    case PHASE_SFT: return at_least_1(algorithm_info(o)->trains == PHASE_SFT ? game_student_steps(g) : o->sft_steps);
    case PHASE_SAMPLE: return at_least_1(chunks(o->prompts_per_iteration, CHUNK_SAMPLES));
    case PHASE_FIT: return o->reward_steps + 1;
    case PHASE_ASCENT: return o->game_rounds * ascents(g);
    case PHASE_DESCENT: return o->game_rounds * at_least_1(o->game_policy_steps);
    case PHASE_DISTIL:
    case PHASE_DPO: return at_least_1(game_student_steps(g));
    case PHASE_EVALUATE: return at_least_1(chunks(g->evaluation.n_eval_prompts, CHUNK_GREEDY) + n_gap_chunks(g));
    default: return 1;
    }
}

/* Steps of the round under way that are over: ascent and descent take turns in it. */
static int64_t done_in_round(const struct game *g, enum run_phase p) {
    const struct game_state *st = &g->st;
    const bool descends = st->phase == PHASE_DESCENT;
    if (p == PHASE_DESCENT) return st->round_step;
    if (algorithm_linear_adversary(g->o)) return st->round_step / g->o->head_solve_every + descends;
    return descends ? ascents(g) : st->step;
}

/* Of the iteration under way. */
static double left_now(const struct game *g, enum run_phase p) {
    const struct game_state *st = &g->st;
    const enum run_phase now = (enum run_phase)st->phase;
    const double all = (double)game_phase_steps(g, st->iteration, p);
    if ((now == PHASE_ASCENT || now == PHASE_DESCENT) && (p == PHASE_ASCENT || p == PHASE_DESCENT)) {
        const double a_round = all / (double)at_least_1(g->o->game_rounds);
        const double left = all - a_round * (double)st->round - (double)done_in_round(g, p);
        return left > 0 ? left : 0;
    }
    if (p == now) return all > (double)st->step ? all - (double)st->step : 1;
    if (now == PHASE_EVALUATE_START) return 0; /* no other phase is in that iteration */
    enum run_phase at = now;
    while (at != p && at != PHASE_CHECKPOINT) at = phase_next(g->o, st->iteration, at);
    return at == p ? all : 0;
}

double game_phase_left(const struct game *g, enum run_phase p) {
    const int64_t now = g->st.iteration, last = g->o->iterations;
    if (g->st.phase == PHASE_END) return 0;
    double left = left_now(g, p);
    if (now < 1 && last >= 1) left += (double)game_phase_steps(g, 1, p);
    const int64_t later = last - (now > 1 ? now : 1); /* these are all alike */
    return later > 0 ? left + (double)later * (double)game_phase_steps(g, 2, p) : left;
}

/* ---- work ---- */

/* Tokens of a prompt and of an answer, as a mean over some of those that are there. */
struct lengths {
    double prompt, answer;
};

static struct lengths lengths_of(const struct game *g) {
    enum { ENOUGH = 256 };
    struct lengths l = {0, 0};
    const int n_prompts = g->corpus.train.n < ENOUGH ? g->corpus.train.n : ENOUGH,
              n_answers = g->corpus.outputs.n < ENOUGH ? g->corpus.outputs.n : ENOUGH;
    for (int i = 0; i < n_prompts; i++) l.prompt += (double)g->corpus.train.prompt[i].n / n_prompts;
    for (int i = 0; i < n_answers; i++) l.answer += (double)g->corpus.outputs.output[i].n / n_answers;
    if (n_answers == 0) l.answer = g->o->max_new_tokens;
    return l;
}

/* Reading a packed text forwards; backwards costs twice that. A token that is generated costs more than one that is
 * read, because it is multiplied with few others at a time. */
enum { TRAIN = 3, GENERATED = 2 };

struct costs {
    double write_teacher, write; /* an answer of the teacher's, of the student's */
    double read, read_reward,
        read_expert; /* a prompt with its answer, by the student, by the reward, for its probabilities */
};

static double size_of(const struct model *m) { return m ? (double)m->n_params : 0; }

static struct costs costs_of(const struct game *g) {
    const struct lengths l = lengths_of(g);
    const struct model *fitted = g->rewards.fitted.t.model, *reward = fitted ? fitted : g->players.student.model;
    const double write = l.prompt + GENERATED * l.answer, read = l.prompt + l.answer;
    return (struct costs){.write_teacher = write * size_of(teacher_model(g->players.teacher).model),
                          .write = write * size_of(g->players.student.model),
                          .read = read * size_of(g->players.student.model),
                          .read_reward = read * size_of(reward),
                          .read_expert = read * size_of(g->players.expert)};
}

static double ascent_work(const struct options *o, const struct costs *c, bool head) {
    const double n = o->game_reward_batch, pairs = o->reward_batch;
    const double texts = 2 * n + 2 * pairs, read = c->read_reward + c->read_expert;
    return n * c->write + (head ? texts * read
                                : TRAIN * texts * c->read_reward + texts * c->read_expert + 2 * n * read +
                                      (o->beta_mode == BETA_AUTO ? 2 * pairs * read : 0));
}

static double descent_work(const struct options *o, const struct costs *c, bool token) {
    const bool exact = token && o->game_descent == DESCENT_EXACT;
    const double n = (double)o->game_policy_batch * (exact ? 1 : o->samples_per_prompt),
                 epochs = exact ? 1 : o->game_policy_epochs, extra = o->game_sft > 0 ? TRAIN * n * c->read : 0;
    return n * (c->write + c->read_reward + (exact ? 0 : c->read_expert) + (o->game_kl > 0 ? c->read : 0) +
                epochs * TRAIN * c->read) +
           extra;
}

/* Of a whole phase of an iteration, for those whose micro-steps differ; the caller divides. */
static double phase_work(const struct game *g, const struct costs *c, enum run_phase p) {
    const struct options *o = g->o;
    const double k = o->samples_per_prompt, n = o->prompts_per_iteration, n_eval = g->evaluation.n_eval_prompts,
                 pairs = g->corpus.dpref.n > n * k ? g->corpus.dpref.n : n * k,
                 reward = c->read_reward + c->read_expert;
    switch (p) {
    case PHASE_EVALUATE_START: return (double)n_start_outputs(g) * c->write_teacher + n_eval * c->write;
    case PHASE_COLLECT: return n * c->write_teacher;
    case PHASE_SAMPLE: return n * k * (c->write + 2 * reward);
    case PHASE_FIT:
        return (g->rewards.held.t.model ? 2 : 1) * (2 * pairs * reward + o->reward_steps * 2.0 * o->reward_batch *
                                                                             (TRAIN * c->read_reward + c->read_expert));
    case PHASE_EVALUATE:
        return n_eval * c->write +
               (n_gap_chunks(g) > 0 ? g->evaluation.n_gap_prompts * (k * c->write + k * c->read + (1 + k) * 2 * reward)
                                    : 0);
    default: return 0;
    }
}

double game_step_work(const struct game *g, enum run_phase p) {
    const struct options *o = g->o;
    const struct costs c = costs_of(g);
    switch (p) {
    case PHASE_SFT: return TRAIN * o->sft_batch * c.read;
    case PHASE_ASCENT: return ascent_work(o, &c, algorithm_linear_adversary(o));
    case PHASE_DESCENT: return descent_work(o, &c, o->reward_level == LEVEL_TOKEN);
    case PHASE_DISTIL: return o->game_policy_batch * (c.write + TRAIN * c.read + c.read_expert);
    case PHASE_DPO: return 2.0 * o->reward_batch * (1 + TRAIN) * c.read;
    default: {
        const int64_t n = game_phase_steps(g, p == PHASE_EVALUATE_START ? 0 : 1, p);
        return n > 0 ? phase_work(g, &c, p) / (double)n : 0;
    }
    }
}
