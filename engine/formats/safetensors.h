/* safetensors: checkpoints' weights and moments. Reading checks the header as hostile input (sizes, types, contiguous
 * ranges, duplicate names); writing is atomic and exact. */
#ifndef PBKD_FORMATS_SAFETENSORS_H
#define PBKD_FORMATS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/err.h"

/* Tensors to write: one-dimensional f32 arrays, borrowed. */
struct st_array {
    const char *name;
    const float *data;
    size_t n;
};
bool st_write(const char *path, const struct st_array *arrays, size_t n_arrays, struct err *e);

struct st_file; /* mapped and checked */
struct st_file *st_open(const char *path, struct err *e);
/* The same over len bytes already in memory, borrowed until st_close; `name` stands for the path in messages. */
struct st_file *st_open_memory(const char *name, const void *data, size_t len, struct err *e);
void st_close(struct st_file *f);
/* Copy tensor `name` (F32, exactly n elements whatever its shape) into out. */
bool st_read_f32(const struct st_file *f, const char *name, float *out, size_t n, struct err *e);

#endif
