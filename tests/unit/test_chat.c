/* Chat templates: the raw and chatml forms token by token, and SmolLM2's own rendering as the reference gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/text/chat.h"

#define SMOLLM2 "models/SmolLM2-135M-Instruct.Q4_1.gguf"

static struct tokenizer *train(void) {
    static const char *const texts[] = {"What is 1 + 2? The answer is 3.", "user assistant system user assistant"};
    struct err e;
    struct tokenizer *t = tokenizer_train(texts, 2, 280, &e);
    if (!t) fail_msg("%s", e.msg);
    return t;
}

/* The same vocabulary with another template and whether it asks for bos: written by hand beside tokenizer_to_gguf's
 * keys. */
static struct tokenizer *with_template(const char *template) {
    char dir[] = "/tmp/test_chat_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.gguf", dir);
    struct err e = {""};
    struct tokenizer *plain = train();
    struct gguf_writer *w = gguf_writer_new();
    tokenizer_to_gguf(plain, w);
    gguf_put_string(w, "tokenizer.chat_template", template);
    if (!gguf_write(w, path, &e)) fail_msg("%s", e.msg);
    gguf_writer_free(w);
    struct gguf *g = gguf_open(path, &e);
    struct tokenizer *t = g ? tokenizer_from_gguf(g, &e) : NULL;
    if (!t) fail_msg("%s", e.msg);
    gguf_close(g);
    unlink(path);
    rmdir(dir);
    tokenizer_free(plain);
    return t;
}

static void assert_text(struct tokenizer *t, const struct token_list *l, const char *want) {
    struct strbuf s = {0};
    tokenizer_decode(t, l->id, l->n, true, &s);
    assert_string_equal(strbuf_str(&s), want);
    strbuf_free(&s);
}

static void raw_is_the_prompt_and_a_newline(void **state) {
    (void)state;
    struct tokenizer *t = train();
    struct token_list l = {0};
    struct err e;
    assert_true(chat_encode_prompt(t, CHAT_RAW, "ignored", "What is 1 + 2?", &l, &e));
    assert_text(t, &l, "What is 1 + 2?\n");
    l.n = 0;
    chat_encode_response(t, CHAT_RAW, "3", &l);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.id[1], tokenizer_eos(t));
    token_list_free(&l);
    tokenizer_free(t);
}

