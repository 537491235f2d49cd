/* Teacher outputs: every one is kept (table teacher_output of run.db), because they are what the student is compared
 * with, what the sft baseline trains on, and what a resumed run must not have to ask for again. */
#ifndef PBKD_CORPUS_OUTPUTS_H
#define PBKD_CORPUS_OUTPUTS_H

#include "engine/base/db.h"
#include "engine/corpus/prompts.h"

enum output_set { OUTPUT_TRAIN, OUTPUT_HELDOUT, OUTPUT_RECORDED };

struct teacher_output {
    enum output_set set;
    int prompt; /* index into the prompts of that set; RECORDED: its own prompt list */
    int iteration;
    char *text;
    int32_t *token; /* as the student tokenises it, end token included unless truncated */
    int n;
    bool truncated;
};

struct output_store {
    struct teacher_output *output;
    int n, cap;
};

bool outputs_create_table(struct db *db, struct err *e);
/* The tokens of a response that was given as text, with its end token unless it was cut; those beyond max_tokens are
 * cut off (*truncated). Free y with token_list_free. */
void output_tokenise(struct tokenizer *tok, enum chat_kind chat, const char *text, int max_tokens, bool *truncated,
                     struct token_list *y);
/* Append in memory and, when db is not NULL, in run.db (the caller holds a transaction). text is copied; tokens are
 * made here. max_tokens cuts outputs that the student's tokenizer makes longer. */
bool outputs_add(struct output_store *s, struct db *db, int64_t tick, enum output_set set, int prompt, int iteration,
                 const char *text, bool truncated, struct tokenizer *tok, enum chat_kind chat, int max_tokens,
                 struct err *e);
/* Forget rows made after tick, then read the rest (resume). */
bool outputs_load(struct output_store *s, struct db *db, int64_t after_tick, struct tokenizer *tok, enum chat_kind chat,
                  int max_tokens, struct err *e);
void outputs_free(struct output_store *s);

#endif
