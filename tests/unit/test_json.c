/* JSON: what hostile or careless text must be refused for, with the line in the message, and JSONL read a line at a
 * time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"

static char dir[64], path[128];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/pbkd_json_XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/d.jsonl", dir);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    struct err e;
    return dir_remove_tree(dir, &e) ? 0 : -1;
}

/* Parse from a buffer of exactly the text's size, so that the address sanitiser sees a step too far. */
static cJSON *parse(const char *text, size_t len, struct err *e) {
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len) memcpy(copy, text, len);
    cJSON *v = json_parse(copy, len, "f.json", e);
    free(copy);
    return v;
}

static void good_text_is_read(void **state) {
    (void)state;
    static const char text[] = "\n{\"s\": \"\\u00e4 \xC3\xA4 \\\\u0000\", \"n\": -1.5e2, "
                               "\"S\": null, \"a\": [true, {}]}\r\n";
    struct err e;
    cJSON *v = parse(text, sizeof text - 1, &e);
    if (!v) fail_msg("%s", e.msg);
    const char *s;
    double n;
    assert_true(json_get_string(v, "s", "here", &s, &e));
    assert_string_equal(s, "\xC3\xA4 \xC3\xA4 \\u0000");
    assert_true(json_get_number(v, "n", "here", &n, &e) && n == -150.0);
    assert_false(json_get_string(v, "N", "here", &s, &e)); /* keys are case-sensitive */
    assert_string_equal(e.msg, "here: \"N\" is missing");
    assert_false(json_get_string(v, "n", "here", &s, &e));
    assert_string_equal(e.msg, "here: \"n\" must be a string, found number");
    assert_false(json_get_number(v, "S", "here", &n, &e));
    assert_string_equal(e.msg, "here: \"S\" must be a number, found null");
    const cJSON *a = cJSON_GetObjectItemCaseSensitive(v, "a");
    assert_false(json_get_string(a, "x", "here", &s, &e));
    assert_string_equal(e.msg, "here: must be an object, found array");
    assert_string_equal(json_type_name(a->child), "boolean");
    assert_string_equal(json_type_name(NULL), "nothing");
    cJSON_Delete(v);
}

struct refused {
    const char *text;
    size_t len; /* 0 = strlen */
    const char *message;
};

static const struct refused refused[] = {
    {"", 0, "f.json:1: not valid JSON"},
    {"{\"a\":1}\n\n{", 0, "f.json:3: more text after"},
    {"{\"a\":1,\n\"b\":}", 0, "f.json:2: not valid JSON"},
    {"{\"a\":1", 0, "not valid JSON"},
    {"{a:1}", 0, "not valid JSON"},
    {"[1,]", 0, "not valid JSON"},
    {"nul", 0, "not valid JSON"},
    {"\n\"abc", 0, "f.json:2: a string is not closed"},
    {"\"abc\\", 0, "a string is not closed"},
    {"\"a\\q\"", 0, "not valid JSON"},
    {"\"\\ud800\"", 0, "not valid JSON"},
    {"\"a\nb\"", 0, "unescaped control byte"},
    {"\"a\0b\"", 5, "unescaped control byte"},
    {"[1]\0", 4, "control byte in the text"},
    {"[\"x\\u0000\"]", 0, "\\u0000 is not accepted"},
    {"\"\xC3\"", 0, "not valid UTF-8"},
    {"\"\xC0\x80\"", 0, "not valid UTF-8"},
    {"\"\xED\xA0\x80\"", 0, "not valid UTF-8"},
    {"\"\xF0\x9F\x98", 0, "not valid UTF-8"},
    {"[1e999]", 0, "f.json:1: a number is too large"},
    {"{\"a\":1,\"b\":2,\"a\":3}", 0, "f.json:1: duplicate key a"},
    {"[{\"x\":{\"k\":1,\n\"k\":1}}]", 0, "f.json: duplicate key k"},
};

static void bad_text_is_refused_with_its_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct err e = {""};
        const size_t len = refused[i].len ? refused[i].len : strlen(refused[i].text);
        cJSON *v = parse(refused[i].text, len, &e);
        if (v) fail_msg("case %zu (%s) was accepted", i, refused[i].message);
        if (!strstr(e.msg, refused[i].message)) fail_msg("case %zu: \"%s\" lacks \"%s\"", i, e.msg, refused[i].message);
    }
}

static void depth_and_number_of_values_are_bounded(void **state) {
    (void)state;
    struct strbuf b = {0};
    struct err e;
    for (int depth = 128; depth <= 129; depth++) {
        strbuf_clear(&b);
        for (int i = 0; i < depth; i++) strbuf_putc(&b, '[');
        for (int i = 0; i < depth; i++) strbuf_putc(&b, ']');
        cJSON *v = parse(b.s, b.len, &e);
        if (depth == 128 && !v) fail_msg("%s", e.msg);
        if (depth == 129 && v) fail_msg("129 levels were accepted");
        cJSON_Delete(v);
    }
    assert_non_null(strstr(e.msg, "nested more than 128"));
    strbuf_clear(&b);
    strbuf_putc(&b, '[');
    for (int i = 0; i < (8 << 20) + 1; i++) strbuf_puts(&b, "0,");
    strbuf_puts(&b, "0]");
    assert_null(parse(b.s, b.len, &e));
    assert_non_null(strstr(e.msg, "more than 8 million values"));
    strbuf_free(&b);
}

