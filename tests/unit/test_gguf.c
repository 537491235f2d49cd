/* Reading GGUF: hostile files (cut at every byte, every bit flipped, and one case for each bound the reader must hold)
 * are refused with a message and touch nothing outside their bytes, which lie in a buffer of exactly their size so that
 * the address sanitiser sees every step too far. */
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
#include "engine/base/mem.h"
#include "engine/base/strbuf.h"
#include "engine/formats/gguf.h"
#include "engine/formats/quant.h"

static char dir[64];

static int set_up(void **state) {
    (void)state;
    strcpy(dir, "/tmp/pbkd_gguf_XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    struct err e;
    return dir_remove_tree(dir, &e) ? 0 : -1;
}

/* ---- building files by hand, right and wrong ---- */

static void u32(struct strbuf *b, uint32_t v) { strbuf_add(b, &v, 4); }
static void u64(struct strbuf *b, uint64_t v) { strbuf_add(b, &v, 8); }

static void str(struct strbuf *b, const char *s) {
    u64(b, strlen(s));
    strbuf_puts(b, s);
}

static void header(struct strbuf *b, uint32_t version, uint64_t n_tensors, uint64_t n_kv) {
    strbuf_puts(b, "GGUF");
    u32(b, version);
    u64(b, n_tensors);
    u64(b, n_kv);
}

static void key(struct strbuf *b, const char *name, uint32_t type) {
    str(b, name);
    u32(b, type);
}

static void array(struct strbuf *b, const char *name, uint32_t elem, uint64_t n) {
    key(b, name, GGUF_ARRAY);
    u32(b, elem);
    u64(b, n);
}

static void tensor(struct strbuf *b, const char *name, uint32_t n_dims, const uint64_t *ne, uint32_t type,
                   uint64_t offset) {
    str(b, name);
    u32(b, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) u64(b, ne[i]);
    u32(b, type);
    u64(b, offset);
}

static void pad(struct strbuf *b, size_t align) {
    while (b->len % align) strbuf_putc(b, 0);
}

static void zeros(struct strbuf *b, size_t n) {
    while (n--) strbuf_putc(b, 0);
}

/* One key of every type, three tensors. */
static void good_file(struct strbuf *b) {
    const float f = 1.5f;
    const double d = -2.25;
    header(b, 3, 3, 17);
    key(b, "u8", GGUF_U8), strbuf_putc(b, (char)200);
    key(b, "i8", GGUF_I8), strbuf_putc(b, -3);
    key(b, "u16", GGUF_U16), strbuf_add(b, "\x01\x02", 2);
    key(b, "i16", GGUF_I16), strbuf_add(b, "\x05\x00", 2);
    key(b, "u32", GGUF_U32), u32(b, 4000000000u);
    key(b, "i32", GGUF_I32), u32(b, 7);
    key(b, "f32", GGUF_F32), strbuf_add(b, &f, 4);
    key(b, "bool", GGUF_BOOL), strbuf_putc(b, 1);
    key(b, "string", GGUF_STRING), str(b, "two\nlines");
    key(b, "u64", GGUF_U64), u64(b, 1ull << 40);
    key(b, "i64", GGUF_I64), u64(b, 11);
    key(b, "f64", GGUF_F64), strbuf_add(b, &d, 8);
    array(b, "strings", GGUF_STRING, 3), str(b, "a"), str(b, ""), str(b, "ccc");
    array(b, "i32s", GGUF_I32, 2), u32(b, 5), u32(b, (uint32_t)-6);
    array(b, "u32s", GGUF_U32, 2), u32(b, 1), u32(b, 0x80000000u);
    array(b, "f32s", GGUF_F32, 1), strbuf_add(b, &f, 4);
    array(b, "empty", GGUF_U8, 0);
    tensor(b, "a", 1, (uint64_t[]){3}, QUANT_F32, 0);
    tensor(b, "b", 2, (uint64_t[]){32, 2}, QUANT_Q8_0, 32);
    tensor(b, "c", 4, (uint64_t[]){2, 1, 3, 1}, QUANT_F16, 128);
    pad(b, 32);
    zeros(b, 128 + 12);
}

/* Open from a buffer of exactly the file's size. */
static struct gguf *open_copy(const void *data, size_t len, void **copy, struct err *e) {
    *copy = malloc(len ? len : 1);
    assert_non_null(*copy);
    if (len) memcpy(*copy, data, len);
    e->msg[0] = '\0';
    struct gguf *g = gguf_open_memory("m.gguf", *copy, len, e);
    if (!g) assert_true(e->msg[0] != '\0');
    return g;
}

static bool count_bytes(void *ctx, size_t i, const char *s, size_t len, struct err *e) {
    (void)e;
    for (size_t k = 0; k < len; k++) *(size_t *)ctx += (unsigned char)s[k] * 0u + 1u;
    return i < (1u << 30);
}

/* Read every byte an accessor can reach. */
static void walk(const struct gguf *g) {
    struct err e;
    size_t touched = 0;
    for (size_t i = 0; i < gguf_n_keys(g); i++) {
        const char *k = gguf_key(g, i), *s;
        char text[40];
        uint32_t u;
        float f;
        int32_t is[4];
        bool b;
        size_t n;
        enum gguf_value_type elem;
        gguf_describe_value(g, i, text, sizeof text);
        gguf_get_u32(g, k, &u, &e);
        gguf_get_f32(g, k, &f, &e);
        gguf_get_bool(g, k, &b, &e);
        if (gguf_get_string(g, k, &s, &n, &e)) count_bytes(&touched, 0, s, n, &e);
        gguf_each_string(g, k, count_bytes, &touched, &e);
        if (gguf_array_len(g, k, &elem, &n, &e) && n <= 4) gguf_copy_i32(g, k, is, n, &e);
    }
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        assert_ptr_equal(gguf_find(g, t->name), t);
        const struct quant_info *q = quant_info(t->type);
        if (!q->decode) continue;
        float *x = malloc(t->n_elements * sizeof *x);
        assert_non_null(x);
        q->decode(t->data, x, t->n_elements / (uint64_t)q->block_len);
        free(x);
    }
}

