/* About how much it computes to write and to read a text, in parameters times tokens: what phases price their
 * micro-steps with, for people who wait. Right within a small factor: models are counted with all of their parameters,
 * and texts at the mean length of those that are there. */
#ifndef PBKD_GAME_COSTS_H
#define PBKD_GAME_COSTS_H

#include "engine/game/game_parts.h"

/* Reading a text forwards costs 1; training on it, forwards and backwards, this many. */
enum { TRAIN = 3 };

struct costs {
    double write_teacher, write;           /* an answer of the teacher's, of the student's */
    double read, read_reward, read_expert; /* a prompt with its answer: by the student, by a reward, and by the
                                                   teacher where its probabilities are needed */
};
struct costs costs_of(const struct game *g);

#endif
