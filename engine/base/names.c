/* Sorted name index: see names.h. */
#include "engine/base/names.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/mem.h"

bool names_alloc(struct name_index *x, size_t n, const char *what, struct err *e) {
    x->n = n;
    x->entries = mem_alloc(n, sizeof *x->entries, what, e);
    if (!x->entries) x->n = 0;
    return x->entries != NULL;
}

static int by_name(const void *a, const void *b) {
    const struct name_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

const char *names_sort(struct name_index *x) {
    qsort(x->entries, x->n, sizeof *x->entries, by_name);
    for (size_t i = 1; i < x->n; i++)
        if (strcmp(x->entries[i - 1].name, x->entries[i].name) == 0) return x->entries[i].name;
    return NULL;
}

const struct name_entry *names_find(const struct name_index *x, const char *name) {
    if (x->n == 0) return NULL;
    const struct name_entry key = {.name = name};
    return bsearch(&key, x->entries, x->n, sizeof *x->entries, by_name);
}

void names_free(struct name_index *x) {
    mem_free(x->entries);
    *x = (struct name_index){0};
}
