/* Learning merges. Texts are cut into pieces and equal pieces counted once, so the work is in the number of different
 * words.
 *
 * Each pair knows its count and the words it was seen in; a lazy heap gives the most frequent pair, ties going to the
 * pair seen first (lowest index in order of first sight), which makes the result a function of the texts alone. A merge
 * touches only the words of its pair. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/text/heap.h"
#include "engine/text/scanner.h"
#include "engine/text/tokenizer_internal.h"

#define N_SPECIAL 3
#define N_BASE (N_SPECIAL + 256)

static const char *const special_text[N_SPECIAL] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

struct word {
    const char *text; /* in the caller's texts */
    size_t len;
    size_t sym; /* first symbol in trainer.sym */
    size_t n;   /* symbols left */
    uint32_t count;
};

struct pair {
    int32_t left, right;
    int64_t count;
    uint32_t *word; /* words that held the pair when it was counted; may be stale or double */
    size_t n_word, cap_word;
    bool learnt; /* has its rule; may still come back when another rule spells one of its halves */
};

struct trainer {
    struct word *word;
    size_t n_word, cap_word;
    int64_t *word_slot; /* -1 = free */
    size_t n_word_slot;
    int32_t *sym;
    struct pair *pair;
    size_t n_pair, cap_pair;
    int64_t *pair_slot;
    size_t n_pair_slot;
    struct heap heap;
    int n_vocab;           /* tokens made so far */
    struct bpe_rule *rule; /* merges made so far, by rank */
    size_t n_rule;
    char **token; /* texts of the tokens from N_BASE on */
    size_t *token_len;
};

static void fill_free(int64_t *slot, size_t n) {
    for (size_t i = 0; i < n; i++) slot[i] = -1;
}

static size_t word_slot(const struct trainer *t, const char *s, size_t len) {
    size_t i = (size_t)hash_bytes(HASH_START, s, len) & (t->n_word_slot - 1);
    for (; t->word_slot[i] >= 0; i = (i + 1) & (t->n_word_slot - 1)) {
        const struct word *w = &t->word[t->word_slot[i]];
        if (w->len == len && memcmp(w->text, s, len) == 0) break;
    }
    return i;
}

static void count_word(struct trainer *t, const char *s, size_t len) {
    if (t->n_word * 2 >= t->n_word_slot) {
        t->n_word_slot = t->n_word_slot ? t->n_word_slot * 2 : 1024;
        t->word_slot = mem_grow(t->word_slot, t->n_word_slot * sizeof *t->word_slot);
        fill_free(t->word_slot, t->n_word_slot);
        for (size_t i = 0; i < t->n_word; i++) t->word_slot[word_slot(t, t->word[i].text, t->word[i].len)] = (int64_t)i;
    }
    size_t i = word_slot(t, s, len);
    if (t->word_slot[i] >= 0) {
        struct word *w = &t->word[t->word_slot[i]];
        w->count += w->count < UINT32_MAX;
        return;
    }
    if (t->n_word == t->cap_word) {
        t->cap_word = t->cap_word ? t->cap_word * 2 : 512;
        t->word = mem_grow(t->word, t->cap_word * sizeof *t->word);
    }
    t->word_slot[i] = (int64_t)t->n_word;
    t->word[t->n_word++] = (struct word){.text = s, .len = len, .count = 1};
}

static size_t pair_slot(const struct trainer *t, int32_t left, int32_t right) {
    const int32_t key[2] = {left, right};
    size_t i = (size_t)hash_bytes(HASH_START, key, sizeof key) & (t->n_pair_slot - 1);
    for (; t->pair_slot[i] >= 0; i = (i + 1) & (t->n_pair_slot - 1)) {
        const struct pair *p = &t->pair[t->pair_slot[i]];
        if (p->left == left && p->right == right) break;
    }
    return i;
}

static size_t pair_index(struct trainer *t, int32_t left, int32_t right) {
    if (t->n_pair * 2 >= t->n_pair_slot) {
        t->n_pair_slot = t->n_pair_slot ? t->n_pair_slot * 2 : 4096;
        t->pair_slot = mem_grow(t->pair_slot, t->n_pair_slot * sizeof *t->pair_slot);
        fill_free(t->pair_slot, t->n_pair_slot);
        for (size_t i = 0; i < t->n_pair; i++)
            t->pair_slot[pair_slot(t, t->pair[i].left, t->pair[i].right)] = (int64_t)i;
    }
    size_t i = pair_slot(t, left, right);
    if (t->pair_slot[i] >= 0) return (size_t)t->pair_slot[i];
    if (t->n_pair == t->cap_pair) {
        t->cap_pair = t->cap_pair ? t->cap_pair * 2 : 1024;
        t->pair = mem_grow(t->pair, t->cap_pair * sizeof *t->pair);
    }
    t->pair_slot[i] = (int64_t)t->n_pair;
    t->pair[t->n_pair] = (struct pair){.left = left, .right = right};
    return t->n_pair++;
}