static void duplicates_are_found_among_many_keys(void **state) {
    (void)state;
    for (int twice = 0; twice <= 1; twice++) {
        struct strbuf b = {0};
        struct err e;
        strbuf_putc(&b, '{');
        for (int i = 0; i < 5000; i++) strbuf_printf(&b, "\"k%d\":%d,", i, i);
        strbuf_printf(&b, "\"k%d\":0}", twice ? 2500 : 5000);
        cJSON *v = parse(b.s, b.len, &e);
        if (twice) {
            assert_null(v);
            assert_string_equal(e.msg, "f.json:1: duplicate key k2500");
            mem_fail_after(1);
            assert_null(json_parse(b.s, b.len, "f.json", &e));
            mem_fail_after(0);
            assert_non_null(strstr(e.msg, "cannot allocate"));
        } else if (!v) {
            fail_msg("%s", e.msg);
        }
        cJSON_Delete(v);
        strbuf_free(&b);
    }
}

static void every_cut_of_a_text_is_refused(void **state) {
    (void)state;
    static const char text[] = "{\"key\":[1.5,true,null,\"\\u00e4\xE2\x82\xAC\"],\"b\":{\"c\":false}}";
    struct err e;
    for (size_t n = 0; n < sizeof text - 1; n++)
        if (parse(text, n, &e)) fail_msg("cut to %zu bytes it was accepted", n);
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[bit / 8] ^= (char)(1 << bit % 8);
        cJSON_Delete(parse(copy, sizeof text - 1, &e));
    }
}

/* ---- files ---- */

struct seen {
    int rows, sum;
    int refuse_at;
    char where[160];
};

static bool take_row(void *ctx, const cJSON *obj, const char *where, struct err *e) {
    struct seen *s = ctx;
    double n;
    if (!json_get_number(obj, "n", where, &n, e)) return false;
    s->rows++;
    s->sum += (int)n;
    snprintf(s->where, sizeof s->where, "%s", where);
    return s->rows != s->refuse_at || err_set(e, "%s: enough", where);
}

static bool each(const char *text, struct seen *s, struct err *e) {
    assert_true(atomic_write(path, text, strlen(text), e));
    return jsonl_each(path, take_row, s, e);
}

static void jsonl_is_read_line_by_line(void **state) {
    (void)state;
    struct err e;
    struct seen s = {0};
    if (!each("{\"n\":1}\n\n  \t\r\n{\"n\":2}\r\n{\"n\":3}", &s, &e)) fail_msg("%s", e.msg);
    assert_int_equal(s.rows, 3);
    assert_int_equal(s.sum, 6);
    assert_non_null(strstr(s.where, "d.jsonl:5"));
    s = (struct seen){0};
    assert_true(each("", &s, &e)); /* no lines, no rows */
    assert_int_equal(s.rows, 0);
}

static void jsonl_stops_at_the_first_bad_line(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
        int rows;
    } bad[] = {
        {"{\"n\":1}\n{\"n\":\n{\"n\":3}\n", "d.jsonl:2: not valid JSON", 1},
        {"{\"n\":1}\n{\"m\":2}\n", "d.jsonl:2: \"n\" is missing", 1},
        {"{\"n\":1}\n\n[2]\n", "d.jsonl:3: each line must be an object, found array", 1},
        {"{\"n\":1,\"n\":2}\n", "d.jsonl:1: duplicate key n", 0},
        {"{\"n\":1}\n{\"n\":1}\n{\"n\":1e999}\n", "d.jsonl:3: a number is too large", 2},
    };
    struct err e;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct seen s = {0};
        assert_false(each(bad[i].text, &s, &e));
        if (!strstr(e.msg, bad[i].message)) fail_msg("\"%s\" lacks \"%s\"", e.msg, bad[i].message);
        assert_int_equal(s.rows, bad[i].rows);
    }
    struct seen s = {.refuse_at = 2};
    assert_false(each("{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n", &s, &e));
    assert_int_equal(s.rows, 2);
    assert_non_null(strstr(e.msg, "d.jsonl:2: enough"));
}

static void a_line_of_more_than_16_mib_is_refused(void **state) {
    (void)state;
    struct strbuf b = {0};
    struct err e;
    struct seen s = {0};
    strbuf_puts(&b, "{\"n\":1,\"text\":\"");
    char block[4096];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 4096; i++) strbuf_add(&b, block, sizeof block);
    strbuf_puts(&b, "\"}\n");
    assert_false(each(b.s, &s, &e));
    assert_non_null(strstr(e.msg, "longer than 16 MiB"));
    strbuf_free(&b);
}

static void files_are_read_or_named(void **state) {
    (void)state;
    struct err e;
    assert_true(atomic_write(path, "{\"a\":\n1}", 8, &e));
    cJSON *v = json_read_file(path, &e);
    assert_non_null(v);
    cJSON_Delete(v);
    assert_true(atomic_write(path, "{\n\n]", 4, &e));
    assert_null(json_read_file(path, &e));
    assert_non_null(strstr(e.msg, "d.jsonl:3: not valid JSON"));
    char none[160];
    struct seen s = {0};
    snprintf(none, sizeof none, "%s/none", dir);
    assert_null(json_read_file(none, &e));
    assert_non_null(strstr(e.msg, "none: cannot open"));
    assert_false(jsonl_each(none, take_row, &s, &e));
    assert_non_null(strstr(e.msg, "none: cannot open"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_is_read),
        cmocka_unit_test(bad_text_is_refused_with_its_line),
        cmocka_unit_test(depth_and_number_of_values_are_bounded),
        cmocka_unit_test(duplicates_are_found_among_many_keys),
        cmocka_unit_test(every_cut_of_a_text_is_refused),
        cmocka_unit_test(jsonl_is_read_line_by_line),
        cmocka_unit_test(jsonl_stops_at_the_first_bad_line),
        cmocka_unit_test(a_line_of_more_than_16_mib_is_refused),
        cmocka_unit_test(files_are_read_or_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
