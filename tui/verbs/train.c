/* pbkd pretrain, sft and init-student: models made outside a game. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/formats/quant.h"
#include "engine/train/sft.h"
#include "engine/math/parallel.h"
#include "engine/model/model_io.h"
#include "tui/signals.h"
#include "tui/safe_text.h"
#include "tui/verbs.h"

/* clang-format off */
#define TRAIN_ARGS                                                                                                     \
    {"--data", "FILE.jsonl", ARG_TEXT, 0, 0, ARG_REQUIRED, "lines of {\"prompt\", \"response\"}"}, \
    {"-o", "OUT.gguf", ARG_TEXT, 0, 0, ARG_REQUIRED, "the trained model"}, \
    {"--steps", "N", ARG_INT, 1, 10000000, "1000", "optimiser steps"}, \
    {"--batch", "N", ARG_INT, 1, 4096, "32", "examples per step"}, \
    {"--lr", "X", ARG_REAL, 0, 1, "1e-3", "peak learning rate"}, \
    {"--warmup", "N", ARG_INT, 0, 1000000, "50", "steps of linear warm-up"}, \
    {"--final-lr", "X", ARG_REAL, 0, 1, "0.1", "share of the learning rate left at the end (linear decay)"}, \
    {"--template", "auto|raw|chatml", ARG_CHOICE, 0, 0, "auto", "how a prompt is dressed for the model"}, \
    {"--seed", "N", ARG_INT, 0, 2147483647, "1", "seed of weights and order"}, \
    THREADS_ARG, \
    TYPE_ARG
/* clang-format on */

uint32_t verb_save_type(const struct args *a) {
    static const struct {
        const char *name;
        uint32_t type;
    } types[] = {{"f32", QUANT_F32}, {"f16", QUANT_F16}, {"bf16", QUANT_BF16}, {"q8_0", QUANT_Q8_0}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, args_text(a, "--type")) == 0) return types[i].type;
    return QUANT_F32;
}

struct progress {
    double start, shown;
    bool live; /* one line, rewritten; else a line every ten seconds */
};

static void show_progress(void *ctx, int step, int n_steps, double loss, double tokens_per_second) {
    struct progress *p = ctx;
    const double now = clock_seconds(), every = p->live ? 0.1 : 10.0;
    if (p->shown > 0 && now - p->shown < every && step < n_steps) return;
    p->shown = now;
    const double left = step > 0 ? (now - p->start) / step * (n_steps - step) : 0.0;
    char text[120];
    snprintf(text, sizeof text, "step %d/%d  loss %.4f nats/token  %.0f tok/s  eta %d:%02d", step, n_steps, loss,
             tokens_per_second, (int)left / 60, (int)left % 60);
    if (p->live)
        safe_live_line(stderr, text);
    else
        safe_printf(stderr, "%s\n", text);
}

static bool go_on(void *ctx) {
    (void)ctx;
    return !signals_stop();
}

static int train(struct sft_job *job, const struct args *a) {
    job->data_path = args_text(a, "--data");
    job->out_path = args_text(a, "-o");
    job->template_name = args_text(a, "--template");
    job->n_steps = args_int(a, "--steps");
    job->batch = args_int(a, "--batch");
    job->warmup = args_int(a, "--warmup");
    job->lr = args_real(a, "--lr");
    job->final_share = args_real(a, "--final-lr");
    job->seed = (uint64_t)args_int(a, "--seed");
    job->save_type = verb_save_type(a);
    job->keep_going = go_on;
    signals_install();
    parallel_init(args_int(a, "--threads"));
    struct progress p = {.start = clock_seconds(), .live = isatty(STDERR_FILENO)};
    struct err e = {0};
    const bool ok = sft_train_file(job, show_progress, &p, &e);
    parallel_shutdown();
    if (p.live && p.shown > 0) safe_printf(stderr, "\n");
    if (signals_stop()) {
        safe_printf(stderr, "pbkd: stopped; nothing was saved\n");
        return 128 + signals_read().stop;
    }
    if (!ok) return verb_fail(&e);
    safe_printf(stderr, "pbkd: %s written\n", job->out_path);
    return EXIT_DONE;
}

/* The sizes that make a model: option, key in --config, default (0: derived). */
static const struct {
    const char *option, *key;
    int fallback;
} SIZES[] = {{"--layers", "layers", 4},     {"--width", "width", 128}, {"--heads", "heads", 4},
             {"--kv-heads", "kv_heads", 0}, {"--ff", "ff", 0},         {"--vocab", "vocab", 512},
             {"--context", "context", 512}};
enum { DIM_LAYERS, DIM_WIDTH, DIM_HEADS, DIM_KV_HEADS, DIM_FF, DIM_VOCAB, DIM_CONTEXT, N_DIMS };

static bool read_sizes(const char *path, int size[N_DIMS], struct err *e) {
    cJSON *o = json_read_file(path, e);
    if (!o) return false;
    bool ok = cJSON_IsObject(o) || err_set(e, "%s: expected an object of sizes", path);
    for (const cJSON *v = ok ? o->child : NULL; v && ok; v = v->next) {
        int i = 0;
        while (i < N_DIMS && strcmp(SIZES[i].key, v->string) != 0) i++;
        if (i == N_DIMS)
            ok = err_set(e, "%s: \"%s\" is no size of a model (layers, width, heads, kv_heads, ff, vocab, context)",
                         path, v->string);
        else if (!cJSON_IsNumber(v) || v->valuedouble < 1 || v->valuedouble > 1e7 ||
                 v->valuedouble != floor(v->valuedouble))
            ok = err_set(e, "%s: \"%s\" must be a whole number from 1 to 10000000", path, v->string);
        else
            size[i] = (int)v->valuedouble;
    }
    cJSON_Delete(o);
    return ok;
}

