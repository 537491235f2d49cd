/* Models to and from GGUF: what is written comes back (bit for bit as F32), rows of q and k lie in the file in the
 * order of arch llama, and a file that asks for something the forward pass does not do is refused with its name. */
#include <math.h>
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
#include "engine/formats/quant.h"
#include "engine/model/architecture.h"
#include "engine/model/model_io.h"
#include "tests/support/model_fixture.h"

struct scene {
    char dir[64], path[128], other[128];
    struct tokenizer *tok;
};

static int set_up(void **state) {
    struct scene *s = calloc(1, sizeof *s);
    strcpy(s->dir, "/tmp/pbkd_model_io_XXXXXX");
    if (!mkdtemp(s->dir)) return -1;
    snprintf(s->path, sizeof s->path, "%s/m.gguf", s->dir);
    snprintf(s->other, sizeof s->other, "%s/other.gguf", s->dir);
    const char *text[] = {"the cat sat on the mat", "the dog sat on the log", "12 + 34 = 46"};
    struct err e;
    s->tok = tokenizer_train(text, 3, 270, &e);
    *state = s;
    return s->tok ? 0 : -1;
}

static int tear_down(void **state) {
    struct scene *s = *state;
    struct err e;
    tokenizer_free(s->tok);
    bool ok = dir_remove_tree(s->dir, &e);
    free(s);
    return ok ? 0 : -1;
}

static struct model *tiny_model(const struct scene *s, bool tied, int n_layer) {
    struct model_config c = FIXTURE_GROUPED;
    c.n_vocab = tokenizer_n_vocab(s->tok);
    c.d_model = 32;
    c.n_layer = n_layer;
    c.d_ff = 64;
    c.n_ctx = 99;
    c.rope_base = 12345.0f;
    c.tied = tied;
    struct err e;
    struct model *m = model_new(&c, false, &e);
    assert_non_null(m);
    model_init(m, 7);
    m->params[m->out_norm + 3] = 1.25f;
    return m;
}

static void f32_comes_back_bit_for_bit(void **state) {
    struct scene *s = *state;
    struct err e;
    for (int tied = 0; tied < 2; tied++) {
        struct model *m = tiny_model(s, tied, 3), *back;
        struct tokenizer *t;
        assert_true(model_save(m, s->tok, s->path, QUANT_F32, &e));
        assert_true(model_open(s->path, &back, &t, &e));
        assert_true(model_hash(back) == model_hash(m));
        assert_true(tokenizer_hash(t) == tokenizer_hash(s->tok));
        assert_int_equal(back->cfg.tied, tied);
        assert_memory_equal(&back->cfg, &m->cfg, offsetof(struct model_config, tied));
        tokenizer_free(t);
        model_free(back);
        assert_true(model_open(s->path, &back, NULL, &e));
        model_free(back);
        model_free(m);
    }
}

static void smaller_types_come_back_within_their_precision(void **state) {
    struct scene *s = *state;
    const struct {
        uint32_t type;
        float relative; /* to the largest weight of a block */
    } cases[] = {{QUANT_F16, 5e-4f}, {QUANT_BF16, 4e-3f}, {QUANT_Q8_0, 6e-3f}};
    struct err e;
    for (size_t k = 0; k < 3; k++) {
        struct model *m = tiny_model(s, false, 2), *back;
        /* Q8_0 needs rows of whole blocks: n_head * head_dim = 24 is not */
        if (cases[k].type == QUANT_Q8_0) {
            assert_false(model_save(m, s->tok, s->path, QUANT_Q8_0, &e));
            assert_non_null(strstr(e.msg, "blk.0.attn_output.weight"));
            struct model_config c = m->cfg;
            c.head_dim = 8;
            model_free(m);
            assert_non_null(m = model_new(&c, false, &e));
            model_init(m, 7);
        }
        assert_true(model_save(m, s->tok, s->path, cases[k].type, &e));
        assert_true(model_open(s->path, &back, NULL, &e));
        assert_true(model_hash(back) != model_hash(m)); /* something was rounded */
        for (size_t i = 0; i < m->n_params; i++)
            assert_true(fabsf(m->params[i] - back->params[i]) <= cases[k].relative * fmaxf(0.1f, fabsf(m->params[i])));
        model_free(back);
        model_free(m);
    }
}

