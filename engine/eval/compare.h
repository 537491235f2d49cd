/* Finished (or running) runs beside each other: what they reached, in which options they differ, and, where two runs
 * answered the same held-out prompts, by how much one is right more often, paired by prompt. Reads run.db only. */
#ifndef PBKD_EVAL_COMPARE_H
#define PBKD_EVAL_COMPARE_H

#include <stdint.h>

#include "engine/base/strbuf.h"
#include "engine/math/stats.h"
#include "engine/option/option.h"

struct compare_run {
    char *path, *name;                                     /* name: the folder's own, unless two runs share it */
    struct options options;                                /* as they are now: stored ones and changes made since */
    int iterations;                                        /* evaluated */
    double accuracy_first, accuracy_last, reward_accuracy; /* NAN: not measured */
    struct interval gap_worst;
    double *right; /* [n_right] 1 where the greedy answer to a held-out prompt was right; NULL: see why */
    int n_right;
    struct err why; /* no per-prompt record: the reason */
    uint64_t heldout, student,
        teacher_said; /* hashes: held-out file, student file, teacher outputs at held-out prompts */
};

/* Run i against run 0, by prompt. */
struct compare_pair {
    bool paired;
    struct err why;             /* !paired */
    struct interval difference; /* share right of run i - of run 0; 95 % bootstrap over prompts, B = 2000 */
    int n, better, worse;       /* prompts; right in run i only, in run 0 only */
};

struct compare {
    int n;
    struct compare_run *run;
    struct compare_pair *pair; /* [n]; pair[0] is unused */
};

/* n >= 1 run folders. NULL and e filled when one cannot be read. */
struct compare *compare_read(const char *const *folder, int n, struct err *e);
void compare_free(struct compare *c);
void compare_text(const struct compare *c, int columns, struct strbuf *out);
/* One JSON object on one line. */
void compare_json(const struct compare *c, struct strbuf *out);
/* Whether the runs differ in this option (threads, which change nothing, never count). */
bool compare_differs(const struct compare *c, const struct option_info *info);

#endif
