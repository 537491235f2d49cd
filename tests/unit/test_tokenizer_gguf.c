/* Tokenizers in GGUF files: what is written is read back as the same vocabulary, and wrong files are refused by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/text/tokenizer.h"

static char dir[] = "/tmp/test_tokenizer_XXXXXX", path[64];

static int make_dir(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/t.gguf", dir);
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    unlink(path);
    return rmdir(dir);
}

/* Write w to the file and read a tokenizer from it. */
static struct tokenizer *through_file(struct gguf_writer *w, struct err *e) {
    if (!gguf_write(w, path, e)) fail_msg("%s", e->msg);
    gguf_writer_free(w);
    struct gguf *g = gguf_open(path, e);
    if (!g) fail_msg("%s", e->msg);
    struct tokenizer *t = tokenizer_from_gguf(g, e);
    gguf_close(g);
    return t;
}

static void written_and_read_back_is_the_same(void **state) {
    (void)state;
    static const char *const texts[] = {"the cat and the dog, the end \xC3\xA9\xC3\xA9", "What is 1 + 2?\nthe answer"};
    struct err e;
    struct tokenizer *a = tokenizer_train(texts, 2, 275, &e);
    assert_non_null(a);
    struct gguf_writer *w = gguf_writer_new();
    tokenizer_to_gguf(a, w);
    struct tokenizer *b = through_file(w, &e);
    if (!b) fail_msg("%s", e.msg);
    assert_true(tokenizer_hash(a) == tokenizer_hash(b));
    assert_int_equal(tokenizer_n_vocab(a), tokenizer_n_vocab(b));
    assert_int_equal(tokenizer_eos(b), 2);
    assert_int_equal(tokenizer_bos(b), 0);
    assert_false(tokenizer_add_bos(b));
    assert_string_equal(tokenizer_chat_template(b), "");
    for (int32_t id = 0; id < tokenizer_n_vocab(a); id++) {
        struct strbuf x = {0}, y = {0};
        assert_int_equal(tokenizer_is_special(a, id), tokenizer_is_special(b, id));
        assert_int_equal(tokenizer_is_end(a, id), tokenizer_is_end(b, id));
        tokenizer_decode(a, &id, 1, true, &x);
        tokenizer_decode(b, &id, 1, true, &y);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.s, y.s, x.len);
        strbuf_free(&x);
        strbuf_free(&y);
    }
    struct token_list p = {0}, q = {0};
    tokenizer_encode(a, texts[0], strlen(texts[0]), false, &p);
    tokenizer_encode(b, texts[0], strlen(texts[0]), false, &q);
    assert_int_equal(p.n, q.n);
    assert_memory_equal(p.id, q.id, p.n * sizeof *p.id);
    token_list_free(&p);
    token_list_free(&q);
    tokenizer_free(a);
    tokenizer_free(b);
}

/* A small vocabulary that tests bend: a b c ab abc Ġ <user> <s> <e>. */
struct recipe {
    const char *model, *pre, *token[10], *merge[3];
    int32_t type[10];
    uint32_t eos, bos;
    size_t n_types;
    const char *template;
};

static struct recipe good(void) {
    return (struct recipe){.model = "gpt2",
                           .pre = "llama-bpe",
                           .token = {"a", "b", "c", "ab", "abc", "\xC4\xA0", "<user>", "<s>", "<e>"},
                           .merge = {"a b"},
                           .type = {1, 1, 1, 1, 1, 1, 4, 3, 3},
                           .eos = 8,
                           .bos = 7,
                           .n_types = 9,
                           .template = "{{ bos_token }}"};
}

