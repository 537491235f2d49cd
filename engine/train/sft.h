/* Cross-entropy training on responses (supervised fine-tuning, "vanilla" black-box distillation), used three ways: the
 * baseline `sft`, the first training of a raw student, and the verbs `pbkd pretrain` and `pbkd sft`. */
#ifndef PBKD_TRAIN_SFT_H
#define PBKD_TRAIN_SFT_H

#include "engine/train/trainee.h"
#include "engine/text/chat.h"

/* One training example in tokens; x and y borrowed. */
struct sft_example {
    const int32_t *x, *y;
    int n_x, n_y;
};

/* One AdamW step on the mean cross-entropy per response token over n examples. *loss in nats per token; n_tokens (may
 * be NULL) gets the tokens that went through the model. */
bool sft_step(struct trainee *t, struct sequences *s, const struct sft_example *ex, int n, double lr, double *loss,
              int64_t *n_tokens, struct err *e);

/* A whole training job from a JSONL file of {"prompt", "response"}. */
struct sft_job {
    /* start from this GGUF; NULL: a new model of `config` with a tokenizer trained on the data */
    const char *model_path;
    /* n_vocab = size of the vocabulary to learn (upper bound); used when model_path is NULL */
    struct model_config config;
    const char *tokenizer_path; /* new models: take the vocabulary of this GGUF instead of learning one; NULL: learn */
    const char *data_path, *out_path;
    const char *template_name; /* "auto", "raw", "chatml" */
    int n_steps, batch, warmup;
    double lr, final_share;
    uint64_t seed;
    uint32_t save_type;            /* QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q8_0 */
    bool (*keep_going)(void *ctx); /* NULL: always; asked between steps, false = stop and save nothing */
};
bool sft_train_file(const struct sft_job *job,
                    void (*progress)(void *ctx, int step, int n_steps, double loss, double tokens_per_second),
                    void *ctx, struct err *e);

#endif