static void rows_of_q_and_k_are_permuted_in_the_file(void **state) {
    struct scene *s = *state;
    struct err e;
    struct model *m = tiny_model(s, true, 2);
    assert_true(model_save(m, s->tok, s->path, QUANT_F32, &e));
    struct gguf *g = gguf_open(s->path, &e);
    assert_non_null(g);
    const char *name[] = {"blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight"};
    size_t offset[] = {m->layer[1].wq, m->layer[1].wk, m->layer[1].wv}, row = 32 * sizeof(float);
    int heads[] = {4, 2, 2}, half = 3;
    for (int k = 0; k < 3; k++) {
        const struct gguf_tensor *t = gguf_find(g, name[k]);
        assert_non_null(t);
        for (int h = 0; h < heads[k]; h++)
            for (int i = 0; i < half; i++) {
                int first = k == 2 ? 2 * i : i, second = k == 2 ? 2 * i + 1 : i + half; /* v stays as it is */
                const float *ours = m->params + offset[k] + (size_t)(h * 2 * half) * 32;
                const unsigned char *file = t->data + (size_t)(h * 2 * half + 2 * i) * row;
                assert_memory_equal(file, ours + first * 32, row);
                assert_memory_equal(file + row, ours + second * 32, row);
            }
    }
    gguf_close(g);
    model_free(m);
}

/* ---- refusals ---- */

struct change {
    const char *drop_key, *drop_tensor; /* NULL: none */
    void (*add)(struct gguf_writer *w);
    const char *expect[2]; /* both in the message */
};

static const float zeros[270 * 32];

static void add_scaling(struct gguf_writer *w) { gguf_put_string(w, "llama.rope.scaling.type", "yarn"); }
static void add_linear(struct gguf_writer *w) { gguf_put_f32(w, "llama.rope.scale_linear", 4.0f); }
static void add_freqs(struct gguf_writer *w) { gguf_put_tensor(w, "rope_freqs.weight", zeros, 3, 1, QUANT_F32); }
static void add_bias(struct gguf_writer *w) { gguf_put_tensor(w, "blk.0.attn_q.bias", zeros, 24, 1, QUANT_F32); }
static void add_experts(struct gguf_writer *w) { gguf_put_u32(w, "llama.expert_count", 8); }
static void add_window(struct gguf_writer *w) { gguf_put_u32(w, "llama.attention.sliding_window", 16); }
static void add_gpt2(struct gguf_writer *w) { gguf_put_string(w, "general.architecture", "gpt2"); }
static void add_qwen2(struct gguf_writer *w) { gguf_put_string(w, "general.architecture", "qwen2"); }
static void add_vocab(struct gguf_writer *w) { gguf_put_u32(w, "llama.vocab_size", 9); }
static void add_rope_dim(struct gguf_writer *w) { gguf_put_u32(w, "llama.rope.dimension_count", 4); }
static void add_value_dim(struct gguf_writer *w) { gguf_put_u32(w, "llama.attention.value_length", 8); }
static void add_huge_ff(struct gguf_writer *w) { gguf_put_u32(w, "llama.feed_forward_length", 1000000); }
static void add_other_ff(struct gguf_writer *w) { gguf_put_u32(w, "llama.feed_forward_length", 60); }
static void add_odd_heads(struct gguf_writer *w) { gguf_put_u32(w, "llama.attention.head_count_kv", 3); }
static void add_no_heads(struct gguf_writer *w) { gguf_put_u32(w, "llama.attention.head_count", 0); }
static void add_text(struct gguf_writer *w) { gguf_put_string(w, "llama.block_count", "three"); }
static void add_renamed(struct gguf_writer *w) { gguf_put_tensor(w, "blk.0.ffn_op.weight", zeros, 32, 64, QUANT_F32); }
static void add_embedding(struct gguf_writer *w) {
    gguf_put_tensor(w, "token_embd.weight", zeros, 32, 200, QUANT_F32);
    gguf_put_u32(w, "llama.vocab_size", 200);
}
static void add_nan(struct gguf_writer *w) {
    static float x[32];
    x[5] = NAN;
    gguf_put_tensor(w, "output_norm.weight", x, 32, 1, QUANT_F32);
}
static void add_nothing(struct gguf_writer *w) { (void)w; }

