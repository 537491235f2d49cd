/* Bringing a game to life: models, prompts, recorded outputs, tables; and the frozen copies that the game measures
 * against. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/game/game_private.h"
#include "engine/game/adversary/head_set.h"
#include "engine/model/model_io.h"

static void loading(void *ctx, double done) {
    struct game *g = ctx;
    if (g->see.loading) g->see.loading(g->see.ctx, "loading models", done);
}

const char *game_system(const struct options *o) { return o->prompts_system[0] ? o->prompts_system : NULL; }

const char *game_template(const struct options *o) {
    static const char *const NAMES[] = {"auto", "raw", "chatml"};
    return NAMES[o->prompts_template];
}

static bool open_student(struct game *g, struct err *e) {
    struct model *m = NULL;
    if (!model_open(g->o->student_model, &m, &g->tok, e)) return err_wrap(e, "student");
    if (!trainee_init(&g->student, m, e) || !(g->reference = model_copy(g->student.model, false, e))) return false;
    if (!chat_kind_parse(game_template(g->o), g->tok, &g->chat, e)) return false;
    for (int32_t id = 0; id < tokenizer_n_vocab(g->tok) && g->n_end_ids < 16; id++)
        if (tokenizer_is_end(g->tok, id)) g->end_ids[g->n_end_ids++] = id;
    return true;
}

/* A reward of its own copy of `from`. */
static bool open_reward(struct game *g, struct reward *r, const struct model *from, struct err *e) {
    const enum reward_level level = g->o->reward_level == LEVEL_SEQUENCE ? REWARD_SEQUENCE : REWARD_TOKEN;
    struct model *m = model_copy(from, level == REWARD_SEQUENCE, e);
    return m && reward_init(r, m, level, g->o->reward_bound, g->o->max_new_tokens, e);
}

/* The rewards that the algorithm needs, and their starting model: its own file, or the student. Both must speak the
 * student's vocabulary. */
static bool open_rewards(struct game *g, struct err *e) {
    const struct options *o = g->o;
    struct model *start = NULL;
    if (!algorithm_has_adversary(o)) return true;
    if (o->reward_model[0]) {
        struct tokenizer *tok = NULL;
        if (!model_open(o->reward_model, &start, &tok, e)) return err_wrap(e, "reward");
        const bool same = tokenizer_hash(tok) == tokenizer_hash(g->tok);
        tokenizer_free(tok);
        if (!same) {
            model_free(start);
            return err_set(e, "reward: the vocabulary of %s differs from the student's", o->reward_model);
        }
    }
    const struct model *from = start ? start : g->student.model;
    const bool linear = algorithm_linear_adversary(o);
    const bool ok = (!algorithm_has_fitted(o) || open_reward(g, &g->fitted, from, e)) &&
                    (linear || open_reward(g, &g->adversary, from, e)) &&
                    (o->reward_held == HELD_OFF || !algorithm_has_fitted(o) || open_reward(g, &g->held, from, e)) &&
                    (!linear || (g->head = head_set_new(o, from, e)) != NULL);
    model_free(start);
    return ok;
}

