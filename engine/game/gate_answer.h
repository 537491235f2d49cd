/* What a person may answer when the reward did not reach reward.gate: one table for the game, the journal and the
 * command, so that a word means the same at both ends. */
#ifndef PBKD_GAME_GATE_ANSWER_H
#define PBKD_GAME_GATE_ANSWER_H

#include "engine/base/err.h"

/* Stored by number in checkpoints: new ones go to the end. */
enum gate_answer { ANSWER_NONE, ANSWER_CONTINUE, ANSWER_TRAIN, ANSWER_STOP, N_GATE_ANSWERS };

/* "continue", "train" or "stop"; "none" is no answer. */
const char *gate_answer_name(enum gate_answer a);
bool gate_answer_parse(const char *word, enum gate_answer *a, struct err *e);

#endif