/* ---- a good file ---- */

static void reads_every_type(void **state) {
    (void)state;
    struct strbuf b = {0};
    good_file(&b);
    void *copy;
    struct err e;
    struct gguf *g = open_copy(b.s, b.len, &copy, &e);
    if (!g) fail_msg("%s", e.msg);
    const struct {
        const char *key;
        uint32_t value;
    } integers[] = {{"u8", 200}, {"u16", 0x201}, {"i16", 5}, {"u32", 4000000000u}, {"i32", 7}, {"i64", 11}};
    uint32_t u;
    for (size_t i = 0; i < 6; i++) {
        assert_true(gguf_get_u32(g, integers[i].key, &u, &e));
        assert_int_equal(u, integers[i].value);
    }
    float f;
    bool yes;
    const char *s;
    size_t n, bytes = 0;
    int32_t is[2];
    assert_true(gguf_get_f32(g, "f32", &f, &e) && f == 1.5f);
    assert_true(gguf_get_f32(g, "f64", &f, &e) && f == -2.25f);
    assert_true(gguf_get_bool(g, "bool", &yes, &e) && yes);
    assert_true(gguf_get_string(g, "string", &s, &n, &e) && n == 9 && memcmp(s, "two\nlines", 9) == 0);
    assert_true(gguf_each_string(g, "strings", count_bytes, &bytes, &e) && bytes == 4);
    assert_true(gguf_copy_i32(g, "i32s", is, 2, &e) && is[0] == 5 && is[1] == -6);
    assert_false(gguf_copy_i32(g, "f32s", is, 1, &e));
    const struct gguf_tensor *t = gguf_find(g, "c");
    assert_true(t && t->n_dims == 4 && t->ne[0] == 2 && t->ne[2] == 3 && t->n_elements == 6 && t->n_bytes == 12);
    assert_null(gguf_find(g, "d"));
    assert_false(gguf_has(g, "none"));
    assert_int_equal(gguf_file_size(g), b.len);
    char text[16];
    gguf_describe_value(g, 8, text, sizeof text);
    assert_string_equal(text, "two lines");
    gguf_describe_value(g, 12, text, sizeof text);
    assert_string_equal(text, "[string x 3]");
    gguf_describe_value(g, 1, text, sizeof text);
    assert_string_equal(text, "-3");
    walk(g);
    gguf_close(g);
    free(copy);
    strbuf_free(&b);
}

