/* Every model that steps of the game train, in one list: for checkpoints, refused gradients, and whoever else must not
 * forget one. */
#ifndef PBKD_GAME_TRAINEES_H
#define PBKD_GAME_TRAINEES_H

#include "engine/game/game_parts.h"

enum { TRAINEE_STUDENT, TRAINEE_FITTED, TRAINEE_ADVERSARY, TRAINEE_HELD, N_TRAINEES };

struct game_trainee {
    const char *name;  /* of its file in a checkpoint */
    const char *title; /* for people */
    struct trainee *t; /* NULL: this algorithm has none */
};
void game_trainees(struct game *g, struct game_trainee list[N_TRAINEES]);

#endif
