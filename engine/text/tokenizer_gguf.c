/* The GGUF form of a tokenizer (tokenizer.ggml.*). Files spell the bytes of normal tokens with 256 printable code
 * points: 33-126, 161-172 and 174-255 stand for themselves, the other 68 bytes get 256, 257, ... in byte order. Marks
 * (control, user-defined, ...) are spelt as they are. Everything read here is untrusted. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/text/scanner.h"
#include "engine/text/tokenizer_internal.h"

#define KEY "tokenizer.ggml."
#define N_CODES (256 + 68)

static bool stands_for_itself(int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
}

/* Code point of every byte, and byte of every code point (-1 = none). */
struct byte_alphabet {
    int code[256];
    int byte[N_CODES];
};

static void alphabet_init(struct byte_alphabet *a) {
    for (int c = 0; c < N_CODES; c++) a->byte[c] = -1;
    for (int b = 0, next = 256; b < 256; b++) {
        a->code[b] = stands_for_itself(b) ? b : next++;
        a->byte[a->code[b]] = b;
    }
}

/* Turn a spelling into bytes in place of out (room for len); false at a character outside the alphabet. All code points
 * are below 324, so only one- and two-byte UTF-8 can occur. */
static bool spelling_to_bytes(const struct byte_alphabet *a, const char *s, size_t len, char *out, size_t *n_out) {
    size_t n = 0;
    for (size_t i = 0; i < len; n++) {
        int c = (unsigned char)s[i++];
        if (c >= 0xC2 && c <= 0xC5 && i < len && ((unsigned char)s[i] & 0xC0) == 0x80)
            c = (c & 0x1F) << 6 | ((unsigned char)s[i++] & 0x3F);
        else if (c >= 0x80)
            return false;
        if (c >= N_CODES || a->byte[c] < 0) return false;
        out[n] = (char)(unsigned char)a->byte[c];
    }
    *n_out = n;
    return true;
}

static void add_spelling(const struct byte_alphabet *a, const char *bytes, size_t len, struct strbuf *out) {
    for (size_t i = 0; i < len; i++) {
        int c = a->code[(unsigned char)bytes[i]];
        if (c >= 0x80) strbuf_putc(out, (char)(unsigned char)(0xC0 | c >> 6));
        strbuf_putc(out, (char)(unsigned char)(c < 0x80 ? c : 0x80 | (c & 0x3F)));
    }
}

/* State of a walk over one string array. */
struct reading {
    struct byte_alphabet alphabet;
    struct tokenizer *t;
    const int32_t *type;
    size_t total; /* sum of lengths, first walk over the tokens */
    struct strbuf buf;
};

static bool add_length(void *ctx, size_t i, const char *s, size_t len, struct err *e) {
    struct reading *r = ctx;
    (void)i, (void)s, (void)e;
    r->total += len; /* the file holds these bytes, so the sum cannot wrap */
    return true;
}

static bool read_token(void *ctx, size_t i, const char *s, size_t len, struct err *e) {
    struct reading *r = ctx;
    int32_t type = r->type[i];
    if (type < TOKEN_NORMAL || type > TOKEN_UNUSED)
        return err_set(e, "token %zu has type %d; byte-level vocabularies have types 1 to 5", i, type);
    size_t n = len;
    if (type == TOKEN_NORMAL) {
        strbuf_clear(&r->buf);
        strbuf_add(&r->buf, s, len); /* room for the bytes, which are never more than the spelling */
        if (!spelling_to_bytes(&r->alphabet, s, len, r->buf.s, &n))
            return err_set(e, "token %zu \"%.*s\" has a character that stands for no byte", i,
                           (int)(len < 40 ? len : 40), s);
        s = r->buf.s;
    }
    return tokenizer_put(r->t, s, n, (enum token_type)type) || err_set(e, "token %zu is one too many", i);
}

