/* The reward that the student descends on, behind one table of operations: an adversary of the game, or, in baselines
 * that play none, a copy of the fitted reward. No step file asks which one it is. A new adversary is a file with its
 * struct adversary_ops, and its line in the list of adversaries.c.
 *
 *   head       linear around the fitted reward; its ascent is the exact maximum over the confidence set (head.c)
 *   white-box  the critic Q, with the teacher's next-token probabilities (white_box.c)
 *   full       all parameters of a model, by gradient steps (full.c)
 *   fixed      a copy of the fitted reward that never moves (fixed.c)
 *
 * Functions that may be NULL are said to be; the game calls adversaries.h, which knows what NULL means. */
#ifndef PBKD_GAME_ADVERSARY_ADVERSARY_H
#define PBKD_GAME_ADVERSARY_ADVERSARY_H

#include <cjson/cJSON.h>

#include "engine/model/head.h"
#include "engine/option/option.h"
#include "engine/reward/reward.h"

struct game;
struct game_arrays;

/* The exact gradient of a descent: maximise sum_h weight_h sum_a pi(a|s_h) r(s_h,a), less kl times the divergence from
 * the reference where there is one. Rows are those of one batch under each model, in the same order. */
struct exact_descent {
    struct trainee *student;
    const struct head_rows *rows, *reward_rows; /* of the student, of the reward's model */
    const struct model *reference;              /* NULL: no KL term */
    const struct head_rows *reference_rows;
    const float *weight; /* [rows] */
    float kl;            /* alpha */
};

struct adversary_ops {
    const char *name;
    bool (*serves)(const struct options *o); /* whether these options ask for it */
    bool plays;                              /* it has an ascent; else it is no worst case of anything */
    /* It is an exact maximum over the set of D_pref: L_hat and the slack are its own figures, with a radius above 0. */
    bool exact;

    /* `from`: the model that rewards start from. Sets reward, and trainee or state. On failure close is called. */
    bool (*open)(struct game *g, const struct model *from, struct err *e);
    void (*close)(struct game *g);
    /* The game of an iteration begins: it starts from the fitted reward. NULL: it did so after the fit. */
    void (*start)(struct game *g);
    /* The reward was fitted again. NULL: that changes nothing. GAME_ABANDONED at a safe point: nothing of it stands. */
    enum game_result (*after_fit)(struct game *g, struct err *e);
    /* Pairs or labels changed, or an option that shapes the set: take it up at the next refresh. NULL as above. */
    void (*set_changed)(struct game *g);
    /* Be up to date before ascents and figures. NULL: it always is. */
    enum game_result (*refresh)(struct game *g, struct err *e);
    /* One ascent. NULL where it does not play. */
    enum game_result (*ascend)(struct game *g, struct err *e);
    /* Descents after which it has to move again within a round; NULL: once a round is enough. */
    int (*descents)(const struct options *o);
    /* value[i] = r of every sequence of s, packed for its level. */
    bool (*values)(struct game *g, const struct sequences *s, double *value, struct err *e);
    /* Accumulate the gradient of -objective in d->student's dhidden and head; terms measure it. */
    bool (*descend)(struct game *g, const struct exact_descent *d, struct exact_terms *terms, struct err *e);
    /* Evaluation: gaps of the n held-out prompts from `first` on, into gap_worst and gap_fitted; scratch.seqs_reward
     * holds n teacher outputs, then n*k samples. */
    bool (*measure)(struct game *g, int first, int n, int k, struct err *e);
    /* In the end: the gap over the whole set, into evaluation.gap_set. NULL: it knows only its own. */
    bool (*measure_set)(struct game *g, struct err *e);

    /* Arrays and figures of a checkpoint beside those of its trainee, and back (NULL: none). */
    void (*save_arrays)(struct game *g, struct game_arrays *a);
    void (*save_state)(const struct game *g, cJSON **root); /* by json_put, which remembers a failure */
    bool (*restore)(struct game *g, const char *folder, const cJSON *root, struct err *e);
};

struct adversary {
    const struct adversary_ops *ops; /* NULL where no reward trains the student */
    struct reward *reward;           /* the model that it is read from: its own, or the fitted reward's */
    struct trainee *trainee;         /* a model of its own that its ascents train; else NULL */
    void *state;                     /* the file's own */
};

#endif
