/* Bringing a game to life: models, prompts, rewards, tables, in an order in which each finds what it needs; and the end
 * of it. */
#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/game/adversary/adversaries.h"
#include "engine/game/adversary/own_model.h"
#include "engine/game/algorithm.h"
#include "engine/game/game.h"
#include "engine/game/tell.h"
#include "engine/model/model_io.h"

static void loading(void *ctx, double done) {
    struct game *g = ctx;
    if (g->see.loading) g->see.loading(g->see.ctx, "loading models", done);
}

static bool open_corpus(struct game *g, struct err *e) {
    struct corpus *c = &g->corpus;
    const struct dressing d = {g->players.tok, g->players.chat, players_system(g->o),
                               g->players.student.model->cfg.n_ctx};
    if (!corpus_open(c, g->o, &d, e)) return false;
    const int n_skipped = c->train.n_skipped + c->heldout.n_skipped;
    if (n_skipped > 0) game_log(g, ALERT_WARNING, "%d prompts longer than prompts.max_tokens were skipped", n_skipped);
    return true;
}

/* The model that rewards start from, where it has a file of its own; it must speak the student's vocabulary. */
static bool load_reward_base(const struct game *g, struct model **base, struct err *e) {
    const struct options *o = g->o;
    struct tokenizer *tok = NULL;
    *base = NULL;
    if (!o->reward_model[0]) return true;
    if (!model_open(o->reward_model, base, &tok, e)) return err_wrap(e, "reward");
    const bool same = tokenizer_hash(tok) == tokenizer_hash(g->players.tok);
    tokenizer_free(tok);
    return same || err_set(e, "reward: the vocabulary of %s differs from the student's", o->reward_model);
}

/* The rewards that the algorithm needs. */
static bool open_rewards(struct game *g, struct err *e) {
    const struct options *o = g->o;
    struct rewards *r = &g->rewards;
    struct model *base;
    if (!algorithm_has_adversary(o)) return true;
    bool ok = load_reward_base(g, &base, e);
    const struct model *from = base ? base : g->players.student.model;
    const bool fits = algorithm_has_fitted(o);
    ok = ok && (!fits || own_model_reward(o, &r->fitted, from, e)) && adversary_open(g, from, e) &&
         (!fits || o->reward_held == HELD_OFF || own_model_reward(o, &r->held, from, e));
    g->sampler.halved = r->held.t.model != NULL;
    model_free(base);
    return ok;
}

/* White-box, the rewards read the teacher's probabilities. */
static void share_expert(struct game *g) {
    const struct players *p = &g->players;
    struct reward *list[] = {&g->rewards.fitted, &g->rewards.held, g->adversary.trainee ? g->adversary.reward : NULL};
    if (!p->expert) return;
    for (int i = 0; i < 3; i++)
        if (list[i] && list[i]->t.model) reward_use_expert(list[i], p->expert, p->expert_acts);
}

static bool open_teacher(struct game *g, struct err *e) {
    struct players *p = &g->players;
    if (!players_open_teacher(p, g->o, loading, g, e)) return false;
    if (p->expert && !corpus_fits(&g->corpus, g->o->max_new_tokens, p->expert->cfg.n_ctx, "teacher", e)) return false;
    share_expert(g);
    return true;
}

static int at_most(int n, int limit) { return n < limit ? n : limit; }

static void open_evaluation(struct game *g) {
    struct evaluation *v = &g->evaluation;
    const int n = g->corpus.heldout.n;
    v->n_eval_prompts = g->o->prompts_checker == CHECKER_NONE ? 0 : at_most(g->o->eval_prompts, n);
    v->n_gap_prompts = at_most(g->o->eval_gap_prompts, n);
    v->gap_worst = mem_small((size_t)v->n_gap_prompts * sizeof(double));
    v->gap_fitted = mem_small((size_t)v->n_gap_prompts * sizeof(double));
    v->gap_held = mem_small((size_t)v->n_gap_prompts * sizeof(double));
    v->right_student = mem_small((size_t)v->n_eval_prompts * sizeof(double));
    v->right_teacher = mem_small((size_t)v->n_eval_prompts * sizeof(double));
}

static bool open_everything(struct game *g, bool resuming, struct err *e) {
    if (!players_open_student(&g->players, g->o, e) || !open_corpus(g, e) || !open_rewards(g, e) || !open_teacher(g, e))
        return false;
    open_evaluation(g);
    game_pairs_changed(g);
    if (!dpref_create_tables(g->db, e) || !outputs_create_table(g->db, e)) return false;
    return resuming || dpref_load(&g->corpus.dpref, g->db, e);
}

bool game_open(struct game *g, struct options *o, struct db *db, const struct game_observer *see, bool resuming,
               struct err *e) {
    *g = (struct game){.o = o, .db = db, .see = *see};
    game_state_init(&g->st);
    diagnostics_measure(&g->rewards.diagnostics, NULL, 0, 0, 0);
    if (!algorithm_holds_adversary(o)) g->st.slack = (double)NAN; /* nothing to hold: never "within zeta" */
    g->st.beta = g->st.beta_integral = o->beta;
    gap_set_init(&g->evaluation.gap_set);
    watch_init(&g->watch);
    if (open_everything(g, resuming, e)) return true;
    game_close(g);
    return false;
}

static void close_evaluation(struct evaluation *v) {
    free(v->gap_worst);
    free(v->gap_fitted);
    free(v->gap_held);
    free(v->right_student);
    free(v->right_teacher);
}

static void close_scratch(struct scratch *s) {
    sequences_free(&s->seqs);
    sequences_free(&s->seqs_reward);
    sequences_free(&s->seqs_ref);
    pref_space_free(&s->pairs);
    mem_free(s->row_policy);
    mem_free(s->row_ref);
}

void game_close(struct game *g) {
    adversary_close(g);
    reward_free(&g->rewards.fitted);
    reward_free(&g->rewards.held);
    pair_sampler_free(&g->sampler);
    corpus_free(&g->corpus);
    players_close(&g->players);
    close_evaluation(&g->evaluation);
    close_scratch(&g->scratch);
    *g = (struct game){0};
}