static bool pretrain_config(const struct args *a, struct model_config *c, struct err *e) {
    int size[N_DIMS];
    for (int i = 0; i < N_DIMS; i++) size[i] = SIZES[i].fallback;
    if (args_given(a, "--config") && !read_sizes(args_text(a, "--config"), size, e)) return false;
    for (int i = 0; i < N_DIMS; i++)
        if (args_given(a, SIZES[i].option)) size[i] = args_int(a, SIZES[i].option);
    const int heads = size[DIM_HEADS], width = size[DIM_WIDTH];
    if (width % heads != 0) return err_set(e, "the width (%d) must be a multiple of the heads (%d)", width, heads);
    *c = (struct model_config){.n_vocab = size[DIM_VOCAB],
                               .d_model = width,
                               .n_layer = size[DIM_LAYERS],
                               .n_head = heads,
                               .n_kv_head = size[DIM_KV_HEADS] ? size[DIM_KV_HEADS] : heads,
                               .head_dim = width / heads,
                               .d_ff = size[DIM_FF] ? size[DIM_FF] : 4 * width,
                               .n_ctx = size[DIM_CONTEXT],
                               .rope_base = 10000.0f,
                               .rms_eps = 1e-5f,
                               .tied = true};
    return model_config_check(c, e);
}

static int pretrain(const struct args *a) {
    struct sft_job job = {0};
    struct err e = {0};
    if (args_given(a, "--tokenizer")) job.tokenizer_path = args_text(a, "--tokenizer");
    if (!pretrain_config(a, &job.config, &e)) return verb_fail(&e);
    return train(&job, a);
}

static const struct arg_spec PRETRAIN_ARGS[] = {
    TRAIN_ARGS,
    {"--config", "MODEL.json", ARG_TEXT, 0, 0, NULL,
     "sizes from a file: {\"layers\", \"width\", \"heads\", \"kv_heads\", \"ff\", \"vocab\", \"context\"}"},
    {"--layers", "N", ARG_INT, 1, 1000, NULL, "transformer layers (4)"},
    {"--width", "N", ARG_INT, 2, 65536, NULL, "width of the model (128)"},
    {"--heads", "N", ARG_INT, 1, 1024, NULL, "attention heads (4)"},
    {"--kv-heads", "N", ARG_INT, 1, 1024, NULL, "key-value heads (same as heads)"},
    {"--ff", "N", ARG_INT, 1, 1000000, NULL, "width of the feed-forward layer (4 x width)"},
    {"--vocab", "N", ARG_INT, 259, 1000000, NULL, "tokens to learn at most (512)"},
    {"--context", "N", ARG_INT, 8, 1000000, NULL, "longest sequence (512)"},
    {"--tokenizer", "M.gguf", ARG_TEXT, 0, 0, NULL, "take the vocabulary of this model instead of learning one"},
    {0}};
const struct verb verb_pretrain = {
    .name = "pretrain",
    .arguments = "",
    .help = "train a new small model and its vocabulary on prompts and responses",
    .details = "Sizes come from --config, then from the options, then from the defaults in parentheses. The model "
               "learns to continue a prompt with its response; the vocabulary is learnt from both.",
    .args = PRETRAIN_ARGS,
    .run = pretrain,
};

static int sft(const struct args *a) {
    struct sft_job job = {.model_path = args_text(a, "--model")};
    return train(&job, a);
}

static const struct arg_spec SFT_ARGS[] = {
    {"--model", "M.gguf", ARG_TEXT, 0, 0, ARG_REQUIRED, "the model to start from"}, TRAIN_ARGS, {0}};
const struct verb verb_sft = {
    .name = "sft",
    .arguments = "",
    .help = "train a model on recorded responses (cross-entropy)",
    .details = "Supervised fine-tuning of an existing model: the baseline that distillation from preferences is "
               "compared with.",
    .args = SFT_ARGS,
    .run = sft,
};

static int init_student(const struct args *a) {
    struct err e = {0};
    struct model *teacher = NULL, *student = NULL;
    struct tokenizer *t = NULL;
    bool ok = model_open(args_text(a, "--from"), &teacher, &t, &e);
    if (ok) student = model_keep_layers(teacher, args_int(a, "--layers"), &e);
    model_free(teacher);
    ok = student && model_save(student, t, args_text(a, "-o"), verb_save_type(a), &e);
    if (ok)
        safe_printf(stderr, "pbkd: %s written: %d layers, %.1f million parameters\n", args_text(a, "-o"),
                    student->cfg.n_layer, (double)student->n_params / 1e6);
    model_free(student);
    tokenizer_free(t);
    return ok ? EXIT_DONE : verb_fail(&e);
}

static const struct arg_spec INIT_ARGS[] = {{"--from", "T.gguf", ARG_TEXT, 0, 0, ARG_REQUIRED, "the teacher"},
                                            {"--layers", "N", ARG_INT, 1, 100000, ARG_REQUIRED, "layers to keep"},
                                            {"-o", "S.gguf", ARG_TEXT, 0, 0, ARG_REQUIRED, "the student"},
                                            TYPE_ARG,
                                            {0}};
const struct verb verb_init_student = {
    .name = "init-student",
    .arguments = "",
    .help = "make a student of a teacher's layers",
    .details = "The first and the last layer are always kept, the others evenly spread.",
    .args = INIT_ARGS,
    .run = init_student,
};
