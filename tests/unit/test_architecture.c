/* Rows of architectures: a second one through files and layers, and rows that ask for what is not computed. Its forward
 * pass, gradients and decoding: test_model, test_generate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/formats/quant.h"
#include "engine/model/architecture.h"
#include "engine/model/model_io.h"
#include "tests/support/model_fixture.h"

static const struct architecture *find(const char *name) {
    struct err e;
    const struct architecture *a = architecture_find(name, strlen(name), &e);
    if (!a) fail_msg("%s", e.msg);
    return a;
}

static void an_unknown_name_is_told_the_known_ones(void **state) {
    (void)state;
    struct err e;
    assert_null(architecture_find("gpt-j", 5, &e));
    assert_non_null(strstr(e.msg, "\"gpt-j\""));
    assert_non_null(strstr(e.msg, "\"llama\""));
    assert_non_null(strstr(e.msg, "\"qwen2\""));
    assert_null(architecture_find("llama2", 6, &e));
    assert_null(architecture_find("llam", 4, &e));
    const struct model_config none = {0};
    assert_ptr_equal(architecture_of(&none), find("llama"));
}

/* A row may say what the layer does not do; then no model of it comes to be, and the message names the row and the
 * thing. */
static void what_is_not_computed_is_refused(void **state) {
    (void)state;
    const struct architecture *llama = find("llama");
    struct architecture row[8];
    for (size_t i = 0; i < 8; i++) {
        row[i] = *llama;
        row[i].name = "made-up";
    }
    row[0].norm = NORM_LAYER;
    row[1].activation = ACTIVATION_GELU_TANH;
    row[2].position = POSITION_LEARNED;
    row[3].parts = 0;
    row[4].parts |= (unsigned)ALL_PARTS + 1;
    row[5].parts |= PART_QKV_BIAS; /* with permuted rows */
    row[6].scales_embedding = true;
    row[7].global_every = 6;
    const char *what[] = {"RMSNorm",         "SiLU",   "learned positions", "gate",
                          "part of a layer", "biases", "scaled embedding",  "window"};
    for (size_t i = 0; i < 8; i++) {
        struct model_config c = FIXTURE_SMALL;
        c.arch = &row[i];
        struct err e;
        assert_null(model_new(&c, false, &e));
        assert_non_null(strstr(e.msg, "\"made-up\""));
        if (!strstr(e.msg, what[i])) fail_msg("\"%s\" is not in: %s", what[i], e.msg);
    }
}

/* The only difference is in the row; hashes tell them apart though sizes and weights are equal. */
static void the_hash_knows_the_architecture(void **state) {
    (void)state;
    struct architecture halves = *find("llama");
    halves.name = "halves";
    halves.position = POSITION_ROTARY_HALVES;
    struct model_config c = FIXTURE_SMALL;
    struct model *a = model_new(&c, false, NULL);
    c.arch = &halves;
    struct model *b = model_new(&c, false, NULL);
    assert_int_equal(a->n_params, b->n_params);
    assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
    assert_int_not_equal(model_hash(a), model_hash(b));
    model_free(a);
    model_free(b);
}

static void new_biases_are_zero(void **state) {
    (void)state;
    struct model_config c = FIXTURE_GROUPED;
    c.arch = find("qwen2");
    struct model *m = model_new(&c, false, NULL);
    model_init(m, 5);
    const struct layer_params *p = &m->layer[1];
    /* behind each other, so that one addition serves all three */
    assert_int_equal(p->bk, p->bq + (size_t)(c.n_head * c.head_dim));
    assert_int_equal(p->bv, p->bk + (size_t)(c.n_kv_head * c.head_dim));
    for (size_t i = p->bq; i < p->wo; i++) assert_true(m->params[i] == 0.0f);
    assert_true(m->params[p->wo] != 0.0f);
    model_free(m);
}

/* qwen2 comes back bit for bit, under keys and tensor names of its own, with the rows of q where they were. */
static void a_second_architecture_goes_to_a_file_and_back(void **state) {
    (void)state;
    char dir[] = "/tmp/pbkd_architecture_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/q.gguf", dir);
    struct model_config c = FIXTURE_GROUPED;
    c.arch = find("qwen2");
    struct model *m = fixture_model(&c, 9), *back;
    struct err e;
    assert_true(model_save(m, NULL, path, QUANT_F32, &e));
    struct gguf *g = gguf_open(path, &e);
    assert_non_null(g);
    uint32_t n;
    assert_true(gguf_get_u32(g, "qwen2.block_count", &n, &e) && n == 2);
    assert_false(gguf_has(g, "llama.block_count"));
    const struct gguf_tensor *bias = gguf_find(g, "blk.1.attn_k.bias"), *q = gguf_find(g, "blk.1.attn_q.weight");
    assert_non_null(bias);
    assert_int_equal(bias->ne[0], c.n_kv_head * c.head_dim);
    assert_memory_equal(bias->data, m->params + m->layer[1].bk, (size_t)bias->ne[0] * sizeof(float));
    assert_memory_equal(q->data, m->params + m->layer[1].wq, (size_t)(q->ne[0] * q->ne[1]) * sizeof(float));
    gguf_close(g);

    if (!model_open(path, &back, NULL, &e)) fail_msg("%s", e.msg);
    assert_ptr_equal(back->cfg.arch, c.arch);
    assert_int_equal(model_hash(back), model_hash(m));
    struct model *student = model_keep_layers(back, 2, &e);
    assert_non_null(student);
    assert_int_equal(model_hash(student), model_hash(m)); /* biases came along */
    model_free(student);
    model_free(back);
    model_free(m);
    assert_true(dir_remove_tree(dir, &e));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_name_is_told_the_known_ones),
        cmocka_unit_test(what_is_not_computed_is_refused),
        cmocka_unit_test(the_hash_knows_the_architecture),
        cmocka_unit_test(new_biases_are_zero),
        cmocka_unit_test(a_second_architecture_goes_to_a_file_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
