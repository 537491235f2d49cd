/* The answers that stand against the teacher's in the pairs of D_pref, and where they come from (step 1 of the game):
 * samples of the student, and offline those of other models too. */
#ifndef PBKD_GAME_ANSWERS_H
#define PBKD_GAME_ANSWERS_H

#include "engine/game/game_parts.h"

int answers_per_prompt(const struct game *g);
int answers_of_student(const struct game *g);            /* the first of them */
struct answer_by answer_by(const struct game *g, int i); /* who gives the i-th of them */
/* answers_per_prompt answers to each of n <= CHUNK_SAMPLES prompts, prompt by prompt. Release with gen_output_free. */
enum game_result answers_draw(struct game *g, const struct prompt *const *prompt, int n, struct gen_output *y,
                              struct err *e);

#endif
