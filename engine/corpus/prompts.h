/* Prompts: read from a file once, dressed and tokenised for the student, addressed by index from then on. */
#ifndef PBKD_CORPUS_PROMPTS_H
#define PBKD_CORPUS_PROMPTS_H

#include "engine/text/chat.h"

struct prompt {
    char *text, *answer; /* answer NULL when the file has none */
    uint64_t hash;       /* hash_text(text) */
    int32_t *token;      /* as the student sees it */
    int n;
    bool heldout; /* its hash is in the held-out tenth */
};

struct prompt_set {
    struct prompt *prompt;
    int n, cap;
    int n_skipped; /* longer than max_tokens */
};

/* A JSONL file of objects, or one JSON array of objects (*.json). The text is "prompt", or "question", or "instruction"
 * (with a non-empty "input" after a blank line); "answer" is optional. Repeated texts are taken once. At least one
 * prompt must remain. */
bool prompt_set_load(struct prompt_set *s, const char *path, struct tokenizer *tok, enum chat_kind chat,
                     const char *system, int max_tokens, struct err *e);
void prompt_set_free(struct prompt_set *s);

/* The endless stream of a set's prompts: every epoch in an order of its own. */
struct prompt_stream {
    int *order; /* [n] permutation of the current epoch; NULL before the first draw */
    int64_t epoch;
};
/* Index of the prompt at position `cursor` of the stream over n prompts (always the same n). */
int prompt_stream_at(struct prompt_stream *s, int n, uint64_t seed, int64_t cursor);
void prompt_stream_free(struct prompt_stream *s);

#endif
