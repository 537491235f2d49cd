/* The adversaries that there are, and the calls of the game to the one in play (adversary.h says what each does). */
#ifndef PBKD_GAME_ADVERSARY_ADVERSARIES_H
#define PBKD_GAME_ADVERSARY_ADVERSARIES_H

#include "engine/game/game_parts.h"

/* The one that these options ask for; NULL where no reward trains the student. */
const struct adversary_ops *adversary_for(const struct options *o);

/* Open the one that the options ask for, if any; rewards.fitted is open. On failure the caller closes. */
bool adversary_open(struct game *g, const struct model *from, struct err *e);
void adversary_close(struct game *g);
/* Without an ascent it is a copy of the fitted reward and no worst case. */
bool adversary_is_worst_case(const struct game *g);
bool adversary_is_exact(const struct game *g);

/* The rest does nothing, and says GAME_OK or true, where there is no adversary or it has nothing to do. */
void adversary_start(struct game *g);
enum game_result adversary_after_fit(struct game *g, struct err *e);
void adversary_set_changed(struct game *g);
enum game_result adversary_refresh(struct game *g, struct err *e);
enum game_result adversary_ascend(struct game *g, struct err *e);
/* Whether it has to move again after so many descents of a round. */
bool adversary_wants_a_turn(const struct game *g, int64_t descents);
bool adversary_measure_set(struct game *g, struct err *e);
bool adversary_measures_set(const struct game *g);

#endif
