/* Greedy accuracy of the student on held-out prompts whose answers can be checked. */
#ifndef PBKD_GAME_ACCURACY_H
#define PBKD_GAME_ACCURACY_H

#include "engine/game/game_parts.h"

/* Chunks that the student's accuracy takes; 0 without a checker. */
int accuracy_chunks(const struct game *g);
/* Measure one of them into evaluation.right_student; when all are measured, publish (nothing without a checker). */
enum game_result accuracy_chunk(struct game *g, int chunk, struct err *e);
void accuracy_publish(struct game *g);

#endif
