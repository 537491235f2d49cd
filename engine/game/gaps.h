/* The performance gap r(x, y_E) - mean_k r(x, y_k) on held-out prompts, under the adversary (worst case), the fitted
 * reward and, where there is one, the reward that was never played against, each with a bootstrap interval over
 * prompts; and, where answers can be checked, the true one (algorithms.md section 5). */
#ifndef PBKD_GAME_GAPS_H
#define PBKD_GAME_GAPS_H

#include "engine/game/game_parts.h"

/* Measure one chunk of CHUNK_SAMPLES held-out prompts, the first being chunk 0; when all are measured, publish. */
enum game_result game_gap_chunk(struct game *g, int chunk, struct err *e);
void game_publish_gaps(struct game *g);
/* Teacher accuracy - student accuracy, where there is a checker: every algorithm has it. */
void game_publish_true_gap(struct game *g);

#endif