static bool open_prompts(struct game *g, struct err *e) {
    const struct options *o = g->o;
    if (!prompt_set_load(&g->train, o->prompts_train, g->tok, g->chat, game_system(o), o->prompts_max_tokens, e))
        return false;
    if (o->prompts_heldout[0] &&
        !prompt_set_load(&g->heldout, o->prompts_heldout, g->tok, g->chat, game_system(o), o->prompts_max_tokens, e))
        return false;
    g->descent_prompt = mem_small((size_t)g->train.n * sizeof *g->descent_prompt);
    for (int i = 0; i < g->train.n; i++)
        if (!g->train.prompt[i].heldout) g->descent_prompt[g->n_descent_prompt++] = i;
    if (!o->prompts_heldout[0]) { /* evaluate on the held-out tenth: copy it out of the training prompts */
        g->heldout.prompt = mem_small((size_t)g->train.n * sizeof *g->heldout.prompt);
        for (int i = 0; i < g->train.n; i++) {
            const struct prompt *p = &g->train.prompt[i];
            if (!p->heldout) continue;
            struct prompt *q = &g->heldout.prompt[g->heldout.n++];
            *q = *p;
            q->text = mem_strdup(p->text);
            q->answer = p->answer ? mem_strdup(p->answer) : NULL;
            q->token = mem_small((size_t)p->n * sizeof *q->token);
            memcpy(q->token, p->token, (size_t)p->n * sizeof *q->token);
        }
    }
    if (g->n_descent_prompt == 0 || g->heldout.n < 2)
        return err_set(e, "%s: too few prompts: %d for training, %d held out (at least 1 and 2 are needed)",
                       o->prompts_train, g->n_descent_prompt, g->heldout.n);
    for (int i = 0; i < g->train.n + g->heldout.n; i++) {
        const struct prompt *p = i < g->train.n ? &g->train.prompt[i] : &g->heldout.prompt[i - g->train.n];
        if (p->n + o->max_new_tokens > g->student.model->cfg.n_ctx)
            return err_set(e, "a prompt of %d tokens and max_new_tokens %d do not fit the student's context of %d",
                           p->n, o->max_new_tokens, g->student.model->cfg.n_ctx);
    }
    if (g->train.n_skipped + g->heldout.n_skipped > 0)
        game_log(g, ALERT_WARNING, "%d prompts longer than prompts.max_tokens were skipped",
                 g->train.n_skipped + g->heldout.n_skipped);
    return true;
}

static bool add_recorded(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct game *g = ctx;
    const char *prompt, *response;
    if (!json_get_string(obj, "prompt", where, &prompt, e) || !json_get_string(obj, "response", where, &response, e))
        return false;
    struct token_list x = {0};
    if (!chat_encode_prompt(g->tok, g->chat, game_system(g->o), prompt, &x, e)) return err_wrap(e, "%s", where);
    struct prompt_set *s = &g->recorded_prompts;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->prompt = mem_grow(s->prompt, (size_t)s->cap * sizeof *s->prompt);
    }
    s->prompt[s->n++] = (struct prompt){.text = mem_strdup(prompt), .token = x.id, .n = (int)x.n};
    return outputs_add(&g->outputs, NULL, 0, OUTPUT_RECORDED, s->n - 1, 0, response, false, g->tok, g->chat,
                       g->o->max_new_tokens, e);
}

/* Where the teacher's probabilities are needed, its model reads the student's tokens: they must mean the same to it. */
static bool adopt_expert(struct game *g, struct err *e) {
    const struct options *o = g->o;
    if (!algorithm_needs_expert(o)) return true;
    const struct model *m = teacher_model(g->teacher);
    if (tokenizer_hash(teacher_tokenizer(g->teacher)) != tokenizer_hash(g->tok) ||
        m->cfg.n_vocab != g->student.model->cfg.n_vocab)
        return err_set(e, "the vocabularies of %s (%d rows) and %s (%d rows) differ", o->teacher_model, m->cfg.n_vocab,
                       o->student_model, g->student.model->cfg.n_vocab);
    if (teacher_chat(g->teacher) != g->chat)
        return err_set(e, "%s dresses prompts as %s, %s as %s: set prompts.template", o->teacher_model,
                       chat_kind_name(teacher_chat(g->teacher)), o->student_model, chat_kind_name(g->chat));
    for (int i = 0; i < g->train.n + g->heldout.n; i++) {
        const struct prompt *p = i < g->train.n ? &g->train.prompt[i] : &g->heldout.prompt[i - g->train.n];
        if (p->n + o->max_new_tokens > m->cfg.n_ctx)
            return err_set(e, "a prompt of %d tokens and max_new_tokens %d do not fit the teacher's context of %d",
                           p->n, o->max_new_tokens, m->cfg.n_ctx);
    }
    g->expert = m;
    g->expert_acts = activations_new();
    if (g->fitted.t.model) reward_use_expert(&g->fitted, m, g->expert_acts);
    if (g->adversary.t.model) reward_use_expert(&g->adversary, m, g->expert_acts);
    if (g->held.t.model) reward_use_expert(&g->held, m, g->expert_acts);
    return true;
}

