/* Snapshots: names for people, and reference counts. See snapshot.h. */
#include "engine/run/snapshot.h"

#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/run/snapshot_private.h"

const char *run_state_name(enum run_state s) {
    static const char *const NAMES[] = {"LOADING", "RUN", "PAUSED", "WAITING", "DONE", "FAILED"};
    return NAMES[s];
}

const struct snapshot *snapshot_retain(const struct snapshot *s) {
    __atomic_add_fetch(&((struct snapshot *)s)->references, 1, __ATOMIC_RELAXED);
    return s;
}

void snapshot_release(const struct snapshot *s) {
    if (!s || __atomic_sub_fetch(&((struct snapshot *)s)->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    for (int i = 0; i < N_SERIES; i++) series_block_release(s->owner[i]);
    for (int i = 0; i < s->n_shown; i++) {
        free(s->pair[i].prompt);
        free(s->pair[i].teacher);
        free(s->pair[i].student);
    }
    free((void *)s);
}

struct series_block *series_block_new(const struct series *from) {
    struct series_block *b = mem_small(sizeof *b);
    atomic_init(&b->references, 1);
    b->series = *from;
    return b;
}

void series_block_release(struct series_block *b) {
    if (b && atomic_fetch_sub(&b->references, 1) == 1) free(b);
}