/* The most frequent pair has the smallest key; equal counts go by index. */
static void push_pair(struct trainer *t, size_t index) {
    int64_t c = t->pair[index].count;
    if (c >= 2)
        heap_push(&t->heap, (uint64_t)(UINT32_MAX - (c < UINT32_MAX ? c : UINT32_MAX)) << 32 | (uint32_t)index,
                  (uint64_t)c);
}

/* Count the pairs of a word in (sign +1) or out (-1). `fresh` is the token just made: only its pairs can be new here
 * and need the word listed; -1 lists all. */
static void count_pairs(struct trainer *t, size_t wi, int sign, int32_t fresh) {
    const struct word *w = &t->word[wi];
    const int32_t *s = t->sym + w->sym;
    for (size_t i = 0; i + 1 < w->n; i++) {
        size_t index = pair_index(t, s[i], s[i + 1]);
        struct pair *p = &t->pair[index];
        p->count += sign * (int64_t)w->count;
        if (sign < 0 || (fresh >= 0 && s[i] != fresh && s[i + 1] != fresh)) continue;
        if (p->n_word > 0 && p->word[p->n_word - 1] == wi) continue;
        if (p->n_word == p->cap_word) {
            p->cap_word = p->cap_word ? p->cap_word * 2 : 4;
            p->word = mem_grow(p->word, p->cap_word * sizeof *p->word);
        }
        p->word[p->n_word++] = (uint32_t)wi;
    }
}

static bool merge_in_word(struct trainer *t, size_t wi, const struct bpe_rule *r) {
    struct word *w = &t->word[wi];
    int32_t *s = t->sym + w->sym;
    size_t i = 0, out = 0;
    while (i + 1 < w->n && (s[i] != r->left || s[i + 1] != r->right)) i++;
    if (i + 1 >= w->n) return false; /* a stale entry */
    count_pairs(t, wi, -1, -1);
    for (i = 0; i < w->n; out++) {
        bool hit = i + 1 < w->n && s[i] == r->left && s[i + 1] == r->right;
        s[out] = hit ? r->out : s[i];
        i += hit ? 2 : 1;
    }
    w->n = out;
    count_pairs(t, wi, 1, r->out);
    return true;
}

static const char *token_text(const struct trainer *t, int32_t id, char *byte, size_t *len) {
    if (id >= N_BASE) {
        *len = t->token_len[id - N_BASE];
        return t->token[id - N_BASE];
    }
    *byte = (char)(unsigned char)(id - N_SPECIAL);
    *len = 1;
    return byte;
}

/* The id of a rule's result: an older token when another pair has already made the same text, else a new one. */
static int32_t result_id(struct trainer *t, int32_t left, int32_t right) {
    char b1 = 0, b2 = 0;
    size_t n1 = 0, n2 = 0;
    const char *s1 = token_text(t, left, &b1, &n1), *s2 = token_text(t, right, &b2, &n2);
    char *joined = mem_small(n1 + n2);
    memcpy(joined, s1, n1);
    memcpy(joined + n1, s2, n2);
    int n_new = t->n_vocab - N_BASE;
    for (int i = 0; i < n_new; i++)
        if (t->token_len[i] == n1 + n2 && memcmp(t->token[i], joined, n1 + n2) == 0) {
            free(joined);
            return N_BASE + i;
        }
    t->token[n_new] = joined;
    t->token_len[n_new] = n1 + n2;
    return t->n_vocab++;
}

static void learn_pair(struct trainer *t, size_t index) {
    const int32_t left = t->pair[index].left, right = t->pair[index].right;
    const int vocab_before = t->n_vocab;
    const struct bpe_rule r = {left, right, result_id(t, left, right)};
    if (!t->pair[index].learnt) {
        t->rule = mem_grow(t->rule, (t->n_rule + 1) * sizeof *t->rule);
        t->rule[t->n_rule++] = r;
        t->pair[index].learnt = true;
    }
    /* The list is taken over: counting may move the pairs and grow this very list. */
    uint32_t *word = t->pair[index].word;
    size_t n = t->pair[index].n_word, first_new = t->n_pair;
    t->pair[index].word = NULL;
    t->pair[index].n_word = t->pair[index].cap_word = 0;
    for (size_t i = 0; i < n; i++) merge_in_word(t, word[i], &r);
    free(word);
    /* Counts can rise only for pairs with the result in them: all new, unless the result is an older token. */
    for (size_t i = t->n_vocab > vocab_before ? first_new : 0; i < t->n_pair; i++)
        if (t->pair[i].left == r.out || t->pair[i].right == r.out) push_pair(t, i);
}