static bool read_merge(void *ctx, size_t i, const char *s, size_t len, struct err *e) {
    struct reading *r = ctx;
    const char *space = len > 1 ? memchr(s + 1, ' ', len - 1) : NULL; /* a part may itself begin with one */
    if (!space) return err_set(e, "merge %zu is not two parts with a space between them", i);
    size_t left = (size_t)(space - s), right = len - left - 1, n_left = 0, n_right = 0;
    strbuf_clear(&r->buf);
    strbuf_add(&r->buf, s, len);
    if (!spelling_to_bytes(&r->alphabet, s, left, r->buf.s, &n_left) ||
        !spelling_to_bytes(&r->alphabet, space + 1, right, r->buf.s + n_left, &n_right))
        return err_set(e, "merge %zu has a character that stands for no byte", i);
    return tokenizer_add_merge(r->t, r->buf.s, n_left, r->buf.s + n_left, n_right, e);
}

static bool string_array_len(const struct gguf *g, const char *key, size_t *n, struct err *e) {
    enum gguf_value_type elem;
    if (!gguf_array_len(g, key, &elem, n, e)) return false;
    return elem == GGUF_STRING || err_set(e, "key \"%s\" must be an array of strings", key);
}

/* Optional id; absent leaves -1. */
static bool read_id(const struct gguf *g, const char *key, int n_vocab, int32_t *out, struct err *e) {
    uint32_t v = 0;
    if (!gguf_has(g, key)) return true;
    if (!gguf_get_u32(g, key, &v, e)) return false;
    if (v >= (uint32_t)n_vocab) return err_set(e, "key \"%s\" is %u, the vocabulary has %d tokens", key, v, n_vocab);
    *out = (int32_t)v;
    return true;
}

static bool read_specials(const struct gguf *g, struct tokenizer *t, struct err *e) {
    if (!read_id(g, KEY "eos_token_id", t->n_vocab, &t->eos, e) ||
        !read_id(g, KEY "bos_token_id", t->n_vocab, &t->bos, e))
        return false;
    if (t->eos < 0) return err_set(e, "key \"" KEY "eos_token_id\" is missing");
    t->add_bos = t->scan == SCAN_LLAMA3 && t->bos >= 0; /* what llama-bpe files mean when they do not say */
    if (gguf_has(g, KEY "add_bos_token") && !gguf_get_bool(g, KEY "add_bos_token", &t->add_bos, e)) return false;
    const char *s = NULL;
    size_t len = 0;
    if (!gguf_has(g, "tokenizer.chat_template")) return true;
    if (!gguf_get_string(g, "tokenizer.chat_template", &s, &len, e)) return false;
    if (memchr(s, '\0', len)) return err_set(e, "key \"tokenizer.chat_template\" holds a NUL byte");
    free(t->chat_template);
    t->chat_template = mem_strndup(s, len);
    return true;
}

static struct tokenizer *read_vocabulary(const struct gguf *g, struct reading *r, struct err *e) {
    const char *model = NULL, *pre = NULL;
    size_t model_len = 0, pre_len = 0, n = 0, n_merges = 0;
    if (!gguf_get_string(g, KEY "model", &model, &model_len, e) || !gguf_get_string(g, KEY "pre", &pre, &pre_len, e) ||
        !string_array_len(g, KEY "tokens", &n, e) || !string_array_len(g, KEY "merges", &n_merges, e))
        return NULL;
    if (model_len != 4 || memcmp(model, "gpt2", 4) != 0) {
        err_set(e, "tokenizer model \"%.*s\" is not supported, only \"gpt2\" (byte-level BPE) is",
                (int)(model_len < 64 ? model_len : 64), model);
        return NULL;
    }
    if (n < 1 || n > TOKENIZER_MAX_VOCAB) {
        err_set(e, "a vocabulary of %zu tokens is outside 1..%d", n, TOKENIZER_MAX_VOCAB);
        return NULL;
    }
    int32_t *type = mem_alloc(n, sizeof *type, "token types", e);
    if (!type) return NULL;
    r->type = type;
    bool ok = gguf_copy_i32(g, KEY "token_type", type, n, e) && gguf_each_string(g, KEY "tokens", add_length, r, e);
    r->t = ok ? tokenizer_new((int)n, r->total, n_merges, pre, pre_len, e) : NULL;
    ok = r->t && gguf_each_string(g, KEY "tokens", read_token, r, e) && tokenizer_index(r->t, e) &&
         gguf_each_string(g, KEY "merges", read_merge, r, e) && read_specials(g, r->t, e) && tokenizer_finish(r->t, e);
    mem_free(type);
    if (ok) return r->t;
    tokenizer_free(r->t);
    return NULL;
}

