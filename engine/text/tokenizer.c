/* The vocabulary: look-ups, special tokens, and the content hash. Encoding and decoding are in encode.c.
 *
 * Token texts are kept as real bytes in one block; the printable alphabet that files use for bytes exists only in
 * tokenizer_gguf.c. Normal tokens and marks (control, user-defined, ...) are looked up in separate name spaces, because
 * a mark may spell the same bytes as a word. */
#include "engine/text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/text/piece_cache.h"
#include "engine/text/scanner.h"
#include "engine/text/tokenizer_internal.h"

void token_list_add(struct token_list *l, int32_t id) {
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->id = mem_grow(l->id, l->cap * sizeof *l->id);
    }
    l->id[l->n++] = id;
}

void token_list_free(struct token_list *l) {
    free(l->id);
    *l = (struct token_list){0};
}

struct tokenizer *tokenizer_new(int n_vocab, size_t n_bytes, size_t n_merges, const char *pre, size_t pre_len,
                                struct err *e) {
    unsigned scan = 0;
    if (!scanner_by_name(pre, pre_len, &scan)) {
        err_set(e, "pre-tokenizer \"%.*s\" is not supported (known: gpt-2, smollm, llama-bpe)",
                (int)(pre_len < 64 ? pre_len : 64), pre);
        return NULL;
    }
    if (n_vocab < 1 || n_vocab > TOKENIZER_MAX_VOCAB || n_merges > INT32_MAX) {
        err_set(e, "vocabulary of %d tokens and %zu merges is outside 1..%d tokens", n_vocab, n_merges,
                TOKENIZER_MAX_VOCAB);
        return NULL;
    }
    struct tokenizer *t = mem_small(sizeof *t);
    *t = (struct tokenizer){.n_vocab = n_vocab, .bytes_cap = n_bytes, .scan = scan, .bos = -1, .eos = -1, .n_slot = 16};
    t->pre = mem_strndup(pre, pre_len);
    t->ignore_merges = scan == SCAN_LLAMA3;
    t->chat_template = mem_strdup("");
    t->scratch = bpe_scratch_new();
    t->cache = piece_cache_new();
    while (t->n_slot < (size_t)n_vocab * 2) t->n_slot *= 2;
    size_t n = (size_t)n_vocab;
    bool ok = (t->bytes = mem_alloc(n_bytes, 1, "token texts", e)) != NULL &&
              (t->start = mem_alloc(n + 1, sizeof *t->start, "token offsets", e)) != NULL &&
              (t->type = mem_alloc(n, 1, "token types", e)) != NULL &&
              (t->is_end = mem_alloc(n, sizeof *t->is_end, "token flags", e)) != NULL &&
              (t->mark = mem_alloc(n, sizeof *t->mark, "special tokens", e)) != NULL &&
              (t->slot = mem_alloc(t->n_slot, sizeof *t->slot, "token index", e)) != NULL &&
              bpe_table_init(&t->merges, n_merges, e);
    if (!ok) {
        tokenizer_free(t);
        return NULL;
    }
    return t;
}

void tokenizer_free(struct tokenizer *t) {
    if (!t) return;
    mem_free(t->bytes);
    mem_free(t->start);
    mem_free(t->type);
    mem_free(t->is_end);
    mem_free(t->mark);
    mem_free(t->slot);
    bpe_table_free(&t->merges);
    bpe_scratch_free(t->scratch);
    piece_cache_free(t->cache);
    token_list_free(&t->piece);
    free(t->pre);
    free(t->chat_template);
    free(t);
}

bool tokenizer_put(struct tokenizer *t, const char *bytes, size_t len, enum token_type type) {
    size_t at = t->start[t->n_put];
    if (t->n_put == t->n_vocab || len > t->bytes_cap - at) return false;
    if (len > 0) memcpy(t->bytes + at, bytes, len);
    t->type[t->n_put++] = (unsigned char)type;
    t->start[t->n_put] = at + len;
    return true;
}

const char *tokenizer_bytes(const struct tokenizer *t, int32_t id, size_t *len) {
    *len = t->start[id + 1] - t->start[id];
    return t->bytes + t->start[id];
}

/* The slot that holds this text in the wanted name space, or the free one where it would go. */
static size_t find_slot(const struct tokenizer *t, const char *bytes, size_t len, bool mark) {
    size_t i = (size_t)hash_bytes(HASH_START + mark, bytes, len) & (t->n_slot - 1);
    for (; t->slot[i] >= 0; i = (i + 1) & (t->n_slot - 1)) {
        size_t n = 0;
        const char *s = tokenizer_bytes(t, t->slot[i], &n);
        if (n == len && (t->type[t->slot[i]] != TOKEN_NORMAL) == mark && memcmp(s, bytes, len) == 0) break;
    }
    return i;
}

int32_t tokenizer_word(const struct tokenizer *t, const char *bytes, size_t len) {
    return t->slot[find_slot(t, bytes, len, false)];
}

int32_t tokenizer_find(const struct tokenizer *t, const char *piece) {
    size_t len = strlen(piece);
    int32_t id = t->slot[find_slot(t, piece, len, true)];
    return id >= 0 ? id : tokenizer_word(t, piece, len);
}

