/* Where teacher outputs come from. A teacher takes and gives text, so that it may have another vocabulary than the
 * student (black-box distillation); one that runs here may also lend its model. What a kind of teacher does is one
 * struct teacher_ops in a file of its own, listed in teachers.c:
 *
 *   local   a GGUF file, in this process (local.c) */
#ifndef PBKD_TEACHER_TEACHER_H
#define PBKD_TEACHER_TEACHER_H

#include "engine/model/generate.h"
#include "engine/text/chat.h"

struct teacher_text {
    char *text; /* caller frees */
    bool truncated;
};

/* What a teacher is opened from. Borrowed. */
struct teacher_source {
    const char *where;         /* a path */
    const char *template_name; /* as in the options prompts.template and prompts.system */
    const char *system;        /* NULL: none */
    void (*progress)(void *ctx, double done);
    void *ctx;
};

/* A model that is here, for whoever needs its probabilities: with the vocabulary it speaks and how it wants prompts
 * dressed. Borrowed from the teacher. */
struct teacher_model {
    const struct model *model;
    const struct tokenizer *tok;
    enum chat_kind chat;
};

struct teacher_ops {
    const char *name;
    /* Whether `where` names such a teacher. The first kind of the list that says so is opened. */
    bool (*claims)(const char *where);
    /* Its state, owned by the teacher; NULL and e on failure. */
    void *(*open)(const struct teacher_source *source, struct err *e);
    void (*close)(void *state);
    /* As teacher_generate. */
    bool (*generate)(void *state, const char *const *prompt, int n, const struct gen_config *c, uint64_t stream,
                     struct teacher_text *out, int64_t *tokens, bool *stopped, struct err *e);
    /* NULL: it gives text alone. */
    struct teacher_model (*model)(const void *state);
};

struct teacher {
    const struct teacher_ops *ops;
    void *state;
};

/* Open what the source names. NULL and e: nothing claims it, or the one that does cannot open it. */
struct teacher *teacher_open(const struct teacher_source *source, struct err *e);
void teacher_close(struct teacher *t); /* NULL is fine */

/* Its model; .model is NULL where it gives text alone. */
struct teacher_model teacher_model(const struct teacher *t);

/* One output for each of n prompts; prompt i uses random stream `stream + i`. On error or stop nothing is left to free.
 * *tokens (may be NULL) grows by the tokens generated. */
bool teacher_generate(struct teacher *t, const char *const *prompt, int n, const struct gen_config *c, uint64_t stream,
                      struct teacher_text *out, int64_t *tokens, bool *stopped, struct err *e);

#endif