struct tokenizer *tokenizer_from_gguf(const struct gguf *g, struct err *e) {
    struct reading r = {0};
    alphabet_init(&r.alphabet);
    struct tokenizer *t = read_vocabulary(g, &r, e);
    strbuf_free(&r.buf);
    if (!t && e && strncmp(e->msg, gguf_path(g), strlen(gguf_path(g))) != 0)
        err_wrap(e, "%s", gguf_path(g)); /* the readers of keys have named the file already */
    return t;
}

/* Strings laid out in one buffer; pointers are taken once it no longer moves. */
static void put_strings(struct gguf_writer *w, const char *key, const struct strbuf *all, const size_t *len, size_t n) {
    const char **s = mem_small((n ? n : 1) * sizeof *s);
    const char *at = strbuf_str(all);
    for (size_t i = 0; i < n; i++) {
        s[i] = at;
        at += len[i];
    }
    gguf_put_strings(w, key, s, len, n);
    free(s);
}

static void put_tokens(const struct tokenizer *t, const struct byte_alphabet *a, struct gguf_writer *w) {
    size_t n = (size_t)t->n_vocab;
    size_t *len = mem_small(n * sizeof *len);
    int32_t *type = mem_small(n * sizeof *type);
    struct strbuf all = {0};
    for (size_t i = 0; i < n; i++) {
        size_t before = all.len, n_bytes = 0;
        const char *s = tokenizer_bytes(t, (int32_t)i, &n_bytes);
        if (t->type[i] == TOKEN_NORMAL)
            add_spelling(a, s, n_bytes, &all);
        else
            strbuf_add(&all, s, n_bytes);
        len[i] = all.len - before;
        type[i] = t->type[i];
    }
    put_strings(w, KEY "tokens", &all, len, n);
    gguf_put_i32s(w, KEY "token_type", type, n);
    strbuf_free(&all);
    free(len);
    free(type);
}

static void put_merges(const struct tokenizer *t, const struct byte_alphabet *a, struct gguf_writer *w) {
    size_t n = t->merges.n;
    size_t *len = mem_small((n ? n : 1) * sizeof *len);
    struct strbuf all = {0};
    for (size_t i = 0; i < n; i++) {
        size_t before = all.len, n_bytes = 0;
        const char *s = tokenizer_bytes(t, t->merges.rule[i].left, &n_bytes);
        add_spelling(a, s, n_bytes, &all);
        strbuf_putc(&all, ' ');
        s = tokenizer_bytes(t, t->merges.rule[i].right, &n_bytes);
        add_spelling(a, s, n_bytes, &all);
        len[i] = all.len - before;
    }
    put_strings(w, KEY "merges", &all, len, n);
    strbuf_free(&all);
    free(len);
}

void tokenizer_to_gguf(const struct tokenizer *t, struct gguf_writer *w) {
    struct byte_alphabet a;
    alphabet_init(&a);
    gguf_put_string(w, KEY "model", "gpt2");
    gguf_put_string(w, KEY "pre", t->pre);
    put_tokens(t, &a, w);
    put_merges(t, &a, w);
    gguf_put_u32(w, KEY "eos_token_id", (uint32_t)t->eos);
    if (t->bos >= 0) gguf_put_u32(w, KEY "bos_token_id", (uint32_t)t->bos);
    gguf_put_bool(w, KEY "add_bos_token", t->add_bos);
    if (t->chat_template[0]) gguf_put_string(w, "tokenizer.chat_template", t->chat_template);
}
