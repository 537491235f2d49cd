/* A sorted index over names from a file: duplicate detection and lookup. Sorted rather than hashed, because a hostile
 * file can choose names that collide under any fixed hash, but cannot make n log n worse. */
#ifndef PBKD_BASE_NAMES_H
#define PBKD_BASE_NAMES_H

#include <stddef.h>

#include "engine/base/err.h"

struct name_entry {
    const char *name; /* borrowed */
    size_t pos;       /* the caller's number of it */
};
struct name_index {
    struct name_entry *entries;
    size_t n;
};

/* Room for n entries, to be filled in by the caller; free with names_free (a zeroed struct is fine). */
bool names_alloc(struct name_index *x, size_t n, const char *what, struct err *e);
/* Sort the entries; returns a name that occurs twice, or NULL when all differ. */
const char *names_sort(struct name_index *x);
/* The entry of a sorted index, NULL when absent. */
const struct name_entry *names_find(const struct name_index *x, const char *name);
void names_free(struct name_index *x);

#endif
