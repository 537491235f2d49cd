/* The models of a run that are no reward: the student, its frozen copy at the start, and the teacher; with what it
 * takes to speak to them. */
#ifndef PBKD_GAME_PLAYERS_H
#define PBKD_GAME_PLAYERS_H

#include "engine/option/option.h"
#include "engine/teacher/teacher.h"
#include "engine/train/trainee.h"

struct players {
    struct trainee student;
    struct tokenizer *tok; /* the student's */
    enum chat_kind chat;
    int32_t end_ids[16];
    int n_end_ids;
    struct model *reference; /* the student at the start of the game */
    struct activations *ref_acts;
    struct teacher *teacher;
    /* The teacher's model where its probabilities are needed, else NULL; of the student's vocabulary; borrowed. */
    const struct model *expert;
    struct activations *expert_acts;
    struct teacher **candidate; /* [n_candidates] other models that answer while an offline D_pref is collected */
    int n_candidates;
};

/* The student and its reference. On failure the caller closes. */
bool players_open_student(struct players *p, const struct options *o, struct err *e);
/* The teacher; where the algorithm reads its probabilities, also as `expert`: then it must speak the student's
 * vocabulary and dress prompts as the student does. */
bool players_open_teacher(struct players *p, const struct options *o, void (*progress)(void *ctx, double done),
                          void *ctx, struct err *e);
/* The models of offline.candidates, if they are not open; and closed again when D_pref is complete. */
bool players_open_candidates(struct players *p, const struct options *o, struct err *e);
void players_close_candidates(struct players *p);
void players_close(struct players *p);

/* The options prompts.template and prompts.system as teacher_open and chat_kind_parse want them. */
const char *players_template(const struct options *o);
const char *players_system(const struct options *o);

#endif
