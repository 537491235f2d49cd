/* Asking models for answers, and reading them. */
#ifndef PBKD_GAME_GENERATION_H
#define PBKD_GAME_GENERATION_H

#include "engine/game/game_parts.h"

/* k samples of the student for each of n prompts (greedy: temperature 0); random stream of prompt i: i*64 + stream, for
 * its first sample. Release out with gen_output_free(out, n*k). */
enum game_result game_generate(struct game *g, const struct prompt *const *prompt, int n, int k, int stream,
                               double temperature, struct gen_output *out, struct err *e);
/* One output of t for each of n prompts; prompt i draws from random stream `stream + i`. The caller frees the texts. */
enum game_result game_ask(struct game *g, struct teacher *t, const struct prompt *const *prompt, int n,
                          double temperature, uint64_t stream, struct teacher_text *out, struct err *e);
/* Text of a response for people and checkers; caller frees. */
char *game_text(const struct game *g, const struct gen_output *y);
/* Whether the checker finds the text right; false where the prompt has no answer. */
bool game_check(const struct game *g, const char *text, const struct prompt *p);

#endif