static void wrong_types_are_named(void **state) {
    (void)state;
    struct strbuf b = {0};
    good_file(&b);
    struct err e;
    struct gguf *g = gguf_open_memory("m.gguf", b.s, b.len, &e);
    assert_non_null(g);
    uint32_t u;
    float f;
    int32_t is[3];
    bool yes;
    assert_false(gguf_get_u32(g, "none", &u, &e));
    assert_string_equal(e.msg, "m.gguf: key \"none\" is missing");
    assert_false(gguf_get_u32(g, "string", &u, &e));
    assert_string_equal(e.msg, "m.gguf: key \"string\" must be u32, found string");
    assert_false(gguf_get_u32(g, "i8", &u, &e));
    assert_string_equal(e.msg, "m.gguf: key \"i8\" must be 0 to 4294967295, found -3");
    assert_false(gguf_get_u32(g, "u64", &u, &e));
    assert_false(gguf_get_bool(g, "u8", &yes, &e));
    assert_false(gguf_get_f32(g, "i32s", &f, &e));
    assert_string_equal(e.msg, "m.gguf: key \"i32s\" must be f32, found an array of i32");
    assert_false(gguf_copy_i32(g, "i32s", is, 3, &e));
    assert_string_equal(e.msg, "m.gguf: key \"i32s\" must have 3 elements, found 2");
    assert_false(gguf_copy_i32(g, "u32s", is, 2, &e)); /* 2^31 does not fit */
    gguf_close(g);
    strbuf_free(&b);
}

/* ---- hostile files ---- */

static void every_truncation_is_refused(void **state) {
    (void)state;
    struct strbuf b = {0};
    good_file(&b);
    for (size_t len = 0; len < b.len; len++) {
        void *copy;
        struct err e;
        struct gguf *g = open_copy(b.s, len, &copy, &e);
        if (g) fail_msg("a file cut to %zu of %zu bytes was accepted", len, b.len);
        free(copy);
    }
    strbuf_free(&b);
}

static void flipped_bits_never_harm(void **state) {
    (void)state;
    struct strbuf b = {0};
    good_file(&b);
    size_t accepted = 0, refused = 0;
    for (size_t bit = 0; bit < 8 * b.len; bit++) {
        void *copy;
        struct err e;
        b.s[bit / 8] ^= (char)(1 << bit % 8);
        struct gguf *g = open_copy(b.s, b.len, &copy, &e);
        b.s[bit / 8] ^= (char)(1 << bit % 8);
        if (g) walk(g);
        *(g ? &accepted : &refused) += 1;
        gguf_close(g);
        free(copy);
    }
    assert_true(accepted > 0 && refused > 1000); /* both paths were taken */
    strbuf_free(&b);
}

struct hostile {
    const char *message; /* part of the refusal */
    void (*build)(struct strbuf *b);
};

/* Two small tensors after optional keys; the tail of most cases below. */
static void one_tensor(struct strbuf *b, const uint64_t *ne, uint32_t n_dims, uint32_t type) {
    header(b, 3, 1, 0);
    tensor(b, "t", n_dims, ne, type, 0);
    pad(b, 32);
    zeros(b, 256);
}

static void aligned(struct strbuf *b, uint32_t type, uint32_t align) {
    header(b, 3, 0, 1);
    key(b, "general.alignment", type);
    u32(b, align);
}

static void two_tensors(struct strbuf *b, const char *second, uint64_t offset) {
    header(b, 3, 2, 0);
    tensor(b, "t", 1, (uint64_t[]){4}, QUANT_F32, 0);
    tensor(b, second, 1, (uint64_t[]){4}, QUANT_F32, offset);
    pad(b, 32);
    zeros(b, 64);
}

