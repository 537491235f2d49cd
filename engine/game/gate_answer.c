/* The words of the gate's answers: see gate_answer.h. */
#include "engine/game/gate_answer.h"

#include <string.h>

static const char *const WORDS[N_GATE_ANSWERS] = {
    [ANSWER_NONE] = "none", [ANSWER_CONTINUE] = "continue", [ANSWER_TRAIN] = "train", [ANSWER_STOP] = "stop"};

const char *gate_answer_name(enum gate_answer a) { return WORDS[a]; }

bool gate_answer_parse(const char *word, enum gate_answer *a, struct err *e) {
    for (int i = ANSWER_NONE + 1; i < N_GATE_ANSWERS; i++) {
        if (strcmp(WORDS[i], word) != 0) continue;
        *a = (enum gate_answer)i;
        return true;
    }
    return err_set(e, "gate: expected continue, train or stop, found \"%s\"", word);
}
