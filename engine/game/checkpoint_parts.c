/* Arrays and reals of checkpoints: see checkpoint_parts.h. */
#include "engine/game/checkpoint_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

void game_arrays_add(struct game_arrays *a, const char *name, const struct st_array *array, int n) {
    a->name[a->n_files] = name;
    a->n[a->n_files] = n;
    a->array[a->n_files] = mem_small((size_t)n * sizeof *array);
    memcpy(a->array[a->n_files++], array, (size_t)n * sizeof *array);
}

void game_arrays_free(struct game_arrays *a) {
    for (int i = 0; i < a->n_files; i++) free(a->array[i]);
    *a = (struct game_arrays){0};
}

bool checkpoint_reals(const cJSON *root, const char *key, double *x, int n, struct err *e) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, key);
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != n)
        return err_set(e, "checkpoint: \"%s\" must be an array of %d values", key, n);
    int i = 0;
    for (const cJSON *v = list->child; v; v = v->next) {
        if (!cJSON_IsString(v)) return err_set(e, "checkpoint: \"%s\" must hold strings", key);
        x[i++] = strtod(v->valuestring, NULL);
    }
    return true;
}

bool checkpoint_array(const char *folder, const char *name, const char *array, float *out, size_t n, struct err *e) {
    char path[4200];
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    struct st_file *f = st_open(path, e);
    if (!f) return false;
    const bool ok = st_read_f32(f, array, out, n, e);
    st_close(f);
    return ok;
}
