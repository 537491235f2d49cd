/* A model that is being trained: weights, gradients, optimiser and the buffers of its forward pass, kept together so
 * that no step allocates. */
#ifndef PBKD_TRAIN_TRAINEE_H
#define PBKD_TRAIN_TRAINEE_H

#include "engine/train/sequences.h"
#include "engine/math/adamw.h"
#include "engine/model/head.h"
#include "engine/model/model.h"

struct trainee {
    struct model *model; /* owned */
    struct activations *acts;
    struct head_space *space;
    float *grads;   /* [n_params], zero between steps */
    float *dhidden; /* [cap_dhidden] scratch, [n_tokens, d] */
    size_t cap_dhidden;
    float *row_value; /* [cap_rows] scratch: a weight or reward per row */
    int cap_rows;
    struct adamw opt;
};

/* Takes the model over (also on failure, where it is freed). */
bool trainee_init(struct trainee *t, struct model *m, struct err *e);
void trainee_free(struct trainee *t);
/* Make dhidden zero and large enough for s, and row_value large enough. */
bool trainee_prepare(struct trainee *t, const struct sequences *s, struct err *e);

/* Learning rate at a step of a schedule: linear warm-up over `warmup` steps, then linear decay from 1 to `final` at
 * n_steps. */
double schedule_lr(double lr, int64_t step, int64_t n_steps, int64_t warmup, double final_share);

#endif
