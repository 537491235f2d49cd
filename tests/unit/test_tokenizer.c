/* Tokenizer: scanners and ids against other implementations' results (golden files), training against recounting, and
 * the round trips that everything else builds on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/text/scanner.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_internal.h"

#define SMOLLM2 "models/SmolLM2-135M-Instruct.Q4_1.gguf"

static const char *const corpus[] = {"the cat and the dog and the bird sat on the mat; the cat sat",
                                     "What is 17 + 25? The answer is 42.",
                                     "What is 3 + 4? The answer is 7.",
                                     "banana bandana aaaa aaaaaaa ananas",
                                     "I'm sure they'll say it's what we've said.",
                                     "Caf\xC3\xA9 d\xC3\xA9j\xC3\xA0 vu. Caf\xC3\xA9!",
                                     "for (int i = 0; i < n; i++)\n    sum += v[i];\n\n"};
#define N_CORPUS (sizeof corpus / sizeof *corpus)

static struct tokenizer *train(int n_vocab) {
    struct err e;
    struct tokenizer *t = tokenizer_train(corpus, N_CORPUS, n_vocab, &e);
    if (!t) fail_msg("%s", e.msg);
    return t;
}

/* ---- golden files: "text<TAB>numbers[<TAB>numbers...]" ---- */

static size_t unescape(char *s) {
    size_t n = 0;
    for (char *p = s; *p; n++) {
        unsigned byte = 0;
        if (p[0] == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &byte) == 1) {
            s[n] = (char)(unsigned char)byte;
            p += 4;
        } else {
            p += p[0] == '\\';
            s[n] = *p++;
        }
    }
    return n;
}

struct golden {
    char *text, *column[3];
    size_t len;
};

/* The next case of the file; false at its end. Pointers are into line. */
static bool next_golden(FILE *f, char **line, size_t *cap, int columns, struct golden *g) {
    while (getline(line, cap, f) > 0) {
        if ((*line)[0] == '#') continue;
        char *rest = *line;
        g->text = strsep(&rest, "\t");
        for (int c = 0; c < columns; c++) {
            assert_non_null(rest);
            g->column[c] = strsep(&rest, "\t\n");
        }
        g->len = unescape(g->text);
        return true;
    }
    return false;
}

static void check_split(const struct golden *g, unsigned flags, char *want) {
    size_t at = 0;
    while (at < g->len) {
        size_t n = scanner_next(flags, g->text + at, g->len - at);
        if (strtoull(want, &want, 10) != n)
            fail_msg("\"%.*s\", flags %u: piece at %zu", (int)g->len, g->text, flags, at);
        at += n;
    }
    assert_int_equal(strspn(want, " \n"), strlen(want));
}

