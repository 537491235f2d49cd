/* Prices of texts: see costs.h. */
#include "engine/game/costs.h"

/* Tokens of a prompt and of an answer, as a mean over some of those that are there. */
struct lengths {
    double prompt, answer;
};

static struct lengths lengths_of(const struct game *g) {
    enum { ENOUGH = 256 };
    const struct corpus *c = &g->corpus;
    struct lengths l = {0, 0};
    const int n_prompts = c->train.n < ENOUGH ? c->train.n : ENOUGH,
              n_answers = c->outputs.n < ENOUGH ? c->outputs.n : ENOUGH;
    for (int i = 0; i < n_prompts; i++) l.prompt += (double)c->train.prompt[i].n / n_prompts;
    for (int i = 0; i < n_answers; i++) l.answer += (double)c->outputs.output[i].n / n_answers;
    if (n_answers == 0) l.answer = g->o->max_new_tokens;
    return l;
}

static double size_of(const struct model *m) { return m ? (double)m->n_params : 0; }

struct costs costs_of(const struct game *g) {
    enum { GENERATED = 2 }; /* such a token is multiplied with few others at a time */
    const struct lengths l = lengths_of(g);
    const struct players *p = &g->players;
    const struct model *fitted = g->rewards.fitted.t.model, *reward = fitted ? fitted : p->student.model;
    const double write = l.prompt + GENERATED * l.answer, read = l.prompt + l.answer;
    return (struct costs){.write_teacher = write * size_of(teacher_model(p->teacher).model),
                          .write = write * size_of(p->student.model),
                          .read = read * size_of(p->student.model),
                          .read_reward = read * size_of(reward),
                          .read_expert = read * size_of(p->expert)};
}