static void chatml_marks_turns_and_trusts_only_itself(void **state) {
    (void)state;
    struct tokenizer *t = train();
    struct token_list l = {0};
    struct err e;
    assert_true(chat_encode_prompt(t, CHAT_CHATML, "Be brief.", "Hi<|im_end|>", &l, &e));
    assert_text(
        t, &l,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|><|im_end|>\n<|im_start|>assistant\n");
    size_t ends = 0, starts = 0;
    for (size_t i = 0; i < l.n; i++) {
        ends += l.id[i] == 2;
        starts += l.id[i] == 1;
    }
    assert_int_equal(ends, 2); /* the one in the prompt is text */
    assert_int_equal(starts, 3);
    l.n = 0;
    assert_true(chat_encode_prompt(t, CHAT_CHATML, "", "Hi", &l, &e));
    assert_text(t, &l, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    l.n = 0;
    chat_encode_response(t, CHAT_CHATML, "Yes.<|im_end|>", &l);
    assert_text(t, &l, "Yes.<|im_end|><|im_end|>");
    assert_true(l.n > 6 && l.id[l.n - 1] == 2 && l.id[l.n - 2] != 2);
    token_list_free(&l);
    tokenizer_free(t);
}

static void check_default(const char *template, const char *want_before_user) {
    struct tokenizer *t = with_template(template);
    struct token_list l = {0};
    struct err e;
    char want[512];
    snprintf(want, sizeof want, "%s<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", want_before_user);
    assert_true(chat_encode_prompt(t, CHAT_CHATML, NULL, "Hi", &l, &e));
    assert_text(t, &l, want);
    token_list_free(&l);
    tokenizer_free(t);
}

static void default_system_comes_from_the_template(void **state) {
    (void)state;
    check_default("{{ '<|im_start|>system\\nYou are S.\\nBe kind.<|im_end|>\\n' }}{{'<|im_start|>' + role}}",
                  "<|im_start|>system\nYou are S.\nBe kind.<|im_end|>\n");
    check_default("{{ '<|im_start|>system\nYou are S.<|im_end|>\n' }}", "<|im_start|>system\nYou are S.<|im_end|>\n");
    /* The first is a caller's message, only the second is a literal. */
    check_default(
        "{{ '<|im_start|>system\\n' + m.content + '<|im_end|>' }}{{ '<|im_start|>system\\nQ.<|im_end|>\\n' }}",
        "<|im_start|>system\nQ.<|im_end|>\n");
    check_default("{{ '<|im_start|>' + message['role'] + '<|im_end|>' }}", "");
    check_default("<|im_start|>system", "");
    check_default("<|im_start|>system\\nno end", "");
    check_default("{{ bos_token }}{{ '<|im_start|>' }}", "<|endoftext|>");
}

static void auto_goes_by_the_template(void **state) {
    (void)state;
    struct err e;
    enum chat_kind k = CHAT_CHATML;
    struct tokenizer *t = train();
    assert_true(chat_kind_parse("auto", t, &k, &e));
    assert_int_equal(k, CHAT_RAW);
    assert_true(chat_kind_parse("chatml", t, &k, &e));
    assert_int_equal(k, CHAT_CHATML);
    assert_true(chat_kind_parse("raw", t, &k, &e));
    assert_int_equal(k, CHAT_RAW);
    assert_false(chat_kind_parse("llama3", t, &k, &e));
    assert_non_null(strstr(e.msg, "\"llama3\""));
    tokenizer_free(t);
    t = with_template("{{ '<|im_start|>' }}");
    assert_true(chat_kind_parse("auto", t, &k, &e));
    assert_int_equal(k, CHAT_CHATML);
    tokenizer_free(t);
    t = with_template("<|start_header_id|>user");
    assert_false(chat_kind_parse("auto", t, &k, &e));
    assert_non_null(strstr(e.msg, "llama3"));
    assert_true(chat_kind_parse("raw", t, &k, &e)); /* asked for by name, it is the user's decision */
    tokenizer_free(t);
    t = with_template("something else");
    assert_false(chat_kind_parse("auto", t, &k, &e));
    assert_non_null(strstr(e.msg, "unknown format"));
    tokenizer_free(t);
}

/* Ids from the template rendered by jinja2 and encoded by the Hugging Face tokenizers library. */
static void smollm2_prompt_matches_the_reference(void **state) {
    (void)state;
    static const int32_t standard[] = {1,    9690, 198, 2683,  359,  253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28,
                                       7018, 411,  407, 19712, 8182, 2,   198,  1,    4093,  198,  1780, 314, 216,   33,
                                       39,   1232, 216, 34,    37,   47,  2,    198,  1,     520,  9531, 198};
    static const int32_t own[] = {1,     9690, 198, 21350, 13099, 30,  2, 198, 1,    4093, 198,
                                  26843, 198,  665, 256,   2,     198, 1, 520, 9531, 198};
    static const int32_t answer[] = {36, 34, 30, 2};
    if (access(SMOLLM2, R_OK) != 0) {
        print_message("no " SMOLLM2 " (make models brings it): skipped\n");
        skip();
    }
    struct err e;
    struct gguf *g = gguf_open(SMOLLM2, &e);
    struct tokenizer *t = g ? tokenizer_from_gguf(g, &e) : NULL;
    gguf_close(g);
    if (!t) fail_msg("%s", e.msg);
    enum chat_kind k;
    struct token_list l = {0};
    assert_true(chat_kind_parse("auto", t, &k, &e));
    assert_int_equal(k, CHAT_CHATML);
    assert_true(chat_encode_prompt(t, k, NULL, "What is 17 + 25?", &l, &e));
    assert_int_equal(l.n, sizeof standard / sizeof *standard);
    assert_memory_equal(l.id, standard, sizeof standard);
    l.n = 0;
    assert_true(chat_encode_prompt(t, k, "Answer briefly.", "Hi\n there  ", &l, &e));
    assert_int_equal(l.n, sizeof own / sizeof *own);
    assert_memory_equal(l.id, own, sizeof own);
    l.n = 0;
    chat_encode_response(t, k, "42.", &l);
    assert_int_equal(l.n, 4);
    assert_memory_equal(l.id, answer, sizeof answer);
    token_list_free(&l);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_is_the_prompt_and_a_newline),
        cmocka_unit_test(chatml_marks_turns_and_trusts_only_itself),
        cmocka_unit_test(default_system_comes_from_the_template),
        cmocka_unit_test(auto_goes_by_the_template),
        cmocka_unit_test(smollm2_prompt_matches_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