static void scanners_cut_as_the_published_patterns(void **state) {
    (void)state;
    FILE *f = fopen("tests/unit/golden_splits.txt", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t cap = 0, n = 0;
    for (struct golden g; next_golden(f, &line, &cap, 3, &g); n++) {
        check_split(&g, SCAN_GPT2, g.column[0]);
        check_split(&g, SCAN_SMOLLM, g.column[1]);
        check_split(&g, SCAN_LLAMA3, g.column[2]);
    }
    assert_true(n > 150);
    free(line);
    fclose(f);
}

static void smollm2_ids_match_the_reference(void **state) {
    (void)state;
    if (access(SMOLLM2, R_OK) != 0) {
        print_message("no " SMOLLM2 " (make models brings it): skipped\n");
        skip();
    }
    struct err e;
    struct gguf *g = gguf_open(SMOLLM2, &e);
    struct tokenizer *t = g ? tokenizer_from_gguf(g, &e) : NULL;
    gguf_close(g);
    if (!t) fail_msg("%s", e.msg);
    assert_int_equal(tokenizer_n_vocab(t), 49152);
    FILE *f = fopen("tests/unit/golden_smollm2.txt", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t cap = 0, n = 0;
    struct token_list ids = {0};
    for (struct golden c; next_golden(f, &line, &cap, 1, &c); n++) {
        ids.n = 0;
        tokenizer_encode(t, c.text, c.len, false, &ids);
        char *want = c.column[0];
        for (size_t i = 0; i < ids.n; i++)
            if (strtol(want, &want, 10) != ids.id[i]) fail_msg("\"%.*s\": id %zu", (int)c.len, c.text, i);
        assert_int_equal(strspn(want, " \n"), strlen(want));
    }
    assert_true(n > 300);
    assert_true(tokenizer_is_end(t, 2) && tokenizer_is_end(t, 0) && !tokenizer_is_end(t, 1));
    token_list_free(&ids);
    free(line);
    fclose(f);
    tokenizer_free(t);
}

/* ---- training ---- */

/* Ids of the words of the corpus, each occurrence on its own: the slow and obvious form of what the trainer keeps. */
struct recount {
    int32_t *sym[2000];
    size_t n[2000], n_words;
};

static size_t count_pair(const struct recount *r, int32_t a, int32_t b) {
    size_t c = 0;
    for (size_t w = 0; w < r->n_words; w++)
        for (size_t i = 0; i + 1 < r->n[w]; i++) c += r->sym[w][i] == a && r->sym[w][i + 1] == b;
    return c;
}

static size_t highest_count(const struct recount *r) {
    size_t best = 0;
    for (size_t w = 0; w < r->n_words; w++)
        for (size_t i = 0; i + 1 < r->n[w]; i++) {
            size_t c = count_pair(r, r->sym[w][i], r->sym[w][i + 1]);
            best = c > best ? c : best;
        }
    return best;
}

static void apply(struct recount *r, const struct bpe_rule *rule) {
    for (size_t w = 0; w < r->n_words; w++) {
        size_t out = 0;
        for (size_t i = 0; i < r->n[w]; out++) {
            bool hit = i + 1 < r->n[w] && r->sym[w][i] == rule->left && r->sym[w][i + 1] == rule->right;
            r->sym[w][out] = hit ? rule->out : r->sym[w][i];
            i += hit ? 2 : 1;
        }
        r->n[w] = out;
    }
}

static void every_merge_is_the_most_frequent_pair(void **state) {
    (void)state;
    struct tokenizer *t = train(1000);
    struct recount r = {0};
    for (size_t k = 0; k < N_CORPUS; k++)
        for (size_t at = 0, n = 0, len = strlen(corpus[k]); at < len; at += n) {
            n = scanner_next(SCAN_SMOLLM, corpus[k] + at, len - at);
            int32_t *sym = r.sym[r.n_words] = calloc(n, sizeof *sym);
            for (size_t i = 0; i < n; i++) sym[i] = t->byte_id[(unsigned char)corpus[k][at + i]];
            r.n[r.n_words++] = n;
        }
    assert_true(t->merges.n > 20);
    for (size_t i = 0; i < t->merges.n; i++) {
        const struct bpe_rule *rule = &t->merges.rule[i];
        size_t c = count_pair(&r, rule->left, rule->right);
        assert_true(c >= 2);
        assert_int_equal(c, highest_count(&r));
        apply(&r, rule);
    }
    assert_true(highest_count(&r) < 2); /* 1000 was out of reach, so it learnt all there is */
    for (size_t w = 0; w < r.n_words; w++) free(r.sym[w]);
    tokenizer_free(t);
}

static void ties_go_to_the_pair_seen_first(void **state) {
    (void)state;
    /* Counts: (a,b) 3, then in order of sight (space,c) 2, (c,d) 2, (space,ab) 2. */
    const char *const texts[] = {"ab ab ab cd cd"};
    struct err e;
    struct tokenizer *t = tokenizer_train(texts, 1, 400, &e);
    assert_non_null(t);
    assert_int_equal(tokenizer_find(t, "ab"), 259);
    assert_int_equal(tokenizer_find(t, " c"), 260);
    assert_int_equal(tokenizer_find(t, " ab"), 261);
    assert_int_equal(tokenizer_find(t, " cd"), 262);
    assert_int_equal(tokenizer_n_vocab(t), 263);
    tokenizer_free(t);
}

static void training_is_a_function_of_the_texts(void **state) {
    (void)state;
    struct tokenizer *a = train(290), *b = train(290), *c = train(289);
    assert_int_equal(tokenizer_n_vocab(a), 290);
    assert_true(tokenizer_hash(a) == tokenizer_hash(b));
    assert_true(tokenizer_hash(a) != tokenizer_hash(c));
    struct err e;
    assert_null(tokenizer_train(corpus, N_CORPUS, 258, &e));
    assert_non_null(strstr(e.msg, "259"));
    struct tokenizer *bare = tokenizer_train(NULL, 0, 1000, &e);
    assert_non_null(bare);
    assert_int_equal(tokenizer_n_vocab(bare), 259);
    tokenizer_free(bare);
    tokenizer_free(a);
    tokenizer_free(b);
    tokenizer_free(c);
}

static void failed_allocations_are_errors(void **state) {
    (void)state;
    struct tokenizer *t = NULL;
    long n = 0;
    while (!t && n < 100) {
        struct err e = {""};
        mem_fail_after(++n);
        t = tokenizer_train(corpus, N_CORPUS, 280, &e);
        assert_true(t || strstr(e.msg, "cannot allocate"));
    }
    mem_fail_after(0);
    assert_non_null(t);
    assert_true(n > 8);
    tokenizer_free(t);
}

/* ---- encoding ---- */

static void check_round_trip(struct tokenizer *t, const char *s, size_t len) {
    struct token_list ids = {0};
    struct strbuf back = {0};
    tokenizer_encode(t, s, len, false, &ids);
    tokenizer_decode(t, ids.id, ids.n, false, &back);
    assert_int_equal(back.len, len);
    assert_memory_equal(strbuf_str(&back), s, len);
    token_list_free(&ids);
    strbuf_free(&back);
}

static void any_bytes_come_back(void **state) {
    (void)state;
    struct tokenizer *t = train(320);
    char s[300];
    for (int b = 0; b < 256; b++) s[b] = (char)(unsigned char)b;
    check_round_trip(t, s, 256);
    check_round_trip(t, "", 0);
    static const char cut[] =
        "ab\xE4\xBD|\xFF\xFE|\xED\xA0\x80|\xC0\x80|\xF4\x90\x80\x80|\xF0\x9F\x98"; /* ill-formed */
    check_round_trip(t, cut, sizeof cut);
    for (uint64_t k = 0; k < 2000; k++) {
        size_t len = (size_t)rng_below(sizeof s, 1, RNG_TEST, k, 0);
        uint64_t range = k % 2 ? 256 : 4; /* few different bytes make many merges */
        for (size_t i = 0; i < len; i++) {
            uint64_t v = rng_below(range, 2, RNG_TEST, k, i);
            s[i] = range == 4 ? "an b"[v] : (char)(unsigned char)v;
        }
        check_round_trip(t, s, len);
    }
    tokenizer_free(t);
}

/* Lowest rank first, leftmost of equals, by looking at every pair every time. */
static size_t merge_slowly(const struct bpe_table *m, int32_t *ids, size_t n) {
    for (;;) {
        size_t best = n;
        int32_t rank = INT32_MAX;
        for (size_t i = 0; i + 1 < n; i++) {
            int32_t r = bpe_table_find(m, ids[i], ids[i + 1]);
            if (r >= 0 && r < rank) {
                rank = r;
                best = i;
            }
        }
        if (best == n) return n;
        ids[best] = m->rule[rank].out;
        memmove(ids + best + 1, ids + best + 2, (n - best - 2) * sizeof *ids);
        n--;
    }
}

static void heap_merging_equals_slow_merging(void **state) {
    (void)state;
    struct tokenizer *t = train(330);
    struct bpe_scratch *scratch = bpe_scratch_new();
    static const char letters[] = "an aebtdh";
    for (uint64_t k = 0; k < 3000; k++) {
        int32_t a[40], b[40];
        size_t n = (size_t)rng_below(41, 3, RNG_TEST, k, 0);
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] = t->byte_id[(unsigned char)letters[rng_below(sizeof letters - 1, 4, RNG_TEST, k, i)]];
        size_t m = bpe_merge(&t->merges, scratch, a, n);
        assert_int_equal(m, merge_slowly(&t->merges, b, n));
        assert_memory_equal(a, b, m * sizeof *a);
    }
    bpe_scratch_free(scratch);
    tokenizer_free(t);
}

static void a_megabyte_of_one_letter_is_fine(void **state) {
    (void)state;
    struct tokenizer *t = train(330);
    size_t n = (size_t)1 << 20;
    char *s = malloc(n);
    for (const char *c = "a \n<1\xFF"; *c; c++) {
        memset(s, *c, n);
        check_round_trip(t, s, n);
    }
    free(s);
    tokenizer_free(t);
}

static void every_digit_is_its_own_token(void **state) {
    (void)state;
    struct tokenizer *t = train(330);
    struct token_list ids = {0};
    tokenizer_encode(t, "1717", 4, false, &ids);
    assert_int_equal(ids.n, 4);
    assert_int_equal(ids.id[0], tokenizer_find(t, "1"));
    assert_int_equal(ids.id[0], ids.id[2]);
    token_list_free(&ids);
    tokenizer_free(t);
}

static void specials_count_only_where_asked(void **state) {
    (void)state;
    static const char text[] = "hi<|im_end|>there<|im_end|";
    struct tokenizer *t = train(320);
    struct token_list ids = {0};
    struct strbuf out = {0};
    tokenizer_encode(t, text, strlen(text), false, &ids);
    for (size_t i = 0; i < ids.n; i++) assert_false(tokenizer_is_special(t, ids.id[i]));
    ids.n = 0;
    tokenizer_encode(t, text, strlen(text), true, &ids);
    size_t specials = 0;
    for (size_t i = 0; i < ids.n; i++) specials += ids.id[i] == 2;
    assert_int_equal(specials, 1);
    tokenizer_decode(t, ids.id, ids.n, false, &out);
    assert_string_equal(strbuf_str(&out), "hithere<|im_end|");
    strbuf_clear(&out);
    tokenizer_decode(t, ids.id, ids.n, true, &out);
    assert_string_equal(strbuf_str(&out), text);
    assert_int_equal(tokenizer_eos(t), 2);
    assert_int_equal(tokenizer_find(t, "<|im_end|>"), 2);
    assert_int_equal(tokenizer_find(t, "no such token"), -1);
    assert_true(tokenizer_is_end(t, 0) && !tokenizer_is_end(t, 1) && tokenizer_is_end(t, 2) && !tokenizer_is_end(t, 3));
    assert_false(tokenizer_is_end(t, -1) || tokenizer_is_special(t, tokenizer_n_vocab(t)));
    const int32_t outside[] = {-1, INT32_MAX};
    strbuf_clear(&out);
    tokenizer_decode(t, outside, 2, true, &out);
    assert_int_equal(out.len, 0);
    token_list_free(&ids);
    strbuf_free(&out);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanners_cut_as_the_published_patterns),
        cmocka_unit_test(smollm2_ids_match_the_reference),
        cmocka_unit_test(every_merge_is_the_most_frequent_pair),
        cmocka_unit_test(ties_go_to_the_pair_seen_first),
        cmocka_unit_test(training_is_a_function_of_the_texts),
        cmocka_unit_test(failed_allocations_are_errors),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(heap_merging_equals_slow_merging),
        cmocka_unit_test(a_megabyte_of_one_letter_is_fine),
        cmocka_unit_test(every_digit_is_its_own_token),
        cmocka_unit_test(specials_count_only_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