/* Copy path to other with the change applied. */
static void rewrite(const struct scene *s, const struct change *c) {
    struct err e;
    struct gguf *g = gguf_open(s->path, &e);
    assert_non_null(g);
    struct gguf_writer *w = gguf_writer_new();
    const char *except[] = {c->drop_key, NULL};
    gguf_put_keys_from(w, g, except);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        if (c->drop_tensor && strcmp(t->name, c->drop_tensor) == 0) continue;
        gguf_put_tensor(w, t->name, (const float *)(const void *)t->data, t->ne[0], t->ne[1], QUANT_F32);
    }
    c->add(w);
    if (!gguf_write(w, s->other, &e)) fail_msg("%s", e.msg);
    gguf_writer_free(w);
    gguf_close(g);
}

static void refuses_what_it_does_not_do(void **state) {
    struct scene *s = *state;
    const struct change changes[] = {
        {NULL, NULL, add_scaling, {"yarn", "scaling"}},
        {NULL, NULL, add_linear, {"llama.rope.scale_linear", "4"}},
        {NULL, NULL, add_freqs, {"rope_freqs.weight", "not supported"}},
        {NULL, NULL, add_bias, {"blk.0.attn_q.bias", "biases"}},
        {NULL, NULL, add_experts, {"llama.expert_count", "8"}},
        {NULL, NULL, add_window, {"sliding_window", "16"}},
        {"general.architecture", NULL, add_gpt2, {"gpt2", "llama"}},
        {"general.architecture", NULL, add_qwen2, {"qwen2.block_count", "missing"}},
        {"llama.vocab_size", NULL, add_vocab, {"llama.vocab_size", "9"}},
        {"llama.rope.dimension_count", NULL, add_rope_dim, {"rotating 4", "6"}},
        {"llama.attention.value_length", NULL, add_value_dim, {"values of 8", "6"}},
        {"llama.feed_forward_length", NULL, add_huge_ff, {"implies", "holds"}},
        {"llama.feed_forward_length", NULL, add_other_ff, {"ffn_gate", "60"}},
        {"llama.attention.head_count_kv", NULL, add_odd_heads, {"n_kv_head", "3"}},
        {"llama.attention.head_count", NULL, add_no_heads, {"llama.attention.head_count", "0"}},
        {"llama.block_count", NULL, add_text, {"llama.block_count", "string"}},
        {"llama.block_count", NULL, add_nothing, {"llama.block_count", "missing"}},
        {NULL, "blk.0.ffn_up.weight", add_renamed, {"blk.0.ffn_up.weight", "missing"}},
        {"llama.vocab_size", "token_embd.weight", add_embedding, {"200", ""}},
        {NULL, "token_embd.weight", add_nothing, {"token_embd.weight", "missing"}},
        {NULL, "output_norm.weight", add_nan, {"output_norm.weight", "finite"}},
    };
    struct err e;
    struct model *m = tiny_model(s, true, 2), *back;
    struct tokenizer *t;
    assert_true(model_save(m, s->tok, s->path, QUANT_F32, &e));
    rewrite(s, &(struct change){.add = add_nothing}); /* unchanged it must load, or the refusals below say nothing */
    assert_true(model_open(s->other, &back, &t, &e));
    assert_true(model_hash(back) == model_hash(m));
    tokenizer_free(t);
    model_free(back);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        rewrite(s, &changes[i]);
        if (model_open(s->other, &back, &t, &e)) fail_msg("change %zu was accepted", i);
        assert_null(back);
        assert_null(t);
        for (int k = 0; k < 2; k++)
            if (!strstr(e.msg, changes[i].expect[k])) fail_msg("\"%s\" is not in: %s", changes[i].expect[k], e.msg);
        assert_non_null(strstr(e.msg, "other.gguf"));
    }
    model_free(m);
}

