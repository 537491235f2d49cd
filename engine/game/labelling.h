/* Labels of the game's pairs: what the run knows of a prompt's answers (texts, the checker's verdicts, the vote of the
 * samples) is brought to the labellers of engine/pref/labeller.h, under the options in force; and the labels of a file
 * become pairs. */
#ifndef PBKD_GAME_LABELLING_H
#define PBKD_GAME_LABELLING_H

#include "engine/game/game_parts.h"
#include "engine/pref/labeller.h"

/* The answers of one prompt under the labeller. */
struct labelling {
    struct label_policy policy;
    unsigned needs; /* of the labellers with a share: nothing else is worked out */
    const struct prompt *x;
    const struct teacher_output *y0;
    const struct gen_output *y; /* [k] */
    int k;
    /* [k] texts of the samples; final answers of samples, NULL where there is none. Owned */
    char **text, **answer;
    char *answer0; /* of the teacher's output; owned */
    struct vote vote;
};

/* Take up the answers of a prompt: the teacher's output and k others, the student's first, all borrowed. Release with
 * labelling_end. */
void labelling_begin(struct labelling *l, const struct game *g, const struct teacher_output *y0,
                     const struct gen_output *y, int k);
/* Label the pair of answers i and j, sample numbers or LABELLING_TEACHER for the teacher's output (then i): the
 * index-th pair of this tick. Fills in tick, iteration and the label. */
enum { LABELLING_TEACHER = -1 };
enum label_outcome labelling_pair(const struct labelling *l, const struct game *g, int i, int j, uint64_t index,
                                  struct pref_pair *label);
void labelling_end(struct labelling *l);

/* Whether this micro-step is the one that takes in the file label.import: the first that collects. */
bool labelling_import_is_due(const struct game *g);
/* Append the labels of the file as pairs of source import, in the order of the file. Left out: prompts that are too
 * long, responses that are the same. The caller holds a transaction and shows the new pairs; nothing stays behind in
 * memory on failure. */
bool labelling_import(struct game *g, struct err *e);

#endif