static void bad_magic(struct strbuf *b) { strbuf_puts(b, "GGMLxxxxxxxxxxxxxxxxxxxxxxxx"); }
static void version_0(struct strbuf *b) { header(b, 0, 0, 0); }
static void version_1(struct strbuf *b) { header(b, 1, 0, 0); }
static void version_4(struct strbuf *b) { header(b, 4, 0, 0); }
static void big_endian(struct strbuf *b) { header(b, 0x03000000u, 0, 0); }
static void many_keys(struct strbuf *b) { header(b, 3, 0, 1ull << 60); }
static void negative_keys(struct strbuf *b) { header(b, 3, 0, UINT64_MAX); }
static void many_tensors(struct strbuf *b) { header(b, 3, 1ull << 60, 0); }
static void long_key(struct strbuf *b) { header(b, 3, 0, 1), u64(b, UINT64_MAX), zeros(b, 16); }
static void empty_key(struct strbuf *b) { header(b, 3, 0, 1), u64(b, 0), u32(b, 0), zeros(b, 16); }
static void key_with_nul(struct strbuf *b) { header(b, 3, 0, 1), u64(b, 2), zeros(b, 16); }
static void value_type(struct strbuf *b) { header(b, 3, 0, 1), key(b, "k", 13), zeros(b, 16); }
static void long_string(struct strbuf *b) { header(b, 3, 0, 1), key(b, "k", GGUF_STRING), u64(b, 1ull << 63); }
static void element_type(struct strbuf *b) { header(b, 3, 0, 1), array(b, "k", 99, 1ull << 40), zeros(b, 8); }
static void nested_array(struct strbuf *b) { header(b, 3, 0, 1), array(b, "k", GGUF_ARRAY, 1), zeros(b, 64); }
static void long_array(struct strbuf *b) { header(b, 3, 0, 1), array(b, "k", GGUF_U64, 1ull << 61), zeros(b, 64); }
static void wide_array(struct strbuf *b) { header(b, 3, 0, 1), array(b, "k", GGUF_U8, 65), zeros(b, 64); }
static void array_string(struct strbuf *b) {
    header(b, 3, 0, 1), array(b, "k", GGUF_STRING, 2), u64(b, 4), zeros(b, 4), u64(b, 9), zeros(b, 8);
}
static void key_twice(struct strbuf *b) {
    header(b, 3, 0, 2), key(b, "k", GGUF_U32), u32(b, 1), key(b, "k", GGUF_U32), u32(b, 2);
}
static void five_dims(struct strbuf *b) { one_tensor(b, (uint64_t[]){1, 1, 1, 1, 1}, 5, QUANT_F32); }
static void zero_dim(struct strbuf *b) { one_tensor(b, (uint64_t[]){4, 0}, 2, QUANT_F32); }
static void negative_dim(struct strbuf *b) { one_tensor(b, (uint64_t[]){UINT64_MAX}, 1, QUANT_F32); }
static void product_wraps(struct strbuf *b) { one_tensor(b, (uint64_t[]){1ull << 32, 1ull << 32}, 2, QUANT_F32); }
static void bytes_wrap(struct strbuf *b) { one_tensor(b, (uint64_t[]){1ull << 62}, 1, QUANT_F32); }
static void part_block(struct strbuf *b) { one_tensor(b, (uint64_t[]){33}, 1, QUANT_Q8_0); }
static void unknown_type(struct strbuf *b) { one_tensor(b, (uint64_t[]){32}, 1, 77); }
static void too_large(struct strbuf *b) { one_tensor(b, (uint64_t[]){1000}, 1, QUANT_F32); }
static void align_type(struct strbuf *b) { aligned(b, GGUF_I32, 32); }
static void align_zero(struct strbuf *b) { aligned(b, GGUF_U32, 0); }
static void align_odd(struct strbuf *b) { aligned(b, GGUF_U32, 48); }
static void align_huge(struct strbuf *b) { aligned(b, GGUF_U32, 1u << 21); }
static void tensor_twice(struct strbuf *b) { two_tensors(b, "t", 32); }
static void overlap(struct strbuf *b) { two_tensors(b, "u", 0); }
static void hole(struct strbuf *b) { two_tensors(b, "u", 64); }
static void unaligned(struct strbuf *b) { two_tensors(b, "u", 16); }
static void offset_wraps(struct strbuf *b) { two_tensors(b, "u", UINT64_MAX - 15); }
static void long_name(struct strbuf *b) {
    char name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    two_tensors(b, name, 32);
}

