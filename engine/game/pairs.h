/* The pairs of D_pref as the game uses them: shown as they come, drawn for steps, and enough of them before a step. */
#ifndef PBKD_GAME_PAIRS_H
#define PBKD_GAME_PAIRS_H

#include "engine/game/game_parts.h"
#include "engine/reward/pref_fit.h"

/* Whoever adds pairs or changes labels says so. */
void game_pairs_changed(struct game *g);
/* Fill scratch.pairs.pair with a mini-batch of about n pairs (pair_sampler_draw). Returns the number. */
int game_draw_pairs(struct game *g, int n);
/* GAME_OK when there are pairs to train on; at the first step of a phase enough of them must be labelled
 * (GAME_NEEDS_LABELS). */
enum game_result game_await_pairs(struct game *g, struct err *e);

/* What the fitted reward, if there is one, thinks of the pairs from `first` on: added to *sums, and shown to the
 * observer. tokens may be NULL. */
bool game_judge_pairs(struct game *g, int first, struct pref_sums *sums, int64_t *tokens, struct err *e);
/* The same between micro-steps, for the observer alone: changes no state. */
bool game_show_pairs(struct game *g, int first, struct err *e);
/* Of many pairs that come at once, only the newest are scored and shown: nobody sees the others. */
bool game_show_newest(struct game *g, int first, struct err *e);

#endif