static struct tokenizer *make(const struct recipe *r, struct err *e) {
    struct gguf_writer *w = gguf_writer_new();
    size_t len[10], n = 0, n_merges = 0, merge_len[3];
    for (; n < 10 && r->token[n]; n++) len[n] = strlen(r->token[n]);
    for (; n_merges < 3 && r->merge[n_merges]; n_merges++) merge_len[n_merges] = strlen(r->merge[n_merges]);
    if (r->model) gguf_put_string(w, "tokenizer.ggml.model", r->model);
    if (r->pre) gguf_put_string(w, "tokenizer.ggml.pre", r->pre);
    gguf_put_strings(w, "tokenizer.ggml.tokens", r->token, len, n);
    gguf_put_i32s(w, "tokenizer.ggml.token_type", r->type, r->n_types);
    gguf_put_strings(w, "tokenizer.ggml.merges", r->merge, merge_len, n_merges);
    if (r->eos != UINT32_MAX) gguf_put_u32(w, "tokenizer.ggml.eos_token_id", r->eos);
    if (r->bos != UINT32_MAX) gguf_put_u32(w, "tokenizer.ggml.bos_token_id", r->bos);
    if (r->template) gguf_put_string(w, "tokenizer.chat_template", r->template);
    return through_file(w, e);
}

static void check_ids(struct tokenizer *t, const char *text, bool parse_special, const int32_t *want, size_t n) {
    struct token_list ids = {0};
    tokenizer_encode(t, text, strlen(text), parse_special, &ids);
    assert_int_equal(ids.n, n);
    assert_memory_equal(ids.id, want, n * sizeof *want);
    token_list_free(&ids);
}

static void llama_bpe_takes_whole_tokens_and_asks_for_bos(void **state) {
    (void)state;
    struct err e;
    struct recipe r = good();
    struct tokenizer *t = make(&r, &e);
    if (!t) fail_msg("%s", e.msg);
    assert_true(tokenizer_add_bos(t));
    assert_string_equal(tokenizer_chat_template(t), "{{ bos_token }}");
    check_ids(t, "abc", false, (const int32_t[]){4}, 1); /* no merge makes it */
    check_ids(t, "cab ab", false, (const int32_t[]){2, 3, 5, 3}, 4);
    check_ids(t, "a<user>b", false, (const int32_t[]){0, 6, 1}, 3); /* user-defined tokens are text */
    check_ids(t, "a<s>b", true, (const int32_t[]){0, 7, 1}, 3);
    check_ids(t, "a<s>b", false, (const int32_t[]){0, 1}, 2); /* '<', 's', '>' have no tokens here */
    tokenizer_free(t);
    r.pre = "gpt-2";
    t = make(&r, &e);
    assert_non_null(t);
    assert_false(tokenizer_add_bos(t));
    check_ids(t, "abc", false, (const int32_t[]){3, 2}, 2);
    tokenizer_free(t);
}

static void refused(struct recipe r, const char *why) {
    struct err e;
    assert_null(make(&r, &e));
    if (!strstr(e.msg, why)) fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
    assert_non_null(strstr(e.msg, path));
}

static void wrong_files_are_refused_by_name(void **state) {
    (void)state;
#define WITH(change, why)                                                                                              \
    do {                                                                                                               \
        struct recipe r = good();                                                                                      \
        change;                                                                                                        \
        refused(r, why);                                                                                               \
    } while (0)
    WITH(r.model = "llama", "\"llama\"");
    WITH(r.model = NULL, "tokenizer.ggml.model");
    WITH(r.pre = "qwen35", "\"qwen35\"");
    WITH(r.pre = NULL, "tokenizer.ggml.pre");
    WITH(r.eos = UINT32_MAX, "eos_token_id");
    WITH(r.eos = 9, "eos_token_id");
    WITH(r.bos = 4000000000u, "bos_token_id");
    WITH(r.n_types = 8, "token_type");
    WITH(r.type[3] = 6, "type 6");
    WITH(r.type[3] = -1, "type -1");
    WITH(r.token[5] = "\xC5\xBF", "stands for no byte");
    WITH(r.token[5] = " ", "stands for no byte");
    WITH(r.token[5] = "\xC4", "stands for no byte");
    WITH(r.token[5] = "", "empty");
    WITH(r.token[4] = "ab", "same");
    WITH(r.merge[0] = "ab", "two parts");
    WITH(r.merge[0] = " b", "two parts");
    WITH(r.merge[0] = "a ", "merge 0");
    WITH(r.merge[0] = "a z", "not in the vocabulary");
    WITH(r.merge[0] = "b a", "not in the vocabulary");
    WITH(r.merge[1] = "a b", "repeats");
#undef WITH
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_read_back_is_the_same),
        cmocka_unit_test(llama_bpe_takes_whole_tokens_and_asks_for_bos),
        cmocka_unit_test(wrong_files_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
