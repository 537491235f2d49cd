/* What a run reads and collects: prompts to train on and to evaluate on, the teacher's outputs, and the preference
 * pairs made of them. Prompts and recorded outputs come from files when the run starts; outputs and pairs grow with it
 * and are kept in run.db. */
#ifndef PBKD_CORPUS_CORPUS_H
#define PBKD_CORPUS_CORPUS_H

#include "engine/corpus/outputs.h"
#include "engine/corpus/prompts.h"
#include "engine/option/option.h"
#include "engine/pref/dpref.h"

struct corpus {
    struct prompt_set train, heldout;
    struct prompt_set recorded;  /* of prompts.recorded: each with one of the outputs */
    int *trainable, n_trainable; /* indices of the training prompts that are not held out */
    struct prompt_stream stream; /* the order in which outputs are asked for */
    struct output_store outputs;
    struct dpref dpref;
};

/* How prompts and outputs become tokens of the student. */
struct dressing {
    struct tokenizer *tok;
    enum chat_kind chat;
    const char *system; /* NULL: none */
    int n_ctx;          /* of the student: prompt and answer must fit */
};

/* Read the prompts and the recorded outputs that the options name (c is zeroed or freed; D_pref is loaded apart).
 * Without a file of held-out prompts the held-out tenth of the training prompts is copied. Errors: files, fewer than
 * one training prompt or two held-out ones, prompts that do not fit. On failure the caller frees. */
bool corpus_open(struct corpus *c, const struct options *o, const struct dressing *d, struct err *e);
void corpus_free(struct corpus *c);

/* The prompt that an output answers. */
const struct prompt *corpus_output_prompt(const struct corpus *c, const struct teacher_output *y);
/* Whether the student may be trained on it: its prompt is not held out. */
bool corpus_output_trains(const struct corpus *c, const struct teacher_output *y);
/* The teacher's output at a held-out prompt; NULL before the first evaluation has asked for it. */
const struct teacher_output *corpus_heldout_output(const struct corpus *c, int prompt);
/* An error unless every prompt and max_new_tokens fit a context of n_ctx; `whose` names it. */
bool corpus_fits(const struct corpus *c, int max_new_tokens, int n_ctx, const char *whose, struct err *e);

#endif
