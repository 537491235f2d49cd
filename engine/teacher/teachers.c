/* The list of kinds of teachers, and the calls to the one that is open: see teacher.h. */
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/teacher/local.h"
#include "engine/teacher/teacher.h"

/* The first that claims a source is opened; `local` claims everything and comes last. */
static const struct teacher_ops *const TEACHERS[] = {&TEACHER_LOCAL};
enum { N_TEACHERS = sizeof TEACHERS / sizeof *TEACHERS };

static const struct teacher_ops *kind_of(const char *where) {
    int i = 0;
    while (i + 1 < N_TEACHERS && !TEACHERS[i]->claims(where)) i++;
    return TEACHERS[i];
}

struct teacher *teacher_open(const struct teacher_source *source, struct err *e) {
    const struct teacher_ops *ops = kind_of(source->where);
    void *state = ops->open(source, e);
    if (!state) return NULL;
    struct teacher *t = mem_small(sizeof *t);
    *t = (struct teacher){ops, state};
    return t;
}

void teacher_close(struct teacher *t) {
    if (!t) return;
    t->ops->close(t->state);
    free(t);
}

struct teacher_model teacher_model(const struct teacher *t) {
    return t->ops->model ? t->ops->model(t->state) : (struct teacher_model){0};
}

bool teacher_generate(struct teacher *t, const char *const *prompt, int n, const struct gen_config *c, uint64_t stream,
                      struct teacher_text *out, int64_t *tokens, bool *stopped, struct err *e) {
    return t->ops->generate(t->state, prompt, n, c, stream, out, tokens, stopped, e);
}
