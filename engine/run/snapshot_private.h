/* The engine's side of snapshots: blocks that publications share. */
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

/* The options in force, and what follows from them. */
void snapshot_take_options(struct snapshot *s, const struct options *o);

/* The texts and tokens of a pair, which its snapshot owns: free them; make copies of those that it was assigned
 * from. */
void shown_pair_free_texts(const struct shown_pair *p);
void shown_pair_copy_texts(struct shown_pair *p);

struct reward_block {
    atomic_int references;
    struct reward_report report;
};
/* The figures, with the texts of the pairs that they name; a pair that d does not hold has id 0 and empty texts. */
struct reward_block *reward_block_new(const struct diagnostics *figures, const struct dpref *d);
void reward_block_release(struct reward_block *b); /* NULL is fine */

#endif
