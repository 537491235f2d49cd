/* Opening and closing the models of a run: see players.h. */
#include "engine/game/players.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/game/algorithm.h"
#include "engine/model/model_io.h"

const char *players_system(const struct options *o) { return o->prompts_system[0] ? o->prompts_system : NULL; }

const char *players_template(const struct options *o) {
    static const char *const NAMES[] = {"auto", "raw", "chatml"};
    return NAMES[o->prompts_template];
}

bool players_open_student(struct players *p, const struct options *o, struct err *e) {
    struct model *m = NULL;
    p->ref_acts = activations_new();
    if (!model_open(o->student_model, &m, &p->tok, e)) return err_wrap(e, "student");
    if (!trainee_init(&p->student, m, e) || !(p->reference = model_copy(p->student.model, false, e))) return false;
    if (!chat_kind_parse(players_template(o), p->tok, &p->chat, e)) return false;
    p->n_end_ids = tokenizer_end_ids(p->tok, p->end_ids, sizeof p->end_ids / sizeof *p->end_ids);
    return true;
}

/* Its model reads the student's tokens: they must mean the same to it. */
static bool adopt_expert(struct players *p, const struct options *o, struct err *e) {
    const struct teacher_model teacher = teacher_model(p->teacher);
    const struct model *m = teacher.model;
    if (!m)
        return err_set(e, "%s gives text alone, and algorithm and reward.access need its probabilities",
                       o->teacher_model);
    if (tokenizer_hash(teacher.tok) != tokenizer_hash(p->tok) || m->cfg.n_vocab != p->student.model->cfg.n_vocab)
        return err_set(e, "the vocabularies of %s (%d rows) and %s (%d rows) differ", o->teacher_model, m->cfg.n_vocab,
                       o->student_model, p->student.model->cfg.n_vocab);
    if (teacher.chat != p->chat)
        return err_set(e, "%s dresses prompts as %s, %s as %s: set prompts.template", o->teacher_model,
                       chat_kind_name(teacher.chat), o->student_model, chat_kind_name(p->chat));
    p->expert = m;
    p->expert_acts = activations_new();
    return true;
}

bool players_open_teacher(struct players *p, const struct options *o, void (*progress)(void *ctx, double done),
                          void *ctx, struct err *e) {
    const struct teacher_source source = {o->teacher_model, players_template(o), players_system(o), progress, ctx};
    p->teacher = teacher_open(&source, e);
    if (!p->teacher) return err_wrap(e, "teacher");
    return !algorithm_needs_expert(o) || adopt_expert(p, o, e);
}

bool players_open_candidates(struct players *p, const struct options *o, struct err *e) {
    const int n = option_list_length(o->offline_candidates);
    if (p->n_candidates == n) return true;
    p->candidate = mem_small((size_t)n * sizeof *p->candidate);
    for (; p->n_candidates < n; p->n_candidates++) {
        char path[OPTION_TEXT_MAX];
        option_list_item(o->offline_candidates, p->n_candidates, path, sizeof path);
        const struct teacher_source source = {
            .where = path, .template_name = players_template(o), .system = players_system(o)};
        struct teacher *t = teacher_open(&source, e);
        if (!t) return err_wrap(e, "offline.candidates");
        p->candidate[p->n_candidates] = t;
    }
    return true;
}

void players_close_candidates(struct players *p) {
    for (int i = 0; i < p->n_candidates; i++) teacher_close(p->candidate[i]);
    free(p->candidate);
    p->candidate = NULL;
    p->n_candidates = 0;
}

void players_close(struct players *p) {
    tokenizer_free(p->tok);
    teacher_close(p->teacher);
    players_close_candidates(p);
    trainee_free(&p->student);
    model_free(p->reference);
    if (p->ref_acts) activations_free(p->ref_acts);
    if (p->expert_acts) activations_free(p->expert_acts);
    *p = (struct players){0};
}