static const struct hostile hostile[] = {
    {"not a GGUF file", bad_magic},
    {"version must be 2 or 3, found 0", version_0},
    {"version must be 2 or 3, found 1", version_1},
    {"version must be 2 or 3, found 4", version_4},
    {"wrong byte order", big_endian},
    {"1152921504606846976 keys do not fit", many_keys},
    {"keys do not fit", negative_keys},
    {"1152921504606846976 tensors do not fit", many_tensors},
    {"too long", long_key},
    {"1 to 65535 bytes", empty_key},
    {"no NUL", key_with_nul},
    {"\"k\" has unknown type 13", value_type},
    {"too long", long_string},
    {"element type 99", element_type},
    {"element type 9 (array)", nested_array},
    {"longer than the file", long_array},
    {"longer than the file", wide_array},
    {"the file ends inside key \"k\"", array_string},
    {"key \"k\" occurs twice", key_twice},
    {"has 5 dimensions", five_dims},
    {"dimension 1 is 0", zero_dim},
    {"dimension 0 is -1", negative_dim},
    {"number of elements overflows", product_wraps},
    {"number of bytes overflows", bytes_wrap},
    {"no multiple of Q8_0's block of 32", part_block},
    {"tensor \"t\" has type 77", unknown_type},
    {"ends inside the data of tensor \"t\"", too_large},
    {"\"general.alignment\" must be u32, found i32", align_type},
    {"power of two", align_zero},
    {"power of two", align_odd},
    {"power of two", align_huge},
    {"tensor \"t\" occurs twice", tensor_twice},
    {"must start at offset 32, found 0", overlap},
    {"must start at offset 32, found 64", hole},
    {"must start at offset 32, found 16", unaligned},
    {"must start at offset 32, found 18446744073709551600", offset_wraps},
    {"1 to 63 bytes", long_name},
};

static void hostile_files_are_refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct strbuf b = {0};
        hostile[i].build(&b);
        void *copy;
        struct err e;
        struct gguf *g = open_copy(b.s, b.len, &copy, &e);
        if (g) fail_msg("case %zu (%s) was accepted", i, hostile[i].message);
        if (!strstr(e.msg, hostile[i].message)) fail_msg("case %zu: \"%s\" lacks \"%s\"", i, e.msg, hostile[i].message);
        free(copy);
        strbuf_free(&b);
    }
}

static void version_2_and_other_alignments_are_read(void **state) {
    (void)state;
    struct strbuf b = {0};
    header(&b, 2, 2, 1);
    key(&b, "general.alignment", GGUF_U32), u32(&b, 8);
    tensor(&b, "t", 1, (uint64_t[]){3}, QUANT_F32, 0);
    tensor(&b, "measured", 1, (uint64_t[]){256}, 10 /* Q2_K */, 16);
    pad(&b, 8);
    zeros(&b, 16 + 84);
    struct err e;
    struct gguf *g = gguf_open_memory("m.gguf", b.s, b.len, &e);
    if (!g) fail_msg("%s", e.msg);
    assert_int_equal(gguf_version(g), 2);
    assert_int_equal(gguf_find(g, "measured")->n_bytes, 84);
    gguf_close(g);
    strbuf_free(&b);
}

static void memory_running_out_is_reported(void **state) {
    (void)state;
    struct strbuf b = {0};
    good_file(&b);
    long failures = 0;
    for (long n = 1;; n++) {
        struct err e = {""};
        mem_fail_after(n);
        struct gguf *g = gguf_open_memory("m.gguf", b.s, b.len, &e);
        mem_fail_after(0);
        if (g) {
            gguf_close(g);
            break;
        }
        assert_non_null(strstr(e.msg, "cannot allocate"));
        failures++;
    }
    assert_true(failures >= 5);
    strbuf_free(&b);
}

static void missing_and_special_files_are_refused(void **state) {
    (void)state;
    struct err e;
    char other[160];
    snprintf(other, sizeof other, "%s/none.gguf", dir);
    assert_null(gguf_open(other, &e));
    assert_non_null(strstr(e.msg, "none.gguf: cannot open: No such file"));
    assert_null(gguf_open(dir, &e));
    assert_non_null(strstr(e.msg, "not a regular file"));
    gguf_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_type),
        cmocka_unit_test(wrong_types_are_named),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_bits_never_harm),
        cmocka_unit_test(hostile_files_are_refused_by_name),
        cmocka_unit_test(version_2_and_other_alignments_are_read),
        cmocka_unit_test(memory_running_out_is_reported),
        cmocka_unit_test(missing_and_special_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