static int by_key(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Marks sorted so that the first that fits is the longest; of equal length, by id. The order is in the keys, since
 * systems do not agree on a qsort that passes a context. */
static bool index_marks(struct tokenizer *t, struct err *e) {
    uint64_t *key = mem_alloc((size_t)t->n_vocab, sizeof *key, "tokenizer", e);
    if (!key) return false;
    for (int32_t id = 0; id < t->n_vocab; id++)
        if (t->type[id] != TOKEN_NORMAL && t->type[id] != TOKEN_UNUSED) {
            const uint32_t length = (uint32_t)(t->start[id + 1] - t->start[id]);
            key[t->n_mark++] = (uint64_t)(UINT32_MAX - length) << 32 | (uint32_t)id;
            t->mark_first[(unsigned char)t->bytes[t->start[id]]] = true;
        }
    qsort(key, t->n_mark, sizeof *key, by_key);
    for (size_t i = 0; i < t->n_mark; i++) t->mark[i] = (int32_t)(key[i] & UINT32_MAX);
    mem_free(key);
    return true;
}

bool tokenizer_index(struct tokenizer *t, struct err *e) {
    if (t->n_put != t->n_vocab) return err_set(e, "vocabulary has %d tokens, expected %d", t->n_put, t->n_vocab);
    for (size_t i = 0; i < t->n_slot; i++) t->slot[i] = -1;
    for (int32_t id = 0; id < t->n_vocab; id++) {
        size_t n = 0;
        const char *s = tokenizer_bytes(t, id, &n);
        if (n == 0) return err_set(e, "token %d is empty", id);
        size_t i = find_slot(t, s, n, t->type[id] != TOKEN_NORMAL);
        if (t->slot[i] >= 0) return err_set(e, "tokens %d and %d are the same", t->slot[i], id);
        t->slot[i] = id;
    }
    for (int b = 0; b < 256; b++) {
        char c = (char)b;
        t->byte_id[b] = tokenizer_word(t, &c, 1);
    }
    return index_marks(t, e);
}

bool tokenizer_add_merge(struct tokenizer *t, const char *left, size_t n_left, const char *right, size_t n_right,
                         struct err *e) {
    size_t rank = t->merges.n, n = n_left + n_right;
    int32_t l = tokenizer_word(t, left, n_left), r = tokenizer_word(t, right, n_right);
    if (l < 0 || r < 0) return err_set(e, "merge %zu joins a part that is not in the vocabulary", rank);
    char small[128], *joined = n <= sizeof small ? small : mem_small(n);
    memcpy(joined, left, n_left);
    memcpy(joined + n_left, right, n_right);
    int32_t out = tokenizer_word(t, joined, n);
    if (joined != small) free(joined);
    if (out < 0) return err_set(e, "merge %zu makes a token that is not in the vocabulary", rank);
    if (!bpe_table_add(&t->merges, l, r, out)) return err_set(e, "merge %zu repeats an earlier one", rank);
    return true;
}

/* Base and instruction-tuned variants differ in special ids and template only; they count as one vocabulary, so neither
 * enters the hash. */
static uint64_t content_hash(const struct tokenizer *t) {
    const uint64_t head[3] = {(uint64_t)t->n_vocab, t->merges.n, t->scan};
    uint64_t h = hash_bytes(HASH_START, head, sizeof head);
    for (int32_t id = 0; id < t->n_vocab; id++) {
        size_t n = 0;
        const char *s = tokenizer_bytes(t, id, &n);
        h = hash_bytes(h, s, n);
    }
    for (size_t i = 0; i < t->merges.n; i++) {
        const int32_t pair[2] = {t->merges.rule[i].left, t->merges.rule[i].right};
        h = hash_bytes(h, pair, sizeof pair);
    }
    return h;
}

bool tokenizer_finish(struct tokenizer *t, struct err *e) {
    static const char *const ends[] = {"<|im_end|>",      "<|eot_id|>",    "<|eom_id|>", "<|end|>", "<|endoftext|>",
                                       "<|end_of_text|>", "<end_of_turn>", "</s>",       "<eos>"};
    if (t->eos < 0 || t->eos >= t->n_vocab)
        return err_set(e, "end-of-sequence id %d is outside the vocabulary of %d", t->eos, t->n_vocab);
    if (t->bos < -1 || t->bos >= t->n_vocab)
        return err_set(e, "begin-of-sequence id %d is outside the vocabulary of %d", t->bos, t->n_vocab);
    if (t->add_bos && t->bos < 0) return err_set(e, "the tokenizer asks for a begin-of-sequence token but names none");
    t->is_end[t->eos] = true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int32_t id = t->slot[find_slot(t, ends[i], strlen(ends[i]), true)];
        if (id >= 0) t->is_end[id] = true;
    }
    t->hash = content_hash(t);
    return true;
}

int tokenizer_n_vocab(const struct tokenizer *t) { return t->n_vocab; }

int32_t tokenizer_eos(const struct tokenizer *t) { return t->eos; }

int32_t tokenizer_bos(const struct tokenizer *t) { return t->bos; }

bool tokenizer_add_bos(const struct tokenizer *t) { return t->add_bos; }

bool tokenizer_is_end(const struct tokenizer *t, int32_t id) { return id >= 0 && id < t->n_vocab && t->is_end[id]; }

int tokenizer_end_ids(const struct tokenizer *t, int32_t *id, int cap) {
    int n = 0;
    for (int32_t i = 0; i < t->n_vocab && n < cap; i++)
        if (t->is_end[i]) id[n++] = i;
    return n;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id) {
    return id >= 0 && id < t->n_vocab && (t->type[id] == TOKEN_CONTROL || t->type[id] == TOKEN_UNKNOWN);
}

const char *tokenizer_chat_template(const struct tokenizer *t) { return t->chat_template; }

uint64_t tokenizer_hash(const struct tokenizer *t) { return t->hash; }
