/* The inside of a tokenizer, shared by its three makers' files: the vocabulary itself (tokenizer.c), the trainer
 * (bpe_train.c) and the GGUF form (tokenizer_gguf.c). Beside them only the test that recounts what training learnt
 * includes this.
 *
 * How one is made: tokenizer_new, tokenizer_put for every id in order, tokenizer_index, tokenizer_add_merge by rank,
 * tokenizer_finish. */
#ifndef PBKD_TEXT_TOKENIZER_INTERNAL_H
#define PBKD_TEXT_TOKENIZER_INTERNAL_H

#include "engine/text/bpe.h"
#include "engine/text/tokenizer.h"

/* Values of tokenizer.ggml.token_type. */
enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER, TOKEN_UNUSED, TOKEN_BYTE };

#define TOKENIZER_MAX_VOCAB (1 << 24)

struct piece_cache;

struct tokenizer {
    int n_vocab, n_put; /* tokens wanted, tokens put so far */
    char *bytes;        /* all token texts one after another: real bytes, not the printable alphabet of the file */
    size_t *start;      /* [n_vocab + 1] */
    size_t bytes_cap;
    unsigned char *type;
    bool *is_end;
    int32_t
        *slot; /* text -> id, open addressing; words (normal) and marks (all other types) are separate name spaces */
    size_t n_slot;
    int32_t byte_id[256]; /* -1 when the vocabulary lacks the byte */
    int32_t *mark;        /* ids of non-normal tokens that may be cut out of text, longest first */
    size_t n_mark;
    bool mark_first[256]; /* whether a mark begins with this byte */
    struct bpe_table merges;
    unsigned scan;      /* scanner flags */
    char *pre;          /* the scanner's name as the file has it */
    bool ignore_merges; /* a piece that is itself a token is taken whole */
    bool add_bos;
    int32_t bos, eos;
    char *chat_template;
    uint64_t hash;
    struct bpe_scratch *scratch;
    struct token_list piece; /* working memory of encode */
    struct piece_cache *cache;
};

/* Room for n_vocab tokens of n_bytes in all and n_merges rules; takes the scanner by name. */
struct tokenizer *tokenizer_new(int n_vocab, size_t n_bytes, size_t n_merges, const char *pre, size_t pre_len,
                                struct err *e);
/* Append the next token; false when there is no room left for it. */
bool tokenizer_put(struct tokenizer *t, const char *bytes, size_t len, enum token_type type);
/* Build the look-ups; refuses empty and double tokens. */
bool tokenizer_index(struct tokenizer *t, struct err *e);
/* Look-up of a normal token by its bytes, -1 when absent. */
int32_t tokenizer_word(const struct tokenizer *t, const char *bytes, size_t len);
/* Append the rule that joins two tokens, written as their bytes; refuses parts or results that are no tokens. */
bool tokenizer_add_merge(struct tokenizer *t, const char *left, size_t n_left, const char *right, size_t n_right,
                         struct err *e);
/* Check the special ids, mark the ends of generation, take the content hash. */
bool tokenizer_finish(struct tokenizer *t, struct err *e);
/* Text of a token. */
const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *len);

#endif
