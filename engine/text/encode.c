/* Encoding and decoding: marks are cut out of the text, the scanner cuts the rest into pieces, each piece is merged.
 *
 * A byte the vocabulary has no token for is dropped, as the reference implementations do; vocabularies made by
 * tokenizer_train hold all 256. */
#include <string.h>

#include "engine/text/piece_cache.h"
#include "engine/text/scanner.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_internal.h"

#define MAX_PIECE ((size_t)1 << 30) /* merging counts symbols in 32 bits */

static void merge_piece(struct tokenizer *t, const char *s, size_t len) {
    t->piece.n = 0;
    if (t->ignore_merges) {
        int32_t whole = tokenizer_word(t, s, len);
        if (whole >= 0) {
            token_list_add(&t->piece, whole);
            return;
        }
    }
    for (size_t i = 0; i < len; i++) {
        int32_t id = t->byte_id[(unsigned char)s[i]];
        if (id >= 0) token_list_add(&t->piece, id);
    }
    t->piece.n = bpe_merge(&t->merges, t->scratch, t->piece.id, t->piece.n);
}

static void encode_piece(struct tokenizer *t, const char *s, size_t len, struct token_list *out) {
    size_t n = 0;
    const int32_t *id = piece_cache_find(t->cache, s, len, &n);
    if (!id) {
        merge_piece(t, s, len);
        id = t->piece.id;
        n = t->piece.n;
        piece_cache_put(t->cache, s, len, id, n);
    }
    for (size_t i = 0; i < n; i++) token_list_add(out, id[i]);
}

static void encode_plain(struct tokenizer *t, const char *s, size_t len, struct token_list *out) {
    while (len > 0) {
        size_t piece = scanner_next(t->scan, s, len);
        for (size_t at = 0; at < piece; at += MAX_PIECE)
            encode_piece(t, s + at, piece - at < MAX_PIECE ? piece - at : MAX_PIECE, out);
        s += piece;
        len -= piece;
    }
}

/* The longest mark that stands at s, -1 when none does. User-defined tokens are ordinary text with one id; control
 * tokens count only where the caller vouches for the text. */
static int32_t mark_at(const struct tokenizer *t, const char *s, size_t len, bool parse_special) {
    if (!t->mark_first[(unsigned char)*s]) return -1;
    for (size_t i = 0; i < t->n_mark; i++) {
        size_t n = 0;
        const char *m = tokenizer_bytes(t, t->mark[i], &n);
        if (n <= len && *m == *s && (parse_special || t->type[t->mark[i]] == TOKEN_USER) && memcmp(m, s, n) == 0)
            return t->mark[i];
    }
    return -1;
}

void tokenizer_encode(struct tokenizer *t, const char *text, size_t len, bool parse_special, struct token_list *out) {
    size_t plain = 0;
    for (size_t i = 0; i < len;) {
        int32_t id = mark_at(t, text + i, len - i, parse_special);
        if (id < 0) {
            i++;
            continue;
        }
        encode_plain(t, text + plain, i - plain, out);
        token_list_add(out, id);
        i += t->start[id + 1] - t->start[id];
        plain = i;
    }
    encode_plain(t, text + plain, len - plain, out);
}

void tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool show_special, struct strbuf *out) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= t->n_vocab || (!show_special && tokenizer_is_special(t, ids[i]))) continue;
        size_t len = 0;
        const char *s = tokenizer_bytes(t, ids[i], &len);
        strbuf_add(out, s, len);
    }
}
