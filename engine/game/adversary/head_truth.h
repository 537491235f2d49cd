/* Coverage of the confidence set: where answers can be checked, is the true reward in it, and how often would it be? */
#ifndef PBKD_GAME_ADVERSARY_HEAD_TRUTH_H
#define PBKD_GAME_ADVERSARY_HEAD_TRUTH_H

#include "engine/game/game_parts.h"

/* Before the set is made: the true reward, where there is one, and its coverage over head.redraws. Overwrites what is
 * kept. GAME_ABANDONED at a safe point: nothing of it stands. */
enum game_result head_truth_fit(struct game *g, struct err *e);
/* After it: whether it holds the true reward. */
void head_truth_seek(struct game *g);

#endif
