/* What the generators of sample data share: choices that depend on (seed, row) alone, texts with placeholders, people,
 * and the files that the rows go to.
 *
 *     make_TASK FOLDER [PRETRAIN_ROWS [SEED]]
 *
 *   FOLDER/heldout.jsonl   {"prompt","answer"}    for measuring only
 *   FOLDER/train.jsonl     {"prompt","answer"}    prompts of the game
 *   FOLDER/pretrain.jsonl  {"prompt","response"}  PRETRAIN_ROWS true chains, from which a teacher model is trained
 *   FOLDER/formulas.jsonl  {"prompt","response"}  the same without words ("84 - 48 - 3"), from which a base model learns
 *                                                 to calculate before it learns to read from teacher outputs
 *
 * The files are consecutive stretches of one stream from which repeated prompts are dropped, so no prompt is in two
 * files and more pre-training rows leave the first two files as they are. */
#ifndef PBKD_SAMPLE_DATA_ROWS_H
#define PBKD_SAMPLE_DATA_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/strbuf.h"

/* A stream of choices for one row: the k-th choice of row i is a function of (seed, i, k). */
struct choices {
    uint64_t seed, row, k;
};
int choose(struct choices *c, int n);                    /* uniform in [0,n) */
int choose_between(struct choices *c, int min, int max); /* uniform in [min,max] */
/* One of the texts before the first NULL, at most `max`; at least one. */
const char *choose_text(struct choices *c, const char *const *texts, int max);

/* A person and a second one of the other sex, so that she and he stay clear. */
struct people {
    const char *name, *other, *she, *She;
};
struct people choose_people(struct choices *c);

/* Add the text with every {KEY} (one character) replaced by what `fill` adds, which returns false for a key it does not
 * know: a mistake in a table, which ends the program. */
typedef bool fill_fn(struct strbuf *out, char key, void *ctx);
void expand(struct strbuf *out, const char *text, fill_fn *fill, void *ctx);

/* One row; texts of letters, digits and plain punctuation, for they are written without JSON escapes. */
struct row {
    struct strbuf prompt, formula, chain, answer; /* empty on entry of make; freed by the caller */
};

struct task {
    const char *name; /* of the program, for messages */
    void (*make)(struct choices *c, struct row *r);
    long heldout, train, pretrain; /* rows; the last is the default of PRETRAIN_ROWS */
    long formulas;                 /* at most so many (there may not be more of them); else as many as PRETRAIN_ROWS */
};

/* The generator's main(). */
int rows_main(const struct task *t, int argc, char **argv);

#endif
