/* A person's better answer (DECISION_EDIT) as pairs.
 *
 * A written answer is preferred to both answers of the pair that it was written for, so it becomes y0 of one pair
 * against each of them, with the weight and flip rate of a human label; about the old pair it decides nothing. The new
 * pairs belong to the state after the micro-step before (their tick is one less than the game's): a checkpoint taken
 * now keeps them, and a resume from an earlier one makes them again. */
#ifndef PBKD_GAME_EDIT_H
#define PBKD_GAME_EDIT_H

#include "engine/game/game_parts.h"

/* The tokens of a written answer, closed by the end of the turn and cut at max_tokens like a teacher output
 * (*truncated). Refused: text that is not valid UTF-8, shows nothing, or has no token in this vocabulary. Free y with
 * token_list_free in any case. */
bool edit_tokenise(struct tokenizer *tok, enum chat_kind chat, const char *text, int max_tokens, struct token_list *y,
                   bool *truncated, struct err *e);

/* The pairs of an edit, n of them from index *first; an edit that was applied before (a run that is resumed) has them
 * already. `must_exist`: do not make any. An answer that makes no pair is an error. The caller holds a transaction;
 * nothing stays behind in memory on failure. */
bool edit_make_pairs(struct game *g, const struct label_event *ev, double flip, double weight, bool must_exist,
                     int *first, int *n, struct err *e);

#endif