static bool open_everything(struct game *g, bool resuming, struct err *e) {
    const struct options *o = g->o;
    if (!open_student(g, e) || !open_prompts(g, e) || !open_rewards(g, e)) return false;
    if (o->prompts_recorded[0] && !jsonl_each(o->prompts_recorded, add_recorded, g, e)) return false;
    g->teacher = teacher_open(o->teacher_model, game_template(o), game_system(o), loading, g, e);
    if (!g->teacher) return err_wrap(e, "teacher");
    if (!adopt_expert(g, e)) return false;
    g->n_eval_prompts = o->prompts_checker == CHECKER_NONE ? 0
                        : o->eval_prompts < g->heldout.n   ? o->eval_prompts
                                                           : g->heldout.n;
    g->n_gap_prompts = o->eval_gap_prompts < g->heldout.n ? o->eval_gap_prompts : g->heldout.n;
    g->gap_worst = mem_small((size_t)g->n_gap_prompts * sizeof(double));
    g->gap_fitted = mem_small((size_t)g->n_gap_prompts * sizeof(double));
    g->gap_held = mem_small((size_t)g->n_gap_prompts * sizeof(double));
    g->right_student = mem_small((size_t)g->n_eval_prompts * sizeof(double));
    g->right_teacher = mem_small((size_t)g->n_eval_prompts * sizeof(double));
    g->order = mem_small((size_t)g->train.n * sizeof *g->order);
    g->order_epoch = -1;
    game_pairs_changed(g);
    if (!dpref_create_tables(g->db, e) || !outputs_create_table(g->db, e)) return false;
    return resuming || dpref_load(&g->dpref, g->db, e);
}

bool game_open(struct game *g, struct options *o, struct db *db, const struct game_observer *see, bool resuming,
               struct err *e) {
    *g = (struct game){.o = o, .db = db, .see = *see};
    game_state_init(&g->st);
    diagnostics_measure(&g->diagnostics, NULL, 0, 0, 0);
    if (!algorithm_holds_adversary(o)) g->st.slack = (double)NAN; /* nothing to hold: never "within zeta" */
    g->st.beta = g->st.beta_integral = o->beta;
    gap_set_init(&g->gap_set);
    watch_init(&g->watch);
    g->ref_acts = activations_new();
    if (open_everything(g, resuming, e)) return true;
    game_close(g);
    return false;
}

void game_close(struct game *g) {
    tokenizer_free(g->tok);
    teacher_close(g->teacher);
    answers_close(g);
    trainee_free(&g->student);
    model_free(g->reference);
    if (g->ref_acts) activations_free(g->ref_acts);
    if (g->expert_acts) activations_free(g->expert_acts);
    reward_free(&g->fitted);
    reward_free(&g->adversary);
    reward_free(&g->held);
    head_set_free(g->head);
    prompt_set_free(&g->train);
    prompt_set_free(&g->heldout);
    prompt_set_free(&g->recorded_prompts);
    outputs_free(&g->outputs);
    dpref_free(&g->dpref);
    free(g->descent_prompt);
    free(g->order);
    free(g->groups.group);
    free(g->held_groups.group);
    free(g->eval_pair);
    free(g->gap_worst);
    free(g->gap_fitted);
    free(g->gap_held);
    free(g->right_student);
    free(g->right_teacher);
    sequences_free(&g->seqs);
    sequences_free(&g->seqs_reward);
    sequences_free(&g->seqs_ref);
    pref_space_free(&g->pairs);
    mem_free(g->row_policy);
    mem_free(g->row_ref);
    *g = (struct game){0};
}
