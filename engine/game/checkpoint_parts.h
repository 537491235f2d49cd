/* The pieces that checkpoints are put together from: named files of arrays, and lists of reals in JSON that lose no
 * bit (C99 hexadecimal floats). */
#ifndef PBKD_GAME_CHECKPOINT_PARTS_H
#define PBKD_GAME_CHECKPOINT_PARTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "engine/formats/safetensors.h"

/* Arrays of weights and moments by file. The arrays are borrowed. */
#define GAME_FILES 6 /* at most: the student, the rewards that there are, the reference */
struct game_arrays {
    struct st_array *array[GAME_FILES];
    int n[GAME_FILES];
    const char *name[GAME_FILES];
    int n_files;
};
void game_arrays_add(struct game_arrays *a, const char *name, const struct st_array *array, int n);
void game_arrays_free(struct game_arrays *a);

/* What json_reals wrote at root[key]: a list of exactly n reals. */
bool checkpoint_reals(const cJSON *root, const char *key, double *x, int n, struct err *e);
/* Array `array` of folder/name.safetensors, of exactly n elements. */
bool checkpoint_array(const char *folder, const char *name, const char *array, float *out, size_t n, struct err *e);

#endif
