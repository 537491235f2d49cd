/* The list of trainees: see trainees.h. */
#include "engine/game/trainees.h"

static struct trainee *if_open(struct trainee *t) { return t && t->model ? t : NULL; }

void game_trainees(struct game *g, struct game_trainee list[N_TRAINEES]) {
    list[TRAINEE_STUDENT] = (struct game_trainee){"student", "the student", if_open(&g->players.student)};
    list[TRAINEE_FITTED] = (struct game_trainee){"fitted", "the fitted reward", if_open(&g->rewards.fitted.t)};
    list[TRAINEE_ADVERSARY] = (struct game_trainee){"adversary", "the adversary", if_open(g->adversary.trainee)};
    list[TRAINEE_HELD] = (struct game_trainee){"held", "the held reward", if_open(&g->rewards.held.t)};
}
