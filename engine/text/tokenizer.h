/* Byte-level BPE tokenizers as GGUF files carry them (tokenizer.ggml.model = "gpt2"), with the gpt-2, smollm and
 * llama-bpe scanners, and the small trainer that makes the vocabulary of the embedded default.
 *
 * Text from people and data sets is never searched for special tokens (a prompt must not be able to close its own
 * turn); only chat templates ask for it. */
#ifndef PBKD_TEXT_TOKENIZER_H
#define PBKD_TEXT_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/strbuf.h"
#include "engine/formats/gguf.h"

struct tokenizer; /* immutable after creation; one thread at a time may encode (it keeps a piece cache) */

struct token_list { /* growable; free with token_list_free */
    int32_t *id;
    size_t n, cap;
};
void token_list_add(struct token_list *l, int32_t id);
void token_list_free(struct token_list *l);

/* Read tokenizer.ggml.*; refuses unknown models and unknown `pre` names, naming them. */
struct tokenizer *tokenizer_from_gguf(const struct gguf *g, struct err *e);
/* Write the same keys (tokens, token types, merges, pre, special ids, chat template if any). */
void tokenizer_to_gguf(const struct tokenizer *t, struct gguf_writer *w);
void tokenizer_free(struct tokenizer *t);
/* Learn a vocabulary of at most n_vocab tokens (256 bytes + specials <|endoftext|>=0, <|im_start|>=1, <|im_end|>=2 +
 * merges) from the texts, with the smollm scanner (every digit its own token). Ties go to the pair seen first. No merge
 * is learnt from a pair seen fewer than 2 times. eos = <|im_end|>. */
struct tokenizer *tokenizer_train(const char *const *texts, size_t n_texts, int n_vocab, struct err *e);

int tokenizer_n_vocab(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_bos(const struct tokenizer *t);  /* -1 when none */
bool tokenizer_add_bos(const struct tokenizer *t); /* whether encoding a document starts with it */
/* End of generation: eos and any of <|im_end|>, <|eot_id|>, <|endoftext|>, ... present in the vocabulary. */
bool tokenizer_is_end(const struct tokenizer *t, int32_t id);
/* The first of them, at most cap; returns how many. */
int tokenizer_end_ids(const struct tokenizer *t, int32_t *id, int cap);
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
/* special or exact vocabulary entry; -1 when absent */
int32_t tokenizer_find(const struct tokenizer *t, const char *piece);
const char *tokenizer_chat_template(const struct tokenizer *t); /* "" when none */
/* Two tokenizers are the same vocabulary when this 64-bit content hash is equal. */
uint64_t tokenizer_hash(const struct tokenizer *t);

/* Append the ids of text (any bytes; invalid UTF-8 is kept byte by byte). Linear-time scanner and heap-based merging: a
 * megabyte of one letter is fine. */
void tokenizer_encode(struct tokenizer *t, const char *text, size_t len, bool parse_special, struct token_list *out);
/* Append the text of ids; specials are skipped unless show_special. The result may hold invalid UTF-8. */
void tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool show_special, struct strbuf *out);

#endif
