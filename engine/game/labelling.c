/* Labels of the game's pairs: see labelling.h. */
#include "engine/game/labelling.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/corpus/checker.h"
#include "engine/corpus/pair.h"
#include "engine/game/algorithm.h"
#include "engine/game/answers.h"
#include "engine/game/generation.h"
#include "engine/game/pairs.h"
#include "engine/game/tell.h"
#include "engine/pref/label_file.h"

static struct label_policy policy_of(const struct options *o) {
    struct label_policy p = {
        .noise = o->label_noise,
        .seed = (uint64_t)o->seed,
#define LABELLER(id, name, number, needs, stem, flip_rate, its_weight, help)                                           \
    .flip[LABELLER_##id] = flip_rate, .weight[LABELLER_##id] = its_weight,
#include "engine/option/labellers.def"
    };
    labeller_mix_parse(o->labeller, &p.mix, NULL); /* was checked when it was set */
    return p;
}

/* The answer that a response arrives at; one that was cut arrives nowhere. */
static char *final_answer(const struct game *g, const char *text, bool truncated) {
    if (truncated) return NULL;
    return g->o->prompts_checker == CHECKER_NONE ? vote_text_answer(text) : checker_answer(g->o->prompts_checker, text);
}

void labelling_begin(struct labelling *l, const struct game *g, const struct teacher_output *y0,
                     const struct gen_output *y, int k) {
    *l = (struct labelling){
        .policy = policy_of(g->o), .x = &g->corpus.train.prompt[y0->prompt], .y0 = y0, .y = y, .k = k};
    l->needs = labeller_mix_needs(&l->policy.mix);
    l->text = mem_small((size_t)k * sizeof *l->text);
    l->answer = mem_small((size_t)k * sizeof *l->answer);
    for (int i = 0; i < k; i++) l->text[i] = game_text(g, &y[i]);
    if (!(l->needs & NEEDS_SAMPLES)) return;
    l->answer0 = final_answer(g, y0->text, y0->truncated);
    for (int i = 0; i < k; i++) l->answer[i] = final_answer(g, l->text[i], y[i].truncated);
    /* they come first; other models have no vote */
    vote_count(&l->vote, (const char *const *)l->answer, answers_of_student(g));
}

void labelling_end(struct labelling *l) {
    for (int i = 0; i < l->k; i++) {
        free(l->text[i]);
        free(l->answer[i]);
    }
    free(l->text);
    free(l->answer);
    free(l->answer0);
    *l = (struct labelling){0};
}

static enum verdict verdict_of(const struct labelling *l, const struct game *g, const char *text) {
    if (!(l->needs & NEEDS_CHECKER) || !l->x->answer) return VERDICT_NONE;
    return game_check(g, text, l->x) ? VERDICT_RIGHT : VERDICT_WRONG;
}

enum label_outcome labelling_pair(const struct labelling *l, const struct game *g, int i, int j, uint64_t index,
                                  struct pref_pair *label) {
    const bool others = i != LABELLING_TEACHER;
    const char *text0 = others ? l->text[i] : l->y0->text, *text1 = l->text[j];
    const struct label_case c = {.tick = g->st.tick,
                                 .index = index,
                                 .text = {text0, text1},
                                 .verdict = {verdict_of(l, g, text0), verdict_of(l, g, text1)},
                                 .answer = {others ? l->answer[i] : l->answer0, l->answer[j]},
                                 .vote = &l->vote,
                                 .others = others};
    *label = (struct pref_pair){.tick = g->st.tick, .iteration = (int)g->st.iteration};
    return label_pair(&l->policy, &c, label);
}

/* ---- a file of labels ---- */

struct importer {
    struct game *g;
    int n_long, n_same, n_cut;
};

static bool add_responses(struct importer *i, const struct passage *x, const struct file_label *l, struct err *e) {
    struct game *g = i->g;
    const struct options *o = g->o;
    struct token_list tokens[2] = {{0}, {0}};
    struct passage y[2];
    bool made = false;
    for (int k = 0; k < 2; k++) {
        bool cut = false;
        output_tokenise(g->players.tok, g->players.chat, l->response[k], o->max_new_tokens, &cut, &tokens[k]);
        y[k] = (struct passage){l->response[k], tokens[k].id, (int)tokens[k].n, cut, {ORIGIN_FILE, 0}};
        i->n_cut += cut;
    }
    const struct pref_pair label = {.tick = g->st.tick,
                                    .iteration = (int)g->st.iteration,
                                    .source = SOURCE_IMPORT,
                                    .active = true,
                                    .o = l->o,
                                    .weight = o->label_weight_import,
                                    .flip = o->label_flip_import,
                                    .strength = l->strength,
                                    .annotator = (char *)l->annotator}; /* pair_add copies it */
    const bool ok = pair_add(&g->corpus.dpref, &label, x, &y[0], &y[1], &made, e);
    i->n_same += ok && !made;
    token_list_free(&tokens[0]);
    token_list_free(&tokens[1]);
    return ok;
}

static bool add_label(void *ctx, const struct file_label *l, const char *where, struct err *e) {
    struct importer *i = ctx;
    struct game *g = i->g;
    const struct options *o = g->o;
    struct token_list x = {0};
    bool ok = chat_encode_prompt(g->players.tok, g->players.chat, players_system(o), l->prompt, &x, e);
    /* a training prompt fits, so it is above 0 */
    const size_t longest = (size_t)g->players.student.model->cfg.n_ctx - (size_t)o->max_new_tokens;
    if (ok && (x.n > (size_t)o->prompts_max_tokens || x.n > longest)) {
        i->n_long++;
    } else if (ok) {
        const struct passage prompt = {l->prompt, x.id, (int)x.n, false, {0}};
        ok = add_responses(i, &prompt, l, e);
    }
    token_list_free(&x);
    return ok || err_wrap(e, "%s", where);
}

bool labelling_import_is_due(const struct game *g) {
    return g->o->label_import[0] && g->st.iteration == 1 && g->st.step == 0 && algorithm_info(g->o)->pairs;
}

bool labelling_import(struct game *g, struct err *e) {
    struct importer i = {.g = g};
    const int before = g->corpus.dpref.n;
    bool ok = label_file_each(g->o->label_import, add_label, &i, e);
    const int n = g->corpus.dpref.n - before;
    if (ok && n == 0)
        ok = err_set(e, "%s: no usable label (%d prompts are too long, %d times the responses are the same)",
                     g->o->label_import, i.n_long, i.n_same);
    if (!ok) {
        dpref_forget(&g->corpus.dpref, before);
        return false;
    }
    game_pairs_changed(g);
    g->st.first_pair = g->corpus.dpref.n; /* they are not the iteration's own */
    game_log(g, ALERT_INFO, "%d labels imported from %s", n, g->o->label_import);
    if (i.n_long + i.n_same + i.n_cut > 0)
        game_log(g, ALERT_WARNING,
                 "label.import: left out %d labels whose prompt is too long and %d whose responses are the same; cut "
                 "%d responses",
                 i.n_long, i.n_same, i.n_cut);
    return true;
}
