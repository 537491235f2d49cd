/* Models from and to GGUF files, with the rotary permutation of some architectures undone on load and redone on save,
 * every tensor's shape compared with what the configuration implies. */
#ifndef PBKD_MODEL_MODEL_IO_H
#define PBKD_MODEL_MODEL_IO_H

#include "engine/formats/gguf.h"
#include "engine/model/model.h"
#include "engine/text/tokenizer.h"

/* general.architecture must be a row of architecture.h. Dequantises to f32. progress (may be NULL) is called with 0..1. */
struct model *model_load(const struct gguf *g, void (*progress)(void *ctx, double done), void *ctx, struct err *e);
/* Open, load model and tokenizer together; *t may be NULL if not wanted. Checks vocabulary rows == tokenizer
 * entries. */
bool model_open(const char *path, struct model **m, struct tokenizer **t, struct err *e);
/* Write model and tokenizer keys; matrices as `type` (QUANT_F32, F16, BF16, Q8_0), vectors as F32. Atomic. */
bool model_save(const struct model *m, const struct tokenizer *t, const char *path, uint32_t type, struct err *e);

/* A student by keeping n_keep of the teacher's layers: first and last always, the rest evenly spread. */
struct model *model_keep_layers(const struct model *teacher, int n_keep, struct err *e);

#endif
