/* The engine's side of snapshots: series blocks shared between publications. */
#ifndef PBKD_RUN_SNAPSHOT_PRIVATE_H
#define PBKD_RUN_SNAPSHOT_PRIVATE_H

#include <stdatomic.h>

#include "engine/run/snapshot.h"

struct series_block {
    atomic_int references;
    struct series series;
};
struct series_block *series_block_new(const struct series *from);
void series_block_release(struct series_block *b); /* NULL is fine */

#endif
