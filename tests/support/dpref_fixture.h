/* D_pref on a file of its own, in a folder that goes with it; what the tests of its pairs and of written answers share.
 * Everything here fails the test on error. */
#ifndef PBKD_TESTS_SUPPORT_DPREF_FIXTURE_H
#define PBKD_TESTS_SUPPORT_DPREF_FIXTURE_H

#include "engine/pref/dpref.h"

/* What a person's label gets in these tests. */
#define DPREF_FLIP 0.02
#define DPREF_WEIGHT 5.0

struct dpref_fixture {
    char folder[64], path[128]; /* of the file: run.db */
    struct db db;               /* the engine's */
    struct dpref d;
};

/* Setup and teardown of a test whose state is a struct dpref_fixture. */
int dpref_set_up(void **state);
int dpref_tear_down(void **state);

void must(bool ok, const struct err *e);

/* Load the file and apply events 1 to n, as a resume does. Free with dpref_free. */
void dpref_load_again(struct dpref_fixture *f, struct dpref *again, int64_t n);
/* After this change to the file, which is taken back, loading fails with words that hold these. */
void dpref_load_fails(struct dpref_fixture *f, const char *sql, const char *words);

#endif
