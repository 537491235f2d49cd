/* Where teacher outputs come from. One kind so far: a local GGUF model. A teacher takes and gives text, so that it may
 * have another vocabulary than the student (black-box distillation). */
#ifndef PBKD_TEACHER_TEACHER_H
#define PBKD_TEACHER_TEACHER_H

#include "engine/model/generate.h"
#include "engine/text/chat.h"

struct teacher;

struct teacher_text {
    char *text; /* caller frees */
    bool truncated;
};

/* template_name and system as in the options prompts.template and prompts.system. */
struct teacher *teacher_open(const char *gguf_path, const char *template_name, const char *system,
                             void (*progress)(void *ctx, double done), void *ctx, struct err *e);
void teacher_close(struct teacher *t); /* NULL is fine */

/* The model itself, for whoever needs its probabilities, with the vocabulary it speaks and how it wants prompts
 * dressed. Borrowed. */
const struct model *teacher_model(const struct teacher *t);
const struct tokenizer *teacher_tokenizer(const struct teacher *t);
enum chat_kind teacher_chat(const struct teacher *t);

/* One output for each of n prompts; prompt i uses random stream `stream + i`. On error or stop nothing is left to free.
 * *tokens (may be NULL) grows by the tokens generated. */
bool teacher_generate(struct teacher *t, const char *const *prompt, int n, const struct gen_config *c, uint64_t stream,
                      struct teacher_text *out, int64_t *tokens, bool *stopped, struct err *e);

#endif