static void what_cannot_be_saved_is_refused(void **state) {
    struct scene *s = *state;
    struct err e;
    struct model *m = tiny_model(s, true, 1), *value = model_copy(m, true, &e);
    assert_non_null(value);
    assert_false(model_save(value, s->tok, s->path, QUANT_F32, &e));
    assert_non_null(strstr(e.msg, "value vector"));
    assert_false(model_save(m, s->tok, s->path, QUANT_Q4_1, &e));
    assert_false(file_exists(s->path));
    struct model_config c = m->cfg;
    c.n_vocab = 20;
    struct model *other = model_new(&c, false, &e);
    assert_false(model_save(other, s->tok, s->path, QUANT_F32, &e));
    model_free(other);
    model_free(value);
    model_free(m);
}

static void note_progress(void *ctx, double done) {
    double *last = ctx;
    assert_true(done > *last && done <= 1.0);
    *last = done;
}

static void progress_ends_at_one(void **state) {
    struct scene *s = *state;
    struct err e;
    struct model *m = tiny_model(s, true, 2);
    assert_true(model_save(m, s->tok, s->path, QUANT_F32, &e));
    struct gguf *g = gguf_open(s->path, &e);
    double last = 0.0;
    struct model *back = model_load(g, note_progress, &last, &e);
    assert_non_null(back);
    assert_true(last == 1.0);
    gguf_close(g);
    model_free(back);
    model_free(m);
}

static void assert_same_layer(const struct model *a, int i, const struct model *b, int j) {
    size_t from = a->layer[i].attn_norm, to = a->layer[i].w_down + (size_t)a->cfg.d_ff * (size_t)a->cfg.d_model;
    assert_memory_equal(a->params + from, b->params + b->layer[j].attn_norm, (to - from) * sizeof(float));
}

static void keeps_first_last_and_evenly_spread_layers(void **state) {
    struct scene *s = *state;
    struct err e;
    struct model *m = tiny_model(s, false, 6);
    const struct {
        int n, source[6];
    } cases[] = {{2, {0, 5}}, {3, {0, 3, 5}}, {4, {0, 2, 3, 5}}, {6, {0, 1, 2, 3, 4, 5}}};
    for (size_t k = 0; k < 4; k++) {
        struct model *student = model_keep_layers(m, cases[k].n, &e);
        assert_non_null(student);
        assert_int_equal(student->cfg.n_layer, cases[k].n);
        for (int i = 0; i < cases[k].n; i++) assert_same_layer(student, i, m, cases[k].source[i]);
        size_t vocab = (size_t)m->cfg.n_vocab * 32 * sizeof(float);
        assert_memory_equal(student->params + student->embed, m->params + m->embed, vocab);
        assert_memory_equal(student->params + student->head, m->params + m->head, vocab);
        assert_memory_equal(student->params + student->out_norm, m->params + m->out_norm, 32 * sizeof(float));
        if (cases[k].n == 6) assert_true(model_hash(student) == model_hash(m));
        model_free(student);
    }
    assert_null(model_keep_layers(m, 1, &e));
    assert_null(model_keep_layers(m, 7, &e));
    assert_non_null(strstr(e.msg, "7 of 6"));
    model_free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(f32_comes_back_bit_for_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(smaller_types_come_back_within_their_precision, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_of_q_and_k_are_permuted_in_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_it_does_not_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_saved_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_ends_at_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_first_last_and_evenly_spread_layers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
