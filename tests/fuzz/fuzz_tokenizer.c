/* Fuzzing the tokenizer: whatever the bytes, encoding and decoding again gives them back, with specials parsed or not,
 * and the scanners cut them into pieces that cover the text. A failure aborts. */
#include <stdlib.h>
#include <string.h>

#include "engine/text/scanner.h"
#include "engine/text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tokenizer *trained(void) {
    static const char *const texts[] = {"What is 17 + 25? The answer is 42.",
                                        "I'm sure they'll say it's what we've said: don't worry!",
                                        "for (int i = 0; i < n; i++)\n    sum += v[i];\n",
                                        "Caf\xC3\xA9 d\xC3\xA9j\xC3\xA0 vu, \xE4\xBD\xA0\xE5\xA5\xBD",
                                        "the cat and the dog and the bird   sat   on the mat\r\n\r\n"};
    struct err e;
    struct tokenizer *t = tokenizer_train(texts, sizeof texts / sizeof *texts, 320, &e);
    if (!t) abort();
    return t;
}

static void check_scanner(unsigned flags, const char *s, size_t len) {
    for (size_t at = 0; at < len;) {
        size_t n = scanner_next(flags, s + at, len - at);
        if (n == 0 || n > len - at) abort();
        at += n;
    }
}

static void check_round_trip(struct tokenizer *t, const char *s, size_t len, bool parse_special) {
    struct token_list ids = {0};
    struct strbuf back = {0};
    tokenizer_encode(t, s, len, parse_special, &ids);
    for (size_t i = 0; i < ids.n; i++)
        if (!parse_special && tokenizer_is_special(t, ids.id[i])) abort(); /* text must not be able to make a special */
    tokenizer_decode(t, ids.id, ids.n, true, &back);
    if (back.len != len || memcmp(strbuf_str(&back), s, len) != 0) abort();
    token_list_free(&ids);
    strbuf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct tokenizer *t; /* kept for the life of the process: training is dearer than the checks */
    if (!t) t = trained();
    const char *s = size ? (const char *)data : "";
    check_round_trip(t, s, size, false);
    check_round_trip(t, s, size, true);
    check_scanner(SCAN_GPT2, s, size);
    check_scanner(SCAN_SMOLLM, s, size);
    check_scanner(SCAN_LLAMA3, s, size);
    return 0;
}