static void learn(struct trainer *t, int n_vocab) {
    for (size_t i = 0; i < t->n_word; i++) count_pairs(t, i, 1, -1);
    for (size_t i = 0; i < t->n_pair; i++) push_pair(t, i);
    for (struct heap_entry top; t->n_vocab < n_vocab && heap_pop(&t->heap, &top);) {
        size_t index = (uint32_t)top.key;
        if ((uint64_t)t->pair[index].count == top.tag)
            learn_pair(t, index);
        else if ((uint64_t)t->pair[index].count < top.tag)
            push_pair(t, index); /* fell since; a rise has pushed an entry of its own */
    }
}

/* Cut the texts into words and lay their symbols out. */
static bool gather(struct trainer *t, const char *const *texts, size_t n_texts, struct err *e) {
    for (size_t i = 0; i < n_texts; i++)
        for (size_t at = 0, n = 0, len = strlen(texts[i]); at < len; at += n) {
            n = scanner_next(SCAN_SMOLLM, texts[i] + at, len - at);
            count_word(t, texts[i] + at, n);
        }
    size_t total = 0;
    for (size_t i = 0; i < t->n_word; i++) total += t->word[i].len;
    t->sym = mem_alloc(total, sizeof *t->sym, "training symbols", e);
    if (!t->sym) return false;
    size_t at = 0;
    for (size_t i = 0; i < t->n_word; i++) {
        struct word *w = &t->word[i];
        w->sym = at;
        w->n = w->len;
        for (size_t k = 0; k < w->len; k++) t->sym[at++] = N_SPECIAL + (unsigned char)w->text[k];
    }
    return true;
}

static struct tokenizer *build(const struct trainer *t, struct err *e) {
    size_t bytes = 256;
    for (int i = 0; i < N_SPECIAL; i++) bytes += strlen(special_text[i]);
    for (int i = 0; i < t->n_vocab - N_BASE; i++) bytes += t->token_len[i];
    struct tokenizer *out = tokenizer_new(t->n_vocab, bytes, t->n_rule, "smollm", strlen("smollm"), e);
    if (!out) return NULL;
    bool ok = true;
    for (int i = 0; i < N_SPECIAL; i++)
        ok = ok && tokenizer_put(out, special_text[i], strlen(special_text[i]), TOKEN_CONTROL);
    for (int32_t id = N_SPECIAL; id < t->n_vocab; id++) {
        char byte = 0;
        size_t len = 0;
        const char *s = token_text(t, id, &byte, &len);
        ok = ok && tokenizer_put(out, s, len, TOKEN_NORMAL);
    }
    ok = ok && tokenizer_index(out, e);
    for (size_t i = 0; ok && i < t->n_rule; i++) {
        char b1 = 0, b2 = 0;
        size_t n1 = 0, n2 = 0;
        const char *s1 = token_text(t, t->rule[i].left, &b1, &n1), *s2 = token_text(t, t->rule[i].right, &b2, &n2);
        ok = tokenizer_add_merge(out, s1, n1, s2, n2, e);
    }
    out->bos = 0; /* <|endoftext|> separates documents; prompts do not start with it */
    out->eos = 2;
    if (ok && tokenizer_finish(out, e)) return out;
    tokenizer_free(out);
    return NULL;
}

static void trainer_free(struct trainer *t) {
    for (size_t i = 0; i < t->n_pair; i++) free(t->pair[i].word);
    for (int i = 0; i < t->n_vocab - N_BASE; i++) free(t->token[i]);
    mem_free(t->token);
    mem_free(t->token_len);
    mem_free(t->sym);
    free(t->pair);
    free(t->pair_slot);
    free(t->word);
    free(t->word_slot);
    free(t->rule);
    heap_free(&t->heap);
}

struct tokenizer *tokenizer_train(const char *const *texts, size_t n_texts, int n_vocab, struct err *e) {
    if (n_vocab < N_BASE || n_vocab > TOKENIZER_MAX_VOCAB) {
        err_set(e, "a vocabulary needs %d..%d tokens (256 bytes and %d specials), asked for %d", N_BASE,
                TOKENIZER_MAX_VOCAB, N_SPECIAL, n_vocab);
        return NULL;
    }
    struct trainer t = {.n_vocab = N_BASE};
    size_t n_new = (size_t)(n_vocab - N_BASE);
    struct tokenizer *out = NULL;
    t.token = mem_alloc(n_new, sizeof *t.token, "learnt tokens", e);
    t.token_len = t.token ? mem_alloc(n_new, sizeof *t.token_len, "learnt token lengths", e) : NULL;
    if (t.token_len && gather(&t, texts, n_texts, e)) {
        learn(&t, n_vocab);
        out = build(&t, e);
    }
    trainer_free(&t);
    return out;
}
